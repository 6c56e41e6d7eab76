//! The verb `observe` with a cache: cases that ran before are handed back instead of run again.
//!
//! Consecutive cases make a portion: whole images, and enough cases that keeping what they give
//! costs little beside running them. A portion is found by what decides its result, wherever among
//! the cases of a call it stands, and is kept as soon as its last case has run.

use std::ops::Range;

use convscope_data::ContentHash;
use convscope_protocol::Values;
use convscope_protocol::observe::{Capture, Case, Fill, Intervention};
use ndarray::{ArcArray, Axis, IxDyn, Slice, concatenate};

use super::{Cases, Sink};
use crate::cache::{Key, Outcome, Parts, Recall};
use crate::engine::Engine;
use crate::memory::multiply_adds;
use crate::source::ImageSource;
use crate::{HostError, Model, translate};

/// Fewer cases are sooner run again than read.
const FEWEST_CASES: usize = 32;
/// An entry takes this much at most.
const MOST_BYTES: u64 = 64 << 20;
/// And at most this share of the memory, in which it is gathered.
const SHARE_OF_MEMORY: u64 = 16;
/// To write a byte takes as long as so many multiply-adds, and shall take a hundredth of the time.
const WORK_PER_BYTE: u64 = 4096;
/// What a case gives may always have this many bytes: its file costs more than they do.
const FEW_BYTES: u64 = 64;

/// What decides a call, and where results of earlier ones are found.
pub(crate) struct Memo<'a> {
    recall: &'a Recall<'a>,
    /// The beginning of all keys: what computes, with which model.
    base: Parts,
}

impl<'a> Memo<'a> {
    /// Looks for what a model said of pictures; nothing where not all of the model is known.
    pub(crate) fn new(recall: &'a Recall<'a>, model: &Model) -> Option<Self> {
        Some(Self { recall, base: recall.of_model(model)? })
    }
}

/// Consecutive cases that are kept together.
struct Portion {
    range: Range<usize>,
    /// The pictures, and the key where the portion is kept.
    kept: Option<(Key, Vec<ContentHash>)>,
}

/// Runs the cases as [`super::observe`] does, but for those whose results are in the cache.
///
/// # Errors
/// As [`super::observe`].
pub(crate) fn observe(
    engine: &Engine<'_>,
    memo: Option<&Memo<'_>>,
    images: &dyn ImageSource,
    cases: Cases<'_>,
    captures: &[Capture],
    sink: Sink<'_>,
) -> Result<(), HostError> {
    let portions = match memo {
        Some(memo) => portions(engine, memo, images, cases, captures)?,
        None => Vec::new(),
    };
    let (Some(memo), true) = (memo, portions.iter().any(|portion| portion.kept.is_some())) else {
        return super::observe(engine, images, cases, captures, sink);
    };
    let limit = Limit::of(engine, captures);
    let run = |portions: &[Portion], sink: Sink<'_>| {
        let (Some(first), Some(last)) = (portions.first(), portions.last()) else { return Ok(()) };
        let range = first.range.start..last.range.end;
        let start = range.start;
        let mut keeper = Keeper { memo, portions, limit, next: 0, rows: Vec::new(), bytes: 0 };
        let mut take = |first: usize, count: usize, arrays: Vec<Values>| {
            let first = first + start;
            let copies = arrays.clone();
            sink(first, count, arrays)?;
            keeper.take(first, count, &copies);
            Ok(())
        };
        let all = 0..cases.count(images.len());
        let outcome = if range == all {
            super::observe(engine, images, cases, captures, &mut take)
        } else {
            let part: Vec<Case> = range.map(|index| cases.at(index)).collect();
            super::observe(engine, images, Cases::Listed(&part), captures, &mut take)
        };
        outcome.map_err(|error| match error {
            HostError::NotANumber { value, case } => {
                HostError::NotANumber { value, case: case + start }
            }
            other => other,
        })
    };
    let is_held =
        |portion: &Portion| portion.kept.as_ref().is_some_and(|(key, _)| memo.recall.holds(key));
    let mut rest = portions.as_slice();
    while let Some((first, others)) = rest.split_first() {
        engine.check_cancelled()?;
        if is_held(first) {
            match first.load(memo) {
                Some(arrays) => sink(first.range.start, first.range.len(), arrays)?,
                None => run(std::slice::from_ref(first), sink)?,
            }
            rest = others;
        } else {
            let count = 1 + others.iter().take_while(|portion| !is_held(portion)).count();
            let (missing, others) = rest.split_at(count);
            run(missing, sink)?;
            rest = others;
        }
    }
    Ok(())
}

