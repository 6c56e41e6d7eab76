//! Work that is not shared between threads, because all of them have work of their own.

use std::cell::Cell;

thread_local! {
    static IS_ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Computes with this thread alone: what kernels would share between threads stays here.
pub(crate) fn alone<T>(work: impl FnOnce() -> T) -> T {
    struct Before(bool);

    impl Drop for Before {
        fn drop(&mut self) {
            IS_ALONE.set(self.0);
        }
    }

    let _before = Before(IS_ALONE.replace(true));
    work()
}

/// Returns the number of threads that share the work of a kernel.
pub(in crate::backend) fn threads() -> usize {
    if IS_ALONE.get() { 1 } else { rayon::current_num_threads() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_alone_until_its_work_is_done_even_if_that_fails() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        pool.install(|| {
            assert_eq!(threads(), 2);
            assert_eq!(alone(|| (threads(), alone(threads))), (1, 1));
            let failed = std::panic::catch_unwind(|| alone(|| panic!("on purpose")));
            assert!(failed.is_err());
            assert_eq!(threads(), 2);
        });
    }
}
