//! The C interface between the host and its plugins, version 0.1.
//!
//! Types and constants only: `no_std`, no dependencies. The C header
//! `core/abi/include/convscope.h` says the same in C, pointer by pointer; a test compares them.
//!
//! A plugin is a shared library that exports one symbol, [`ENTRY_SYMBOL`]. It hands out one static
//! [`CsPlugin`]. The host calls [`CsAnalysis::run`] with its function table [`CsHost`] and a
//! context [`CsRun`] that is valid until `run` returns.
//!
//! Rules that hold everywhere:
//!
//! * Strings are borrowed UTF-8 without a terminating NUL; who receives one copies it before the
//!   call returns, unless said otherwise. A null pointer is allowed only with length 0.
//! * Nobody frees the other's memory. Handles belong to the host, are never reused, and die when
//!   `run` returns; a stale or forged one is [`CsStatus::BAD_HANDLE`], not a crash.
//! * Host functions may be called from any thread until `run` returns. A plugin joins its threads.
//! * Nothing unwinds across the boundary, in either direction.
//! * Structs only grow at the end; `struct_size` says how far the one that was built reaches.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::c_void;

/// `CONVSCOP` in ASCII, read as a little-endian number.
pub const MAGIC: u64 = 0x504f_4353_564e_4f43;
/// Must be equal in host and plugin.
pub const ABI_MAJOR: u32 = 0;
/// While the major is 0, must be equal in host and plugin.
pub const ABI_MINOR: u32 = 1;
/// Name of the only symbol a plugin exports; it never changes.
pub const ENTRY_SYMBOL: &str = "cs_plugin_entry";

/// [`CsHost::get_extension`] with this id gives a [`CsTensorApi`].
pub const TENSOR_EXTENSION: &str = "convscope.tensor/1";
/// [`CsHost::get_extension`] with this id gives a [`CsModelApi`].
pub const MODEL_EXTENSION: &str = "convscope.model/1";
/// [`CsHost::get_extension`] with this id gives a [`CsDatasetApi`].
pub const DATASET_EXTENSION: &str = "convscope.dataset/1";

/// Type of the exported symbol.
pub type CsPluginEntry = unsafe extern "C" fn() -> *const CsPlugin;

/// Outcome of a call.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsStatus(pub i32);

impl CsStatus {
    /// Done.
    pub const OK: Self = Self(0);
    /// Failed; the words are in `set_error` (plugin) or `last_error` (host).
    pub const FAILED: Self = Self(1);
    /// The caller gave something wrong.
    pub const INVALID: Self = Self(2);
    /// The user cancelled; return at once with the same status.
    pub const CANCELLED: Self = Self(3);
    /// The handle is stale, forged, or of another kind.
    pub const BAD_HANDLE: Self = Self(4);
    /// The other side cannot do this.
    pub const UNSUPPORTED: Self = Self(5);
    /// The other side panicked and caught it.
    pub const PANICKED: Self = Self(6);
}

/// Borrowed UTF-8 text.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CsStr {
    /// First byte; may be null when `len` is 0.
    pub ptr: *const u8,
    /// Number of bytes.
    pub len: usize,
}

impl CsStr {
    /// Borrows a Rust string. The result must not outlive it.
    pub const fn new(text: &str) -> Self {
        Self { ptr: text.as_ptr(), len: text.len() }
    }
}

/// Handle of a tensor of the host's.
pub type CsTensor = u64;
/// Handle of a model of the host's.
pub type CsModel = u64;
/// Handle of a data set of the host's.
pub type CsDataset = u64;
/// No handle.
pub const CS_NONE: u64 = 0;

/// Most axes a tensor may have.
pub const MAX_RANK: usize = 8;
/// Element type of 32-bit floating point.
pub const CS_F32: u32 = 1;
/// Element type of 32-bit unsigned.
pub const CS_U32: u32 = 2;
/// Element type of bytes.
pub const CS_U8: u32 = 3;

/// Access to the values of a tensor.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CsView {
    /// First element.
    pub data: *mut c_void,
    /// [`CS_F32`], [`CS_U32`] or [`CS_U8`].
    pub dtype: u32,
    /// Number of axes.
    pub ndim: u32,
    /// Extent of every axis.
    pub shape: [u64; MAX_RANK],
    /// Distance of neighbours along every axis, in elements.
    pub strides: [i64; MAX_RANK],
}

/// Map for reading.
pub const CS_READ: u32 = 1;
/// Map for writing: only tensors that the plugin created and has not emitted.
pub const CS_WRITE: u32 = 2;

