//! Where a signal is not zero.

use std::ops::Range;

use super::blocked::Maps;
use super::micro::BLOCK;

/// The rows and columns outside which an image's maps are zero. What lies outside would only add
/// zeros, finite filters provided; a signal that started at one unit is soon carried back so. It
/// belongs to one image, so that others do not change its bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Support {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

impl Support {
    /// All of the maps.
    pub(super) fn whole([rows, columns]: [usize; 2]) -> Self {
        Self { rows: 0..rows, columns: 0..columns }
    }

    /// Finds the supports of the images of maps in blocks. NaN counts as a signal.
    pub(super) fn of(maps: Maps, values: &[f32]) -> Vec<Self> {
        let images = values.chunks_exact(maps.image().max(1)).take(maps.batch);
        images.map(|image| Self::of_image(maps, image)).collect()
    }

    fn of_image(maps: Maps, values: &[f32]) -> Self {
        let length = maps.width * BLOCK;
        let lines = |row: usize| {
            values.chunks_exact(maps.plane()).map(move |plane| &plane[row * length..][..length])
        };
        let is_zero = |row: &usize| lines(*row).all(|line| !has_signal(line));
        let top = (0..maps.height).find(|row| !is_zero(row)).unwrap_or(maps.height);
        let bottom = (top..maps.height).rfind(|row| !is_zero(row)).map_or(top, |row| row + 1);
        let (mut left, mut right) = (maps.width, 0);
        for line in (top..bottom).flat_map(lines) {
            let (cells, _) = line.as_chunks::<BLOCK>();
            if let Some(first) = cells[..left].iter().position(|cell| has_signal(cell)) {
                left = first;
            }
            if let Some(last) = cells[right..].iter().rposition(|cell| has_signal(cell)) {
                right += last + 1;
            }
            if left == 0 && right == maps.width {
                break;
            }
        }
        Self { rows: top..bottom, columns: left.min(right)..right }
    }

    /// The same cells and perhaps more, as columns of a single row of all cells.
    pub(super) fn flat(&self, width: usize) -> Self {
        let columns = self.rows.start * width..self.rows.end * width;
        Self { rows: 0..usize::from(!columns.is_empty()), columns }
    }
}

/// Says whether a number is not zero.
fn has_signal(values: &[f32]) -> bool {
    // In pieces, which are looked at many numbers at a time.
    let count = |some: &[f32]| some.iter().map(|&x| u32::from(x != 0.0)).sum::<u32>();
    values.chunks(16 * BLOCK).any(|some| count(some) > 0)
}

#[cfg(test)]
mod tests {
    use super::super::blocked::Blocked;
    use super::super::buffer::Pool;
    use super::*;

    fn support(signals: &[[usize; 4]], value: f32) -> Vec<Support> {
        let maps = Maps { batch: 2, channels: 20, height: 6, width: 7 };
        let mut rows = vec![0.0; 2 * 20 * 42];
        for [image, channel, row, column] in signals {
            rows[((image * 20 + channel) * 6 + row) * 7 + column] = value;
        }
        let blocked = Blocked::from_rows(&Pool::default(), maps, &rows);
        Support::of(maps, blocked.values())
    }

    #[test]
    fn a_support_is_the_smallest_rectangle_of_all_channels() {
        let signals = [[0, 0, 2, 5], [0, 19, 4, 3], [1, 17, 0, 6]];
        for value in [-1.0, f32::NAN, f32::MIN_POSITIVE / 2.0] {
            assert_eq!(
                support(&signals, value),
                [Support { rows: 2..5, columns: 3..6 }, Support { rows: 0..1, columns: 6..7 }]
            );
        }
    }

    #[test]
    fn zeros_have_no_support() {
        for support in support(&[[0, 0, 1, 1]], -0.0) {
            assert!(support.rows.is_empty() && support.columns.is_empty());
            assert!(support.flat(7).rows.is_empty());
        }
    }

    #[test]
    fn a_flat_support_has_whole_rows() {
        let support = Support { rows: 2..4, columns: 1..2 };
        assert_eq!(support.flat(7), Support { rows: 0..1, columns: 14..28 });
    }
}
