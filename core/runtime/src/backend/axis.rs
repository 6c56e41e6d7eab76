//! A kernel that slides along one axis of a map.

use std::ops::Range;

use super::operand::incompatible;
use crate::{Computed, Divisor, Shape, Window};

/// One axis of a window over a map: which cells its outputs see.
///
/// All numbers are known to be so small that products of them cannot overflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend) struct Axis {
    /// Cells of the map.
    pub size: usize,
    /// Number of outputs.
    pub outputs: usize,
    /// Taps of the kernel.
    pub kernel: usize,
    /// Cells between neighbouring outputs.
    pub stride: usize,
    /// Cells between neighbouring taps.
    pub dilation: usize,
    /// Cells of padding before the map and behind it.
    pub padding: [usize; 2],
}

impl Axis {
    /// Reads both axes of a window over maps of `size`, with `output` cells in the result.
    ///
    /// # Errors
    /// Fails when a number is zero or out of range.
    pub(in crate::backend) fn both(
        kernel: &'static str,
        window: &Window,
        size: [usize; 2],
        output: [usize; 2],
    ) -> Computed<[Self; 2]> {
        let wrong = |expected: &str| incompatible(kernel, expected, &Shape::from(size));
        let mut axes = [0, 1].map(|axis| Self {
            size: size[axis],
            outputs: output[axis],
            kernel: window.kernel[axis],
            stride: window.stride[axis],
            dilation: window.dilation[axis],
            padding: window.padding_of(axis),
        });
        for axis in &mut axes {
            if axis.kernel == 0 || axis.stride == 0 || axis.dilation == 0 {
                return Err(wrong("a kernel, a stride and a dilation of at least 1"));
            }
            let last = axis.outputs.saturating_sub(1).checked_mul(axis.stride);
            let span = axis.kernel.checked_mul(axis.dilation);
            let [before, behind] = axis.padding;
            let padded = axis.size.checked_add(before).and_then(|near| near.checked_add(behind));
            if padded.is_none() || last.zip(span).and_then(|(a, b)| a.checked_add(b)).is_none() {
                return Err(wrong("a window within the range of numbers"));
            }
        }
        Ok(axes)
    }

    /// Returns the taps of an output that lie on the map.
    pub(in crate::backend) fn taps(&self, output: usize) -> Range<usize> {
        let start = output * self.stride;
        let [before, _] = self.padding;
        let first = before.saturating_sub(start).div_ceil(self.dilation).min(self.kernel);
        let end = (self.size + before).saturating_sub(start).div_ceil(self.dilation);
        first..end.min(self.kernel).max(first)
    }

    /// Counts the taps of an output that lie on the map or its padding.
    pub(in crate::backend) fn padded_taps(&self, output: usize) -> usize {
        let [before, behind] = self.padding;
        let room = (self.size + before + behind).saturating_sub(output * self.stride);
        room.div_ceil(self.dilation).min(self.kernel)
    }

    /// Counts the taps of each output that an average is divided by.
    pub(in crate::backend) fn divisors(&self, divisor: Divisor) -> Vec<f32> {
        let taps = |output| match divisor {
            Divisor::Cells => self.taps(output).len(),
            Divisor::PaddedCells => self.padded_taps(output),
        };
        (0..self.outputs).map(|output| taps(output) as f32).collect()
    }

    /// Returns the outputs for which a tap lies on the map.
    pub(in crate::backend) fn outputs_of(&self, tap: usize) -> Range<usize> {
        let offset = tap * self.dilation;
        let [before, _] = self.padding;
        let first = before.saturating_sub(offset).div_ceil(self.stride).min(self.outputs);
        let end = (self.size + before).saturating_sub(offset).div_ceil(self.stride);
        first..end.min(self.outputs).max(first)
    }

    /// Returns the outputs that see a cell, ascending, each with the tap through which it does.
    pub(in crate::backend) fn outputs_over(
        self,
        cell: usize,
    ) -> impl Iterator<Item = (usize, usize)> {
        let far = cell + self.padding[0];
        (0..self.kernel).rev().filter_map(move |tap| {
            let start = far.checked_sub(tap * self.dilation)?;
            let output = start / self.stride;
            (start % self.stride == 0 && output < self.outputs).then_some((output, tap))
        })
    }

