//! The function table of the fake host: turns pointers into references and calls [`Run`].

use std::cell::RefCell;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use convscope_abi::{
    ABI_MAJOR, ABI_MINOR, CsAnalysis, CsDataset, CsDatasetApi, CsHost, CsImages, CsModel,
    CsModelApi, CsRun, CsSink, CsStatus, CsStr, CsTensor, CsTensorApi, CsView, DATASET_EXTENSION,
    MODEL_EXTENSION, TENSOR_EXTENSION,
};

use crate::fake::{Fault, Picked, Run};

/// A table that never changes.
struct Static<T>(T);

// SAFETY: the tables hold functions and static text, which any thread may use.
unsafe impl<T> Sync for Static<T> {}

static HOST: Static<CsHost> = Static(CsHost {
    abi_major: ABI_MAJOR,
    abi_minor: ABI_MINOR,
    struct_size: size_of::<CsHost>() as u32,
    reserved: 0,
    name: CsStr::new("convscope-sdk fake host"),
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

static TENSOR: Static<CsTensorApi> = Static(CsTensorApi {
    struct_size: size_of::<CsTensorApi>() as u32,
    reserved: 0,
    create,
    map,
    unmap,
    release,
});

static MODEL: Static<CsModelApi> = Static(CsModelApi {
    struct_size: size_of::<CsModelApi>() as u32,
    reserved: 0,
    current,
    describe,
    parameter,
    observe,
    attribute,
    receptive_field,
});

static DATASET: Static<CsDatasetApi> = Static(CsDatasetApi {
    struct_size: size_of::<CsDatasetApi>() as u32,
    reserved: 0,
    len,
    item,
    pixels,
    from_tensor,
});

thread_local! {
    /// Why the last function on this thread failed. Lent to the plugin until the next failure.
    static LAST_ERROR: RefCell<String> = const { RefCell::new(String::new()) };
    /// The last item that was described on this thread. Lent to the plugin until the next call.
    static ITEM: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs an analysis of a plugin under a run of the fake host.
pub(crate) fn run(analysis: &CsAnalysis, run: &Run) -> CsStatus {
    let Some(start) = analysis.run else { return CsStatus::UNSUPPORTED };
    // SAFETY: `user` is the analysis' own; table and run live until the call returns.
    unsafe { start(analysis.user, &raw const HOST.0, std::ptr::from_ref(run).cast_mut().cast()) }
}

/// Calls a function of the run's; a failure is kept for `last_error`.
fn call(run: *mut CsRun, work: impl FnOnce(&Run) -> Result<(), Fault>) -> CsStatus {
    // SAFETY: plugins hand back the pointer that `run` above gave them, which is valid until the
    // analysis returns and only ever shared.
    let Some(run) = (unsafe { run.cast::<Run>().as_ref() }) else {
        return CsStatus::INVALID;
    };
    match catch_unwind(AssertUnwindSafe(|| work(run))) {
        Ok(Ok(())) => CsStatus::OK,
        Ok(Err(Fault { status, message })) => {
            LAST_ERROR.replace(message);
            status
        }
        Err(_) => {
            LAST_ERROR.replace("the fake host panicked".to_owned());
            CsStatus::PANICKED
        }
    }
}

/// Borrows text of the plugin's.
///
/// # Safety
/// The bytes must stay readable for `'a`.
unsafe fn text<'a>(given: CsStr) -> Result<&'a str, Fault> {
    // SAFETY: the contract of this function.
    unsafe { super::text(given) }
        .map_err(|error| Fault { status: CsStatus::INVALID, message: error.to_string() })
}

/// Writes a result to where the plugin wants it.
///
/// # Safety
/// `out` must be null or writable.
unsafe fn give<T>(out: *mut T, value: T) -> Result<(), Fault> {
    if out.is_null() {
        let message = "there is no place for the result".to_owned();
        return Err(Fault { status: CsStatus::INVALID, message });
    }
    // SAFETY: not null, and writable by this function's contract.
    unsafe { out.write(value) };
    Ok(())
}

fn mismatch(key: &str, expected: &str) -> Fault {
    Fault { status: CsStatus::INVALID, message: format!("parameter `{key}` is no {expected}") }
}

unsafe extern "C" fn get_extension(id: CsStr) -> *const c_void {
    // SAFETY: the plugin's text is readable for the call.
    match unsafe { text(id) } {
        Ok(TENSOR_EXTENSION) => (&raw const TENSOR.0).cast(),
        Ok(MODEL_EXTENSION) => (&raw const MODEL.0).cast(),
        Ok(DATASET_EXTENSION) => (&raw const DATASET.0).cast(),
        _ => std::ptr::null(),
    }
}

unsafe extern "C" fn log(run: *mut CsRun, level: u32, line: CsStr) {
    call(run, |run| {
        // SAFETY: the plugin's text is readable for the call.
        run.log(level, unsafe { text(line) }?);
        Ok(())
    });
}

unsafe extern "C" fn progress(run: *mut CsRun, fraction: f64, line: CsStr) -> CsStatus {
    // SAFETY: the plugin's text is readable for the call.
    call(run, |run| run.progress(fraction, unsafe { text(line) }?))
}

unsafe extern "C" fn is_cancelled(run: *mut CsRun) -> u32 {
    let mut answer = false;
    call(run, |run| {
        answer = run.is_cancelled();
        Ok(())
    });
    u32::from(answer)
}

unsafe extern "C" fn rng_seed(run: *mut CsRun, stream: u64) -> u64 {
    let mut seed = 0;
    call(run, |run| {
        seed = run.rng_seed(stream);
        Ok(())
    });
    seed
}

unsafe extern "C" fn set_error(run: *mut CsRun, reason: CsStr) {
    call(run, |run| {
        // SAFETY: the plugin's text is readable for the call.
        run.set_error(unsafe { text(reason) }?);
        Ok(())
    });
}

unsafe extern "C" fn last_error(_: *mut CsRun) -> CsStr {
    LAST_ERROR.with_borrow(|reason| CsStr::new(reason))
}

unsafe extern "C" fn params_json(run: *mut CsRun) -> CsStr {
    let mut json = CsStr::new("");
    call(run, |run| {
        json = CsStr::new(run.parameters_json());
        Ok(())
    });
    json
}

unsafe extern "C" fn param_bool(run: *mut CsRun, key: CsStr, out: *mut u32) -> CsStatus {
    call(run, |run| {
        // SAFETY: the plugin's text is readable, its place writable, for the call.
        unsafe {
            let key = text(key)?;
            let value = run.parameter(key)?.as_bool().ok_or_else(|| mismatch(key, "boolean"))?;
            give(out, u32::from(value))
        }
    })
}

unsafe extern "C" fn param_i64(run: *mut CsRun, key: CsStr, out: *mut i64) -> CsStatus {
    call(run, |run| {
        // SAFETY: as in `param_bool`.
        unsafe {
            let key = text(key)?;
            let value = run.parameter(key)?.as_i64();
            give(out, value.ok_or_else(|| mismatch(key, "whole number"))?)
        }
    })
}

unsafe extern "C" fn param_f64(run: *mut CsRun, key: CsStr, out: *mut f64) -> CsStatus {
    call(run, |run| {
        // SAFETY: as in `param_bool`.
        unsafe {
            let key = text(key)?;
            give(out, run.parameter(key)?.as_f64().ok_or_else(|| mismatch(key, "number"))?)
        }
    })
}

unsafe extern "C" fn param_str(run: *mut CsRun, key: CsStr, out: *mut CsStr) -> CsStatus {
    call(run, |run| {
        // SAFETY: as in `param_bool`; the text lives as long as the run.
        unsafe {
            let key = text(key)?;
            let value = run.parameter(key)?.as_str().ok_or_else(|| mismatch(key, "text"))?;
            give(out, CsStr::new(value))
        }
    })
}

unsafe extern "C" fn param_count(run: *mut CsRun, key: CsStr, out: *mut u64) -> CsStatus {
    // SAFETY: as in `param_bool`.
    call(run, |run| unsafe { give(out, run.parameter_count(text(key)?)) })
}

unsafe extern "C" fn param_handle(
    run: *mut CsRun,
    key: CsStr,
    index: u64,
    kind: u32,
    out: *mut u64,
) -> CsStatus {
    // SAFETY: as in `param_bool`.
    call(run, |run| unsafe { give(out, run.parameter_handle(text(key)?, index, kind)?) })
}

unsafe extern "C" fn emit(
    run: *mut CsRun,
    kind: u32,
    name: CsStr,
    meta: CsStr,
    tensor: CsTensor,
) -> CsStatus {
    // SAFETY: the plugin's texts are readable for the call.
    call(run, |run| unsafe { run.emit(kind, text(name)?, text(meta)?, tensor) })
}

unsafe extern "C" fn create(
    run: *mut CsRun,
    dtype: u32,
    rank: u32,
    shape: *const u64,
    out: *mut CsTensor,
) -> CsStatus {
    call(run, |run| {
        // SAFETY: `shape` holds `rank` numbers, `out` is writable.
        unsafe { give(out, run.create(dtype, slice(shape, rank as usize))?) }
    })
}

/// Borrows numbers of the plugin's; none for null.
///
/// # Safety
/// `numbers` must be null or hold `count` numbers that stay readable for `'a`.
unsafe fn slice<'a>(numbers: *const u64, count: usize) -> &'a [u64] {
    if numbers.is_null() {
        return &[];
    }
    // SAFETY: not null; the contract of this function says the rest.
    unsafe { std::slice::from_raw_parts(numbers, count) }
}

unsafe extern "C" fn map(
    run: *mut CsRun,
    tensor: CsTensor,
    mode: u32,
    out: *mut CsView,
) -> CsStatus {
    // SAFETY: the plugin's place is writable for the call.
    call(run, |run| unsafe { give(out, run.map(tensor, mode)?) })
}

unsafe extern "C" fn unmap(run: *mut CsRun, tensor: CsTensor) -> CsStatus {
    call(run, |run| run.unmap(tensor))
}

unsafe extern "C" fn release(run: *mut CsRun, tensor: CsTensor) -> CsStatus {
    call(run, |run| run.release(tensor))
}

unsafe extern "C" fn current(run: *mut CsRun, out: *mut CsModel) -> CsStatus {
    // SAFETY: as in `map`.
    call(run, |run| unsafe { give(out, run.current_model()) })
}

unsafe extern "C" fn describe(run: *mut CsRun, model: CsModel, out: *mut CsStr) -> CsStatus {
    // SAFETY: as in `map`; the text lives as long as the run.
    call(run, |run| unsafe { give(out, CsStr::new(run.describe(model)?)) })
}

unsafe extern "C" fn parameter(
    run: *mut CsRun,
    model: CsModel,
    layer: CsStr,
    name: CsStr,
    out: *mut CsTensor,
) -> CsStatus {
    // SAFETY: as in `param_bool`.
    call(run, |run| unsafe { give(out, run.layer_parameter(model, text(layer)?, text(name)?)?) })
}

/// Reads which images a verb is for.
///
/// # Safety
/// `images` must be null or readable, and its indices must be null or as many as it says.
unsafe fn pick(run: &Run, images: *const CsImages) -> Result<Picked, Fault> {
    // SAFETY: the contract of this function.
    let Some(images) = (unsafe { images.as_ref() }) else {
        return Err(Fault { status: CsStatus::INVALID, message: "no images".to_owned() });
    };
    let CsImages { dataset, indices, count, tensor } = *images;
    // SAFETY: not null; the contract of this function.
    let indices = (!indices.is_null()).then(|| unsafe { slice(indices, count) });
    run.pick(dataset, indices, tensor)
}

unsafe extern "C" fn observe(
    run: *mut CsRun,
    model: CsModel,
    images: *const CsImages,
    cases: CsStr,
    captures: CsStr,
    sink: CsSink,
    user: *mut c_void,
) -> CsStatus {
    call(run, |run| {
        // SAFETY: texts and images are readable for the call; the sink gets its own `user`, on
        // this thread, with tensors that outlive the call.
        unsafe {
            let mut receive = |first: u64, count: u64, tensors: &[CsTensor]| {
                sink(user, first, count, tensors.as_ptr(), tensors.len())
            };
            let texts = [text(cases)?, text(captures)?];
            run.observe(model, &pick(run, images)?, texts, &mut receive)
        }
    })
}

unsafe extern "C" fn attribute(
    run: *mut CsRun,
    model: CsModel,
    images: *const CsImages,
    starts: CsStr,
    composite: CsStr,
    to: CsStr,
    sink: CsSink,
    user: *mut c_void,
) -> CsStatus {
    call(run, |run| {
        // SAFETY: as in `observe`.
        unsafe {
            let mut receive = |first: u64, count: u64, tensors: &[CsTensor]| {
                sink(user, first, count, tensors.as_ptr(), tensors.len())
            };
            let texts = [text(starts)?, text(composite)?, text(to)?];
            run.attribute(model, &pick(run, images)?, texts, &mut receive)
        }
    })
}

unsafe extern "C" fn receptive_field(
    run: *mut CsRun,
    model: CsModel,
    value: CsStr,
    position: *const u64,
    out: *mut [i64; 4],
) -> CsStatus {
    call(run, |run| {
        // SAFETY: `position` is null or two numbers, text and place are the plugin's.
        unsafe {
            let position = match slice(position, 2) {
                [row, column] => Some([*row, *column]),
                _ => None,
            };
            give(out, run.receptive_field(model, text(value)?, position)?)
        }
    })
}

unsafe extern "C" fn len(run: *mut CsRun, dataset: CsDataset, out: *mut u64) -> CsStatus {
    // SAFETY: as in `map`.
    call(run, |run| unsafe { give(out, run.dataset_len(dataset)?) })
}

unsafe extern "C" fn item(
    run: *mut CsRun,
    dataset: CsDataset,
    index: u64,
    tensor: *mut CsTensor,
    json: *mut CsStr,
) -> CsStatus {
    call(run, |run| {
        // SAFETY: each place is null or writable.
        unsafe {
            if !json.is_null() {
                ITEM.replace(run.item(dataset, index)?);
                give(json, ITEM.with_borrow(|item| CsStr::new(item)))?;
            }
            if tensor.is_null() { Ok(()) } else { give(tensor, run.item_input(dataset, index)?) }
        }
    })
}

unsafe extern "C" fn pixels(
    run: *mut CsRun,
    dataset: CsDataset,
    index: u64,
    out: *mut CsTensor,
) -> CsStatus {
    // SAFETY: as in `map`.
    call(run, |run| unsafe { give(out, run.pixels(dataset, index)?) })
}

unsafe extern "C" fn from_tensor(
    run: *mut CsRun,
    tensor: CsTensor,
    out: *mut CsDataset,
) -> CsStatus {
    // SAFETY: as in `map`.
    call(run, |run| unsafe { give(out, run.dataset_of(tensor)?) })
}
