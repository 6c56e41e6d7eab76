//! Windows that slide over feature maps, and regions of them.

/// Zeros (or, for max pooling, nothing) around a map, in cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Columns to the left.
    pub left: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the right.
    pub right: usize,
}

/// How a kernel slides over a map: sizes as `[height, width]`, in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Extent of the kernel.
    pub kernel: [usize; 2],
    /// Step between neighbouring outputs; at least 1.
    pub stride: [usize; 2],
    /// Step between neighbouring taps; at least 1.
    pub dilation: [usize; 2],
    /// What surrounds the map.
    pub padding: Padding,
}

/// How the extent of a window's output is rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// Only windows that lie wholly inside the padded map.
    #[default]
    Floor,
    /// One more, clipped, where cells would be left over; never one that starts in the far padding.
    Ceil,
}

impl Window {
    /// A window of the given kernel with stride and dilation 1 and no padding.
    pub fn of(kernel: [usize; 2]) -> Self {
        Self { kernel, stride: [1, 1], dilation: [1, 1], padding: Padding::default() }
    }

    /// Returns the cells that a dilated kernel spans, `[height, width]`.
    pub fn span(&self) -> [usize; 2] {
        [0, 1]
            .map(|axis| self.kernel[axis].saturating_sub(1).saturating_mul(self.dilation[axis]) + 1)
    }

    /// Returns the padding before and behind an axis (0 = rows, 1 = columns).
    pub fn padding_of(&self, axis: usize) -> [usize; 2] {
        if axis == 0 {
            [self.padding.top, self.padding.bottom]
        } else {
            [self.padding.left, self.padding.right]
        }
    }

    /// Returns the output's `[height, width]` for an input of `size`, or `None` when the kernel
    /// does not fit the padded map or a number is out of range.
    ///
    /// With [`Rounding::Ceil`] a last window that would start in the far padding is dropped, as
    /// torch and onnxruntime do and the ONNX shape inference does not.
    pub fn output_size(&self, size: [usize; 2], rounding: Rounding) -> Option<[usize; 2]> {
        let mut output = [0; 2];
        for axis in [0, 1] {
            let [before, behind] = self.padding_of(axis);
            let near = size[axis].checked_add(before)?;
            let room = near.checked_add(behind)?.checked_sub(self.span()[axis])?;
            let stride = self.stride[axis];
            let steps = match rounding {
                Rounding::Floor => room.checked_div(stride)?,
                Rounding::Ceil => {
                    let steps = room.checked_next_multiple_of(stride)? / stride;
                    if steps.checked_mul(stride)? >= near { steps.checked_sub(1)? } else { steps }
                }
            };
            output[axis] = steps.checked_add(1)?;
        }
        Some(output)
    }

    /// Returns the cells of the input that the outputs in `outputs` see; they may lie in the
    /// padding. Numbers saturate: strides come from files, and multiply from layer to layer.
    pub fn seen_by(&self, outputs: Region) -> Region {
        let [height, width] = self.span();
        let first = |start: isize, axis: usize| {
            start
                .saturating_mul(self.stride[axis].cast_signed())
                .saturating_sub_unsigned(self.padding_of(axis)[0])
        };
        let reach = |count: usize, axis: usize, span: usize| {
            count.saturating_sub(1).saturating_mul(self.stride[axis]).saturating_add(span)
        };
        Region {
            top: first(outputs.top, 0),
            left: first(outputs.left, 1),
            height: reach(outputs.height, 0, height),
            width: reach(outputs.width, 1, width),
        }
    }

    /// Returns the outputs whose windows hold a cell of `cells`, gaps between the taps of a dilated
    /// kernel included; `None` where no window does. They may lie beyond the output. Numbers
    /// saturate.
    pub fn holding(&self, cells: Region) -> Option<Region> {
        let (top, height) = self.holders(0, cells.top, cells.height)?;
        let (left, width) = self.holders(1, cells.left, cells.width)?;
        Some(Region { top, left, height, width })
    }

    /// Returns the first of the outputs along an axis that hold one of `length` cells, and their
    /// number.
    fn holders(&self, axis: usize, start: isize, length: usize) -> Option<(isize, usize)> {
        let stride = self.stride[axis].cast_signed();
        let start = start.saturating_add_unsigned(self.padding_of(axis)[0]);
        // An output holds a cell where it starts at most a span before it, and not behind it.
        let earliest = start.saturating_sub_unsigned(self.span()[axis]).saturating_add(1);
        let latest = start.saturating_add_unsigned(length.checked_sub(1)?);
        let first = earliest.saturating_neg().checked_div_euclid(stride)?.saturating_neg();
        let last = latest.checked_div_euclid(stride)?;
        let count = usize::try_from(last.saturating_sub(first).saturating_add(1)).ok()?;
        (count > 0).then_some((first, count))
    }
}

/// A rectangle of cells; it may hang over the border of its map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First row; negative above the map.
    pub top: isize,
    /// First column; negative left of the map.
    pub left: isize,
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
}

