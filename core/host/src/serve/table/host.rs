//! The table `CsHost`.

use std::ffi::c_void;

use convscope_abi::{
    ABI_MAJOR, ABI_MINOR, CsHost, CsRun, CsStatus, CsStr, CsTensor, DATASET_EXTENSION,
    MODEL_EXTENSION, TENSOR_EXTENSION,
};
use serde_json::Value;

use super::{dataset, guarded, guarded_or, model, put, tensor, text};

const EMPTY: CsStr = CsStr::new("");

struct Table(CsHost);

// SAFETY: functions and static text, which nobody changes.
unsafe impl Sync for Table {}

static TABLE: Table = Table(CsHost {
    abi_major: ABI_MAJOR,
    abi_minor: ABI_MINOR,
    struct_size: size_of::<CsHost>() as u32,
    reserved: 0,
    name: CsStr::new("convscope"),
    version: CsStr::new(env!("CARGO_PKG_VERSION")),
    get_extension,
    log,
    progress,
    is_cancelled,
    rng_seed,
    set_error,
    last_error,
    params_json,
    param_bool,
    param_i64,
    param_f64,
    param_str,
    param_count,
    param_handle,
    emit,
});

pub(super) fn table() -> *const CsHost {
    &raw const TABLE.0
}

unsafe extern "C" fn get_extension(id: CsStr) -> *const c_void {
    // SAFETY: borrowed for this call by the interface.
    match unsafe { text(id, "the extension's id") } {
        Ok(TENSOR_EXTENSION) => (&raw const tensor::TABLE).cast(),
        Ok(MODEL_EXTENSION) => (&raw const model::TABLE).cast(),
        Ok(DATASET_EXTENSION) => (&raw const dataset::TABLE).cast(),
        _ => std::ptr::null(),
    }
}

unsafe extern "C" fn log(run: *mut CsRun, level: u32, line: CsStr) {
    // SAFETY: the run is the plugin's own; the text is borrowed for this call.
    unsafe {
        guarded(run, |run| {
            run.log(level, text(line, "the line")?);
            Ok(())
        });
    }
}

unsafe extern "C" fn progress(run: *mut CsRun, fraction: f64, doing: CsStr) -> CsStatus {
    // SAFETY: as in `log`.
    unsafe { guarded(run, |run| run.progress(fraction, text(doing, "the text")?)) }
}

unsafe extern "C" fn is_cancelled(run: *mut CsRun) -> u32 {
    // SAFETY: the run is the plugin's own.
    unsafe { guarded_or(run, 1, |run| u32::from(run.is_cancelled())) }
}

unsafe extern "C" fn rng_seed(run: *mut CsRun, stream: u64) -> u64 {
    // SAFETY: the run is the plugin's own.
    unsafe { guarded_or(run, 0, |run| run.rng_seed(stream)) }
}

unsafe extern "C" fn set_error(run: *mut CsRun, reason: CsStr) {
    // SAFETY: as in `log`.
    unsafe {
        guarded(run, |run| {
            run.set_error(text(reason, "the reason")?);
            Ok(())
        });
    }
}

unsafe extern "C" fn last_error(run: *mut CsRun) -> CsStr {
    // SAFETY: the run is the plugin's own. The words stay where they are until this thread's next
    // failure.
    unsafe { guarded_or(run, EMPTY, |run| run.with_last_error(CsStr::new)) }
}

unsafe extern "C" fn params_json(run: *mut CsRun) -> CsStr {
    // SAFETY: the run is the plugin's own. The JSON lives as long as it.
    unsafe { guarded_or(run, EMPTY, |run| CsStr::new(&run.json)) }
}

unsafe extern "C" fn param_bool(run: *mut CsRun, key: CsStr, out: *mut u32) -> CsStatus {
    // SAFETY: the run is the plugin's own; `key` is borrowed for this call; `out` is writable.
    unsafe {
        guarded(run, |run| {
            let key = text(key, "the key")?;
            put(out, || Ok(u32::from(run.typed(key, "true or false", Value::as_bool)?)))
        })
    }
}

unsafe extern "C" fn param_i64(run: *mut CsRun, key: CsStr, out: *mut i64) -> CsStatus {
    // SAFETY: as in `param_bool`.
    unsafe {
        guarded(run, |run| {
            let key = text(key, "the key")?;
            put(out, || run.typed(key, "a whole number", Value::as_i64))
        })
    }
}

unsafe extern "C" fn param_f64(run: *mut CsRun, key: CsStr, out: *mut f64) -> CsStatus {
    // SAFETY: as in `param_bool`.
    unsafe {
        guarded(run, |run| {
            let key = text(key, "the key")?;
            put(out, || run.typed(key, "a number", Value::as_f64))
        })
    }
}

unsafe extern "C" fn param_str(run: *mut CsRun, key: CsStr, out: *mut CsStr) -> CsStatus {
    // SAFETY: as in `param_bool`. The text is the run's, which never changes its parameters.
    unsafe {
        guarded(run, |run| {
            let key = text(key, "the key")?;
            put(out, || Ok(CsStr::new(run.typed(key, "text", Value::as_str)?)))
        })
    }
}

unsafe extern "C" fn param_count(run: *mut CsRun, key: CsStr, out: *mut u64) -> CsStatus {
    // SAFETY: as in `param_bool`.
    unsafe {
        guarded(run, |run| {
            let key = text(key, "the key")?;
            put(out, || Ok(run.parameter_count(key)))
        })
    }
}

unsafe extern "C" fn param_handle(
    run: *mut CsRun,
    key: CsStr,
    index: u64,
    kind: u32,
    out: *mut u64,
) -> CsStatus {
    // SAFETY: as in `param_bool`.
    unsafe {
        guarded(run, |run| {
            let key = text(key, "the key")?;
            put(out, || run.parameter_handle(key, index, kind))
        })
    }
}

unsafe extern "C" fn emit(
    run: *mut CsRun,
    kind: u32,
    name: CsStr,
    meta: CsStr,
    tensor: CsTensor,
) -> CsStatus {
    // SAFETY: the run is the plugin's own; the texts are borrowed for this call.
    unsafe {
        guarded(run, |run| {
            run.emit(kind, text(name, "the name")?, text(meta, "the description")?, tensor)
        })
    }
}
