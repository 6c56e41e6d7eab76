//! Averages of windows, and the adjoint.

use super::axis::Axis;
use super::max_pooling::require_cells;
use super::operand::{maps, require, zeros};
use super::units::for_each_chunk;
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
    for_each_chunk(&mut averages, output[0] * output[1], |plane, target| {
        let map = &input[plane * area..][..area];
        for (place, average) in Place::all(&axes).zip(target) {
            let sum: f32 = place.cells(&axes).map(|cell| map[cell]).sum();
            *average = sum / place.divisor(&axes, divisor);
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
    let [batch, channels, height, width] = maps(KERNEL, restored)?;
    let [_, _, rows, columns] = maps(KERNEL, signal.shape())?;
    require(KERNEL, "a signal", signal.shape(), &[batch, channels, rows, columns])?;
    let axes = Axis::both(KERNEL, window, [height, width], [rows, columns])?;
    require_cells(KERNEL, restored, &axes)?;
    let mut result = zeros(KERNEL, restored)?;
    let (signal, cells) = (signal.values()?, rows * columns);
    for_each_chunk(&mut result, height * width, |plane, target| {
        for (place, value) in Place::all(&axes).zip(&signal[plane * cells..][..cells]) {
            let share = value / place.divisor(&axes, divisor);
            place.cells(&axes).for_each(|cell| target[cell] += share);
        }
    });
    Tensor::new(restored.clone(), result)
}

/// Row and column of an output.
#[derive(Clone, Copy)]
struct Place(usize, usize);

impl Place {
    fn all(axes: &[Axis; 2]) -> impl Iterator<Item = Self> {
        let [rows, columns] = axes.map(|axis| axis.outputs);
        (0..rows).flat_map(move |row| (0..columns).map(move |column| Self(row, column)))
    }

    /// Lists the cells of the map under the window, row by row.
    fn cells(self, [down, across]: &[Axis; 2]) -> impl Iterator<Item = usize> {
        let Self(row, column) = self;
        down.taps(row).flat_map(move |tap| {
            let start = down.cell(row, tap) * across.size;
            across.taps(column).map(move |tap| start + across.cell(column, tap))
        })
    }

    fn divisor(self, [down, across]: &[Axis; 2], divisor: Divisor) -> f32 {
        let Self(row, column) = self;
        let count = match divisor {
            Divisor::Cells => down.taps(row).len() * across.taps(column).len(),
            Divisor::PaddedCells => down.padded_taps(row) * across.padded_taps(column),
        };
        count as f32
    }
}
