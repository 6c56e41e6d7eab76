//! The verb `observe` on the tiny network.

use convscope_protocol::{Capture, Case, Fill, Intervention, Reduction, Values};
use ndarray::{Array3, s};

use super::network::{Node, forward};
use super::{Fault, Picked, reduction};

/// Every value of one forward pass, in the order of [`Node::ALL`].
pub(super) type Pass = Vec<Array3<f32>>;

/// Reads the cases of a call; without any, every image is one.
pub(super) fn cases(json: &str, images: &Picked) -> Result<Vec<Case>, Fault> {
    if json.is_empty() {
        let as_is = |image| Case { image, interventions: Vec::new() };
        return Ok((0..images.len()).map(as_is).collect());
    }
    serde_json::from_str(json).map_err(|error| Fault::invalid(format!("cases: {error}")))
}

/// Computes what is captured of consecutive cases.
pub(super) fn captured(
    images: &Picked,
    cases: &[Case],
    captures: &[(Node, Capture)],
    margin: u32,
) -> Result<Vec<Values>, Fault> {
    let passes = cases.iter().map(|case| pass(images, case)).collect::<Result<Vec<Pass>, _>>()?;
    let mut tensors = Vec::new();
    for (node, capture) in captures {
        let rows: Vec<Array3<f32>> =
            passes.iter().map(|pass| pass[*node as usize].clone()).collect();
        tensors.extend(reduction::reduce(*node, &rows, capture, margin)?);
    }
    Ok(tensors)
}

/// Refuses channels that a value does not have, or that are chosen to no purpose.
pub(super) fn check_channels(node: Node, capture: &Capture, images: &Picked) -> Result<(), Fault> {
    let Some(channels) = &capture.channels else { return Ok(()) };
    let name = node.name();
    if capture.reduction == Reduction::Argmax || channels.is_empty() {
        let reason = format!("`{name}`: channels are chosen, at least one, and not of an argmax");
        return Err(Fault::invalid(reason));
    }
    let count = if node == Node::Input { images.channels() } else { node.extents()[0] };
    for (place, channel) in channels.iter().enumerate() {
        if *channel >= count {
            let reason = format!("`{name}` has no channel {channel}; there are {count}");
            return Err(Fault::invalid(reason));
        }
        if channels[..place].contains(channel) {
            let reason = format!("`{name}`: channel {channel} is chosen twice");
            return Err(Fault::invalid(reason));
        }
    }
    Ok(())
}

/// Runs one case forward.
pub(super) fn pass(images: &Picked, case: &Case) -> Result<Pass, Fault> {
    let mut values: Pass = Vec::new();
    for intervention in &case.interventions {
        check(intervention, images)?;
    }
    for node in Node::ALL {
        let mut value = match values.last() {
            None => images.get(case.image)?,
            Some(before) if is_bypassed(case, node) => before.clone(),
            Some(before) => forward(node, before),
        };
        for intervention in &case.interventions {
            intervene(images, node, &mut value, intervention)?;
        }
        values.push(value);
    }
    Ok(values)
}

fn is_bypassed(case: &Case, node: Node) -> bool {
    let bypasses = |intervention: &Intervention| matches!(intervention, Intervention::Bypass { layer } if layer == node.name());
    case.interventions.iter().any(bypasses)
}

fn check(intervention: &Intervention, images: &Picked) -> Result<(), Fault> {
    match intervention {
        Intervention::Occlude { .. } => Ok(()),
        Intervention::Replace { layer, channels, .. } => {
            let node = Node::named(layer)?;
            let count = if node == Node::Input { images.channels() } else { node.extents()[0] };
            match channels.iter().find(|channel| **channel >= count) {
                Some(channel) => Err(Fault::invalid(format!(
                    "`{layer}` has no channel {channel}; there are {count}"
                ))),
                None => Ok(()),
            }
        }
        Intervention::Bypass { layer } => match Node::named(layer)? {
            Node::Relu => Ok(()),
            _ => Err(Fault::invalid(format!(
                "`{layer}` cannot be bypassed: its input has not the shape of its output"
            ))),
        },
    }
}

fn intervene(
    images: &Picked,
    node: Node,
    value: &mut Array3<f32>,
    intervention: &Intervention,
) -> Result<(), Fault> {
    let (channels, height, width) = value.dim();
    match intervention {
        Intervention::Occlude { region, fill } if node == Node::Input => {
            let clip = |start: i64, extent: u64, size: usize| {
                let size = (size as u64).cast_signed();
                let end = start.saturating_add(i64::try_from(extent).unwrap_or(i64::MAX));
                let first = start.clamp(0, size);
                first as usize..end.clamp(first, size) as usize
            };
            let rows = clip(region.top, region.height, height);
            let columns = clip(region.left, region.width, width);
            for channel in 0..channels {
                let cells = s![channel, rows.clone(), columns.clone()];
                match filling(fill, channel, channels)? {
                    Filling::Number(number) => value.slice_mut(cells).fill(number),
                    Filling::Image(image) => {
                        value.slice_mut(cells).assign(&images.get(image)?.slice(cells));
                    }
                }
            }
        }
        Intervention::Replace { layer, channels, with } if layer == node.name() => {
            for (place, &channel) in channels.iter().enumerate() {
                let cells = s![channel, .., ..];
                match filling(with, place, channels.len())? {
                    Filling::Number(number) => value.slice_mut(cells).fill(number),
                    Filling::Image(image) if node == Node::Input => {
                        value.slice_mut(cells).assign(&images.get(image)?.slice(cells));
                    }
                    Filling::Image(_) => {
                        let reason = format!("an image has channels of `input`, not of `{layer}`");
                        return Err(Fault::invalid(reason));
                    }
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// What covers a channel.
enum Filling {
    Number(f32),
    /// The pixels of an image.
    Image(usize),
}

fn filling(fill: &Fill, place: usize, count: usize) -> Result<Filling, Fault> {
    match fill {
        Fill::Number(number) => Ok(Filling::Number(*number)),
        Fill::PerChannel(numbers) if numbers.len() == count => Ok(Filling::Number(numbers[place])),
        Fill::PerChannel(numbers) => {
            let given = numbers.len();
            Err(Fault::invalid(format!("{given} numbers to fill {count} channels with")))
        }
        Fill::Image { image } => Ok(Filling::Image(*image)),
    }
}
