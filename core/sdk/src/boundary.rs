//! The unsafe half of the SDK: everything that touches a pointer of the host's.
//!
//! [`Connection`] wraps the host's tables in safe functions. What comes from the other side is
//! checked where it can be (null, UTF-8, types, extents); what cannot be checked is the host's
//! promise in `convscope.h`.
#![allow(unsafe_code, reason = "this is the boundary: calls through C function pointers")]

pub(crate) mod entry;
mod mapped;
mod sink;
pub(crate) mod table;

use std::ffi::c_void;

use convscope_abi::{
    ABI_MAJOR, ABI_MINOR, CS_NONE, CS_WRITE, CsDatasetApi, CsHost, CsImages, CsModelApi, CsRun,
    CsStatus, CsStr, CsTensorApi, DATASET_EXTENSION, MODEL_EXTENSION, TENSOR_EXTENSION,
};
use convscope_protocol::Values;

use crate::AnalysisError;
pub(crate) use mapped::{Element, Mapped};
pub(crate) use sink::{RawBatch, SinkState};

/// The host's tables and the run they are called for.
pub(crate) struct Connection<'run> {
    host: &'run CsHost,
    tensor: &'run CsTensorApi,
    model: &'run CsModelApi,
    dataset: &'run CsDatasetApi,
    run: *mut CsRun,
}

// SAFETY: the host promises that its functions may be called from any thread until `run` returns,
// and `'run` ends there.
unsafe impl Send for Connection<'_> {}
// SAFETY: as above; the functions may also be called at the same time.
unsafe impl Sync for Connection<'_> {}

/// Borrows text of the host's.
///
/// # Safety
/// The bytes must stay readable and unchanged for `'a`.
unsafe fn text<'a>(text: CsStr) -> Result<&'a str, AnalysisError> {
    if text.len == 0 {
        return Ok("");
    }
    if text.ptr.is_null() || isize::try_from(text.len).is_err() {
        return Err(AnalysisError::Interface("text without bytes".into()));
    }
    // SAFETY: not null; readable for `'a` by this function's contract.
    let bytes = unsafe { std::slice::from_raw_parts(text.ptr, text.len) };
    std::str::from_utf8(bytes)
        .map_err(|error| AnalysisError::Interface(format!("text that is no UTF-8: {error}")))
}

/// Finds a table of the host's.
///
/// # Safety
/// `T` must be the type that the interface states for the id, and live for `'a`.
unsafe fn extension<'a, T>(host: &CsHost, id: &str) -> Result<&'a T, AnalysisError> {
    // SAFETY: the table of a host that keeps the interface; the text is borrowed for the call.
    let found = unsafe { (host.get_extension)(CsStr::new(id)) }.cast::<T>();
    // SAFETY: every table begins with its size as a u32; null is excluded first.
    if found.is_null() || (unsafe { *found.cast::<u32>() } as usize) < size_of::<T>() {
        return Err(AnalysisError::Unsupported(format!("this host does not offer {id}")));
    }
    // SAFETY: not null, large enough, and of the type the contract of this function states.
    Ok(unsafe { &*found })
}

impl<'run> Connection<'run> {
    /// Takes up the connection that the host hands to `run`.
    ///
    /// # Safety
    /// `host` and `run` must be what the host passed to `run`, and live for `'run`.
    unsafe fn new(host: *const CsHost, run: *mut CsRun) -> Result<Self, AnalysisError> {
        // SAFETY: null is excluded by `as_ref`; the contract of this function says the rest.
        let host: &'run CsHost = unsafe { host.as_ref() }
            .ok_or_else(|| AnalysisError::Interface("no function table".into()))?;
        if (host.abi_major, host.abi_minor) != (ABI_MAJOR, ABI_MINOR)
            || (host.struct_size as usize) < size_of::<CsHost>()
        {
            let (major, minor) = (host.abi_major, host.abi_minor);
            return Err(AnalysisError::Unsupported(format!(
                "the plugin speaks interface {ABI_MAJOR}.{ABI_MINOR}, the host {major}.{minor}"
            )));
        }
        // SAFETY: each type is the one that `convscope-abi` states for its id.
        let (tensor, model, dataset) = unsafe {
            (
                extension(host, TENSOR_EXTENSION)?,
                extension(host, MODEL_EXTENSION)?,
                extension(host, DATASET_EXTENSION)?,
            )
        };
        Ok(Self { host, tensor, model, dataset, run })
    }

    /// Turns a status into a result with the host's reason.
    fn check(&self, function: &'static str, status: CsStatus) -> Result<(), AnalysisError> {
        match status {
            CsStatus::OK => Ok(()),
            CsStatus::CANCELLED => Err(AnalysisError::Cancelled),
            status => {
                // SAFETY: the run is the host's own; the text is copied before any other call.
                let reason = unsafe { text((self.host.last_error)(self.run)) }?;
                let reason = if reason.is_empty() {
                    format!("{function} failed with status {} and no reason", status.0)
                } else {
                    reason.to_owned()
                };
                Err(AnalysisError::Host { function, status, reason })
            }
        }
    }

