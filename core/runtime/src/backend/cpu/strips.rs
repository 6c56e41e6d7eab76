//! Maps cut into rows that are worked off by themselves.

use std::ops::Range;

use super::blocked::Maps;
use super::micro::BLOCK;
use crate::backend::units::CHEAP_UNIT;

/// Some rows of one block of one image.
#[derive(Debug)]
pub(super) struct Strip<'a, T> {
    pub image: usize,
    pub block: usize,
    pub rows: Range<usize>,
    pub values: &'a mut [T],
}

impl<T> Strip<'_, T> {
    /// Returns the number of its first value.
    pub(super) fn start(&self, maps: Maps) -> usize {
        (self.image * maps.blocks() + self.block) * maps.plane()
            + self.rows.start * maps.width * BLOCK
    }
}

/// Cuts what a kernel writes, a value for every lane, into strips; none where there are no cells.
pub(super) fn strips<T>(values: &mut [T], maps: Maps) -> impl Iterator<Item = Strip<'_, T>> {
    let row = (maps.width * BLOCK).max(1);
    let rows = (CHEAP_UNIT / row).max(1);
    let blocks = maps.blocks().max(1);
    values.chunks_mut(maps.plane().max(1)).enumerate().flat_map(move |(plane, values)| {
        values.chunks_mut(rows * row).enumerate().map(move |(part, values)| Strip {
            image: plane / blocks,
            block: plane % blocks,
            rows: part * rows..part * rows + values.len() / row,
            values,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_say_where_they_lie() {
        let maps = Maps { batch: 2, channels: 33, height: 90, width: 31 };
        let mut values: Vec<usize> = (0..maps.len()).collect();
        let mut ends = 0;
        for strip in strips(&mut values, maps) {
            let start = strip.start(maps);
            let Strip { image, block, rows, values } = strip;
            assert_eq!(values[0], start);
            assert_eq!(start, ((image * 3 + block) * 90 + rows.start) * 31 * BLOCK);
            assert_eq!(values.len(), rows.len() * 31 * BLOCK);
            ends += usize::from(rows.end == 90);
        }
        assert_eq!(ends, 6);
        assert_eq!(strips::<f32>(&mut [], Maps { batch: 0, ..maps }).count(), 0);
    }
}
