//! One axis of a kernel: which cells its outputs see, and where they lie in the result.

use std::ops::Range;

use crate::backend::axis::Axis;

/// A tap of a kernel along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tap {
    /// The cell under it for output 0; may lie off the map.
    pub offset: isize,
    /// Its place in the kernel.
    pub index: usize,
}

/// Taps over the cells of one axis. Output `o` sees the cells `o · stride + offset` of the taps
/// and is cell `start + o · step` of the result.
///
/// A convolution is one stencil an axis. Its adjoint is `stride` of them: the cells of its result
/// that leave the same remainder see the same taps, at steps of one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stencil {
    /// Cells of the input.
    pub inputs: usize,
    /// Outputs that are computed.
    pub outputs: usize,
    /// Input cells from output to output.
    pub stride: usize,
    /// Taps, by ascending offset.
    pub taps: Vec<Tap>,
    /// Cells of the result.
    pub size: usize,
    /// The result's cell that output 0 is.
    pub start: usize,
    /// Cells of the result from output to output.
    pub step: usize,
}

impl Stencil {
    /// Returns the stencil of a convolution.
    pub(super) fn of(axis: &Axis) -> Self {
        let offset = |index: usize| (index * axis.dilation).cast_signed();
        let padding = axis.padding[0].cast_signed();
        let taps = (0..axis.kernel).map(|index| Tap { offset: offset(index) - padding, index });
        Self {
            inputs: axis.size,
            outputs: axis.outputs,
            stride: axis.stride,
            taps: taps.collect(),
            size: axis.outputs,
            start: 0,
            step: 1,
        }
    }

    /// Returns the stencil of a convolution whose padding is part of the input.
    pub(super) fn padded(axis: &Axis) -> Self {
        let [before, behind] = axis.padding;
        Self::of(&Axis { size: axis.size + before + behind, padding: [0, 0], ..*axis })
    }

    /// Returns the stencils of the adjoint of a convolution.
    pub(super) fn adjoint(axis: &Axis) -> Vec<Self> {
        let (size, stride) = (axis.size, axis.stride);
        let phases = (0..stride.min(size)).map(|start| {
            let place = start + axis.padding[0];
            // The cell i of the result was seen by output o under tap t if i = o·s + t·d − p.
            let taps = (0..axis.kernel).rev().filter_map(|index| {
                let offset = place.cast_signed() - (index * axis.dilation).cast_signed();
                let seen = offset.rem_euclid(stride.cast_signed()) == 0;
                seen.then(|| Tap { offset: offset.div_euclid(stride.cast_signed()), index })
            });
            Self {
                inputs: axis.outputs,
                outputs: (size - start).div_ceil(stride),
                stride: 1,
                taps: taps.collect(),
                size,
                start,
                step: stride,
            }
        });
        phases.collect()
    }

    /// Returns the taps of an output that lie on the map.
    pub(super) fn taps_of(&self, output: usize) -> Range<usize> {
        self.taps_within(output, &(0..self.inputs))
    }

    /// Returns the taps of an output that lie on some cells.
    pub(super) fn taps_within(&self, output: usize, cells: &Range<usize>) -> Range<usize> {
        let place = (output * self.stride).cast_signed();
        let before =
            |end: usize| self.taps.partition_point(|tap| place + tap.offset < end.cast_signed());
        let first = before(cells.start);
        first..before(cells.end).max(first)
    }

    /// Returns outputs without which nobody sees some cells.
    pub(super) fn outputs_within(&self, cells: &Range<usize>) -> Range<usize> {
        let (Some(first), Some(last)) = (self.taps.first(), self.taps.last()) else { return 0..0 };
        let start = self.outputs_before(cells.start, *last);
        start..self.outputs_before(cells.end, *first).max(start)
    }

    /// Returns the outputs for which a tap lies on the map.
    pub(super) fn outputs_of(&self, tap: Tap) -> Range<usize> {
        let first = self.outputs_before(0, tap);
        first..self.outputs_before(self.inputs, tap).max(first)
    }

    /// Counts the outputs that see a cell before the given one under a tap.
    fn outputs_before(&self, cell: usize, tap: Tap) -> usize {
        let room = usize::try_from(cell.cast_signed() - tap.offset).unwrap_or(0);
        room.div_ceil(self.stride).min(self.outputs)
    }

    /// Says whether the taps are neighbouring cells, in the kernel too.
    pub(super) fn is_dense(&self) -> bool {
        self.taps
            .windows(2)
            .all(|pair| pair[1].offset == pair[0].offset + 1 && pair[1].index == pair[0].index + 1)
    }

    /// Says whether outputs, inputs and cells of the result are the same.
    pub(super) fn is_identity(&self) -> bool {
        self.taps == [Tap { offset: 0, index: 0 }]
            && (self.stride, self.start, self.step) == (1, 0, 1)
            && self.inputs == self.outputs
            && self.outputs == self.size
    }