    pub(crate) fn log(&self, level: u32, line: &str) {
        // SAFETY: the run is the host's own; the text is borrowed for the call.
        unsafe { (self.host.log)(self.run, level, CsStr::new(line)) }
    }

    pub(crate) fn progress(&self, fraction: f64, line: &str) -> Result<(), AnalysisError> {
        // SAFETY: as in `log`.
        let status = unsafe { (self.host.progress)(self.run, fraction, CsStr::new(line)) };
        self.check("progress", status)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        // SAFETY: the run is the host's own.
        unsafe { (self.host.is_cancelled)(self.run) != 0 }
    }

    pub(crate) fn rng_seed(&self, stream: u64) -> u64 {
        // SAFETY: the run is the host's own.
        unsafe { (self.host.rng_seed)(self.run, stream) }
    }

    fn set_error(&self, reason: &str) {
        // SAFETY: as in `log`.
        unsafe { (self.host.set_error)(self.run, CsStr::new(reason)) }
    }

    pub(crate) fn parameters(&self) -> Result<&'run str, AnalysisError> {
        // SAFETY: the run is the host's own; the text is valid until `run` returns.
        unsafe { text((self.host.params_json)(self.run)) }
    }

    pub(crate) fn parameter_handle(
        &self,
        key: &str,
        index: usize,
        kind: u32,
    ) -> Result<u64, AnalysisError> {
        let mut handle = CS_NONE;
        // SAFETY: as in `log`; `handle` is ours and written by the call.
        let status = unsafe {
            let (key, out) = (CsStr::new(key), &raw mut handle);
            (self.host.param_handle)(self.run, key, index as u64, kind, out)
        };
        self.check("param_handle", status).map(|()| handle)
    }

    pub(crate) fn parameter_count(&self, key: &str) -> Result<usize, AnalysisError> {
        let mut count = 0;
        // SAFETY: as in `parameter_handle`.
        let status = unsafe { (self.host.param_count)(self.run, CsStr::new(key), &raw mut count) };
        self.check("param_count", status).map(|()| count as usize)
    }

    pub(crate) fn emit(
        &self,
        kind: u32,
        name: &str,
        meta: &str,
        tensor: u64,
    ) -> Result<(), AnalysisError> {
        // SAFETY: as in `log`; the handle is checked by the host.
        let status =
            unsafe { (self.host.emit)(self.run, kind, CsStr::new(name), CsStr::new(meta), tensor) };
        self.check("emit", status)
    }

    /// Makes a tensor of the host's that holds the values.
    pub(crate) fn create(&self, values: &Values) -> Result<u64, AnalysisError> {
        let dtype = match values {
            Values::F32(_) => convscope_abi::CS_F32,
            Values::U32(_) => convscope_abi::CS_U32,
            Values::U8(_) => convscope_abi::CS_U8,
        };
        let shape: Vec<u64> = values.shape().iter().map(|&extent| extent as u64).collect();
        let rank = u32::try_from(shape.len()).unwrap_or(u32::MAX);
        let mut tensor = CS_NONE;
        // SAFETY: `shape` has `rank` entries and outlives the call; `tensor` is ours.
        let status =
            unsafe { (self.tensor.create)(self.run, dtype, rank, shape.as_ptr(), &raw mut tensor) };
        self.check("create", status)?;
        let filled = Mapped::new(self, tensor, CS_WRITE).and_then(|mut mapped| match values {
            Values::F32(values) => mapped.write(&values.view()),
            Values::U32(values) => mapped.write(&values.view()),
            Values::U8(values) => mapped.write(&values.view()),
        });
        if filled.is_err() {
            self.release(tensor);
        }
        filled.map(|()| tensor)
    }

    pub(crate) fn release(&self, tensor: u64) {
        // SAFETY: the run is the host's own; the handle is checked by the host. Whether it was
        // given up early or dies with the run makes no difference to results.
        let _ = unsafe { (self.tensor.release)(self.run, tensor) };
    }

    pub(crate) fn current_model(&self) -> Result<u64, AnalysisError> {
        let mut model = CS_NONE;
        // SAFETY: the run is the host's own; `model` is ours.
        let status = unsafe { (self.model.current)(self.run, &raw mut model) };
        self.check("current", status).map(|()| model)
    }

    pub(crate) fn describe(&self, model: u64) -> Result<&'run str, AnalysisError> {
        let mut json = CsStr::new("");
        // SAFETY: as above; the text is valid until `run` returns.
        unsafe {
            let status = (self.model.describe)(self.run, model, &raw mut json);
            self.check("describe", status)?;
            text(json)
        }
    }

    pub(crate) fn layer_parameter(
        &self,
        model: u64,
        layer: &str,
        name: &str,
    ) -> Result<u64, AnalysisError> {
        let mut tensor = CS_NONE;
        // SAFETY: texts are borrowed for the call; `tensor` is ours.
        let status = unsafe {
            let (layer, name) = (CsStr::new(layer), CsStr::new(name));
            (self.model.parameter)(self.run, model, layer, name, &raw mut tensor)
        };
        self.check("parameter", status).map(|()| tensor)
    }

    pub(crate) fn receptive_field(
        &self,
        model: u64,
        value: &str,
        position: Option<[u64; 2]>,
    ) -> Result<[i64; 4], AnalysisError> {
        let mut field = [0; 4];
        let place = position.as_ref().map_or(std::ptr::null(), |place| place.as_ptr());
        // SAFETY: `place` is null or two numbers that outlive the call; `field` is ours.
        let status = unsafe {
            (self.model.receptive_field)(self.run, model, CsStr::new(value), place, &raw mut field)
        };
        self.check("receptive_field", status).map(|()| field)
    }

    pub(crate) fn observe(
        &self,
        model: u64,
        images: Selection<'_>,
        cases: &str,
        captures: &str,
        state: &mut SinkState<'_>,
    ) -> Result<(), AnalysisError> {
        let images = images.as_images();
        // SAFETY: texts, images and the state outlive the call; the sink takes a `SinkState`.
        let status = unsafe {
            let (cases, captures) = (CsStr::new(cases), CsStr::new(captures));
            let user: *mut c_void = (&raw mut *state).cast();
            let (run, images) = (self.run, &raw const images);
            (self.model.observe)(run, model, images, cases, captures, sink::receive, user)
        };
        state.outcome()?;
        self.check("observe", status)
    }

    pub(crate) fn attribute(
        &self,
        model: u64,
        images: Selection<'_>,
        [starts, composite, to]: [&str; 3],
        state: &mut SinkState<'_>,
    ) -> Result<(), AnalysisError> {
        let images = images.as_images();
        // SAFETY: as in `observe`.
        let status = unsafe {
            let user: *mut c_void = (&raw mut *state).cast();
            (self.model.attribute)(
                self.run,
                model,
                &raw const images,
                CsStr::new(starts),
                CsStr::new(composite),
                CsStr::new(to),
                sink::receive,
                user,
            )
        };
        state.outcome()?;
        self.check("attribute", status)
    }

    pub(crate) fn dataset_len(&self, dataset: u64) -> Result<usize, AnalysisError> {
        let mut len = 0;
        // SAFETY: the run is the host's own; `len` is ours.
        let status = unsafe { (self.dataset.len)(self.run, dataset, &raw mut len) };
        self.check("len", status)?;
        usize::try_from(len).map_err(|_| AnalysisError::Interface(format!("{len} images")))
    }

    /// Fetches the description of an item as JSON.
    pub(crate) fn item(&self, dataset: u64, index: u64) -> Result<String, AnalysisError> {
        let mut json = CsStr::new("");
        // SAFETY: `json` is ours, the tensor is skipped; the text is copied before the next call.
        unsafe {
            let (run, skipped) = (self.run, std::ptr::null_mut());
            let status = (self.dataset.item)(run, dataset, index, skipped, &raw mut json);
            self.check("item", status)?;
            text(json).map(str::to_owned)
        }
    }

    /// Fetches the network input of an item.
    pub(crate) fn item_input(&self, dataset: u64, index: u64) -> Result<u64, AnalysisError> {
        let mut tensor = CS_NONE;
        // SAFETY: `tensor` is ours, the description is skipped.
        let status = unsafe {
            let (run, skipped) = (self.run, std::ptr::null_mut());
            (self.dataset.item)(run, dataset, index, &raw mut tensor, skipped)
        };
        self.check("item", status).map(|()| tensor)
    }

    /// Fetches the picture of an item; nothing for raw tensors.
    pub(crate) fn pixels(&self, dataset: u64, index: u64) -> Result<Option<u64>, AnalysisError> {
        let mut tensor = CS_NONE;
        // SAFETY: the run is the host's own; `tensor` is ours.
        let status = unsafe { (self.dataset.pixels)(self.run, dataset, index, &raw mut tensor) };
        if status == CsStatus::UNSUPPORTED {
            return Ok(None);
        }
        self.check("pixels", status).map(|()| Some(tensor))
    }

    pub(crate) fn dataset_of(&self, tensor: u64) -> Result<u64, AnalysisError> {
        let mut dataset = CS_NONE;
        // SAFETY: the run is the host's own; `dataset` is ours.
        let status = unsafe { (self.dataset.from_tensor)(self.run, tensor, &raw mut dataset) };
        self.check("from_tensor", status).map(|()| dataset)
    }
}

/// Which images a verb is for: all of a data set, or those of the indices.
#[derive(Clone, Copy)]
pub(crate) struct Selection<'a> {
    pub(crate) dataset: u64,
    pub(crate) indices: Option<&'a [u64]>,
}

impl Selection<'_> {
    fn as_images(&self) -> CsImages {
        let (indices, count) =
            self.indices.map_or((std::ptr::null(), 0), |indices| (indices.as_ptr(), indices.len()));
        CsImages { dataset: self.dataset, indices, count, tensor: CS_NONE }
    }
}
