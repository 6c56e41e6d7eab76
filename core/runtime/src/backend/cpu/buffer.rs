//! Memory that begins at a cache line and is used again.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes in a cache line.
const LINE: usize = 64;
/// Bytes of idle memory that a pool keeps at most.
const IDLE: usize = 256 << 20;

/// Memory that was used and waits to be used again. Fresh memory costs a page fault every 4 KiB,
/// which takes as long as some kernels.
#[derive(Clone, Default)]
pub(super) struct Pool<T = f32>(Arc<Mutex<Vec<Vec<T>>>>);

impl<T: Copy + Default> Pool<T> {
    /// Lends room for so many numbers. What they are is left over from earlier use.
    pub(super) fn take(&self, length: usize) -> Buffer<T> {
        let needed = length + LINE / size_of::<T>();
        let fits = |values: &Vec<T>| values.len() >= needed && values.len() / 2 <= needed;
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = idle
            .iter()
            .enumerate()
            .filter(|(_, values)| fits(values))
            .min_by_key(|(_, values)| values.len())
            .map(|(index, _)| index);
        let values = found.map(|index| idle.remove(index));
        drop(idle);
        let values = values.unwrap_or_else(|| vec![T::default(); needed]);
        Buffer { start: aligned(&values), values, length, pool: self.clone() }
    }

    /// Lends zeros.
    pub(super) fn zeros(&self, length: usize) -> Buffer<T> {
        let mut buffer = self.take(length);
        buffer.fill(T::default());
        buffer
    }
}

#[cfg(test)]
impl Pool {
    /// Makes all idle memory NaN, so that a kernel that reads what it has not written is found out.
    pub(super) fn poison(&self) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.iter_mut().for_each(|values| values.fill(f32::NAN));
    }
}

impl<T> Pool<T> {
    /// Frees what is idle.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn give_back(&self, values: Vec<T>) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(values);
        let mut bytes: usize = idle.iter().map(|values| values.len() * size_of::<T>()).sum();
        // The oldest go first.
        while bytes > IDLE {
            bytes -= idle.remove(0).len() * size_of::<T>();
        }
    }
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// Returns the first value that lies at the beginning of a cache line.
fn aligned<T>(values: &[T]) -> usize {
    values.as_ptr().align_offset(LINE).min(LINE / size_of::<T>())
}

/// Numbers that begin at a cache line; goes back to its pool when dropped.
pub(super) struct Buffer<T = f32> {
    values: Vec<T>,
    start: usize,
    length: usize,
    pool: Pool<T>,
}

impl<T> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values[self.start..self.start + self.length]
    }
}

impl<T> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.values[self.start..self.start + self.length]
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.values));
    }
}

impl<T> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("length", &self.length).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_begin_at_a_cache_line_and_are_used_again() {
        let pool = Pool::<f32>::default();
        let first = pool.take(1000);
        let address = first.as_ptr();
        assert_eq!(address.align_offset(64), 0);
        let second = pool.take(1000);
        assert_ne!(second.as_ptr(), address);
        drop(first);
        assert_eq!(pool.take(990).as_ptr(), address);
        assert!(pool.zeros(990).iter().all(|&x| x == 0.0));
    }

    #[test]
    fn a_large_buffer_is_not_spent_on_a_small_request() {
        let pool = Pool::<f32>::default();
        let address = pool.take(100_000).as_ptr();
        assert_ne!(pool.take(1000).as_ptr(), address);
    }

    #[test]
    fn idle_memory_is_limited() {
        let pool = Pool::<f32>::default();
        let quarter = IDLE / size_of::<f32>() / 4;
        let buffers: Vec<Buffer> = (0..6).map(|_| pool.take(quarter)).collect();
        drop(buffers);
        let idle = pool.0.lock().unwrap();
        let bytes: usize = idle.iter().map(|values| values.len() * size_of::<f32>()).sum();
        assert!(bytes <= IDLE && !idle.is_empty());
        drop(idle);
        pool.clear();
        assert!(pool.0.lock().unwrap().is_empty());
    }
}
