//! Turns what crosses the plugin boundary as data into what the runtime works with.

use convscope_protocol::{self as protocol, Fill, suggest};
use convscope_runtime::network::{Edit, Intervention, ValueId};
use convscope_runtime::rule::{self, BackwardRule};
use convscope_runtime::{Composite, LayerKind, Network, Region, Selector, Shape};

use crate::HostError;
use crate::observe::Fills;

/// Finds a value by any of its names.
///
/// # Errors
/// Fails with the nearest names.
pub(crate) fn value(network: &Network, name: &str) -> Result<ValueId, HostError> {
    network.find(name).ok_or_else(|| {
        let nearest = suggest::nearest(name, network.names());
        let nearest = nearest.into_iter().map(str::to_owned).collect();
        HostError::UnknownLayer { name: name.to_owned(), nearest }
    })
}

/// Translates a composite.
///
/// # Errors
/// Fails when a rule, a kind of layer or a layer does not exist.
pub(crate) fn composite(
    network: &Network,
    composite: &protocol::Composite,
) -> Result<Composite, HostError> {
    let mut result = Composite::default();
    for one in &composite.rules {
        let selector = match &one.on {
            protocol::attribute::On::Kind(name) => {
                Selector::Kind(LayerKind::of_name(name).ok_or_else(|| unknown_kind(name))?)
            }
            protocol::attribute::On::Layer(name) => {
                let value = value(network, name)?;
                Selector::Name(network.name_of(value).to_owned())
            }
        };
        result = result.with(selector, named_rule(&one.apply)?);
    }
    Ok(result)
}

fn named_rule(name: &str) -> Result<&'static dyn BackwardRule, HostError> {
    rule::named(name).ok_or_else(|| HostError::UnknownRule {
        what: "rule",
        name: name.to_owned(),
        known: rule::ALL.iter().map(|rule| rule.name().to_owned()).collect(),
    })
}

fn unknown_kind(name: &str) -> HostError {
    HostError::UnknownRule {
        what: "kind of layer",
        name: name.to_owned(),
        known: LayerKind::ALL.iter().map(|kind| kind.name().to_owned()).collect(),
    }
}

/// Translates an intervention on the image in `row` of a batch; `fills` holds the images that it
/// may fill with.
///
/// # Errors
/// Fails when a name is unknown or a number does not fit.
pub(crate) fn intervention(
    network: &Network,
    input: ValueId,
    intervention: &protocol::Intervention,
    fills: &Fills,
    row: usize,
) -> Result<Intervention, HostError> {
    let edit = match intervention {
        protocol::Intervention::Occlude { region, fill } => {
            let shape = &network.value(input).shape;
            let Some([_, channels, height, width]) = shape.as_maps() else {
                return Err(request("occlude", format!("the input has shape {shape}")));
            };
            // Clipped first: sizes from outside are not to be multiplied.
            let region = clipped(*region, [height, width]);
            let fill = match fill {
                Fill::Image { image } => fills.part(*image, 0..channels, region)?,
                Fill::Number(number) => vec![*number; channels],
                Fill::PerChannel(numbers) => per_channel("occlude", numbers, channels)?,
            };
            Edit::Occlude { value: input, region, fill }
        }
        protocol::Intervention::Replace { layer, channels, with } => {
            let value = value(network, layer)?;
            let shape = &network.value(value).shape;
            for &channel in channels {
                check_channel(layer, shape, channel)?;
            }
            let with = match (with, shape.as_maps()) {
                (Fill::Image { image }, Some([_, _, height, width])) if value == input => {
                    let whole = Region::whole([height, width]);
                    fills.part(*image, channels.iter().copied(), whole)?
                }
                (Fill::Image { .. }, _) => {
                    let input = network.name_of(input);
                    let reason = format!("an image has channels of {input}, not of {layer}");
                    return Err(request("replace", reason));
                }
                (Fill::Number(number), _) => vec![*number; channels.len()],
                (Fill::PerChannel(numbers), _) => per_channel("replace", numbers, channels.len())?,
            };
            Edit::Replace { value, channels: channels.clone(), with }
        }
        protocol::Intervention::Bypass { layer } => {
            let value = value(network, layer)?;
            let Some(node) = network.maker(value) else {
                return Err(request("bypass", format!("{layer} is no layer")));
            };
            let inputs = &network.node(node).inputs;
            let first = inputs.first().map(|&id| &network.value(id).shape);
            if first != Some(&network.value(value).shape) {
                let reason = format!("the input of {layer} has not the shape of its output");
                return Err(request("bypass", reason));
            }
            Edit::Bypass { node }
        }
    };
    Ok(Intervention { row, edit })
}

/// Checks that a value has a channel.
pub(crate) fn check_channel(name: &str, shape: &Shape, channel: usize) -> Result<(), HostError> {
    match shape.extents().get(1) {
        Some(&channels) if channel < channels => Ok(()),
        _ => Err(HostError::Unit {
            value: name.to_owned(),
            shape: shape.to_string(),
            reason: format!("there is no channel {channel}"),
        }),
    }
}

fn clipped(region: protocol::Region, size: [usize; 2]) -> Region {
    let start = |value: i64| value.clamp(isize::MIN as i64, isize::MAX as i64) as isize;
    let length = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    Region {
        top: start(region.top),
        left: start(region.left),
        height: length(region.height),
        width: length(region.width),
    }
    .clipped(size)
}

fn per_channel(what: &str, numbers: &[f32], channels: usize) -> Result<Vec<f32>, HostError> {
    if numbers.len() == channels {
        return Ok(numbers.to_vec());
    }
    let reason = format!("{} numbers were given for {channels} channels", numbers.len());
    Err(request(what, reason))
}

fn request(what: &str, reason: String) -> HostError {
    HostError::Request { what: what.to_owned(), reason }
}
