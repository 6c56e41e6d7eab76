//! Which cells of one map may be chosen together.

use convscope_protocol::Disjoint;
use convscope_runtime::network::{Field, ValueId};
use convscope_runtime::{Network, Region};

/// Up to so many cells are found one after the other faster than by sorting.
const FEW: usize = 16;
/// Marks a cell that cannot be chosen any more. Maps that hold NaN were refused before.
const STRUCK: f32 = f32::NAN;

/// The cells of a map that exclude each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spots {
    /// None do.
    Free,
    /// All do: every unit sees the whole picture.
    One,
    /// Those whose receptive fields share a pixel.
    Fields {
        /// First and last pixel, exclusive, that each row of the map sees; empty in the padding.
        rows: Vec<[isize; 2]>,
        /// The same for each column.
        columns: Vec<[isize; 2]>,
    },
}

impl Spots {
    /// Finds out which cells of `value` exclude each other, seen from `input`.
    pub(crate) fn of(
        network: &Network,
        value: ValueId,
        input: ValueId,
        disjoint: Disjoint,
    ) -> Self {
        let (Disjoint::ReceptiveField, Some([_, _, height, width])) =
            (disjoint, network.value(value).shape.as_maps())
        else {
            return if disjoint == Disjoint::None { Self::Free } else { Self::One };
        };
        let Some([_, _, input_height, input_width]) = network.value(input).shape.as_maps() else {
            return Self::One;
        };
        let clipped = |row: usize, column: usize| {
            let unit =
                Region { top: row.cast_signed(), left: column.cast_signed(), height: 1, width: 1 };
            match network.receptive_field(value, unit, input) {
                Field::Region(region) => Some(region.clipped([input_height, input_width])),
                Field::Whole => None,
                Field::Nothing => Some(Region { top: 0, left: 0, height: 0, width: 0 }),
            }
        };
        // Windows treat rows and columns apart, so one walk along each axis knows every field.
        let rows: Option<Vec<_>> = (0..height)
            .map(|row| clipped(row, 0).map(|r| [r.top, r.top.saturating_add_unsigned(r.height)]))
            .collect();
        let columns: Option<Vec<_>> = (0..width)
            .map(|column| {
                clipped(0, column).map(|r| [r.left, r.left.saturating_add_unsigned(r.width)])
            })
            .collect();
        match (rows, columns) {
            (Some(rows), Some(columns)) => Self::Fields { rows, columns },
            _ => Self::One,
        }
    }

    /// Chooses the strongest cells of a map of `width` columns that may stand together, at most
    /// `k`, strongest first, ties in row-major order.
    pub(crate) fn choose(&self, map: &[f32], width: usize, k: usize) -> Vec<usize> {
        match self {
            Self::Free if k > FEW => choose_free(map, k),
            Self::Free => choose_apart(map, k, |_, _| ()),
            Self::One => choose_apart(map, k.min(1), |_, _| ()),
            Self::Fields { rows, columns } => choose_apart(map, k, |cell, open| {
                let [row, column] = [rows[cell / width], columns[cell % width]];
                let lines = open.chunks_mut(width).zip(rows);
                for (line, _) in lines.filter(|(_, other)| shares(**other, row)) {
                    let cells = line.iter_mut().zip(columns);
                    for (cell, _) in cells.filter(|(_, other)| shares(**other, column)) {
                        *cell = STRUCK;
                    }
                }
            }),
        }
    }
}

fn choose_free(map: &[f32], k: usize) -> Vec<usize> {
    // Adding zero makes equals of the two zeros.
    let stronger =
        |a: &usize, b: &usize| (map[*b] + 0.0).total_cmp(&(map[*a] + 0.0)).then(a.cmp(b));
    let mut cells: Vec<usize> = (0..map.len()).collect();
    if k < cells.len() {
        cells.select_nth_unstable_by(k - 1, stronger);
        cells.truncate(k);
    }
    cells.sort_unstable_by(stronger);
    cells
}

