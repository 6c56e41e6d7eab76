//! How much memory a script takes.
//!
//! The engine limits every single string, list and map, but not their sum, and not a map that grows
//! by `map[key] = value`. This is what remains: the memory of the process is looked at every few
//! milliseconds. Where the system does not tell it (elsewhere than on Linux), nothing is limited
//! but what the engine limits.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Time between two looks: at the speed of memory, a script takes less than 100 MiB meanwhile.
const INTERVAL: Duration = Duration::from_millis(5);

/// Operations between two looks at the clock, which costs about as much as an operation.
const GLANCE: u64 = 32;

/// Looks how much the process has grown since the script began, beside what the program took.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Bytes that the script may take; 0 for no limit.
    limit: u64,
    begin: Instant,
    bytes_at_begin: Option<i64>,
    /// Bytes that calls into the program have left behind.
    of_program: AtomicI64,
    /// Time of the next look, in nanoseconds after the beginning.
    next: AtomicU64,
    /// Once too much is too much for good: the engine drops errors that occur at some places.
    is_exceeded: AtomicBool,
}

impl Watch {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            begin: Instant::now(),
            bytes_at_begin: resident(),
            of_program: AtomicI64::new(0),
            next: AtomicU64::new(0),
            is_exceeded: AtomicBool::new(false),
        }
    }

    /// Calls the program, whose memory is not the script's.
    pub(crate) fn outside<T>(&self, call: impl FnOnce() -> T) -> T {
        let before = resident();
        let result = call();
        if let Some((before, after)) = before.zip(resident()) {
            self.of_program.fetch_add(after - before, Ordering::Relaxed);
        }
        result
    }

    /// Returns whether the script has taken too much; cheap enough to be asked at every operation.
    pub(crate) fn is_exceeded(&self, operations: u64) -> bool {
        if operations.is_multiple_of(GLANCE) && self.look() {
            self.is_exceeded.store(true, Ordering::Relaxed);
        }
        self.is_exceeded.load(Ordering::Relaxed)
    }

    /// Looks at the memory, if it is time to.
    fn look(&self) -> bool {
        let now = self.begin.elapsed();
        if self.limit == 0 || now < Duration::from_nanos(self.next.load(Ordering::Relaxed)) {
            return false;
        }
        let next = u64::try_from((now + INTERVAL).as_nanos()).unwrap_or(u64::MAX);
        self.next.store(next, Ordering::Relaxed);
        let Some((before, now)) = self.bytes_at_begin.zip(resident()) else { return false };
        let grown = now - before - self.of_program.load(Ordering::Relaxed);
        u64::try_from(grown).is_ok_and(|grown| grown > self.limit)
    }
}

/// Returns the bytes of memory that the process holds, if the system tells.
fn resident() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok()?.checked_mul(1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[test]
    fn what_the_program_takes_is_not_the_scripts() {
        let watch = Watch::new(256 << 20);

        // Without the black box an optimised build does without the memory.
        let kept = watch.outside(|| black_box(vec![1_u8; 512 << 20]));

        assert!(!watch.is_exceeded(GLANCE));
        std::thread::sleep(2 * INTERVAL);
        let own = black_box(vec![1_u8; 512 << 20]);
        assert!(watch.is_exceeded(GLANCE));
        assert!(watch.is_exceeded(GLANCE + 1), "from now on");
        drop((kept, own));
    }
}
