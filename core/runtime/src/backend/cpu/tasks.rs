//! Work shared between the threads of the current pool.

use std::ops::Range;

use rayon::prelude::*;

/// Below this many multiply-adds, handing work to another thread costs more than it saves.
const HEAVY: usize = 1 << 18;
/// Tasks for each thread from which on units need not be cut further.
const PLENTY: usize = 6;

/// Works off units that each have `parts` independent parts; a task is a unit and some of its
/// parts. Units are cut only where there would be too few tasks, since the parts of a unit share
/// what it reads. Results must not depend on the cut.
pub(super) fn for_each_task(
    units: usize,
    parts: usize,
    multiply_adds: usize,
    work: impl Fn(usize, Range<usize>) + Send + Sync,
) {
    let threads = rayon::current_num_threads();
    if threads == 1 || multiply_adds < HEAVY {
        for unit in 0..units {
            work(unit, 0..parts);
        }
        return;
    }
    let cuts = (PLENTY * threads).div_ceil(units.max(1)).clamp(1, parts.max(1));
    // As few cuts as give every thread the same.
    let cuts = if units >= PLENTY * threads { 1 } else { cuts.min(2 * threads) };
    let cuts = cuts.clamp(1, parts.max(1));
    (0..units * cuts).into_par_iter().with_max_len(1).for_each(|task| {
        let (unit, cut) = (task / cuts, task % cuts);
        work(unit, cut * parts / cuts..(cut + 1) * parts / cuts);
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn every_part_of_every_unit_is_worked_off_once() {
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
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
}
