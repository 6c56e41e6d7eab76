//! The verb `observe`: forward passes with interventions, in batches that fit the memory.

pub(crate) mod cached;
mod captured;
mod fills;
mod incremental;
mod reduce;
mod spots;

use std::ops::Range;

use captured::Captured;
use convscope_protocol::observe::{Capture, Case, Reduction};
use convscope_protocol::{Disjoint, Values};
use convscope_runtime::network::{Extent, ForwardRequest, Intervention, ValueId};
use convscope_runtime::{Keep, Network, Tensor};

pub(crate) use fills::Fills;
pub(crate) use reduce::maps_of;
use reduce::{Source, reduce, source};
use spots::Spots;

use crate::engine::Engine;
use crate::memory::{Cost, bytes_of, items_at_once};
use crate::rows::Rows;
use crate::source::ImageSource;
use crate::{HostError, translate};

/// The most cells of one map that can be asked for.
const MOST_SPOTS: usize = 1 << 16;

/// Receives the captures of `count` consecutive cases from number `first` on: for every capture in
/// order its one or two arrays.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(usize, usize, Vec<Values>) -> Result<(), HostError>;

/// What is run, in order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cases<'a> {
    /// Every image as it is.
    EachImage,
    /// These.
    Listed(&'a [Case]),
}

impl Cases<'_> {
    fn count(&self, images: usize) -> usize {
        match self {
            Self::EachImage => images,
            Self::Listed(cases) => cases.len(),
        }
    }

    fn listed(&self) -> &[Case] {
        match self {
            Self::EachImage => &[],
            Self::Listed(cases) => cases,
        }
    }

    fn image(&self, index: usize) -> usize {
        match self {
            Self::EachImage => index,
            Self::Listed(cases) => cases[index].image,
        }
    }
}

/// A capture whose names are resolved.
#[derive(Clone)]
struct Plan {
    name: String,
    value: ValueId,
    reduction: Reduction,
    /// What is handed back; everything without.
    channels: Option<Vec<usize>>,
    spots: Spots,
}

/// Runs the cases in order and hands what was captured to the sink, as many at a time as memory
/// allows. What a case gives does not depend on that number.
///
/// # Errors
/// Fails before anything runs when something does not fit; then when an image cannot be read, the
/// user cancels, the network fails, or the sink does.
pub(crate) fn observe(
    engine: &Engine<'_>,
    images: &dyn ImageSource,
    cases: Cases<'_>,
    captures: &[Capture],
    sink: Sink<'_>,
) -> Result<(), HostError> {
    let network = engine.network;
    let input = engine.image_input()?;
    let plans = plan(engine, input, captures)?;
    let fills = Fills::load(engine, input, images, cases.listed())?;
    check(engine, input, images, cases, &fills)?;
    let wanted: Vec<ValueId> = plans.iter().map(|plan| plan.value).collect();
    let each = cost(network, &plans);
    let memory = engine.memory.saturating_sub(fills.bytes());
    let at_once = items_at_once("one image", each, memory, engine.threads())?;
    let count = cases.count(images.len());
    let mut rows = Rows::new(engine, images)?;
    let mut first = 0;
    while first < count {
        engine.check_cancelled()?;
        let listed = cases.listed();
        let covered = incremental::run_of(engine, listed, first);
        if !covered.is_empty() {
            let image = rows.load(&[cases.image(first)])?;
            let end = covered.end;
            let (of_cases, with) = ((listed, covered), (&plans[..], &fills));
            incremental::observe(engine, input, &image, of_cases, with, memory, sink)?;
            first = end;
            continue;
        }
        let batch = incremental::before_run(engine, listed, first, at_once.min(count - first));
        let numbers: Vec<usize> = (first..first + batch).map(|index| cases.image(index)).collect();
        let interventions = interventions(engine, input, cases, &fills, first..first + batch)?;
        let results = engine.compute(|| {
            let inputs = [rows.load(&numbers)?];
            let request = ForwardRequest {
                captures: &wanted,
                interventions: &interventions,
                keep: Keep::Output,
            };
            let mut results = vec![Vec::new(); plans.len()];
            let mut take = |id: ValueId, value: &Tensor| {
                let mut captured = Captured::new(engine.backend, value);
                let of_plans = plans.iter().zip(&mut results);
                for (plan, results) in of_plans.filter(|(plan, _)| plan.value == id) {
                    *results = reduce(&mut captured, plan, first)?;
                }
                Ok::<_, HostError>(())
            };
            let go_on = || engine.check_cancelled();
            network.forward_handing(engine.backend, &inputs, &request, &go_on, &mut take)?;
            Ok::<_, HostError>(results.into_iter().flatten().collect())
        })?;
        sink(first, batch, results)?;
        first += batch;
    }
    Ok(())
}