impl Portion {
    fn load(&self, memo: &Memo<'_>) -> Option<Vec<Values>> {
        let (key, pictures) = self.kept.as_ref()?;
        let arrays = memo.recall.load(key, self.range.len())?;
        memo.recall.count(pictures, Outcome::Found);
        Some(arrays)
    }
}

impl Cases<'_> {
    fn at(&self, index: usize) -> Case {
        match self {
            Self::EachImage => Case { image: index, ..Case::default() },
            Self::Listed(cases) => cases[index].clone(),
        }
    }
}

/// Cuts the cases into portions. There are none where a case names an image that does not exist:
/// running them says so.
fn portions(
    engine: &Engine<'_>,
    memo: &Memo<'_>,
    images: &dyn ImageSource,
    cases: Cases<'_>,
    captures: &[Capture],
) -> Result<Vec<Portion>, HostError> {
    let count = cases.count(images.len());
    if count < FEWEST_CASES || (0..count).any(|index| cases.image(index) >= images.len()) {
        return Ok(Vec::new());
    }
    let base = captures.iter().fold(memo.base.clone(), |parts, capture| {
        // Unlike JSON, this tells infinities apart.
        parts.with(format!("{capture:?}"))
    });
    let mut portions = Vec::new();
    let mut start = 0;
    for end in 1..=count {
        let is_whole = end == count || cases.image(end) != cases.image(end - 1);
        if !is_whole || (end - start < FEWEST_CASES && end < count) {
            continue;
        }
        let range = start..end;
        let kept = if range.len() < FEWEST_CASES {
            None
        } else {
            engine.check_cancelled()?;
            Some(key(&base, images, cases, range.clone())?)
        };
        portions.push(Portion { range, kept });
        start = end;
    }
    Ok(portions)
}

/// Returns the key of a portion, and the pictures that its cases change.
fn key(
    base: &Parts,
    images: &dyn ImageSource,
    cases: Cases<'_>,
    range: Range<usize>,
) -> Result<(Key, Vec<ContentHash>), HostError> {
    let mut numbers = Vec::new();
    // An image counts by what it holds, and by its place among those of the portion.
    let mut place = |image: usize| {
        numbers.iter().rposition(|&known| known == image).unwrap_or_else(|| {
            numbers.push(image);
            numbers.len() - 1
        })
    };
    let mut parts = base.clone();
    let mut changed = Vec::new();
    for index in range {
        let mut case = cases.at(index);
        case.image = place(case.image);
        if changed.last() != Some(&case.image) {
            changed.push(case.image);
        }
        for intervention in &mut case.interventions {
            let fill = match intervention {
                Intervention::Occlude { fill, .. } => fill,
                Intervention::Replace { with, .. } => with,
                Intervention::Bypass { .. } => continue,
            };
            if let Fill::Image { image } = fill {
                if *image >= images.len() {
                    // Running it says so.
                    continue;
                }
                *image = place(*image);
            }
        }
        parts = parts.with(format!("{case:?}"));
    }
    let hashes =
        numbers.iter().map(|&image| images.content(image)).collect::<Result<Vec<_>, _>>()?;
    for hash in &hashes {
        parts = parts.with(hash.bytes());
    }
    Ok((parts.key(), changed.into_iter().map(|place| hashes[place]).collect()))
}

/// How many bytes a portion may give to be kept.
#[derive(Clone, Copy)]
struct Limit {
    whole: u64,
    each: u64,
}