    /// Returns the cell under a tap of an output, which must lie on the map.
    pub(in crate::backend) fn cell(&self, output: usize, tap: usize) -> usize {
        output * self.stride + tap * self.dilation - self.padding[0]
    }

    /// Says whether outputs and cells are the same: one tap, no step, no padding.
    pub(in crate::backend) fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.padding == [0, 0]
    }
}

/// Refuses windows that see padding only.
pub(in crate::backend) fn require_cells(
    kernel: &'static str,
    shape: &Shape,
    axes: &[Axis; 2],
) -> Computed<()> {
    let sees_a_cell = |axis: &Axis| (0..axis.outputs).all(|output| !axis.taps(output).is_empty());
    if axes.iter().all(sees_a_cell) {
        return Ok(());
    }
    Err(incompatible(kernel, "windows with a cell of the map in each", shape))
}

/// Refuses maps with more cells than a switch can count.
pub(in crate::backend) fn require_positions(kernel: &'static str, shape: &Shape) -> Computed<()> {
    let cells = shape.extents().iter().skip(2).fold(1_usize, |cells, &x| cells.saturating_mul(x));
    if u32::try_from(cells).is_ok() {
        return Ok(());
    }
    Err(incompatible(kernel, "maps of at most 4294967295 cells", shape))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Padding;

    #[test]
    fn taps_and_outputs_agree_with_the_definition() {
        for (size, kernel, stride, dilation, before) in windows() {
            let padding = Padding { top: before, ..Padding::default() };
            let window = Window {
                kernel: [kernel, 1],
                stride: [stride, 1],
                dilation: [dilation, 1],
                padding,
            };
            // One more than start on the map, as far padding allows.
            let outputs = (size + before).div_ceil(stride) + 1;
            let [axis, _] = Axis::both("test", &window, [size, 1], [outputs, 1]).unwrap();
            let on_map = |output: usize, tap: usize| {
                let cell = (output * stride + tap * dilation).checked_sub(before);
                cell.is_some_and(|cell| cell < size)
            };
            for output in 0..outputs {
                for tap in 0..kernel {
                    assert_eq!(axis.taps(output).contains(&tap), on_map(output, tap));
                    assert_eq!(axis.outputs_of(tap).contains(&output), on_map(output, tap));
                }
            }
            for cell in 0..size {
                let over: Vec<(usize, usize)> = axis.outputs_over(cell).collect();
                assert!(over.is_sorted());
                let sees = |(output, tap)| on_map(output, tap) && axis.cell(output, tap) == cell;
                let each =
                    (0..outputs).flat_map(|output| (0..kernel).map(move |tap| (output, tap)));
                assert_eq!(over, each.filter(|&pair| sees(pair)).collect::<Vec<_>>());
            }
        }
    }

    fn windows() -> impl Iterator<Item = (usize, usize, usize, usize, usize)> {
        let sizes = (1..7).flat_map(|size| (1..5).map(move |kernel| (size, kernel)));
        sizes.flat_map(|(size, kernel)| {
            (0..45).map(move |code| (size, kernel, code % 3 + 1, code / 3 % 3 + 1, code / 9))
        })
    }

    #[test]
    fn a_stride_of_zero_is_refused() {
        let window = Window { stride: [1, 0], ..Window::of([1, 1]) };
        let error = Axis::both("convolution", &window, [4, 4], [4, 4]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "convolution: expected a kernel, a stride and a dilation of at least 1, \
             got shape [4, 4]"
        );
    }

    #[test]
    fn absurd_numbers_are_refused() {
        let window = Window { dilation: [usize::MAX, 1], ..Window::of([3, 1]) };
        let error = Axis::both("pooling", &window, [4, 4], [1, 1]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "pooling: expected a window within the range of numbers, got shape [4, 4]"
        );
    }
}