/// Several instances of `run` may be active at once.
pub const CS_REENTRANT: u32 = 1;
/// The same input gives the same bytes; results may be cached.
pub const CS_DETERMINISTIC: u32 = 2;
/// Uses `attribute`.
pub const CS_NEEDS_BACKWARD: u32 = 4;

/// A plugin. The fields up to `flags` are frozen for ever.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CsPlugin {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`ABI_MAJOR`] at build time.
    pub abi_major: u32,
    /// [`ABI_MINOR`] at build time.
    pub abi_minor: u32,
    /// Size of this struct at build time.
    pub struct_size: u32,
    /// 0.
    pub flags: u32,
    /// Reverse domain name.
    pub id: CsStr,
    /// Name for people.
    pub name: CsStr,
    /// The plugin's own version.
    pub version: CsStr,
    /// Who wrote it.
    pub authors: CsStr,
    /// SPDX expression.
    pub license: CsStr,
    /// Where to read more.
    pub homepage: CsStr,
    /// Compiler and target.
    pub build_info: CsStr,
    /// `analysis_count` analyses, static.
    pub analyses: *const CsAnalysis,
    /// How many.
    pub analysis_count: usize,
    /// Called once after loading and checking; may be null.
    pub init: Option<unsafe extern "C" fn() -> CsStatus>,
    /// Later additions by id; may be null.
    pub get_extension: Option<unsafe extern "C" fn(id: CsStr) -> *const c_void>,
}

/// An analysis.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CsAnalysis {
    /// Size of this struct at build time.
    pub struct_size: u32,
    /// [`CS_REENTRANT`] | [`CS_DETERMINISTIC`] | [`CS_NEEDS_BACKWARD`].
    pub flags: u32,
    /// Snake case.
    pub id: CsStr,
    /// Name for people.
    pub name: CsStr,
    /// What it computes; Markdown.
    pub doc: CsStr,
    /// Paper and section.
    pub reference: CsStr,
    /// Group in lists.
    pub category: CsStr,
    /// JSON Schema of the parameters.
    pub params_schema: CsStr,
    /// JSON Schema of what is emitted; may be empty.
    pub outputs_schema: CsStr,
    /// Handed to `run` as it is.
    pub user: *const c_void,
    /// Runs the analysis. Host and run are valid until it returns.
    pub run: Option<
        unsafe extern "C" fn(user: *const c_void, host: *const CsHost, run: *mut CsRun) -> CsStatus,
    >,
}

/// The context of one run: the host's, opaque to the plugin.
#[repr(C)]
#[derive(Debug)]
pub struct CsRun {
    _opaque: [u8; 0],
}

/// Level of a log line: something the user must know.
pub const CS_LOG_WARNING: u32 = 1;
/// Level of a log line: something the user may like to know.
pub const CS_LOG_INFO: u32 = 2;
/// Level of a log line: something for the author.
pub const CS_LOG_DEBUG: u32 = 3;

/// Kind of a handle parameter: a tensor.
pub const CS_PARAM_TENSOR: u32 = 1;
/// Kind of a handle parameter: a data set.
pub const CS_PARAM_DATASET: u32 = 2;
/// Kind of a handle parameter: a model.
pub const CS_PARAM_MODEL: u32 = 3;

/// What is emitted: an array. Meta: `protocol::array::ArrayMeta`; the tensor is moved to the host.
pub const CS_EMIT_ARRAY: u32 = 1;
/// What is emitted: a table. Meta: `protocol::Table`.
pub const CS_EMIT_TABLE: u32 = 2;
/// What is emitted: a figure. Meta: `protocol::Figure`.
pub const CS_EMIT_FIGURE: u32 = 3;
/// What is emitted: a number. Meta: the JSON number.
pub const CS_EMIT_SCALAR: u32 = 4;
/// What is emitted: a remark for the reader. Meta: a JSON string.
pub const CS_EMIT_NOTE: u32 = 5;

