//! The verb `attribute`: signals carried back from single units, in batches that fit the memory.
//!
//! Starts are handled in windows whose results fit the memory. Within a window every image runs
//! forward once, however its starts are spread; results leave in the order of the starts.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use convscope_protocol::attribute::{Amount, Start};
use convscope_protocol::{self as protocol, Values};
use convscope_runtime::network::{BackwardRequest, Extent, ForwardRequest, Node, Trace, ValueId};
use convscope_runtime::{Composite, Keep, Shape, Tensor};

use crate::engine::Engine;
use crate::memory::{Cost, bytes_of, items_at_once};
use crate::observe::{Sink, maps_of};
use crate::rows::Rows;
use crate::source::{self, ImageSource};
use crate::tensors::values_of;
use crate::{HostError, translate};

/// A start whose names are resolved.
struct Unit {
    image: usize,
    value: ValueId,
    /// Index of the unit within one image's value.
    offset: usize,
    amount: Amount,
}

/// The most starts of one window: what is done to find the images of each grows with their square.
const LONGEST_WINDOW: u64 = 1 << 12;

/// How much goes through at once.
struct Plan {
    /// Starts whose results are held until they can leave in order.
    window: usize,
    /// Images that are run forward together.
    images: usize,
    /// Signals that are carried back together.
    signals: usize,
}

/// Carries a signal back from every start and hands what arrives at `to` to the sink, one array per
/// name, in the order of the starts. An empty `to` means the input.
///
/// # Errors
/// Fails before anything runs when something does not fit; then when an image cannot be read, the
/// user cancels, the network fails, or the sink does.
pub(crate) fn attribute(
    engine: &Engine<'_>,
    images: &dyn ImageSource,
    starts: &[Start],
    composite: &protocol::Composite,
    to: &[String],
    sink: Sink<'_>,
) -> Result<(), HostError> {
    let network = engine.network;
    let composite = translate::composite(network, composite)?;
    let to: Vec<ValueId> = if to.is_empty() {
        vec![engine.image_input()?]
    } else {
        to.iter().map(|name| end(engine, name)).collect::<Result<_, _>>()?
    };
    let units = starts
        .iter()
        .enumerate()
        .map(|(index, start)| unit(engine, images, index, start))
        .collect::<Result<Vec<_>, _>>()?;
    let work = Work { engine, composite: &composite, to: &to, plan: plan(engine, &units, &to)? };
    let mut rows = Rows::new(engine, images)?;
    let mut first = 0;
    while first < units.len() {
        let window = first..(first + work.plan.window).min(units.len());
        let mut results: Vec<Vec<Tensor>> = vec![Vec::new(); window.len()];
        work.window(&mut rows, &units[window.clone()], &mut results)?;
        deliver(&results, window, &to, work.plan.signals, sink)?;
        first += work.plan.window;
    }
    Ok(())
}

fn unit(
    engine: &Engine<'_>,
    images: &dyn ImageSource,
    index: usize,
    start: &Start,
) -> Result<Unit, HostError> {
    let network = engine.network;
    if start.image >= images.len() {
        return Err(HostError::Request {
            what: format!("start {index}"),
            reason: format!("image {} of {}", start.image, images.len()),
        });
    }
    let value = translate::value(network, &start.value)?;
    if network.maker(value).is_none() || network.value(value).extent == Extent::Shared {
        return Err(HostError::Request {
            what: format!("start {index}"),
            reason: format!("{} is not computed from the image", start.value),
        });
    }
    let shape = &network.value(value).shape;
    let offset = offset_of(&start.value, shape, start.channel, start.position)?;
    Ok(Unit { image: start.image, value, offset, amount: start.amount })
}

/// Finds a value at which signals may end.
fn end(engine: &Engine<'_>, name: &str) -> Result<ValueId, HostError> {
    let value = translate::value(engine.network, name)?;
    if engine.network.value(value).extent == Extent::Shared {
        return Err(HostError::Request {
            what: "to".to_owned(),
            reason: format!("{name} is the same for every image"),
        });
    }
    Ok(value)
}

/// Finds a unit among the values of one image.
fn offset_of(
    name: &str,
    shape: &Shape,
    channel: usize,
    position: Option<[usize; 2]>,
) -> Result<usize, HostError> {
    translate::check_channel(name, shape, channel)?;
    let [_, _, height, width] = maps_of(shape, name)?;
    let wrong = |reason: String| HostError::Unit {
        value: name.to_owned(),
        shape: shape.to_string(),
        reason,
    };
    let [row, column] = match position {
        Some(position) => position,
        None if [height, width] == [1, 1] => [0, 0],
        None => return Err(wrong("a unit of a map needs a position".to_owned())),
    };
    if row >= height || column >= width {
        return Err(wrong(format!("there is no position [{row}, {column}]")));
    }
    Ok((channel * height + row) * width + column)
}

fn plan(engine: &Engine<'_>, units: &[Unit], to: &[ValueId]) -> Result<Plan, HostError> {
    let network = engine.network;
    let values: BTreeSet<ValueId> = units.iter().map(|unit| unit.value).collect();
    let captures: Vec<ValueId> = values.into_iter().collect();
    let cost = Cost::of(network, &captures);
    let result: u64 = to.iter().map(|&id| bytes_of(&network.value(id).shape)).sum();
    let signal = cost.backward.saturating_add(result);
    let what = "one image with what is kept for the way back";
    let both = cost.recorded.max(cost.forward).saturating_add(signal);
    items_at_once(what, both, engine.memory, 1)?;
    let half = engine.memory / 2;
    let at_once = |each: u64| items_at_once(what, each, half.max(each), engine.threads());
    Ok(Plan {
        window: (engine.memory / 8 / result.max(1)).clamp(1, LONGEST_WINDOW) as usize,
        images: at_once(cost.recorded.max(cost.forward))?,
        signals: at_once(signal)?,
    })
}

