//! Rows of cells that two rectangles share, wherever either is stored.

use crate::{Region, Regions};

/// A rectangle of cells in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    /// Where on the map it lies.
    pub place: Region,
    /// The place of its first cell in memory.
    pub start: usize,
    /// Cells in memory from row to row.
    pub pitch: usize,
}

impl Area {
    /// A whole map.
    pub(super) fn whole(size: [usize; 2]) -> Self {
        Self { place: Region::whole(size), start: 0, pitch: size[1] }
    }

    /// The cells of a rectangle alone.
    pub(super) fn alone(start: usize, place: Region) -> Self {
        Self { place, start, pitch: place.width }
    }

    /// Returns the place in memory of a cell of the map, which must be one of its own.
    fn cell(&self, row: isize, column: isize) -> usize {
        let down = (row - self.place.top).cast_unsigned();
        self.start + down * self.pitch + (column - self.place.left).cast_unsigned()
    }
}

/// Cells that lie side by side in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub from: usize,
    pub to: usize,
    pub cells: usize,
}

/// Lists the cells of `from` that `to` has too, row by row.
pub(super) fn spans(from: Area, to: Area) -> impl Iterator<Item = Span> {
    let end = |start: isize, length: usize| start.saturating_add_unsigned(length);
    let (a, b) = (from.place, to.place);
    let [top, left] = [a.top.max(b.top), a.left.max(b.left)];
    let bottom = end(a.top, a.height).min(end(b.top, b.height));
    let right = end(a.left, a.width).min(end(b.left, b.width));
    let cells = usize::try_from(right - left).unwrap_or(0);
    let rows = if cells == 0 { top..top } else { top..bottom };
    rows.map(move |row| Span { from: from.cell(row, left), to: to.cell(row, left), cells })
}

/// Lists what every region takes out of a whole map.
pub(super) fn of_map(regions: &Regions) -> Vec<Span> {
    let map = Area::whole(regions.size());
    regions.each().flat_map(|(start, place)| spans(map, Area::alone(start, place))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_the_rows_that_both_have() {
        let place = Region { top: 1, left: 2, height: 2, width: 3 };
        let map = Area::whole([4, 5]);
        let span = |from, to, cells| Span { from, to, cells };
        let found: Vec<Span> = spans(map, Area::alone(10, place)).collect();
        assert_eq!(found, [span(7, 10, 3), span(12, 13, 3)]);
        let beside = Area::alone(0, Region { top: 2, left: 0, height: 2, width: 3 });
        let found: Vec<Span> = spans(Area::alone(10, place), beside).collect();
        assert_eq!(found, [span(13, 2, 1)]);
        let apart = Area::alone(0, Region { top: 3, left: 0, height: 1, width: 1 });
        assert_eq!(spans(Area::alone(10, place), apart).count(), 0);
    }
}