impl Region {
    /// The whole of a map of `[height, width]`.
    pub fn whole(size: [usize; 2]) -> Self {
        Self { top: 0, left: 0, height: size[0], width: size[1] }
    }

    /// Returns the part that lies on a map of `[height, width]`; empty where there is none.
    #[must_use]
    pub fn clipped(self, size: [usize; 2]) -> Self {
        let [top, height] = clip(self.top, self.height, size[0]);
        let [left, width] = clip(self.left, self.width, size[1]);
        Self { top: top.cast_signed(), left: left.cast_signed(), height, width }
    }

    /// Returns the smallest region that holds both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let top = self.top.min(other.top);
        let left = self.left.min(other.left);
        let end = |start: isize, length: usize| start.saturating_add_unsigned(length);
        let bottom = end(self.top, self.height).max(end(other.top, other.height));
        let right = end(self.left, self.width).max(end(other.left, other.width));
        Self { top, left, height: bottom.abs_diff(top), width: right.abs_diff(left) }
    }

    /// Says whether two regions share a cell.
    pub fn overlaps(&self, other: &Self) -> bool {
        let apart = |a: isize, a_len: usize, b: isize, b_len: usize| {
            a.saturating_add_unsigned(a_len) <= b || b.saturating_add_unsigned(b_len) <= a
        };
        !apart(self.top, self.height, other.top, other.height)
            && !apart(self.left, self.width, other.left, other.width)
    }
}

fn clip(start: isize, length: usize, size: usize) -> [usize; 2] {
    let size = size.cast_signed();
    let first = start.clamp(0, size);
    let end = start.saturating_add_unsigned(length).clamp(first, size);
    [first as usize, (end - first) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooling(kernel: usize, stride: usize, padding: Padding) -> Window {
        Window { stride: [stride; 2], padding, ..Window::of([kernel; 2]) }
    }

    #[test]
    fn ceil_adds_a_window_for_cells_left_over() {
        let window = pooling(3, 2, Padding::default());
        assert_eq!(window.output_size([6, 7], Rounding::Floor), Some([2, 3]));
        assert_eq!(window.output_size([6, 7], Rounding::Ceil), Some([3, 3]));
    }

    #[test]
    fn ceil_drops_a_window_that_starts_in_the_padding() {
        let around = Padding { top: 1, left: 1, bottom: 1, right: 1 };
        assert_eq!(pooling(2, 2, around).output_size([3, 3], Rounding::Ceil), Some([2, 2]));
    }

    #[test]
    fn a_kernel_larger_than_the_padded_map_has_no_output() {
        assert_eq!(Window::of([5, 5]).output_size([4, 9], Rounding::Floor), None);
    }

    #[test]
    fn what_strides_of_many_layers_reach_saturates() {
        let window = pooling(2, 1 << 16, Padding { top: 1, left: 1, bottom: 1, right: 1 });
        let mut seen = Region { top: -1, left: 1, height: 2, width: 2 };
        for _ in 0..8 {
            seen = window.seen_by(seen).union(seen);
        }
        assert_eq!((seen.top, seen.height), (isize::MIN, usize::MAX));
        assert!(seen.overlaps(&seen));
    }

    #[test]
    fn an_output_holds_the_cells_that_it_sees() {
        let uneven = Padding { top: 0, left: 2, bottom: 1, right: 0 };
        let plain = pooling(3, 2, uneven);
        let sparse = Window { stride: [3, 2], ..pooling(1, 1, uneven) };
        let dilated = Window { dilation: [2, 3], ..pooling(2, 1, uneven) };
        for window in [plain, sparse, dilated] {
            for (top, left, height, width) in [(0, 0, 1, 1), (-3, 4, 2, 3), (5, 1, 1, 2)] {
                let cells = Region { top, left, height, width };
                let places = (-9..9).flat_map(|top| (-9..9).map(move |left| (top, left)));
                let holders = places
                    .map(|(top, left)| Region { top, left, height: 1, width: 1 })
                    .filter(|&output| window.seen_by(output).overlaps(&cells));
                assert_eq!(window.holding(cells), holders.reduce(Region::union), "{window:?}");
            }
        }
        assert_eq!(sparse.holding(Region { top: 1, left: 0, height: 2, width: 9 }), None);
        assert_eq!(plain.holding(Region { top: 1, left: 0, height: 0, width: 9 }), None);
        let far = Region { top: isize::MIN, left: isize::MAX, height: usize::MAX, width: 9 };
        assert!(plain.holding(far).is_some());
    }

    #[test]
    fn clipping_keeps_what_lies_on_the_map() {
        let region = Region { top: -2, left: 3, height: 5, width: 9 };
        let clipped = region.clipped([10, 8]);
        assert_eq!(clipped, Region { top: 0, left: 3, height: 3, width: 5 });
    }

    #[test]
    fn regions_that_only_touch_do_not_overlap() {
        let region = Region::whole([2, 2]);
        assert!(!region.overlaps(&Region { top: 2, left: 0, height: 1, width: 1 }));
        assert!(region.overlaps(&Region { top: 1, left: 1, height: 4, width: 4 }));
    }
}
