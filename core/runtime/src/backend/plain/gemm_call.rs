//! The one call into the crate `gemm`, behind checked slices.

#![allow(unsafe_code, reason = "gemm takes raw pointers; every extent is checked here first")]

/// A matrix within a slice: element (row, column) lies at `row · row_step + column · column_step`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub values: &'a [f32],
    pub row_step: usize,
    pub column_step: usize,
}

/// What happens to the values that the destination holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    /// They are replaced.
    Replace,
    /// The product is added to them.
    Accumulate,
}

/// Rows, inner extent and columns of a product.
#[derive(Clone, Copy)]
pub(super) struct Extents {
    pub rows: usize,
    pub inner: usize,
    pub columns: usize,
}

/// Multiplies `left` [rows, inner] with `right` [inner, columns] on the calling thread. Row `r` of
/// the result begins at `r · row_step` of `result`.
///
/// The order of operations depends on the extents and the processor alone.
///
/// # Panics
/// Panics when a matrix does not lie within its slice.
pub(super) fn multiply(
    extents: Extents,
    left: Matrix<'_>,
    right: Matrix<'_>,
    result: &mut [f32],
    row_step: usize,
    destination: Destination,
) {
    let Extents { rows, inner, columns } = extents;
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(
        holds(left.values.len(), [rows, inner], [left.row_step, left.column_step])
            && holds(right.values.len(), [inner, columns], [right.row_step, right.column_step])
            && holds(result.len(), [rows, columns], [row_step, 1])
            && (rows == 1 || row_step >= columns),
        "a matrix leaves its slice"
    );
    let keep = destination == Destination::Accumulate;
    // SAFETY: `holds` says that the last element of every matrix, and so each one, lies within its
    // slice; the steps fit isize because a slice holds their multiples. `result` is exclusively
    // borrowed, so it overlaps neither operand, and its rows do not overlap each other.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            result.as_mut_ptr(),
            1,
            row_step.cast_signed(),
            keep,
            left.values.as_ptr(),
            left.column_step.cast_signed(),
            left.row_step.cast_signed(),
            right.values.as_ptr(),
            right.column_step.cast_signed(),
            right.row_step.cast_signed(),
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Says whether a matrix of the given extents and steps lies within a slice.
fn holds(length: usize, extents: [usize; 2], steps: [usize; 2]) -> bool {
    if extents.contains(&0) {
        return true;
    }
    let mut last = 0_usize;
    for (extent, step) in extents.into_iter().zip(steps) {
        // A step that is never taken may be any number, but must not be handed on unchecked.
        let reach = (extent - 1).checked_mul(step).and_then(|reach| last.checked_add(reach));
        match reach {
            Some(reach) if isize::try_from(step).is_ok() => last = reach,
            _ => return false,
        }
    }
    last < length
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "small whole numbers are exact")]
mod tests {
    use super::*;

    fn plain(values: &[f32], columns: usize) -> Matrix<'_> {
        Matrix { values, row_step: columns, column_step: 1 }
    }

    #[test]
    fn products_are_replaced_or_accumulated() {
        let extents = Extents { rows: 2, inner: 2, columns: 1 };
        let left = [1.0, 2.0, 3.0, 4.0];
        let right = [10.0, 1.0];
        let mut result = [5.0, 5.0];
        multiply(
            extents,
            plain(&left, 2),
            plain(&right, 1),
            &mut result,
            1,
            Destination::Accumulate,
        );
        assert_eq!(result, [17.0, 39.0]);
        multiply(extents, plain(&left, 2), plain(&right, 1), &mut result, 1, Destination::Replace);
        assert_eq!(result, [12.0, 34.0]);
    }

    #[test]
    fn an_empty_inner_extent_gives_zeros() {
        let mut result = [5.0, 5.0];
        let extents = Extents { rows: 1, inner: 0, columns: 2 };
        multiply(extents, plain(&[], 0), plain(&[], 2), &mut result, 2, Destination::Replace);
        assert_eq!(result, [0.0, 0.0]);
    }

    #[test]
    #[should_panic(expected = "a matrix leaves its slice")]
    fn a_matrix_beyond_its_slice_is_refused() {
        let extents = Extents { rows: 2, inner: 2, columns: 2 };
        let mut result = [0.0; 4];
        let values = [0.0; 3];
        multiply(
            extents,
            plain(&values, 2),
            plain(&[0.0; 4], 2),
            &mut result,
            2,
            Destination::Replace,
        );
    }
}
