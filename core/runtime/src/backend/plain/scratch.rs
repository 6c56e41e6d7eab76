//! Memory that units of work use in passing and leave to the next.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Scratch memories that outlive a kernel: fresh memory would have to be cleared by the system each
/// time, which takes as long as some kernels.
#[derive(Clone, Default)]
pub(super) struct ScratchPool(Arc<Mutex<Vec<Scratch>>>);

/// The scratch memory of one unit; what it holds is left over from earlier use.
#[derive(Default)]
pub(super) struct Scratch {
    operand: Vec<f32>,
    result: Vec<f32>,
}

impl ScratchPool {
    /// Runs one unit of work with a scratch memory that no other uses meanwhile.
    pub(super) fn lend<R>(&self, work: impl FnOnce(&mut Scratch) -> R) -> R {
        let free = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = free().pop().unwrap_or_default();
        let result = work(&mut scratch);
        free().push(scratch);
        result
    }
}

impl fmt::Debug for ScratchPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScratchPool").finish_non_exhaustive()
    }
}

impl Scratch {
    /// Returns room for an operand and for a result of the given lengths.
    pub(super) fn both(&mut self, operand: usize, result: usize) -> [&mut [f32]; 2] {
        [room(&mut self.operand, operand), room(&mut self.result, result)]
    }
}

fn room(memory: &mut Vec<f32>, length: usize) -> &mut [f32] {
    if memory.len() < length {
        memory.resize(length, 0.0);
    }
    &mut memory[..length]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_is_used_again_but_never_twice_at_once() {
        let pool = ScratchPool::default();
        let address = |scratch: &mut Scratch| scratch.both(0, 8)[1].as_ptr();
        let first = pool.lend(|scratch| {
            let outer = address(scratch);
            assert_ne!(pool.lend(address), outer);
            outer
        });
        assert_eq!(pool.lend(address), first);
    }
}
