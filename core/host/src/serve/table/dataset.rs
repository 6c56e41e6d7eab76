//! The table `CsDatasetApi`.

use convscope_abi::{CsDataset, CsDatasetApi, CsRun, CsStatus, CsStr, CsTensor};

use super::{guarded, put};

pub(super) static TABLE: CsDatasetApi = CsDatasetApi {
    struct_size: size_of::<CsDatasetApi>() as u32,
    reserved: 0,
    len,
    item,
    pixels,
    from_tensor,
};

unsafe extern "C" fn len(run: *mut CsRun, dataset: CsDataset, out: *mut u64) -> CsStatus {
    // SAFETY: the run is the plugin's own; `out` is writable.
    unsafe {
        guarded(run, |run| put(out, || Ok(run.handles.dataset(dataset)?.images().len() as u64)))
    }
}

unsafe extern "C" fn item(
    run: *mut CsRun,
    dataset: CsDataset,
    index: u64,
    tensor: *mut CsTensor,
    json: *mut CsStr,
) -> CsStatus {
    // SAFETY: the run is the plugin's own; `tensor` and `json` are null or writable. The text
    // stays where it is until this thread's next call of this function.
    unsafe {
        guarded(run, |run| {
            // Both are computed before either is written.
            let text = if json.is_null() { None } else { Some(run.item(dataset, index)?) };
            if !tensor.is_null() {
                put(tensor, || run.item_input(dataset, index))?;
            }
            match text {
                Some(text) => run.keep_item(text, |text| put(json, || Ok(CsStr::new(text)))),
                None => Ok(()),
            }
        })
    }
}

unsafe extern "C" fn pixels(
    run: *mut CsRun,
    dataset: CsDataset,
    index: u64,
    out: *mut CsTensor,
) -> CsStatus {
    // SAFETY: the run is the plugin's own; `out` is writable.
    unsafe { guarded(run, |run| put(out, || run.pixels(dataset, index))) }
}

unsafe extern "C" fn from_tensor(
    run: *mut CsRun,
    tensor: CsTensor,
    out: *mut CsDataset,
) -> CsStatus {
    // SAFETY: the run is the plugin's own; `out` is writable.
    unsafe { guarded(run, |run| put(out, || run.dataset_of(tensor))) }
}