/// The host's function table, the same for every run. `Option` is a pointer that may be null.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CsHost {
    /// [`ABI_MAJOR`] of the host.
    pub abi_major: u32,
    /// [`ABI_MINOR`] of the host.
    pub abi_minor: u32,
    /// Size of this struct at build time of the host.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// `convscope`.
    pub name: CsStr,
    /// Its version.
    pub version: CsStr,
    /// Finds a further table by id; null when the host has none.
    pub get_extension: unsafe extern "C" fn(id: CsStr) -> *const c_void,
    /// Writes a line to the log.
    pub log: unsafe extern "C" fn(run: *mut CsRun, level: u32, text: CsStr),
    /// Reports progress from 0 to 1; `CANCELLED` when the user wants to stop.
    pub progress: unsafe extern "C" fn(run: *mut CsRun, fraction: f64, text: CsStr) -> CsStatus,
    /// Says whether the user wants to stop: 0 or 1.
    pub is_cancelled: unsafe extern "C" fn(run: *mut CsRun) -> u32,
    /// Derives a seed from the session's, the analysis, its parameters and a stream number.
    pub rng_seed: unsafe extern "C" fn(run: *mut CsRun, stream: u64) -> u64,
    /// Says why `run` is about to return a failure.
    pub set_error: unsafe extern "C" fn(run: *mut CsRun, text: CsStr),
    /// Says why the last host function on this thread failed, empty when none did; valid until the
    /// next call of the host on this thread.
    pub last_error: unsafe extern "C" fn(run: *mut CsRun) -> CsStr,
    /// The completed parameters as JSON; valid until `run` returns. A parameter that is a tensor,
    /// data set or model appears as an object with its hash.
    pub params_json: unsafe extern "C" fn(run: *mut CsRun) -> CsStr,
    /// A boolean parameter, 0 or 1.
    pub param_bool: unsafe extern "C" fn(run: *mut CsRun, key: CsStr, out: *mut u32) -> CsStatus,
    /// A whole-number parameter.
    pub param_i64: unsafe extern "C" fn(run: *mut CsRun, key: CsStr, out: *mut i64) -> CsStatus,
    /// A number parameter.
    pub param_f64: unsafe extern "C" fn(run: *mut CsRun, key: CsStr, out: *mut f64) -> CsStatus,
    /// A text parameter; valid until `run` returns.
    pub param_str: unsafe extern "C" fn(run: *mut CsRun, key: CsStr, out: *mut CsStr) -> CsStatus,
    /// Number of values of a list parameter; 1 for a single value, 0 for an absent one.
    pub param_count: unsafe extern "C" fn(run: *mut CsRun, key: CsStr, out: *mut u64) -> CsStatus,
    /// A handle parameter of the given kind.
    pub param_handle: unsafe extern "C" fn(
        run: *mut CsRun,
        key: CsStr,
        index: u64,
        kind: u32,
        out: *mut u64,
    ) -> CsStatus,
    /// Hands a result to the host: a `CS_EMIT_…` kind, its name, its description as JSON, and for
    /// arrays a tensor that the plugin created and does not have mapped, [`CS_NONE`] otherwise. The
    /// tensor is moved: the plugin must not use its handle again, whatever is returned.
    pub emit: unsafe extern "C" fn(
        run: *mut CsRun,
        kind: u32,
        name: CsStr,
        meta_json: CsStr,
        tensor: CsTensor,
    ) -> CsStatus,
}

/// Extension [`TENSOR_EXTENSION`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CsTensorApi {
    /// Size of this struct at build time of the host.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Creates a tensor of zeros.
    pub create: unsafe extern "C" fn(
        run: *mut CsRun,
        dtype: u32,
        ndim: u32,
        shape: *const u64,
        out: *mut CsTensor,
    ) -> CsStatus,
    /// Gives access to the values until `unmap`, `emit` or `release`: the host's memory on the
    /// CPU, a download from a device. Mapping for writing needs a tensor of the plugin's own that
    /// is not mapped; for reading it may be mapped several times, each with its own `unmap`.
    pub map: unsafe extern "C" fn(
        run: *mut CsRun,
        tensor: CsTensor,
        mode: u32,
        out: *mut CsView,
    ) -> CsStatus,
    /// Ends one access.
    pub unmap: unsafe extern "C" fn(run: *mut CsRun, tensor: CsTensor) -> CsStatus,
    /// Gives the tensor up before `run` returns. It must not be mapped, nor be a sink's.
    pub release: unsafe extern "C" fn(run: *mut CsRun, tensor: CsTensor) -> CsStatus,
}

/// Images for a call: items of a data set, or a tensor `[n, c, h, w]` in network-input units.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CsImages {
    /// The data set, or [`CS_NONE`].
    pub dataset: CsDataset,
    /// `count` indices into the data set; null for all of it in order. Not null with a count of 0
    /// means no images.
    pub indices: *const u64,
    /// Number of indices.
    pub count: usize,
    /// The tensor, or [`CS_NONE`]. Exactly one of the two is given.
    pub tensor: CsTensor,
}

