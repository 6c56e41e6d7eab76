//! Where the cells of a map lie on the picture.

use convscope_protocol::figure::CellPlaces;

use crate::pixels::Pixels;

/// The borders between cells, in pixels of the picture: one more than there are cells each way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Borders {
    pub(super) rows: Vec<f64>,
    pub(super) columns: Vec<f64>,
}

impl Borders {
    /// Finds the borders of `rows` × `columns` cells on a picture of `height` × `width` pixels.
    /// `None` where windows are not one for each cell, or hang over.
    pub(super) fn new(
        cells: &CellPlaces,
        (rows, columns): (usize, usize),
        (height, width): (usize, usize),
    ) -> Option<Self> {
        match cells {
            CellPlaces::Whole => Some(Self::whole((rows, columns), (height, width))),
            CellPlaces::Windows { height: tall, width: wide, rows: tops, columns: lefts } => {
                let fits = tops.len() == rows && lefts.len() == columns;
                fits.then_some(Self {
                    rows: halfway(tops, *tall, height)?,
                    columns: halfway(lefts, *wide, width)?,
                })
            }
        }
    }

    /// Finds the borders of cells that share the picture evenly.
    pub(super) fn whole((rows, columns): (usize, usize), (height, width): (usize, usize)) -> Self {
        Self { rows: even(rows, height), columns: even(columns, width) }
    }

    /// Says whether all cells are equally large.
    pub(super) fn are_even(&self) -> bool {
        let even = |borders: &[f64]| {
            let first = borders[1] - borders[0];
            borders.windows(2).all(|pair| (pair[1] - pair[0] - first).abs() < 1e-9)
        };
        even(&self.rows) && even(&self.columns)
    }

    /// First and last border of the rows, and of the columns.
    pub(super) fn ends(&self) -> [f64; 4] {
        let (rows, columns) = (&self.rows, &self.columns);
        [rows[0], rows[rows.len() - 1], columns[0], columns[columns.len() - 1]]
    }

    /// Returns the number of the cell at a place of the picture, row by row. `None` beside all.
    pub(super) fn at(&self, row: f64, column: f64) -> Option<usize> {
        Some(between(&self.rows, row)? * (self.columns.len() - 1) + between(&self.columns, column)?)
    }

    /// Draws cells of different sizes: as so many rows and columns of equal ones, each what it
    /// mostly lies on.
    pub(super) fn spread(&self, cells: &Pixels, (height, width): (usize, usize)) -> Pixels {
        let [top, bottom, left, right] = self.ends();
        let mut rgba = Vec::with_capacity(height * width * 4);
        for y in middles(top, bottom, height) {
            for x in middles(left, right, width) {
                let cell = self.at(y, x).unwrap_or(0);
                rgba.extend_from_slice(&cells.rgba[cell * 4..cell * 4 + 4]);
            }
        }
        Pixels { width, height, rgba }
    }
}

/// Returns the middles of `count` equal parts.
pub(super) fn middles(start: f64, end: f64, count: usize) -> impl Iterator<Item = f64> {
    (0..count).map(move |part| start + (end - start) * (part as f64 + 0.5) / count as f64)
}

fn even(cells: usize, extent: usize) -> Vec<f64> {
    (0..=cells).map(|border| (border * extent) as f64 / cells as f64).collect()
}

/// Borders halfway between the middles of windows; one window alone is its own cell.
fn halfway(starts: &[usize], window: usize, extent: usize) -> Option<Vec<f64>> {
    let (&first, &last) = (starts.first()?, starts.last()?);
    let ascend = starts.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascend || window == 0 || last.checked_add(window)? > extent {
        return None;
    }
    let middle = |start: usize| start as f64 + window as f64 / 2.0;
    let step = |pair: &[usize]| (pair[1] - pair[0]) as f64;
    let first_step = starts.windows(2).next().map_or(window as f64, step);
    let last_step = starts.windows(2).next_back().map_or(window as f64, step);
    let mut borders = vec![(middle(first) - first_step / 2.0).max(0.0)];
    borders.extend(starts.windows(2).map(|pair| f64::midpoint(middle(pair[0]), middle(pair[1]))));
    borders.push((middle(last) + last_step / 2.0).min(extent as f64));
    Some(borders)
}

fn between(borders: &[f64], place: f64) -> Option<usize> {
    let below = borders.partition_point(|&border| border <= place);
    (1..borders.len()).contains(&below).then(|| below - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(height: usize, rows: &[usize]) -> CellPlaces {
        CellPlaces::Windows { height, width: 4, rows: rows.to_vec(), columns: vec![0] }
    }

    fn rows(cells: &CellPlaces, count: usize, extent: usize) -> Option<Vec<f64>> {
        Borders::new(cells, (count, 1), (extent, 4)).map(|borders| borders.rows)
    }

    #[test]
    fn cells_of_a_whole_picture_share_it_evenly() {
        assert_eq!(rows(&CellPlaces::Whole, 4, 6).unwrap(), [0.0, 1.5, 3.0, 4.5, 6.0]);
    }

    #[test]
    fn cells_of_windows_lie_around_their_middles() {
        assert_eq!(rows(&windows(8, &[0, 4, 8]), 3, 16).unwrap(), [2.0, 6.0, 10.0, 14.0]);
        assert_eq!(rows(&windows(8, &[4]), 1, 16).unwrap(), [4.0, 12.0]);
        // The last window ends with the picture: its cell is smaller.
        assert_eq!(rows(&windows(8, &[0, 4, 7]), 3, 15).unwrap(), [2.0, 6.0, 9.5, 12.5]);
        // Windows with space between them: no cell leaves the picture.
        assert_eq!(rows(&windows(2, &[0, 10]), 2, 12).unwrap(), [0.0, 6.0, 12.0]);
    }

    #[test]
    fn windows_that_do_not_match_are_refused() {
        assert_eq!(rows(&windows(8, &[0, 4]), 3, 16), None);
        assert_eq!(rows(&windows(8, &[0, 9]), 2, 16), None);
        assert_eq!(rows(&windows(8, &[4, 4]), 2, 16), None);
        assert_eq!(rows(&windows(0, &[4]), 1, 16), None);
        assert_eq!(rows(&windows(8, &[]), 0, 16), None);
    }

    #[test]
    fn a_cell_is_found_where_it_lies() {
        let cells = windows(8, &[0, 4, 7]);
        let borders = Borders::new(&cells, (3, 1), (15, 4)).unwrap();
        assert!(!borders.are_even());
        let found: Vec<_> = [1.9, 2.0, 5.9, 6.0, 9.5, 12.5].map(|row| borders.at(row, 2.0)).into();
        assert_eq!(found, [None, Some(0), Some(0), Some(1), Some(2), None]);
        let pixel = |grey: u8| [grey, grey, grey, 255];
        let column = Pixels { width: 1, height: 3, rgba: [1, 2, 3].map(pixel).concat() };
        let spread = borders.spread(&column, (21, 1));
        let greys: Vec<u8> = spread.rgba.chunks_exact(4).map(|pixel| pixel[0]).collect();
        assert_eq!(greys, [[1; 8].as_slice(), &[2; 7], &[3; 6]].concat());
    }
}
