//! What the kernels ask of their operands.

use crate::{BackendError, Computed, Shape};

/// Makes the error of a kernel whose operands do not fit.
pub(in crate::backend) fn incompatible(
    kernel: &'static str,
    expected: impl Into<String>,
    actual: &Shape,
) -> BackendError {
    BackendError::Incompatible { kernel, expected: expected.into(), actual: actual.clone() }
}

/// Reads a shape as `[batch, channel, height, width]`.
pub(in crate::backend) fn maps(kernel: &'static str, shape: &Shape) -> Computed<[usize; 4]> {
    shape
        .as_maps()
        .ok_or_else(|| incompatible(kernel, "maps [batch, channel, height, width]", shape))
}

/// Refuses a shape that is not the expected one.
pub(in crate::backend) fn require(
    kernel: &'static str,
    what: &str,
    actual: &Shape,
    expected: &[usize],
) -> Computed<()> {
    if actual.extents() == expected {
        return Ok(());
    }
    Err(incompatible(kernel, format!("{what} of shape {}", Shape::new(expected)), actual))
}

/// Refuses a signal whose images and channels are not those of the maps that it is spread over.
/// Returns the extents of these maps and the size of the signal's.
pub(in crate::backend) fn require_spreading(
    kernel: &'static str,
    signal: &Shape,
    restored: &Shape,
) -> Computed<([usize; 4], [usize; 2])> {
    let extents = maps(kernel, restored)?;
    let [batch, channels, ..] = extents;
    let [_, _, rows, columns] = maps(kernel, signal)?;
    require(kernel, "a signal", signal, &[batch, channels, rows, columns])?;
    Ok((extents, [rows, columns]))
}

/// Refuses an axis that a shape does not have.
pub(in crate::backend) fn require_axis(
    kernel: &'static str,
    shape: &Shape,
    axis: usize,
) -> Computed<()> {
    if axis < shape.rank() {
        return Ok(());
    }
    Err(incompatible(kernel, format!("an axis {axis}"), shape))
}

/// Makes zeros for a result.
///
/// # Errors
/// Fails when no memory could hold so many.
pub(in crate::backend) fn zeros(kernel: &'static str, shape: &Shape) -> Computed<Vec<f32>> {
    let bytes = shape.volume().checked_mul(size_of::<f32>());
    match bytes {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(vec![0.0; shape.volume()]),
        _ => Err(incompatible(kernel, "a result that fits the address space", shape)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_no_maps() {
        let error = maps("max_pooling", &Shape::from([2, 5])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "max_pooling: expected maps [batch, channel, height, width], got shape [2, 5]"
        );
    }

    #[test]
    fn a_wrong_shape_is_named() {
        let error = require("convolution", "a bias", &Shape::from([2, 5]), &[5]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "convolution: expected a bias of shape [5], got shape [2, 5]"
        );
    }

    #[test]
    fn an_axis_that_does_not_exist_is_named() {
        let error = require_axis("sum", &Shape::from([2, 5]), 2).unwrap_err();
        assert_eq!(error.to_string(), "sum: expected an axis 2, got shape [2, 5]");
    }

    #[test]
    fn a_result_beyond_memory_is_refused() {
        let shape = Shape::from([usize::MAX, 2]);
        let error = zeros("convolution", &shape).unwrap_err();
        assert!(
            error.to_string().starts_with(
                "convolution: expected a result that fits the address space, got shape"
            )
        );
    }
}
