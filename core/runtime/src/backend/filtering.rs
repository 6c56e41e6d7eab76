//! The extents that a convolution and its adjoint share.

use super::axis::Axis;
use super::operand::{incompatible, maps};
use crate::geometry::Rounding;
use crate::{Computed, ConvolutionGeometry, Shape};

/// A convolution whose shapes fit each other.
#[derive(Clone, Copy, Debug)]
pub(in crate::backend) struct Filtering {
    /// Images.
    pub batch: usize,
    /// Groups of channels that do not see each other.
    pub groups: usize,
    /// Channels of the input within one group.
    pub channels: usize,
    /// Filters within one group.
    pub filters: usize,
    /// Rows and columns.
    pub axes: [Axis; 2],
}

impl Filtering {
    /// Brings the shapes of the input `[n, c, h, w]` and the filters `[m, c / groups, kh, kw]`
    /// together.
    ///
    /// # Errors
    /// Fails when they do not fit.
    pub(in crate::backend) fn new(
        kernel: &'static str,
        input: &Shape,
        filters: &Shape,
        geometry: &ConvolutionGeometry,
    ) -> Computed<Self> {
        let [batch, channels, height, width] = maps(kernel, input)?;
        let ConvolutionGeometry { window, groups } = geometry;
        let [count, per_group, rows, columns] = maps(kernel, filters)?;
        if [rows, columns] != window.kernel {
            let [rows, columns] = window.kernel;
            return Err(incompatible(kernel, format!("filters of {rows}x{columns} taps"), filters));
        }
        let divides = |number: usize| number.checked_rem(*groups) == Some(0);
        if !divides(count) || Some(channels) != per_group.checked_mul(*groups) {
            let expected = format!(
                "filters [filter, channel, row, column] for {channels} channels in {groups} groups"
            );
            return Err(incompatible(kernel, expected, filters));
        }
        let size = [height, width];
        let unfit = || incompatible(kernel, "maps that hold the kernel, padding included", input);
        // Numbers out of range are told apart from kernels that do not fit.
        Axis::both(kernel, window, size, [0, 0])?;
        let output = window.output_size(size, Rounding::Floor).ok_or_else(unfit)?;
        let axes = Axis::both(kernel, window, size, output)?;
        Ok(Self { batch, groups: *groups, channels: per_group, filters: count / groups, axes })
    }

    /// Counts the taps of a filter in one channel.
    pub(in crate::backend) fn taps(&self) -> usize {
        self.axes[0].kernel * self.axes[1].kernel
    }

    /// Counts the cells of an input map.
    pub(in crate::backend) fn input_cells(&self) -> usize {
        self.axes[0].size * self.axes[1].size
    }

    /// Counts the cells of an output map.
    pub(in crate::backend) fn output_cells(&self) -> usize {
        self.axes[0].outputs * self.axes[1].outputs
    }

    /// Returns the shape of the result of the convolution.
    pub(in crate::backend) fn output_shape(&self) -> Shape {
        let [rows, columns] = self.axes;
        Shape::from([self.batch, self.groups * self.filters, rows.outputs, columns.outputs])
    }

    /// Counts the multiply-adds of one image and group; saturates.
    pub(in crate::backend) fn multiply_adds(&self) -> usize {
        [self.filters, self.channels, self.taps(), self.output_cells()]
            .into_iter()
            .fold(1, usize::saturating_mul)
    }

    /// Says whether the cells of input and output are the same.
    pub(in crate::backend) fn is_pointwise(&self) -> bool {
        self.axes.iter().all(Axis::is_pointwise)
    }

    /// Says whether every filter sees one channel only.
    pub(in crate::backend) fn is_depthwise(&self) -> bool {
        self.channels == 1 && self.groups > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Window;

    fn refusal(filters: [usize; 4], geometry: ConvolutionGeometry) -> String {
        let input = Shape::from([1, 4, 3, 3]);
        Filtering::new("convolution", &input, &filters.into(), &geometry).unwrap_err().to_string()
    }

    #[test]
    fn filters_of_another_kernel_are_refused() {
        let geometry = ConvolutionGeometry { window: Window::of([3, 3]), groups: 1 };
        assert_eq!(
            refusal([2, 4, 1, 3], geometry),
            "convolution: expected filters of 3x3 taps, got shape [2, 4, 1, 3]"
        );
    }

    #[test]
    fn filters_for_other_channels_are_refused() {
        let geometry = ConvolutionGeometry { window: Window::of([1, 1]), groups: 2 };
        let expected = "convolution: expected filters [filter, channel, row, column] for 4 \
                        channels in 2 groups, got shape ";
        assert_eq!(refusal([2, 4, 1, 1], geometry), format!("{expected}[2, 4, 1, 1]"));
        assert_eq!(refusal([3, 2, 1, 1], geometry), format!("{expected}[3, 2, 1, 1]"));
    }

    #[test]
    fn no_groups_at_all_are_refused() {
        let geometry = ConvolutionGeometry { window: Window::of([1, 1]), groups: 0 };
        assert!(refusal([2, 4, 1, 1], geometry).contains("in 0 groups"));
    }

    #[test]
    fn a_kernel_larger_than_the_padded_map_is_refused() {
        let geometry = ConvolutionGeometry { window: Window::of([5, 5]), groups: 1 };
        assert_eq!(
            refusal([2, 4, 5, 5], geometry),
            "convolution: expected maps that hold the kernel, padding included, \
             got shape [1, 4, 3, 3]"
        );
    }

    #[test]
    fn a_dilation_of_zero_is_refused() {
        let window = Window { dilation: [0, 1], ..Window::of([1, 1]) };
        assert!(
            refusal([2, 4, 1, 1], ConvolutionGeometry { window, groups: 1 })
                .contains("a dilation of at least 1")
        );
    }
}
