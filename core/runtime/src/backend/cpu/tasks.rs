//! Work shared between the threads of the current pool.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::backend::alone::threads;
use crate::backend::awake::{Awake, wait_until};

/// Below this many multiply-adds, handing work to another thread costs more than it saves.
const HEAVY: usize = 1 << 18;
/// Tasks for each thread that are enough to keep all of them busy to the end.
const PLENTY: usize = 4;

/// Works off units that each have `parts` independent parts; a task is a unit and some of its
/// parts. Units are cut only where there would be too few tasks, since the parts of a unit share
/// what it reads. Threads take the next task when they are done with theirs. Results must not
/// depend on the cut.
pub(super) fn for_each_task(
    units: usize,
    parts: usize,
    multiply_adds: usize,
    work: impl Fn(usize, Range<usize>) + Send + Sync,
) {
    let threads = threads();
    if threads == 1 || multiply_adds < HEAVY {
        for unit in 0..units {
            work(unit, 0..parts);
        }
        return;
    }
    // Tasks of the same size, so that no thread waits for a larger one at the end.
    let cuts = (PLENTY * threads).div_ceil(units.max(1));
    let size = (parts / cuts).max(1);
    let cuts = parts.div_ceil(size);
    let tasks = units * cuts;
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let caller = rayon::current_thread_index();
    (0..threads).into_par_iter().with_max_len(1).for_each(|_| {
        loop {
            let task = next.fetch_add(1, Ordering::Relaxed);
            if task >= tasks {
                break;
            }
            let (unit, first) = (task / cuts, task % cuts * size);
            work(unit, first..parts.min(first + size));
            done.fetch_add(1, Ordering::Relaxed);
        }
        // Within rayon it would go to sleep while the others end their last tasks.
        if Awake::is_expected() && rayon::current_thread_index() == caller {
            wait_until(|| done.load(Ordering::Relaxed) == tasks);
        }
    });
}

/// Returns how many of `count` steps a unit of `parts` parts takes: at most `most`, nearly the same
/// for all units, and so few that all threads of the current pool have the same to do.
pub(super) fn steps_per_unit(count: usize, most: usize, parts: usize) -> usize {
    let threads = threads();
    let mut units = count.div_ceil(most.max(1)).max(1);
    let are_even = |units: usize| {
        let tasks = units * parts;
        tasks >= PLENTY * threads || tasks >= 2 * threads && tasks.is_multiple_of(threads)
    };
    if threads > 1 {
        units = (units..count).find(|&units| are_even(units)).unwrap_or(count.max(1));
    }
    count.div_ceil(units).max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    #[test]
    fn every_part_of_every_unit_is_worked_off_once() {
        for threads in [1, 2, 3] {
            let pool = pool(threads);
            for (units, parts) in [(0, 3), (1, 1), (1, 7), (3, 2), (40, 5)] {
                let done = Mutex::new(vec![0; units * parts]);
                pool.install(|| {
                    for_each_task(units, parts, HEAVY, |unit, some| {
                        for part in some {
                            done.lock().unwrap()[unit * parts + part] += 1;
                        }
                    });
                });
                assert!(done.into_inner().unwrap().iter().all(|&count| count == 1));
            }
        }
    }

    #[test]
    fn tasks_have_the_same_size() {
        let sizes = Mutex::new(Vec::new());
        pool(2).install(|| {
            for_each_task(1, 12, HEAVY, |_, parts| sizes.lock().unwrap().push(parts.len()));
        });
        assert_eq!(sizes.into_inner().unwrap(), [1; 12]);
    }

    #[test]
    fn units_are_nearly_the_same_and_enough_for_all_threads() {
        let steps = |threads, count, most, parts| {
            pool(threads).install(|| steps_per_unit(count, most, parts))
        };
        assert_eq!(steps(1, 56, 36, 1), 28);
        assert_eq!(steps(2, 56, 36, 1), 14);
        assert_eq!(steps(2, 56, 56, 2), 28);
        assert_eq!(steps(2, 110, 97, 3), 55);
        assert_eq!(steps(2, 13, 13, 6), 13);
        assert_eq!(steps(2, 13, 13, 5), 7);
        assert_eq!(steps(4, 3, 36, 1), 1);
        assert_eq!(steps(2, 0, 0, 0), 1);
    }
}
