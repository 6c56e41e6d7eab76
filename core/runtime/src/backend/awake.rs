//! Threads that stay awake while kernels follow one another.
//!
//! A thread that sleeps takes some 50 µs to come to work, which is longer than many a layer of one
//! image takes. While an [`Awake`] lives, the threads of the pool look for work without sleeping.

use std::cell::Cell;
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::yield_now;
use std::time::{Duration, Instant};

use rayon::Yield;

/// How long a thread looks for work without finding any before it goes to sleep all the same.
const PATIENCE: Duration = Duration::from_millis(1);
/// How long it does so without letting other programs run.
const GREED: Duration = Duration::from_micros(50);

thread_local! {
    /// Whether this thread leads a pass, or waits for the work of one.
    static IS_ENGAGED: Cell<bool> = const { Cell::new(false) };
}

/// Keeps the threads of a rayon pool from sleeping until it is dropped, on the thread that made it.
#[derive(Debug)]
pub struct Awake {
    is_over: Arc<AtomicBool>,
}

impl Awake {
    /// Wakes the other threads of the current pool; none where there are none, or where this thread
    /// already works for somebody who did.
    pub(in crate::backend) fn of_pool() -> Option<Self> {
        let has_others =
            rayon::current_thread_index().is_some() && rayon::current_num_threads() > 1;
        if !has_others || IS_ENGAGED.replace(true) {
            return None;
        }
        let is_over = Arc::new(AtomicBool::new(false));
        let watched = is_over.clone();
        rayon::spawn_broadcast(move |_| look_for_work(&watched));
        Some(Self { is_over })
    }

    /// Says whether other threads wait for the work of this one.
    pub(in crate::backend) fn is_expected() -> bool {
        IS_ENGAGED.get()
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        IS_ENGAGED.set(false);
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Works off what others hand over, until all is over or nothing comes for long.
///
/// A thread that is engaged waits for something of its own; it must not be kept here.
fn look_for_work(is_over: &AtomicBool) {
    if IS_ENGAGED.replace(true) {
        return;
    }
    let _engaged = Engaged;
    while wait_until(|| {
        is_over.load(Ordering::Relaxed) || rayon::yield_now() == Some(Yield::Executed)
    }) && !is_over.load(Ordering::Relaxed)
    {}
}

/// Makes a thread free again, even after a panic.
struct Engaged;

impl Drop for Engaged {
    fn drop(&mut self) {
        IS_ENGAGED.set(false);
    }
}

/// Waits until something is so, without sleeping; says whether it is so before it is given up.
pub(in crate::backend) fn wait_until(mut is_so: impl FnMut() -> bool) -> bool {
    let mut start = None;
    loop {
        for _ in 0..64 {
            if is_so() {
                return true;
            }
            spin_loop();
        }
        let start = *start.get_or_insert_with(Instant::now);
        let waited = start.elapsed();
        if waited > PATIENCE {
            return false;
        }
        if waited > GREED {
            yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;

    use super::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    #[test]
    fn a_thread_alone_or_outside_of_a_pool_keeps_nobody_awake() {
        assert!(Awake::of_pool().is_none());
        assert!(pool(1).install(Awake::of_pool).is_none());
    }

    #[test]
    fn a_pass_within_a_pass_keeps_nobody_awake_and_does_not_end_the_outer_one() {
        pool(2).install(|| {
            let outer = Awake::of_pool();
            assert!(outer.is_some());
            drop(Awake::of_pool());
            assert!(Awake::is_expected());
            drop(outer);
            assert!(!Awake::is_expected());
        });
    }

    #[test]
    fn passes_run_on_all_threads_at_once() {
        for threads in [2, 3] {
            let pool = pool(threads);
            let done = AtomicUsize::new(0);
            for _ in 0..50 {
                pool.broadcast(|_| {
                    let awake = Awake::of_pool();
                    let both = rayon::join(|| 1, || 2);
                    drop(awake);
                    done.fetch_add(both.0 + both.1, Ordering::Relaxed);
                });
            }
            assert_eq!(done.into_inner(), 50 * 3 * threads);
        }
    }

    #[test]
    fn a_pass_that_panics_is_over() {
        pool(2).install(|| {
            let failed = std::panic::catch_unwind(|| {
                let _awake = Awake::of_pool();
                panic!("in a layer");
            });
            assert!(failed.is_err());
            assert!(!Awake::is_expected());
        });
    }

    #[test]
    fn whoever_finds_no_work_for_long_goes_to_sleep() {
        let (left, leaves) = mpsc::channel();
        std::thread::spawn(move || {
            look_for_work(&AtomicBool::new(false));
            left.send(()).unwrap();
        });
        assert!(leaves.recv_timeout(Duration::from_secs(60)).is_ok());
        assert!(!wait_until(|| false));
        assert!(wait_until(|| true));
    }
}
