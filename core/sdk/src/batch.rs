//! What a sink receives.

use std::cell::OnceCell;
use std::ops::Range;

use ndarray::{ArrayViewD, Axis};

use crate::AnalysisError;
use crate::boundary::{Connection, Element, Mapped, RawBatch};

/// Consecutive cases (or starts) and what was computed for them. The values belong to the host and
/// are gone when the sink returns: copy what you keep.
pub struct Batch<'a> {
    connection: &'a Connection<'a>,
    range: Range<usize>,
    /// The tensors of every capture, mapped when they are first asked for.
    captures: Vec<Vec<Slot<'a>>>,
}

struct Slot<'a> {
    tensor: u64,
    mapped: OnceCell<Mapped<'a>>,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(
        connection: &'a Connection<'_>,
        raw: RawBatch<'_>,
        counts: impl Iterator<Item = usize> + Clone,
    ) -> Result<Self, AnalysisError> {
        let expected: usize = counts.clone().sum();
        if raw.tensors.len() != expected {
            let got = raw.tensors.len();
            return Err(AnalysisError::Interface(format!("{got} tensors instead of {expected}")));
        }
        let mut tensors = raw.tensors.iter();
        let captures = counts
            .map(|count| {
                let slots = tensors.by_ref().take(count);
                slots.map(|&tensor| Slot { tensor, mapped: OnceCell::new() }).collect()
            })
            .collect();
        let range = raw.first..raw.first.saturating_add(raw.count);
        Ok(Self { connection, range, captures })
    }

    /// Returns which of the cases (or starts) these are.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Borrows the values of a capture (or of a name of `to`), counted from 0. Axis 0 is the case.
    ///
    /// # Errors
    /// Fails when there is no such capture, or it holds indices.
    pub fn values(&self, capture: usize) -> Result<ArrayViewD<'_, f32>, AnalysisError> {
        self.view(capture, 0)
    }

    /// Borrows the indices of a capture: the positions of `strongest`, or the channels of
    /// `argmax`. Axis 0 is the case.
    ///
    /// # Errors
    /// Fails when there is no such capture, or it holds no indices.
    pub fn indices(&self, capture: usize) -> Result<ArrayViewD<'_, u32>, AnalysisError> {
        let last = self.captures.get(capture).map_or(0, |slots| slots.len().saturating_sub(1));
        self.view(capture, last)
    }

    fn view<T: Element>(
        &self,
        capture: usize,
        part: usize,
    ) -> Result<ArrayViewD<'_, T>, AnalysisError> {
        let slot =
            self.captures.get(capture).and_then(|slots| slots.get(part)).ok_or_else(|| {
                AnalysisError::Failed(format!("capture {capture} of {}", self.captures.len()))
            })?;
        if slot.mapped.get().is_none() {
            let mapped = Mapped::read(self.connection, slot.tensor)?;
            // A cell that was empty takes it.
            let _ = slot.mapped.set(mapped);
        }
        let Some(mapped) = slot.mapped.get() else {
            return Err(AnalysisError::Interface("a tensor that cannot be mapped".into()));
        };
        let view = mapped.view::<T>()?;
        let (rows, count) = (view.shape().first().copied(), self.range.len());
        if rows != Some(count) {
            let shape = view.shape();
            return Err(AnalysisError::Interface(format!("{count} cases of shape {shape:?}")));
        }
        debug_assert_eq!(view.len_of(Axis(0)), count);
        Ok(view)
    }
}