    /// Returns a stencil that sees one cell after the other.
    pub(super) fn identity(cells: usize) -> Self {
        Self {
            inputs: cells,
            outputs: cells,
            stride: 1,
            taps: vec![Tap { offset: 0, index: 0 }],
            size: cells,
            start: 0,
            step: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes() -> impl Iterator<Item = Axis> {
        (0_usize..4 * 4 * 3 * 3 * 3).map(|code| {
            let (kernel, size, code) = (code % 4 + 1, code / 4 % 4 * 2 + 1, code / 16);
            let (stride, dilation, before) = (code % 3 + 1, code / 3 % 3 + 1, code / 9);
            // One more output than start on the map.
            let outputs = (size + before).div_ceil(stride) + 1;
            Axis { size, outputs, kernel, stride, dilation, padding: [before, 0] }
        })
    }

    /// Lists (output, tap, cell) that a stencil sees, the output as a cell of the result.
    fn seen(stencil: &Stencil) -> Vec<[usize; 3]> {
        let mut seen = Vec::new();
        for output in 0..stencil.outputs {
            let taps = stencil.taps_of(output);
            for (number, tap) in stencil.taps.iter().enumerate() {
                let cell = (output * stencil.stride).cast_signed() + tap.offset;
                let cell = usize::try_from(cell).ok().filter(|&cell| cell < stencil.inputs);
                assert_eq!(taps.contains(&number), cell.is_some());
                assert_eq!(stencil.outputs_of(*tap).contains(&output), cell.is_some());
                let place = stencil.start + output * stencil.step;
                assert!(place < stencil.size);
                seen.extend(cell.map(|cell| [place, tap.index, cell]));
            }
        }
        seen.sort_unstable();
        seen
    }

    #[test]
    fn a_convolution_sees_what_its_axis_says() {
        for axis in axes() {
            let taps = |output| axis.taps(output).map(move |tap| [output, tap]);
            let expected: Vec<[usize; 3]> = (0..axis.outputs)
                .flat_map(taps)
                .map(|[output, tap]| [output, tap, axis.cell(output, tap)])
                .collect();
            assert_eq!(seen(&Stencil::of(&axis)), expected, "{axis:?}");
        }
    }

    #[test]
    fn the_adjoint_sees_the_same_pairs_the_other_way_round() {
        for axis in axes() {
            let mut expected: Vec<[usize; 3]> = seen(&Stencil::of(&axis))
                .iter()
                .map(|&[output, tap, cell]| [cell, tap, output])
                .collect();
            expected.sort_unstable();
            let mut found: Vec<[usize; 3]> =
                Stencil::adjoint(&axis).iter().flat_map(seen).collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{axis:?}");
        }
    }

    #[test]
    fn only_the_outputs_within_reach_of_cells_see_them() {
        for axis in axes() {
            for stencil in Stencil::adjoint(&axis).into_iter().chain([Stencil::of(&axis)]) {
                let (first, last) = (stencil.inputs / 3, stencil.inputs.div_ceil(2));
                let cells = first..last.max(first);
                let reach = stencil.outputs_within(&cells);
                for output in 0..stencil.outputs {
                    let taps = stencil.taps_within(output, &cells);
                    for (number, tap) in stencil.taps.iter().enumerate() {
                        let cell = (output * stencil.stride).cast_signed() + tap.offset;
                        let is_seen = usize::try_from(cell).is_ok_and(|cell| cells.contains(&cell));
                        assert_eq!(taps.contains(&number), is_seen);
                        assert!(reach.contains(&output) || !is_seen, "{axis:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_stencils_of_an_adjoint_make_every_cell_once() {
        for axis in axes() {
            let mut cells: Vec<usize> = Stencil::adjoint(&axis)
                .iter()
                .flat_map(|phase| (0..phase.outputs).map(|o| phase.start + o * phase.step))
                .collect();
            cells.sort_unstable();
            assert_eq!(cells, (0..axis.size).collect::<Vec<_>>(), "{axis:?}");
        }
    }

    #[test]
    fn one_tap_without_padding_and_stride_is_the_identity() {
        let axis = Axis { size: 5, outputs: 5, kernel: 1, stride: 1, dilation: 1, padding: [0, 0] };
        assert_eq!(Stencil::of(&axis), Stencil::identity(5));
        assert!(Stencil::identity(5).is_identity());
        assert_eq!(Stencil::adjoint(&axis), [Stencil::identity(5)]);
        for other in [Axis { padding: [1, 1], ..axis }, Axis { stride: 2, outputs: 3, ..axis }] {
            assert!(!Stencil::of(&other).is_identity());
        }
    }
}