/// Takes the strongest cell, strikes those that clash with it, and so on: for the few cells that
/// are usually asked for this is far cheaper than sorting.
fn choose_apart(map: &[f32], k: usize, strike: impl Fn(usize, &mut [f32])) -> Vec<usize> {
    let mut open = map.to_vec();
    let mut chosen = Vec::new();
    while chosen.len() < k
        && let Some(best) = first_of_largest(&open)
    {
        chosen.push(best);
        open[best] = STRUCK;
        strike(best, &mut open);
    }
    chosen
}

/// Returns the first of the largest cells that are not struck.
fn first_of_largest(open: &[f32]) -> Option<usize> {
    // Side by side, so that several are compared at once.
    let mut largest = [f32::NEG_INFINITY; 16];
    for values in open.chunks(largest.len()) {
        for (largest, &value) in largest.iter_mut().zip(values) {
            *largest = if value > *largest { value } else { *largest };
        }
    }
    let largest = largest.into_iter().fold(f32::NEG_INFINITY, f32::max);
    open.iter().position(|&value| value >= largest)
}

fn shares(a: [isize; 2], b: [isize; 2]) -> bool {
    a[0].max(b[0]) < a[1].min(b[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_whose_fields_share_a_pixel_do_not_stand_together() {
        // Every cell of a 1×4 map sees three pixels, one pixel apart.
        let columns = (0..4).map(|x| [x, x + 3]).collect();
        let spots = Spots::Fields { rows: vec![[0, 1]], columns };
        assert_eq!(spots.choose(&[1.0, 4.0, 3.0, 2.0], 4, 9), [1]);
        assert_eq!(spots.choose(&[4.0, 3.0, 2.0, 1.0], 4, 9), [0, 3]);
    }

    #[test]
    fn cells_that_see_only_padding_exclude_nobody() {
        let spots = Spots::Fields { rows: vec![[0, 1]], columns: vec![[0, 0], [0, 2], [0, 2]] };
        assert_eq!(spots.choose(&[3.0, 2.0, 1.0], 3, 3), [0, 1]);
    }

    #[test]
    fn one_spot_is_the_strongest_and_the_first_of_equals() {
        assert_eq!(Spots::One.choose(&[1.0, 2.0, 2.0], 3, 5), [1]);
        assert_eq!(Spots::Free.choose(&[1.0, 2.0, 2.0], 3, 0), [0; 0]);
    }

    #[test]
    fn infinities_and_the_two_zeros_are_cells_like_others() {
        let (low, high) = (f32::NEG_INFINITY, f32::INFINITY);
        for spots in [Spots::Free, fields_of_one_pixel(6)] {
            let map = [low, -0.0, 0.0, high, low, -1.0];
            assert_eq!(spots.choose(&map, 6, 9), [3, 1, 2, 5, 0, 4]);
        }
    }

    #[test]
    fn cells_that_share_nothing_are_chosen_as_free_ones() {
        let map: Vec<f32> = (0..50_i32).map(|i| ((i * 37) % 17) as f32 - 8.0).collect();
        for k in [2, 7, 50] {
            assert_eq!(
                fields_of_one_pixel(50).choose(&map, 50, k),
                Spots::Free.choose(&map, 50, k)
            );
        }
    }

    /// A map of one row, every cell of which sees a pixel of its own.
    fn fields_of_one_pixel(width: isize) -> Spots {
        Spots::Fields { rows: vec![[0, 1]], columns: (0..width).map(|x| [x, x + 1]).collect() }
    }

    #[test]
    fn a_full_sort_and_a_selection_agree() {
        let map: Vec<f32> = (0..50_i32).map(|i| ((i * 37) % 17) as f32 - 8.0).collect();
        let all = Spots::Free.choose(&map, 10, 50);
        for k in 1..50 {
            assert_eq!(Spots::Free.choose(&map, 10, k), all[..k]);
        }
    }
}
