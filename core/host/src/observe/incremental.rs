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

/// Bytes kept of the cases that are computed at once, from which on more make nothing faster.
const ENOUGH_BYTES: u64 = 64 << 20;
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

/// Counts the cases from `first` on, of `most` at most, that come before others which can be
/// computed together.
pub(super) fn before_run(engine: &Engine<'_>, cases: &[Case], first: usize, most: usize) -> usize {
    let starts = |&count: &usize| !run_of(engine, cases, first + count).is_empty();
    (1..most).find(starts).unwrap_or(most)
}

/// Runs cases that cover rectangles of one image, and hands out what was captured.
///
/// # Errors
/// Fails when one case does not fit the memory, the user cancels, or the network or the sink fails.
pub(super) fn observe(
    engine: &Engine<'_>,
    input: ValueId,
    image: &Tensor,
    (cases, range): (&[Case], Range<usize>),
    (plans, fills): (&[Plan], &Fills),
    memory: u64,
    sink: Sink<'_>,
) -> Result<(), HostError> {
    let wanted: Vec<Wanted> = plans.iter().map(wanted).collect();
    let plans: Vec<Plan> = plans.iter().map(Plan::after_choice).collect();
    let images = std::slice::from_ref(image);
    let go_on = || engine.check_cancelled();
    let clean = engine
        .compute(|| engine.network.incremental(engine.backend, images, input, &wanted, &go_on))?;
    let cover = |case: &Case| cover(engine, input, case, fills);
    let places = cases[range.clone()].iter().map(|case| Ok(cover(case)?.region));
    let places = places.collect::<Result<Vec<Region>, HostError>>()?;
    let Share { at_once, together } = share(engine, &clean, &places, memory)?;
    let mut first = range.start;
    for cases in cases[range].chunks(at_once) {
        // What covers them is made for a few at a time: it may be as many pixels as the pictures.
        let covers = cases.iter().map(cover).collect::<Result<Vec<Cover>, HostError>>()?;
        let results = engine.compute(|| {
            let found = clean.run(&covers, together, &go_on)?;
            let mut results = Vec::new();
            for (plan, value) in plans.iter().zip(&found) {
                let mut captured = Captured::new(engine.backend, value);
                results.extend(reduce(&mut captured, plan, first)?);
            }
            Ok::<_, HostError>(results)
        })?;
        sink(first, covers.len(), results)?;
        first += covers.len();
    }
    Ok(())
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

/// How many cases are computed at once, and how many of them each thread carries on together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Share {
    at_once: usize,
    together: usize,
}

/// Shares the memory out.
fn share(
    engine: &Engine<'_>,
    clean: &Incremental<'_>,
    places: &[Region],
    memory: u64,
) -> Result<Share, HostError> {
    let costs = clean.costs(places.iter().copied());
    let local = costs.local.saturating_mul(engine.threads() as u64).max(1);
    let one = costs.clean.saturating_add(local).saturating_add(costs.kept);
    let Some(rest) = memory.checked_sub(one) else {
        let what = "one position".to_owned();
        return Err(HostError::Memory { what, needed: one, budget: memory });
    };
    // Each gets a half of what one position leaves, and the second what the first does not need.
    let most = Incremental::TOGETHER as u64;
    let together = (1 + rest / 2 / local).min(most);
    let rest = rest - (together - 1) * local;
    let (kept, enough) = (costs.kept.max(1), Incremental::ENOUGH as u64);
    let useful = (ENOUGH_BYTES / kept).clamp(enough.min(128), enough);
    let at_once = (1 + rest / kept).min(useful);
    Ok(Share { at_once: at_once as usize, together: together as usize })
}

#[cfg(test)]
mod tests {
    use convscope_protocol::observe::Capture;
    use convscope_protocol::{Disjoint, Fill, Intervention};

    use super::*;
    use crate::observe::{Cases, observe};
    use crate::source::TensorImages;
    use crate::testing::{Bench, Collected, images, is_cancelled_at_every_question};

    /// Two pictures as they are and covered at nine places each, a cell apart, and a third one of
    /// which only two places are covered.
    fn cases() -> Vec<Case> {
        let covered = |image: usize, place: i64| {
            let region = protocol::Region { top: place - 1, left: 10 - place, height: 4, width: 3 };
            let fill = match place % 3 {
                0 => Fill::Image { image: 2 },
                1 => Fill::Number(0.5),
                _ => Fill::PerChannel(vec![-1.0, 1.0]),
            };
            Case { image, interventions: vec![Intervention::Occlude { region, fill }] }
        };
        let mut cases = Vec::new();
        for (image, places) in [(0, 9), (1, 9), (2, 2)] {
            cases.push(Case { image, interventions: Vec::new() });
            cases.extend((0..places).map(|place| covered(image, place)));
        }
        cases
    }

