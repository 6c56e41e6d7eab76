//! How many bytes the tensors and the passes of a run may take together.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::HostError;

/// What one run takes of the session's memory, and how much it may.
///
/// Counted are tensors that live because of the plugin: those it created, also after it emitted
/// them, and pictures that were read for it; and what is lent to a pass as long as it lasts. Values
/// that the plugin shares with the model or its parameters are there anyway.
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

    /// Lends a pass half of the bytes that are left, so that the other half remains for what the
    /// plugin makes of the results; where one item needs more than half, as many as it needs. `pass`
    /// is told how many.
    ///
    /// # Errors
    /// Fails when one item does not fit beside the tensors of the run, or as the pass does.
    pub(super) fn lend<T>(
        &self,
        mut pass: impl FnMut(u64) -> Result<T, HostError>,
    ) -> Result<T, HostError> {
        let half = self.limit.saturating_sub(self.used.load(Ordering::Relaxed)) / 2;
        let mut lent = |bytes: u64, what: &str| {
            self.take(bytes, || what.to_owned())?;
            let outcome = pass(bytes);
            self.give_back(bytes);
            outcome
        };
        match lent(half, "a pass") {
            // A pass says this before it begins.
            Err(HostError::Memory { what, needed, budget }) if budget == half => {
                lent(needed, &what)
            }
            outcome => outcome,
        }
    }

    /// Gives bytes back that were taken before.
    pub(super) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::items_at_once;

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

    /// A pass whose items take so many bytes; returns how many go through at once.
    fn pass(each: u64) -> impl Fn(u64) -> Result<usize, HostError> {
        move |bytes| items_at_once("one image", each, bytes, 1)
    }

    #[test]
    fn a_pass_takes_half_of_what_is_left_or_what_one_item_needs() {
        let allowance = Allowance::new(100);
        assert_eq!(allowance.lend(pass(10)).unwrap(), 5);
        assert_eq!(allowance.lend(pass(100)).unwrap(), 1);
        allowance.take(40, || "a tensor".to_owned()).unwrap();
        assert_eq!(allowance.lend(pass(10)).unwrap(), 3);
        assert_eq!(allowance.lend(pass(60)).unwrap(), 1);
        let error = allowance.lend(pass(61)).unwrap_err();
        let expected = "one image beside the other tensors of this run needs 101 bytes, but the \
                        session may use 100";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn what_a_pass_was_lent_is_nobody_elses_until_it_ends() {
        let allowance = Allowance::new(100);
        let tensor = |bytes| allowance.take(bytes, || "a tensor".to_owned());
        allowance
            .lend(|bytes| {
                assert_eq!(bytes, 50);
                assert!(tensor(51).is_err());
                assert_eq!(allowance.lend(Ok)?, 25, "a pass within the pass");
                tensor(50)
            })
            .unwrap();
        tensor(50).unwrap();
        assert!(tensor(1).is_err());
    }

    #[test]
    fn a_first_tensor_that_is_too_large_is_named_alone() {
        let error = Allowance::new(100).take(101, || "a tensor".to_owned()).unwrap_err();
        assert_eq!(error.to_string(), "a tensor needs 101 bytes, but the session may use 100");
    }
}