impl Limit {
    fn of(engine: &Engine<'_>, captures: &[Capture]) -> Self {
        let network = engine.network;
        // A name that does not exist is an error of the call.
        let values: Vec<_> = captures
            .iter()
            .filter_map(|capture| translate::value(network, &capture.value).ok())
            .collect();
        Self {
            whole: MOST_BYTES.min(engine.memory / SHARE_OF_MEMORY),
            each: (multiply_adds(network, &values) / WORK_PER_BYTE).max(FEW_BYTES),
        }
    }

    fn allows(self, bytes: u64, cases: usize) -> bool {
        bytes <= self.whole.min(self.each.saturating_mul(cases as u64))
    }
}

/// Gathers what consecutive cases give, portion by portion, and keeps what is complete.
struct Keeper<'a> {
    memo: &'a Memo<'a>,
    portions: &'a [Portion],
    limit: Limit,
    /// The portion that is gathered.
    next: usize,
    /// Its arrays so far, batch by batch.
    rows: Vec<Vec<Values>>,
    bytes: u64,
}

impl Keeper<'_> {
    /// Takes the cases from number `first` on.
    fn take(&mut self, first: usize, count: usize, arrays: &[Values]) {
        let end = first + count;
        while let Some(portion) = self.portions.get(self.next) {
            let range = portion.range.start.max(first)..portion.range.end.min(end);
            if range.is_empty() {
                break;
            }
            let cases = portion.range.len();
            if portion.kept.is_some() && self.limit.allows(self.bytes, cases) {
                let rows = range.start - first..range.end - first;
                let rows: Vec<Values> =
                    arrays.iter().filter_map(|array| rows_of(array, rows.clone(), count)).collect();
                self.bytes += rows.iter().map(bytes_of).sum::<u64>();
                self.rows.push(rows);
            }
            if portion.range.end > end {
                break;
            }
            if let Some((key, pictures)) = &portion.kept {
                if self.limit.allows(self.bytes, cases)
                    && let Some(joined) = joined(&self.rows, cases)
                {
                    self.memo.recall.save(key, &joined);
                }
                self.memo.recall.count(pictures, Outcome::Missing);
            }
            (self.next, self.bytes) = (self.next + 1, 0);
            self.rows.clear();
        }
    }
}

/// Copies rows of an array with one row per case.
fn rows_of(array: &Values, rows: Range<usize>, count: usize) -> Option<Values> {
    fn cut<T: Clone>(array: &ArcArray<T, IxDyn>, rows: Range<usize>) -> ArcArray<T, IxDyn> {
        array.slice_axis(Axis(0), Slice::from(rows)).to_owned().into_shared()
    }
    if array.shape().first() != Some(&count) {
        return None;
    }
    Some(match array {
        Values::F32(array) => Values::F32(cut(array, rows)),
        Values::U32(array) => Values::U32(cut(array, rows)),
        Values::U8(array) => Values::U8(cut(array, rows)),
    })
}

fn bytes_of(values: &Values) -> u64 {
    let count: usize = values.shape().iter().product();
    count as u64 * if matches!(values, Values::U8(_)) { 1 } else { 4 }
}

/// Joins the arrays of consecutive batches; nothing where they do not fit together.
fn joined(batches: &[Vec<Values>], cases: usize) -> Option<Vec<Values>> {
    let arrays = batches.first()?.len();
    (0..arrays)
        .map(|place| {
            let parts =
                batches.iter().map(|batch| batch.get(place)).collect::<Option<Vec<&Values>>>()?;
            let joined = join(&parts)?;
            (joined.shape().first() == Some(&cases)).then_some(joined)
        })
        .collect()
}

fn join(parts: &[&Values]) -> Option<Values> {
    macro_rules! join {
        ($kind:ident) => {{
            let parts = parts.iter().map(|part| match part {
                Values::$kind(array) => Some(array.view()),
                _ => None,
            });
            let parts = parts.collect::<Option<Vec<_>>>()?;
            Some(concatenate(Axis(0), &parts).ok()?.into())
        }};
    }
    match parts.first()? {
        Values::F32(_) => join!(F32),
        Values::U32(_) => join!(U32),
        Values::U8(_) => join!(U8),
    }
}

#[cfg(test)]
mod tests;
