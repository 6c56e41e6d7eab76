//! Cases that cover a rectangle of one image each, computed incrementally.

use std::ops::Range;

use convscope_protocol::observe::Reduction;
use convscope_protocol::{self as protocol, Case};
use convscope_runtime::Edit;
use convscope_runtime::network::{Cover, Incremental, ValueId, Wanted};
use convscope_runtime::{Region, Tensor};

use super::captured::Captured;
use super::fills::Fills;
use super::reduce::{chosen_first, reduce};
use super::{Plan, Sink};
use crate::engine::{Engine, Passes};
use crate::{HostError, translate};

/// Covered cases of one image for which its clean pass is worth while.
const WORTH: usize = 4;

/// Returns the cases from `first` on that can be computed together: those of one image that cover
/// at most a rectangle of it.
pub(super) fn run_of(engine: &Engine<'_>, cases: &[Case], first: usize) -> Range<usize> {
    let rest = cases.get(first..).unwrap_or_default();
    let Some(image) = rest.first().map(|case| case.image) else { return first..first };
    let is_covered = |case: &&Case| {
        case.image == image
            && matches!(case.interventions[..], [] | [protocol::Intervention::Occlude { .. }])
    };
    let count = rest.iter().take_while(is_covered).count();
    let covered = rest[..count].iter().filter(|case| !case.interventions.is_empty()).count();
    let is_worth_while = engine.passes == Passes::Incremental && covered >= WORTH;
    first..first + if is_worth_while { count } else { 0 }
}

/// Counts the cases from `first` on that come before others which can be computed together.
pub(super) fn before_run(engine: &Engine<'_>, cases: &[Case], first: usize) -> usize {
    let starts = |&case: &usize| !run_of(engine, cases, case).is_empty();
    (first..cases.len()).find(starts).unwrap_or(cases.len()) - first
}

/// Runs cases that cover rectangles of one image, and hands out what was captured.
///
/// # Errors
/// Fails when one case does not fit the memory, the user cancels, or the network or the sink fails.
/// Returns false, and has done nothing, where the network cannot be computed incrementally.
pub(super) fn observe(
    engine: &Engine<'_>,
    input: ValueId,
    image: &Tensor,
    (cases, range): (&[Case], Range<usize>),
    (plans, fills): (&[Plan], &Fills),
    memory: u64,
    sink: Sink<'_>,
) -> Result<bool, HostError> {
    let wanted: Vec<Wanted> = plans.iter().map(wanted).collect();
    let images = std::slice::from_ref(image);
    let clean =
        engine.compute(|| engine.network.incremental(engine.backend, images, input, &wanted))?;
    let Some(clean) = clean else { return Ok(false) };
    let covers = cases[range.clone()]
        .iter()
        .map(|case| cover(engine, input, case, fills))
        .collect::<Result<Vec<Cover>, HostError>>()?;
    let at_once = at_once(engine, &clean, &covers, memory)?;
    let go_on = || engine.check_cancelled();
    let mut first = range.start;
    for covers in covers.chunks(at_once) {
        let results = engine.compute(|| {
            let found = clean.run(covers, &go_on)?;
            let mut results = Vec::new();
            for (plan, value) in plans.iter().zip(&found) {
                let mut captured = Captured::new(engine.backend, value);
                results.extend(reduce(&mut captured, &plan.after_choice(), first)?);
            }
            Ok::<_, HostError>(results)
        })?;
        sink(first, covers.len(), results)?;
        first += covers.len();
    }
    Ok(true)
}

/// Says what of a value the reduction reads.
fn wanted(plan: &Plan) -> Wanted {
    Wanted { value: plan.value, channels: chosen_first(plan).map(<[usize]>::to_vec) }
}

impl Plan {
    /// Returns the plan for a value of which the channels were chosen.
    fn after_choice(&self) -> Self {
        let keeps = self.reduction == Reduction::Softmax;
        Self { channels: self.channels.clone().filter(|_| keeps), ..self.clone() }
    }
}

/// Turns a case into the rectangle that it covers; an empty one where it covers nothing.
fn cover(
    engine: &Engine<'_>,
    input: ValueId,
    case: &Case,
    fills: &Fills,
) -> Result<Cover, HostError> {
    let Some(change) = case.interventions.first() else {
        let channels = engine.network.value(input).shape.extents().get(1).copied().unwrap_or(0);
        let region = Region { top: 0, left: 0, height: 0, width: 0 };
        return Ok(Cover { region, fill: vec![0.0; channels] });
    };
    match translate::intervention(engine.network, input, change, fills, 0)?.edit {
        Edit::Occlude { region, fill, .. } => Ok(Cover { region, fill }),
        Edit::Replace { .. } | Edit::Bypass { .. } => Err(HostError::Request {
            what: "observe".to_owned(),
            reason: "a case that covers no rectangle among those that do".to_owned(),
        }),
    }
}

/// Returns how many cases are computed at once.
fn at_once(
    engine: &Engine<'_>,
    clean: &Incremental<'_>,
    covers: &[Cover],
    memory: u64,
) -> Result<usize, HostError> {
    let costs = clean.costs(covers);
    let threads = engine.threads() as u64;
    let fixed = costs.clean.saturating_add(costs.local.saturating_mul(threads));
    let one = fixed.saturating_add(costs.kept);
    if one > memory {
        let what = "one position".to_owned();
        return Err(HostError::Memory { what, needed: one, budget: memory });
    }
    let fitting = (memory - fixed) / costs.kept.max(1);
    Ok(fitting.clamp(1, Incremental::ENOUGH as u64) as usize)
}