/// Receives consecutive cases in order: `tensors` holds, for every capture in order, its tensors
/// (two for `strongest`, one for every other reduction), each with `count` rows. They belong to
/// the host and die when the sink returns. Called on the thread that called the verb; it may call
/// the host. Anything but `OK` stops the verb, which then returns that status.
pub type CsSink = unsafe extern "C" fn(
    user: *mut c_void,
    first: u64,
    count: u64,
    tensors: *const CsTensor,
    tensor_count: usize,
) -> CsStatus;

/// Extension [`MODEL_EXTENSION`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CsModelApi {
    /// Size of this struct at build time of the host.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The model the analysis was called on.
    pub current: unsafe extern "C" fn(run: *mut CsRun, out: *mut CsModel) -> CsStatus,
    /// Describes it: `protocol::ModelDescription` as JSON; valid until `run` returns.
    pub describe:
        unsafe extern "C" fn(run: *mut CsRun, model: CsModel, out: *mut CsStr) -> CsStatus,
    /// A parameter of a layer, `weight` or `bias`, to be read only.
    pub parameter: unsafe extern "C" fn(
        run: *mut CsRun,
        model: CsModel,
        layer: CsStr,
        name: CsStr,
        out: *mut CsTensor,
    ) -> CsStatus,
    /// Runs forward. `cases_json`: a list of `protocol::Case`, or empty for every image as it is.
    /// `captures_json`: a list of `protocol::Capture`. The sink is called as many times as memory
    /// makes necessary.
    pub observe: unsafe extern "C" fn(
        run: *mut CsRun,
        model: CsModel,
        images: *const CsImages,
        cases_json: CsStr,
        captures_json: CsStr,
        sink: CsSink,
        user: *mut c_void,
    ) -> CsStatus,
    /// Carries signals back. `starts_json`: a list of `protocol::Start`; `composite_json`: a
    /// `protocol::Composite`; `to_json`: a list of names, or empty for the first input. The sink
    /// gets consecutive starts in order, one tensor per name of `to`.
    pub attribute: unsafe extern "C" fn(
        run: *mut CsRun,
        model: CsModel,
        images: *const CsImages,
        starts_json: CsStr,
        composite_json: CsStr,
        to_json: CsStr,
        sink: CsSink,
        user: *mut c_void,
    ) -> CsStatus,
    /// The receptive field of a unit: out is `{top, left, height, width}` in pixels of the
    /// network's input, not clipped. `position` is `[row, column]`; null for features.
    pub receptive_field: unsafe extern "C" fn(
        run: *mut CsRun,
        model: CsModel,
        value: CsStr,
        position: *const u64,
        out: *mut [i64; 4],
    ) -> CsStatus,
}

/// Extension [`DATASET_EXTENSION`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CsDatasetApi {
    /// Size of this struct at build time of the host.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Number of items.
    pub len: unsafe extern "C" fn(run: *mut CsRun, dataset: CsDataset, out: *mut u64) -> CsStatus,
    /// One item: its network input `[1, c, h, w]` (skipped when `tensor` is null) and its
    /// `protocol::Item` as JSON (skipped when `json` is null), valid until the next call of the
    /// host on this thread.
    pub item: unsafe extern "C" fn(
        run: *mut CsRun,
        dataset: CsDataset,
        index: u64,
        tensor: *mut CsTensor,
        json: *mut CsStr,
    ) -> CsStatus,
    /// The picture as the network sees it, before normalization: bytes `[height, width, 3]` in RGB
    /// at the size of the network's input. `UNSUPPORTED` for raw tensors.
    pub pixels: unsafe extern "C" fn(
        run: *mut CsRun,
        dataset: CsDataset,
        index: u64,
        out: *mut CsTensor,
    ) -> CsStatus,
    /// Makes a data set of a tensor `[n, c, h, w]` in network-input units, with the values it has
    /// now; the tensor stays the plugin's.
    pub from_tensor:
        unsafe extern "C" fn(run: *mut CsRun, tensor: CsTensor, out: *mut CsDataset) -> CsStatus,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_magic_spells_the_name() {
        assert_eq!(MAGIC.to_le_bytes(), *b"CONVSCOP");
    }

    #[test]
    fn the_frozen_prefix_has_no_holes() {
        assert_eq!(core::mem::offset_of!(CsPlugin, flags), 20);
        assert_eq!(core::mem::offset_of!(CsPlugin, id), 24);
    }
}