/// Estimates the bytes that one case takes. What is brought to the host is there twice: as it was
/// read, and as what becomes of it.
fn cost(network: &Network, plans: &[Plan]) -> u64 {
    let wanted: Vec<ValueId> = plans.iter().map(|plan| plan.value).collect();
    let read: u64 = plans
        .iter()
        .map(|plan| match source(&network.value(plan.value).shape, plan) {
            Source::Peaks => 0,
            Source::Values(shape) => bytes_of(&shape),
        })
        .sum();
    Cost::of_handing(network, &wanted).forward.saturating_add(2 * read)
}

fn plan(engine: &Engine<'_>, input: ValueId, captures: &[Capture]) -> Result<Vec<Plan>, HostError> {
    let network = engine.network;
    if captures.is_empty() {
        return Err(HostError::Request {
            what: "observe".to_owned(),
            reason: "nothing is captured".to_owned(),
        });
    }
    let mut plans = Vec::new();
    for capture in captures {
        let value = translate::value(network, &capture.value)?;
        let name = network.name_of(value).to_owned();
        if network.value(value).extent == Extent::Shared {
            return Err(HostError::Request {
                what: format!("capture {name}"),
                reason: "it is the same for every image".to_owned(),
            });
        }
        if capture.reduction != Reduction::None {
            maps_of(&network.value(value).shape, &name)?;
        }
        let disjoint = match capture.reduction {
            Reduction::Strongest { k, .. } if k == 0 || k > MOST_SPOTS => {
                return Err(HostError::Request {
                    what: format!("capture {name}"),
                    reason: format!("k is {k}, not between 1 and {MOST_SPOTS}"),
                });
            }
            Reduction::Strongest { disjoint, .. } => disjoint,
            _ => Disjoint::None,
        };
        let spots = Spots::of(network, value, input, disjoint);
        let channels = capture.channels.clone();
        check_channels(network, value, capture)?;
        plans.push(Plan { name, value, reduction: capture.reduction, channels, spots });
    }
    Ok(plans)
}

/// Checks the channels that a capture chooses.
fn check_channels(network: &Network, value: ValueId, capture: &Capture) -> Result<(), HostError> {
    let Some(channels) = &capture.channels else { return Ok(()) };
    let refuse = |reason: String| {
        let what = format!("capture {}", network.name_of(value));
        Err(HostError::Request { what, reason })
    };
    if capture.reduction == Reduction::Argmax {
        return refuse("an argmax is over all channels".to_owned());
    }
    if channels.is_empty() {
        return refuse("no channel is chosen".to_owned());
    }
    for (place, &channel) in channels.iter().enumerate() {
        translate::check_channel(&capture.value, &network.value(value).shape, channel)?;
        if channels[..place].contains(&channel) {
            return refuse(format!("channel {channel} is chosen twice"));
        }
    }
    Ok(())
}

/// Checks every case before the first runs.
fn check(
    engine: &Engine<'_>,
    input: ValueId,
    images: &dyn ImageSource,
    cases: Cases<'_>,
    fills: &Fills,
) -> Result<(), HostError> {
    for (index, case) in cases.listed().iter().enumerate() {
        if case.image >= images.len() {
            return Err(HostError::Request {
                what: format!("case {index}"),
                reason: format!("image {} of {}", case.image, images.len()),
            });
        }
        for change in &case.interventions {
            translate::intervention(engine.network, input, change, fills, 0)?;
        }
    }
    Ok(())
}

fn interventions(
    engine: &Engine<'_>,
    input: ValueId,
    cases: Cases<'_>,
    fills: &Fills,
    batch: Range<usize>,
) -> Result<Vec<Intervention>, HostError> {
    let Cases::Listed(cases) = cases else { return Ok(Vec::new()) };
    let mut result = Vec::new();
    for (row, case) in cases[batch].iter().enumerate() {
        for change in &case.interventions {
            result.push(translate::intervention(engine.network, input, change, fills, row)?);
        }
    }
    Ok(result)
}

#[cfg(test)]
mod tests;
