//! Access to the values of the host's tensors.

use convscope_abi::{CS_F32, CS_READ, CS_U8, CS_U32, CS_WRITE, CsView, MAX_RANK};
use ndarray::{ArrayViewD, ArrayViewMutD, IxDyn, ShapeBuilder, StrideShape};

use super::Connection;
use crate::AnalysisError;

/// A type of element that crosses the boundary.
pub(crate) trait Element: Copy {
    /// The interface's number for it.
    const CODE: u32;
    /// Numpy's name for it.
    const NAME: &'static str;
}

impl Element for f32 {
    const CODE: u32 = CS_F32;
    const NAME: &'static str = "float32";
}
impl Element for u32 {
    const CODE: u32 = CS_U32;
    const NAME: &'static str = "uint32";
}
impl Element for u8 {
    const CODE: u32 = CS_U8;
    const NAME: &'static str = "uint8";
}

/// A tensor whose values can be reached until this is dropped.
pub(crate) struct Mapped<'c> {
    connection: &'c Connection<'c>,
    tensor: u64,
    view: CsView,
    mode: u32,
}

impl<'c> Mapped<'c> {
    pub(crate) fn new(
        connection: &'c Connection<'_>,
        tensor: u64,
        mode: u32,
    ) -> Result<Self, AnalysisError> {
        let mut view = CsView {
            data: std::ptr::null_mut(),
            dtype: 0,
            ndim: 0,
            shape: [0; MAX_RANK],
            strides: [0; MAX_RANK],
        };
        // SAFETY: the run is the host's own; `view` is ours.
        let status =
            unsafe { (connection.tensor.map)(connection.run, tensor, mode, &raw mut view) };
        connection.check("map", status)?;
        Ok(Self { connection, tensor, view, mode })
    }

    pub(crate) fn read(connection: &'c Connection<'_>, tensor: u64) -> Result<Self, AnalysisError> {
        Self::new(connection, tensor, CS_READ)
    }

    /// Borrows the values.
    pub(crate) fn view<T: Element>(&self) -> Result<ArrayViewD<'_, T>, AnalysisError> {
        let layout = self.layout::<T>()?;
        if self.view.data.is_null() {
            return Ok(ArrayViewD::from_shape(IxDyn(&self.shape()), &[])?);
        }
        // SAFETY: `layout` checked type, alignment and extents; the host promises that all
        // elements it describes are readable and unchanged until `unmap`, which drop calls.
        Ok(unsafe { ArrayViewD::from_shape_ptr(layout, self.view.data.cast::<T>()) })
    }

    /// Copies values of the same shape into the tensor.
    pub(crate) fn write<T: Element>(
        &mut self,
        values: &ArrayViewD<'_, T>,
    ) -> Result<(), AnalysisError> {
        let layout = self.layout::<T>()?;
        if self.mode != CS_WRITE || self.shape() != values.shape() {
            let message = format!("a tensor of shape {:?} cannot take the values", self.shape());
            return Err(AnalysisError::Interface(message));
        }
        if self.view.data.is_null() {
            return Ok(());
        }
        // SAFETY: as in `view`; the tensor is the plugin's own, mapped for writing, and nobody
        // else knows its handle yet.
        let mut target =
            unsafe { ArrayViewMutD::from_shape_ptr(layout, self.view.data.cast::<T>()) };
        target.assign(values);
        Ok(())
    }

    fn shape(&self) -> Vec<usize> {
        let rank = (self.view.ndim as usize).min(MAX_RANK);
        self.view.shape[..rank].iter().map(|&extent| extent as usize).collect()
    }

    /// Checks everything about the view that can be checked from here.
    fn layout<T: Element>(&self) -> Result<StrideShape<IxDyn>, AnalysisError> {
        let broken = |what: String| Err(AnalysisError::Interface(what));
        let CsView { data, dtype, ndim, shape, strides } = &self.view;
        let rank = *ndim as usize;
        if *dtype != T::CODE {
            return broken(format!("a tensor that is not of type {}", T::NAME));
        }
        if rank > MAX_RANK {
            return broken(format!("a tensor of {rank} axes"));
        }
        let mut volume = 1_usize;
        let mut reach = 0_usize;
        let mut steps = Vec::with_capacity(rank);
        for (&extent, &stride) in shape[..rank].iter().zip(&strides[..rank]) {
            let sizes = usize::try_from(extent).ok().zip(usize::try_from(stride).ok());
            let grown = sizes.and_then(|(extent, stride)| {
                steps.push(stride);
                // An empty axis must not hide extents that do not fit.
                volume = volume.checked_mul(extent.max(1))?;
                reach = reach.checked_add(extent.saturating_sub(1).checked_mul(stride)?)?;
                Some(())
            });
            if grown.is_none() {
                return broken(format!("a tensor with extent {extent} and stride {stride}"));
            }
        }
        let limit = isize::MAX as usize / size_of::<T>();
        if volume > limit || reach >= limit {
            return broken("a tensor larger than the memory".into());
        }
        let is_empty = shape[..rank].contains(&0);
        if !is_empty && (data.is_null() || !data.cast::<T>().is_aligned()) {
            return broken("a tensor without values, or with values out of alignment".into());
        }
        Ok(IxDyn(&self.shape()).strides(IxDyn(&steps)))
    }
}

impl Drop for Mapped<'_> {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`; borrows of the values have ended. There is nothing to do about
        // a failure here: the handle dies with the run.
        let _ = unsafe { (self.connection.tensor.unmap)(self.connection.run, self.tensor) };
    }
}
