//! The table `CsTensorApi`.

use convscope_abi::{CsRun, CsStatus, CsTensor, CsTensorApi, CsView, MAX_RANK};

use super::{guarded, put, slice};
use crate::serve::Fault;
use crate::serve::handles::Mapped;

pub(super) static TABLE: CsTensorApi = CsTensorApi {
    struct_size: size_of::<CsTensorApi>() as u32,
    reserved: 0,
    create,
    map,
    unmap,
    release,
};

unsafe extern "C" fn create(
    run: *mut CsRun,
    dtype: u32,
    ndim: u32,
    shape: *const u64,
    out: *mut CsTensor,
) -> CsStatus {
    // SAFETY: the run is the plugin's own; `shape` has `ndim` numbers; `out` is writable.
    unsafe {
        guarded(run, |run| {
            if ndim as usize > MAX_RANK {
                return Err(Fault::Invalid(format!("{ndim} axes are more than {MAX_RANK}")));
            }
            let shape = slice(shape, ndim as usize, "the shape")?;
            put(out, || run.create(dtype, shape))
        })
    }
}

unsafe extern "C" fn map(
    run: *mut CsRun,
    tensor: CsTensor,
    mode: u32,
    out: *mut CsView,
) -> CsStatus {
    // SAFETY: the run is the plugin's own; `out` is writable.
    unsafe { guarded(run, |run| put(out, || Ok(view(&run.handles.map(tensor, mode)?)))) }
}

unsafe extern "C" fn unmap(run: *mut CsRun, tensor: CsTensor) -> CsStatus {
    // SAFETY: the run is the plugin's own.
    unsafe { guarded(run, |run| run.handles.unmap(tensor)) }
}

unsafe extern "C" fn release(run: *mut CsRun, tensor: CsTensor) -> CsStatus {
    // SAFETY: the run is the plugin's own.
    unsafe { guarded(run, |run| run.handles.give_up(tensor)) }
}

fn view(mapped: &Mapped) -> CsView {
    let mut view = CsView {
        data: mapped.data,
        dtype: mapped.dtype,
        ndim: mapped.shape.len() as u32,
        shape: [0; MAX_RANK],
        strides: [0; MAX_RANK],
    };
    let axes = mapped.shape.iter().zip(&mapped.strides);
    let places = view.shape.iter_mut().zip(&mut view.strides);
    for ((place, step), (&extent, &stride)) in places.zip(axes) {
        *place = extent as u64;
        *step = stride as i64;
    }
    view
}
