//! The C side of the host: function tables over [`Run`].
//!
//! Every function checks what it is given as far as that is possible (null, alignment, UTF-8,
//! handles), catches panics, and turns the outcome into a status.
//!
//! One of the two addresses of `unsafe` in this crate; the other is [`crate::library`].
#![allow(unsafe_code, reason = "plugins call through C function pointers")]

mod dataset;
mod host;
mod model;
mod tensor;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use convscope_abi::{CsHost, CsRun, CsStatus, CsStr};

use super::{Fault, Run};

/// Returns the table that analyses are called with.
pub(crate) fn host() -> *const CsHost {
    host::table()
}

/// Runs a host function: finds the run, catches panics, remembers why it failed.
///
/// # Safety
/// `run` must be null or what the host passed to an analysis that has not returned.
unsafe fn guarded(run: *mut CsRun, body: impl FnOnce(&Run<'_>) -> Result<(), Fault>) -> CsStatus {
    // SAFETY: by this function's contract it leads to a `Run` that lives until the analysis
    // returns; the host only ever borrows it shared.
    let Some(run) = (unsafe { run.cast::<Run<'_>>().as_ref() }) else {
        return CsStatus::BAD_HANDLE;
    };
    // Locks recover from panics and everything else is rebuilt for each call.
    match catch_unwind(AssertUnwindSafe(|| body(run))) {
        Ok(Ok(())) => CsStatus::OK,
        Ok(Err(fault)) => run.failed(fault),
        Err(payload) => run.failed(Fault::Panicked(words_of(payload.as_ref()))),
    }
}

/// Runs a host function that returns no status.
///
/// # Safety
/// As for [`guarded`].
unsafe fn guarded_or<T>(run: *mut CsRun, otherwise: T, body: impl FnOnce(&Run<'_>) -> T) -> T {
    // SAFETY: as in `guarded`.
    let Some(run) = (unsafe { run.cast::<Run<'_>>().as_ref() }) else { return otherwise };
    catch_unwind(AssertUnwindSafe(|| body(run))).unwrap_or(otherwise)
}

fn words_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Borrows a text of the plugin's.
///
/// # Safety
/// The bytes must stay readable and unchanged for `'a`.
unsafe fn text<'a>(text: CsStr, what: &str) -> Result<&'a str, Fault> {
    // SAFETY: the caller's promise.
    let bytes = unsafe { slice(text.ptr, text.len, what) }?;
    std::str::from_utf8(bytes).map_err(|_| Fault::Invalid(format!("{what} is not UTF-8")))
}

/// Borrows numbers of the plugin's.
///
/// # Safety
/// Where it is not null, `length` elements must stay readable and unchanged for `'a`.
unsafe fn slice<'a, T>(first: *const T, length: usize, what: &str) -> Result<&'a [T], Fault> {
    if length == 0 {
        return Ok(&[]);
    }
    let fits =
        length.checked_mul(size_of::<T>()).is_some_and(|bytes| isize::try_from(bytes).is_ok());
    if first.is_null() || !first.is_aligned() || !fits {
        return Err(Fault::Invalid(format!("{what} is a null pointer, not aligned or too long")));
    }
    // SAFETY: not null, aligned, not longer than memory can be, and readable by contract.
    Ok(unsafe { std::slice::from_raw_parts(first, length) })
}

/// Computes a result and writes it where the plugin wants it; does neither where that is nowhere.
///
/// # Safety
/// Where it is not null, `out` must be writable.
unsafe fn put<T>(out: *mut T, value: impl FnOnce() -> Result<T, Fault>) -> Result<(), Fault> {
    if out.is_null() || !out.is_aligned() {
        return Err(Fault::Invalid("the place for the result is null or not aligned".to_owned()));
    }
    let value = value()?;
    // SAFETY: not null, aligned, and writable by contract.
    unsafe { out.write(value) };
    Ok(())
}