struct Work<'a> {
    engine: &'a Engine<'a>,
    composite: &'a Composite,
    to: &'a [ValueId],
    plan: Plan,
}

impl Work<'_> {
    /// Fills in the results of a window of starts.
    fn window(
        &self,
        rows: &mut Rows<'_>,
        units: &[Unit],
        results: &mut [Vec<Tensor>],
    ) -> Result<(), HostError> {
        let mut distinct: Vec<usize> = Vec::new();
        for unit in units {
            if !distinct.contains(&unit.image) {
                distinct.push(unit.image);
            }
        }
        for group in distinct.chunks(self.plan.images) {
            self.engine.check_cancelled()?;
            // Signals that start at one value go back together: a batch of one value each takes
            // the same path, and no signal meets the zeros of another.
            let mut by_value: BTreeMap<ValueId, Vec<usize>> = BTreeMap::new();
            for (index, unit) in units.iter().enumerate() {
                if group.contains(&unit.image) {
                    by_value.entry(unit.value).or_default().push(index);
                }
            }
            let captures = self.captures(units, &by_value);
            let mut trace = self.engine.compute(|| {
                let inputs = [rows.load(group)?];
                let request = ForwardRequest {
                    captures: &captures,
                    interventions: &[],
                    keep: Keep::Inversion,
                };
                let Engine { network, backend, .. } = *self.engine;
                let mut watch = |_: Option<&Node>| self.engine.check_cancelled();
                network.forward_watched(backend, &inputs, &request, &mut watch)
            })?;
            self.engine.network.drop_unread(&mut trace, self.composite);
            for (value, indices) in by_value {
                for chunk in indices.chunks(self.plan.signals) {
                    self.engine.check_cancelled()?;
                    let units: Vec<&Unit> = chunk.iter().map(|&index| &units[index]).collect();
                    let arrived =
                        self.engine.compute(|| self.back(&trace, group, value, &units))?;
                    for (row, &index) in chunk.iter().enumerate() {
                        for tensor in &arrived {
                            let values = source::row(tensor, row)?.to_vec();
                            results[index].push(Tensor::new(tensor.shape().with_batch(1), values)?);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Lists what a forward pass must compute: what is read on the way back, and activations from
    /// which signals start.
    fn captures(&self, units: &[Unit], by_value: &BTreeMap<ValueId, Vec<usize>>) -> Vec<ValueId> {
        let starts: Vec<ValueId> = by_value.keys().copied().collect();
        let mut captures = self.engine.network.records_for(&starts, self.composite, self.to);
        let holds_activation = |index: &usize| units[*index].amount == Amount::Activation;
        let activations = by_value.iter().filter(|(_, units)| units.iter().any(holds_activation));
        captures.extend(activations.map(|(&value, _)| value));
        captures
    }

    /// Carries the signals of some units of one value back.
    fn back(
        &self,
        trace: &Trace,
        group: &[usize],
        value: ValueId,
        units: &[&Unit],
    ) -> Result<Vec<Tensor>, HostError> {
        let Engine { network, backend, .. } = *self.engine;
        let row_of = |unit: &&Unit| group.iter().position(|&image| image == unit.image);
        let rows: Vec<usize> = units.iter().filter_map(row_of).collect();
        let trace = trace.select(backend, &rows)?;
        let activations = match trace.value(value) {
            Some(tensor) if units.iter().any(|unit| unit.amount == Amount::Activation) => {
                Some(tensor.to_host()?)
            }
            _ => None,
        };
        let each = network.value(value).shape.volume();
        let mut signal = vec![0.0; units.len() * each];
        for (row, unit) in units.iter().enumerate() {
            let place = row * each + unit.offset;
            signal[place] = match (unit.amount, &activations) {
                (Amount::One, _) => 1.0,
                (Amount::Number(number), _) => number,
                (Amount::Activation, Some(tensor)) => tensor.values()?[place],
                (Amount::Activation, None) => f32::NAN,
            };
        }
        let signal = Tensor::new(network.value(value).shape_for(units.len()), signal)?;
        let starts = [(value, signal)];
        let request = BackwardRequest { starts: &starts, composite: self.composite, to: self.to };
        let go_on = || self.engine.check_cancelled();
        let arrived = network.backward_while(backend, &trace, request, &go_on)?;
        arrived.iter().map(|tensor| Ok(tensor.to_host()?)).collect()
    }
}

/// Hands the results of a window to the sink.
fn deliver(
    results: &[Vec<Tensor>],
    window: Range<usize>,
    to: &[ValueId],
    at_once: usize,
    sink: Sink<'_>,
) -> Result<(), HostError> {
    let mut first = window.start;
    for chunk in results.chunks(at_once) {
        let mut arrays: Vec<Values> = Vec::with_capacity(to.len());
        for place in 0..to.len() {
            let mut values = Vec::new();
            let mut shape = Shape::from([0]);
            for tensor in chunk.iter().filter_map(|tensors| tensors.get(place)) {
                shape = tensor.shape().with_batch(chunk.len());
                values.extend_from_slice(tensor.values()?);
            }
            arrays.push(values_of(&Tensor::new(shape, values)?)?);
        }
        sink(first, chunk.len(), arrays)?;
        first += chunk.len();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
