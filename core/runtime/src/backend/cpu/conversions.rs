//! What runs on the plain backend, and how often.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::CpuBackend;
use super::blocked::Blocked;
use super::switches::Switches;
use crate::{Computed, PlainBackend, Tensor};

/// Counts by the kernel's name, which clones of a backend share.
#[derive(Clone, Debug, Default)]
pub(super) struct Conversions(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Conversions {
    pub(super) fn add(&self, kernel: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(kernel).or_insert(0) += 1;
    }

    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl CpuBackend {
    /// Runs a kernel on the plain backend.
    pub(super) fn plainly<T>(
        &self,
        kernel: &'static str,
        operands: &[&Tensor],
        run: impl FnOnce(&PlainBackend, &[&Tensor]) -> Computed<T>,
    ) -> Computed<T> {
        let lies_here = |tensor: &Tensor| {
            Blocked::behind(tensor).is_some() || Switches::behind(tensor).is_some()
        };
        if operands.iter().any(|operand| lies_here(operand)) {
            self.conversions.add(kernel);
        }
        let hosted: Vec<Tensor> =
            operands.iter().map(|operand| operand.to_host()).collect::<Computed<_>>()?;
        run(&self.plain, &hosted.iter().collect::<Vec<_>>())
    }
}
