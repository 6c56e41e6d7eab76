//! The places of an occluder.

use convscope_sdk::AnalysisError;
use convscope_sdk::protocol::Region;
use convscope_sdk::protocol::figure::CellPlaces;

use crate::parameters::{Extent, Parameters, WINDOW};

/// More places than this in one picture are a mistake.
const MOST_PLACES: usize = 1 << 20;

/// An occluder and its places: every row with every column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Windows {
    /// `[height, width]` in pixels.
    pub(crate) size: [usize; 2],
    /// From one place to the next, down and across.
    pub(crate) stride: [usize; 2],
    /// First pixel rows, ascending.
    pub(crate) rows: Vec<usize>,
    /// First pixel columns, ascending.
    pub(crate) columns: Vec<usize>,
    /// What the names of its arrays end with.
    pub(crate) suffix: String,
}

impl Windows {
    /// Takes the occluders asked for, all of which fit a picture of `[height, width]`.
    pub(crate) fn all(
        parameters: &Parameters,
        picture: [usize; 2],
    ) -> Result<Vec<Self>, AnalysisError> {
        let one = [parameters.window];
        let (key, sizes) = match &parameters.windows {
            None => ("window", one.as_slice()),
            // The default stands for "not given".
            Some(_) if parameters.window != WINDOW => {
                let problem = "one occluder and several cannot both be given; leave out one";
                return Err(AnalysisError::parameter("windows", problem));
            }
            Some(sizes) => ("windows", sizes.as_slice()),
        };
        let mut all: Vec<Self> = Vec::with_capacity(sizes.len());
        for size in sizes {
            let mut windows = Self::new(key, *size, parameters.stride, picture)?;
            let [height, width] = windows.size;
            if all.iter().any(|other| other.size == windows.size) {
                let problem = format!("{height} × {width} is named twice");
                return Err(AnalysisError::parameter(key, problem));
            }
            if parameters.windows.is_some() {
                windows.suffix = format!("_{height}x{width}");
            }
            all.push(windows);
        }
        Ok(all)
    }

    fn new(
        key: &str,
        size: Extent,
        stride: Extent,
        picture: [usize; 2],
    ) -> Result<Self, AnalysisError> {
        let (size, stride) = (size.size(), stride.size());
        for (key, lengths) in [(key, size), ("stride", stride)] {
            if lengths.contains(&0) {
                return Err(AnalysisError::parameter(key, "0 pixels are none"));
            }
        }
        if size[0] > picture[0] || size[1] > picture[1] {
            let problem = format!(
                "{} × {} pixels are more than the picture of {} × {}",
                size[0], size[1], picture[0], picture[1]
            );
            return Err(AnalysisError::parameter(key, problem));
        }
        let [rows, columns] = [0, 1].map(|axis| starts(size[axis], stride[axis], picture[axis]));
        let count = rows.len().saturating_mul(columns.len());
        if count > MOST_PLACES {
            let problem = format!(
                "{count} places in every picture, more than {MOST_PLACES}; take a larger stride"
            );
            return Err(AnalysisError::parameter("stride", problem));
        }
        Ok(Self { size, stride, rows, columns, suffix: String::new() })
    }

    /// Counts the places.
    pub(crate) fn count(&self) -> usize {
        self.rows.len() * self.columns.len()
    }

    /// Returns `[rows, columns]` of a map.
    pub(crate) fn shape(&self) -> [usize; 2] {
        [self.rows.len(), self.columns.len()]
    }

    /// Returns what is covered at every place, row by row.
    pub(crate) fn regions(&self) -> impl Iterator<Item = Region> {
        let [height, width] = self.size.map(|length| length as u64);
        self.rows.iter().flat_map(move |&top| {
            self.columns.iter().map(move |&left| {
                let [top, left] = [top, left].map(|start| (start as u64).cast_signed());
                Region { top, left, height, width }
            })
        })
    }

    /// Says where the cells of a map lie on the picture.
    pub(crate) fn cells(&self) -> CellPlaces {
        let [height, width] = self.size;
        let (rows, columns) = (self.rows.clone(), self.columns.clone());
        CellPlaces::Windows { height, width, rows, columns }
    }
}

/// Returns where windows begin along an axis: none hangs over, and the far edge is covered.
fn starts(window: usize, stride: usize, length: usize) -> Vec<usize> {
    let last = length.saturating_sub(window);
    let mut starts: Vec<usize> = (0..=last).step_by(stride).collect();
    if starts.last() != Some(&last) {
        starts.push(last);
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_far_edge_is_covered_and_nothing_hangs_over() {
        assert_eq!(starts(9, 4, 67).last(), Some(&58));
        assert_eq!(starts(9, 4, 67).len(), 16);
        assert_eq!(starts(9, 4, 49), [0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40]);
        assert_eq!(starts(2, 9, 20), [0, 9, 18]);
        assert_eq!(starts(2, 9, 21), [0, 9, 18, 19]);
        assert_eq!(starts(7, 3, 7), [0]);
    }

    #[test]
    fn places_go_row_by_row() {
        let each = |lengths| Extent::Each(lengths);
        let windows = Windows::new("window", each([2, 3]), each([2, 1]), [5, 4]).unwrap();
        assert_eq!(windows.shape(), [3, 2]);
        let regions: Vec<[i64; 2]> = windows.regions().map(|r| [r.top, r.left]).collect();
        assert_eq!(regions, [[0, 0], [0, 1], [2, 0], [2, 1], [3, 0], [3, 1]]);
        assert!(windows.regions().all(|r| [r.height, r.width] == [2, 3]));
    }

    #[test]
    fn lengths_of_nothing_are_refused() {
        let (none, one) = (Extent::Each([1, 0]), Extent::Both(1));
        let refused = |size, stride| Windows::new("window", size, stride, [5, 5]).unwrap_err();
        assert_eq!(refused(none, one).to_string(), "`window`: 0 pixels are none");
        assert_eq!(refused(one, none).to_string(), "`stride`: 0 pixels are none");
    }

    #[test]
    fn too_many_places_are_refused() {
        let one = Extent::Both(1);
        let error = Windows::new("window", one, one, [1025, 1024]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`stride`: 1049600 places in every picture, more than 1048576; take a larger stride"
        );
    }
}
