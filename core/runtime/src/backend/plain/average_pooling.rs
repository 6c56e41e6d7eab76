//! Averages of windows, and the adjoint.

use std::ops::Range;

use super::lines::{gather, spread};
use crate::backend::axis::{Axis, require_cells};
use crate::backend::operand::{maps, require_spreading, zeros};
use crate::backend::units::for_each_chunk;
use crate::{Computed, Divisor, Shape, Tensor, Window};

/// Averages every window; see [`Backend::average_pooling`](crate::Backend::average_pooling).
pub(super) fn average_pooling(
    input: &Tensor,
    window: &Window,
    output: [usize; 2],
    divisor: Divisor,
) -> Computed {
    const KERNEL: &str = "average_pooling";
    let [batch, channels, height, width] = maps(KERNEL, input.shape())?;
    let axes = Axis::both(KERNEL, window, [height, width], output)?;
    require_cells(KERNEL, input.shape(), &axes)?;
    let shape = Shape::from([batch, channels, output[0], output[1]]);
    let mut averages = zeros(KERNEL, &shape)?;
    let (input, area) = (input.values()?, height * width);
    let [_, across] = axes;
    let [row_counts, column_counts] = axes.each_ref().map(|axis| axis.divisors(divisor));
    for_each_chunk(&mut averages, output[0] * output[1], |plane, target| {
        let map = &input[plane * area..][..area];
        for (row, target) in target.chunks_mut(across.outputs).enumerate() {
            for_each_line(&axes, row, |columns, first| {
                gather(&mut target[columns], &map[first..], across.stride, 1.0);
            });
            let pairs = target.iter_mut().zip(&column_counts);
            pairs.for_each(|(sum, columns)| *sum /= row_counts[row] * columns);
        }
    });
    Tensor::new(shape, averages)
}

/// Spreads every signal over its window; see
/// [`Backend::average_unpooling`](crate::Backend::average_unpooling).
pub(super) fn average_unpooling(
    signal: &Tensor,
    window: &Window,
    restored: &Shape,
    divisor: Divisor,
) -> Computed {
    const KERNEL: &str = "average_unpooling";
    let ([_, _, height, width], [rows, columns]) =
        require_spreading(KERNEL, signal.shape(), restored)?;
    let axes = Axis::both(KERNEL, window, [height, width], [rows, columns])?;
    require_cells(KERNEL, restored, &axes)?;
    let mut result = zeros(KERNEL, restored)?;
    let (signal, cells) = (signal.values()?, rows * columns);
    let [_, across] = axes;
    let [row_counts, column_counts] = axes.each_ref().map(|axis| axis.divisors(divisor));
    for_each_chunk(&mut result, height * width, |plane, target| {
        let mut shares = vec![0.0; columns];
        for (row, signal) in signal[plane * cells..][..cells].chunks(columns.max(1)).enumerate() {
            for ((share, value), columns) in shares.iter_mut().zip(signal).zip(&column_counts) {
                *share = value / (row_counts[row] * columns);
            }
            for_each_line(&axes, row, |columns, first| {
                spread(&mut target[first..], &shares[columns], across.stride, 1.0);
            });
        }
    });
    Tensor::new(restored.clone(), result)
}

/// Visits the taps of a row of outputs: the columns of outputs for which a tap lies on the map, and
/// the first of their cells.
fn for_each_line(axes: &[Axis; 2], row: usize, mut visit: impl FnMut(Range<usize>, usize)) {
    let [down, across] = axes;
    for tap_down in down.taps(row) {
        let start = down.cell(row, tap_down) * across.size;
        for tap_across in 0..across.kernel {
            let columns = across.outputs_of(tap_across);
            if !columns.is_empty() {
                let first = start + across.cell(columns.start, tap_across);
                visit(columns, first);
            }
        }
    }
}
