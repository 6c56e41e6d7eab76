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
        let layout = layout::<T>(&self.view)?;
        if self.view.data.is_null() {
            return Ok(ArrayViewD::from_shape(IxDyn(&shape_of(&self.view)), &[])?);
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
        let layout = layout::<T>(&self.view)?;
        if self.mode != CS_WRITE || shape_of(&self.view) != values.shape() {
            let message =
                format!("a tensor of shape {:?} cannot take the values", shape_of(&self.view));
            return Err(AnalysisError::Interface(message));
        }
        if self.view.data.is_null() || values.is_empty() {
            return Ok(());
        }
        if has_shared_elements(&self.view) {
            return Err(AnalysisError::Interface(
                "a tensor to write whose elements overlap".into(),
            ));
        }
        // SAFETY: as in `view`; the tensor is the plugin's own, mapped for writing, and nobody
        // else knows its handle yet.
        let mut target =
            unsafe { ArrayViewMutD::from_shape_ptr(layout, self.view.data.cast::<T>()) };
        target.assign(values);
        Ok(())
    }
}

impl Drop for Mapped<'_> {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`; borrows of the values have ended. There is nothing to do about
        // a failure here: the handle dies with the run.
        let _ = unsafe { (self.connection.tensor.unmap)(self.connection.run, self.tensor) };
    }
}

fn shape_of(view: &CsView) -> Vec<usize> {
    let rank = (view.ndim as usize).min(MAX_RANK);
    view.shape[..rank].iter().map(|&extent| extent as usize).collect()
}

/// Says whether two indices must lead to one element: there are more indices than places.
fn has_shared_elements(view: &CsView) -> bool {
    let axes = view.shape.iter().zip(&view.strides).take(view.ndim as usize);
    let (mut volume, mut places) = (1_u64, 1_u64);
    for (&extent, &stride) in axes {
        volume = volume.saturating_mul(extent);
        let reach = extent.saturating_sub(1).saturating_mul(stride.unsigned_abs());
        places = places.saturating_add(reach);
    }
    volume > places
}

/// Checks everything about the view that can be checked from here.
fn layout<T: Element>(view: &CsView) -> Result<StrideShape<IxDyn>, AnalysisError> {
    let broken = |what: String| Err(AnalysisError::Interface(what));
    let CsView { data, dtype, ndim, shape, strides } = view;
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
    Ok(IxDyn(&shape_of(view)).strides(IxDyn(&steps)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(shape: &[u64], strides: &[i64]) -> CsView {
        static VALUES: [u64; 8] = [0; 8];
        let mut view = CsView {
            data: VALUES.as_ptr().cast_mut().cast(),
            dtype: CS_F32,
            ndim: shape.len() as u32,
            shape: [0; MAX_RANK],
            strides: [0; MAX_RANK],
        };
        view.shape[..shape.len()].copy_from_slice(shape);
        view.strides[..strides.len()].copy_from_slice(strides);
        view
    }

    fn refused(view: CsView) -> String {
        layout::<f32>(&view).unwrap_err().to_string()
    }

    #[test]
    fn views_of_a_host_that_breaks_the_interface_are_refused() {
        let prefix = "the host broke the plugin interface: ";
        assert!(layout::<f32>(&view(&[2, 3], &[3, 1])).is_ok());
        assert_eq!(
            refused(CsView { dtype: CS_U8, ..view(&[2], &[1]) }),
            format!("{prefix}a tensor that is not of type float32")
        );
        assert_eq!(
            refused(CsView { ndim: 9, ..view(&[], &[]) }),
            format!("{prefix}a tensor of 9 axes")
        );
        assert_eq!(
            refused(view(&[2], &[-1])),
            format!("{prefix}a tensor with extent 2 and stride -1")
        );
        let larger = format!("{prefix}a tensor larger than the memory");
        assert_eq!(refused(view(&[1 << 62], &[1])), larger);
        assert_eq!(refused(view(&[2], &[i64::MAX])), larger);
        assert!(refused(view(&[1 << 40, 1 << 40], &[1, 1])).contains("extent"));
        assert!(refused(view(&[0, 1 << 62], &[1, 1])).contains("larger"), "empty, but absurd");
        let missing = format!("{prefix}a tensor without values, or with values out of alignment");
        let null = std::ptr::null_mut();
        assert_eq!(refused(CsView { data: null, ..view(&[2], &[1]) }), missing);
        let odd = view(&[2], &[1]).data.wrapping_byte_add(1);
        assert_eq!(refused(CsView { data: odd, ..view(&[2], &[1]) }), missing);
        assert!(layout::<f32>(&CsView { data: null, ..view(&[0, 3], &[3, 1]) }).is_ok());
    }

    #[test]
    fn elements_that_overlap_are_noticed() {
        assert!(!has_shared_elements(&view(&[2, 3], &[3, 1])));
        assert!(has_shared_elements(&view(&[2, 3], &[0, 1])));
        assert!(has_shared_elements(&view(&[2, 3], &[1, 1])));
    }
}
