//! The table `CsModelApi`.

use std::ffi::c_void;

use convscope_abi::{
    CS_NONE, CsImages, CsModel, CsModelApi, CsRun, CsSink, CsStatus, CsStr, CsTensor,
};

use super::{guarded, put, slice, text};
use crate::serve::Fault;
use crate::serve::verbs::Named;

pub(super) static TABLE: CsModelApi = CsModelApi {
    struct_size: size_of::<CsModelApi>() as u32,
    reserved: 0,
    current,
    describe,
    parameter,
    observe,
    attribute,
    receptive_field,
};

unsafe extern "C" fn current(run: *mut CsRun, out: *mut CsModel) -> CsStatus {
    // SAFETY: the run is the plugin's own; `out` is writable.
    unsafe { guarded(run, |run| put(out, || Ok(run.current_model()))) }
}

unsafe extern "C" fn describe(run: *mut CsRun, model: CsModel, out: *mut CsStr) -> CsStatus {
    // SAFETY: the run is the plugin's own; `out` is writable. The run holds the model, and the
    // model keeps its description, until the run ends.
    unsafe { guarded(run, |run| put(out, || Ok(CsStr::new(run.handles.model(model)?.json())))) }
}

unsafe extern "C" fn parameter(
    run: *mut CsRun,
    model: CsModel,
    layer: CsStr,
    name: CsStr,
    out: *mut CsTensor,
) -> CsStatus {
    // SAFETY: the run is the plugin's own; the texts are borrowed for this call; `out` is writable.
    unsafe {
        guarded(run, |run| {
            let (layer, name) = (text(layer, "the layer")?, text(name, "the name")?);
            put(out, || run.layer_parameter(model, layer, name))
        })
    }
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
    // SAFETY: the run is the plugin's own; images and texts are borrowed for this call; the sink
    // takes `user` on this thread until the call returns.
    unsafe {
        guarded(run, |run| {
            let images = named(images)?;
            let (cases, captures) = (text(cases, "cases")?, text(captures, "captures")?);
            run.observe(model, images, cases, captures, &mut |first, count, tensors| {
                sink(user, first, count, tensors.as_ptr(), tensors.len())
            })
        })
    }
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
    // SAFETY: as in `observe`.
    unsafe {
        guarded(run, |run| {
            let images = named(images)?;
            let texts =
                [text(starts, "starts")?, text(composite, "the composite")?, text(to, "to")?];
            run.attribute(model, images, texts, &mut |first, count, tensors| {
                sink(user, first, count, tensors.as_ptr(), tensors.len())
            })
        })
    }
}

unsafe extern "C" fn receptive_field(
    run: *mut CsRun,
    model: CsModel,
    value: CsStr,
    position: *const u64,
    out: *mut [i64; 4],
) -> CsStatus {
    // SAFETY: the run is the plugin's own; `value` is borrowed for this call; `position` is null or
    // has two numbers; `out` is writable.
    unsafe {
        guarded(run, |run| {
            let position = match (position.is_null(), position) {
                (true, _) => None,
                (false, position) => match slice(position, 2, "the position")? {
                    [row, column] => Some([*row, *column]),
                    _ => None,
                },
            };
            let value = text(value, "the value")?;
            put(out, || run.receptive_field(model, value, position))
        })
    }
}

/// Reads which images a call is about.
///
/// # Safety
/// `images` must be null or lead to a `CsImages` whose indices stay readable for `'a`.
unsafe fn named<'a>(images: *const CsImages) -> Result<Named<'a>, Fault> {
    // SAFETY: the caller's promise; null and alignment are checked.
    let images = *unsafe { slice(images, 1, "the images") }?
        .first()
        .ok_or_else(|| Fault::Invalid("no images were given".to_owned()))?;
    match (images.dataset, images.tensor) {
        (CS_NONE, CS_NONE) => Err(Fault::Invalid("no images were given".to_owned())),
        (CS_NONE, tensor) => Ok(Named::Tensor(tensor)),
        (handle, CS_NONE) => {
            let indices = if images.indices.is_null() {
                None
            } else {
                // SAFETY: not null; `count` indices are readable by the caller's promise.
                Some(unsafe { slice(images.indices, images.count, "the indices") }?)
            };
            Ok(Named::Dataset { handle, indices })
        }
        _ => Err(Fault::Invalid("both a data set and a tensor were given".to_owned())),
    }
}