    fn captures() -> Vec<Capture> {
        let strongest = Reduction::Strongest { k: 2, disjoint: Disjoint::None };
        vec![
            Capture::new("scores", Reduction::None),
            Capture::new("scores", Reduction::Softmax).of_channels(vec![1]),
            Capture::new("scores", Reduction::Argmax),
            Capture::new("relu1", Reduction::Sum).of_channels(vec![2, 0]),
            Capture::new("relu2", strongest),
        ]
    }

    fn run(engine: &Engine<'_>) -> Result<Collected, HostError> {
        let input = &engine.network.value(engine.network.inputs()[0]).shape;
        let images = TensorImages::new(images(3), input)?;
        let mut collected = Collected::default();
        let cases = cases();
        observe(
            engine,
            &images,
            Cases::Listed(&cases),
            &captures(),
            &mut |first, count, arrays| {
                collected.take(first, count, &arrays);
                Ok(())
            },
        )?;
        Ok(collected)
    }

    #[test]
    fn covered_cases_are_those_of_full_passes_up_to_rounding() {
        let bench = Bench::new(2, 1 << 30);
        let incremental = run(&bench.engine()).unwrap();
        let full = run(&Engine { passes: Passes::Full, ..bench.engine() }).unwrap();
        assert_eq!(incremental.cases.len(), full.cases.len());
        for case in 0..full.cases.len() {
            for array in [0, 1, 3, 4] {
                let (actual, expected) =
                    (incremental.floats(case, array), full.floats(case, array));
                for (actual, expected) in actual.iter().zip(&expected) {
                    assert!((actual - expected).abs() <= 2e-5, "{case} {array}: {actual}");
                }
            }
            // The class, and the places of the strongest cells.
            for array in [2, 5] {
                assert_eq!(incremental.cases[case][array], full.cases[case][array]);
            }
        }
        // Something was computed in another way.
        assert_ne!(incremental.cases, full.cases);
    }

    #[test]
    fn cases_go_together_with_those_of_their_picture() {
        let bench = Bench::new(1, 1 << 30);
        let (engine, cases) = (bench.engine(), cases());
        assert_eq!(run_of(&engine, &cases, 0), 0..10);
        assert_eq!(run_of(&engine, &cases, 10), 10..20);
        // Too few are worth no clean pass of their own.
        assert_eq!(run_of(&engine, &cases, 20), 20..20);
        assert_eq!(before_run(&engine, &cases, 20, 3), 3);
        let full = Engine { passes: Passes::Full, ..engine };
        assert_eq!(run_of(&full, &cases, 0), 0..0);
        assert_eq!(before_run(&full, &cases, 0, 7), 7);
        // Two of another picture, which are too few, come before those that go together.
        let mixed = [&cases[21..], &cases[..10]].concat();
        assert_eq!(before_run(&engine, &mixed, 0, 12), 2);
    }

    #[test]
    fn little_memory_leaves_the_results_as_they_are() {
        let all = run(&Bench::new(1, 1 << 30).engine()).unwrap();
        let sizes = [1 << 20, 1 << 18, 1 << 17];
        let fewer = sizes.iter().filter_map(|&memory| run(&Bench::new(2, memory).engine()).ok());
        let fewer: Vec<Collected> = fewer.collect();
        assert!(fewer.iter().any(|some| some.batches.len() > all.batches.len()), "{sizes:?}");
        for some in fewer {
            assert_eq!(some.cases, all.cases);
        }
    }

    #[test]
    fn a_position_that_does_not_fit_the_memory_is_refused_with_its_size() {
        let bench = Bench::new(1, 1 << 30);
        let engine = bench.engine();
        let input = engine.network.inputs()[0];
        let wanted = [Wanted { value: engine.network.outputs()[0], channels: None }];
        let clean =
            engine.network.incremental(engine.backend, &[images(1)], input, &wanted, &|| {
                engine.check_cancelled()
            });
        let clean = clean.unwrap();
        let places = [Region { top: 0, left: 0, height: 3, width: 3 }];
        let (at_once, together) = (Incremental::ENOUGH, Incremental::TOGETHER);
        let much = share(&engine, &clean, &places, 1 << 30).unwrap();
        assert_eq!(much, Share { at_once, together });
        let costs = clean.costs(places);
        let one = costs.clean + costs.local + costs.kept;
        let little = share(&engine, &clean, &places, one).unwrap();
        assert_eq!(little, Share { at_once: 1, together: 1 });
        let error = share(&engine, &clean, &places, one - 1).unwrap_err();
        let words = format!("one position needs {one} bytes, but the session may use {}", one - 1);
        assert_eq!(error.to_string(), words);
    }

    #[test]
    fn cancelling_stops_among_the_positions_of_a_picture() {
        let bench = Bench::new(1, 1 << 30);
        let questions = is_cancelled_at_every_question(|cancelled| {
            run(&Engine { cancelled, ..bench.engine() }).map(drop)
        });
        // Before every layer of two clean passes and of a full one.
        assert!(questions > 3 * bench.network.nodes().len(), "{questions}");
    }
}
