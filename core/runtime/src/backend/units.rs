//! Work in units that depend on shapes alone, shared between the threads of the current pool.

use rayon::prelude::*;

use super::alone::threads;
use super::awake::Awake;

/// Below this many results, handing work to other threads costs more than it saves.
const WORTH_SHARING: usize = 1 << 14;

/// The same in multiply-adds, which are done many at a time.
const HEAVY_ENOUGH: usize = 1 << 20;

/// The same where other threads are awake.
const ENOUGH: usize = 1 << 16;

/// Pieces for each thread that are enough to keep all of them busy to the end.
const PLENTY: usize = 4;

/// Results a unit of cheap element-wise work computes.
pub(in crate::backend) const CHEAP_UNIT: usize = 1 << 14;

/// Computes every chunk of `length` results by itself; `work` is given its number.
///
/// Which thread computes a chunk does not matter, since chunks share nothing.
pub(in crate::backend) fn for_each_chunk<T: Send>(
    results: &mut [T],
    length: usize,
    work: impl Fn(usize, &mut [T]) + Send + Sync,
) {
    if length == 0 {
        return;
    }
    if results.len() < WORTH_SHARING || threads() == 1 {
        for (index, chunk) in results.chunks_mut(length).enumerate() {
            work(index, chunk);
        }
    } else {
        results.par_chunks_mut(length).enumerate().for_each(|(index, chunk)| work(index, chunk));
    }
}

/// Computes the chunks of two arrays of results side by side.
pub(in crate::backend) fn for_each_chunk_pair<T: Send, U: Send>(
    first: &mut [T],
    second: &mut [U],
    length: usize,
    work: impl Fn(usize, &mut [T], &mut [U]) + Send + Sync,
) {
    if length == 0 {
        return;
    }
    if first.len() < WORTH_SHARING || threads() == 1 {
        let chunks = first.chunks_mut(length).zip(second.chunks_mut(length));
        for (index, (a, b)) in chunks.enumerate() {
            work(index, a, b);
        }
    } else {
        first
            .par_chunks_mut(length)
            .zip(second.par_chunks_mut(length))
            .enumerate()
            .for_each(|(index, (a, b))| work(index, a, b));
    }
}

/// Works off a list of units, which take `multiply_adds` each image and group.
pub(in crate::backend) fn for_each_unit<T: Send>(
    units: Vec<T>,
    multiply_adds: usize,
    work: impl Fn(T) + Send + Sync,
) {
    let enough = if Awake::is_expected() { ENOUGH } else { HEAVY_ENOUGH };
    if multiply_adds < enough || units.len() < 2 || threads() == 1 {
        units.into_iter().for_each(work);
    } else {
        let at_once = units.len() / (PLENTY * threads());
        units.into_par_iter().with_min_len(at_once).with_max_len(at_once.max(1)).for_each(work);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn two_heavy_units_are_computed_by_two_threads() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        // Neither unit ends before the other has begun.
        let both = Barrier::new(2);
        pool.install(|| {
            for_each_unit(vec![(), ()], HEAVY_ENOUGH, |()| {
                both.wait();
            });
        });
    }

    #[test]
    fn every_chunk_is_given_its_number() {
        for count in [10, WORTH_SHARING + 5] {
            let (mut first, mut second) = (vec![0; count], vec![0; count]);
            for_each_chunk(&mut first, 3, |index, chunk| chunk.fill(index));
            for_each_chunk_pair(&mut first, &mut second, 3, |index, before, chunk| {
                assert!(before.iter().all(|&number| number == index));
                chunk.fill(index);
            });
            let expected: Vec<usize> = (0..count).map(|index| index / 3).collect();
            assert_eq!(second, expected);
        }
    }
}
