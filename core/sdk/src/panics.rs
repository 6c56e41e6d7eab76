//! Panics of an author's code, caught and put into words.
//!
//! A panic's payload does not say where it happened; only the panic hook is told. A plugin's
//! library has its own copy of the standard library and so its own hook: setting it does not touch
//! the program's. In a plugin's own tests the hook is the test program's, so the one that was
//! there before stays in charge of every panic outside an analysis.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// How many analyses are active on this thread.
    static ACTIVE: Cell<u32> = const { Cell::new(0) };
    /// Where the last panic inside an analysis on this thread happened.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs author's code; a panic becomes words with file and line, and nothing is printed.
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if ACTIVE.get() == 0 {
                return before(panic);
            }
            let place = panic.location().map(|at| format!("{}:{}", at.file(), at.line()));
            PLACE.set(place);
        }));
    });
    ACTIVE.set(ACTIVE.get() + 1);
    // What a panic leaves half done is dropped: the run is over.
    let outcome = catch_unwind(AssertUnwindSafe(work));
    ACTIVE.set(ACTIVE.get() - 1);
    outcome.map_err(|payload| {
        let message = message(payload);
        match PLACE.take() {
            Some(place) => format!("panicked at {place}: {message}"),
            None => format!("panicked: {message}"),
        }
    })
}

fn message(payload: Box<dyn Any + Send>) -> String {
    let words = payload
        .downcast_ref::<&str>()
        .map(|words| (*words).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned());
    // A payload of another type could panic when dropped.
    words.unwrap_or_else(|| {
        std::mem::forget(payload);
        "a panic without words".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_file_and_line() {
        let words = catch(|| panic!("no such map")).unwrap_err();
        assert!(words.starts_with("panicked at "), "{words}");
        assert!(words.contains("panics.rs:") && words.ends_with(": no such map"), "{words}");
    }

    #[test]
    fn a_panic_in_another_thread_that_is_raised_again_has_words() {
        let words = catch(|| {
            let worker = std::thread::spawn(|| std::panic::panic_any(7_u8));
            std::panic::resume_unwind(worker.join().unwrap_err());
        });
        assert_eq!(words.unwrap_err(), "panicked: a panic without words");
    }
}
