//! How many bytes the tensors of a run may take together.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::HostError;

/// What the tensors of one run take of the session's memory, and how much they may.
///
/// Counted are tensors that live because of the plugin: those it created, also after it emitted
/// them, and pictures that were read for it. Values that it shares with the model or its
/// parameters are there anyway.
#[derive(Debug)]
pub(super) struct Allowance {
    limit: u64,
    used: AtomicU64,
}

impl Allowance {
    /// Allows so many bytes.
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, used: AtomicU64::new(0) }
    }

    /// Takes bytes for a tensor; `what` says which, and is only asked for when they are too many.
    ///
    /// # Errors
    /// Fails when the tensors of the run would then take more than they may.
    pub(super) fn take(&self, bytes: u64, what: impl FnOnce() -> String) -> Result<(), HostError> {
        let longer = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
        let Err(used) = self.used.fetch_update(set, get, longer) else { return Ok(()) };
        let what = match used {
            0 => what(),
            _ => format!("{} beside the other tensors of this run", what()),
        };
        Err(HostError::Memory { what, needed: used.saturating_add(bytes), budget: self.limit })
    }

    /// Gives bytes back that were taken before.
    pub(super) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_counts_and_not_each_tensor() {
        let allowance = Allowance::new(100);
        let take = |bytes| allowance.take(bytes, || "a tensor".to_owned());
        take(60).unwrap();
        let error = take(41).unwrap_err();
        let expected = "a tensor beside the other tensors of this run needs 101 bytes, but the \
                        session may use 100";
        assert_eq!(error.to_string(), expected);
        take(40).unwrap();
        allowance.give_back(60);
        take(60).unwrap();
        assert!(take(u64::MAX).is_err());
    }

    #[test]
    fn a_first_tensor_that_is_too_large_is_named_alone() {
        let error = Allowance::new(100).take(101, || "a tensor".to_owned()).unwrap_err();
        assert_eq!(error.to_string(), "a tensor needs 101 bytes, but the session may use 100");
    }
}
