//! The cells under the taps of a kernel, laid out as the right operand of a matrix product.

use std::ops::Range;

use super::lines::pick;
use crate::backend::filtering::Filtering;

/// Columns that the matrix product's innermost loop takes at once.
const LANES: usize = 8;

/// Returns the width of a panel for a number of cells: the innermost loops are full.
pub(super) fn padded_width(cells: usize) -> usize {
    if cells < LANES { cells } else { cells.next_multiple_of(LANES) }
}

/// Writes one row per channel and tap, one column per output cell of `rows`; zeros stand for
/// padding, and in the columns behind the last cell.
pub(super) fn lay_out(
    filtering: &Filtering,
    maps: &[f32],
    rows: Range<usize>,
    width: usize,
    panel: &mut [f32],
) {
    let [down, across] = filtering.axes;
    let cells = rows.len() * across.outputs;
    let (taps, area) = (filtering.taps(), filtering.input_cells());
    for (index, line) in panel.chunks_exact_mut(width).enumerate() {
        let map = &maps[index / taps * area..][..area];
        let (tap_down, tap_across) = (index % taps / across.kernel, index % taps % across.kernel);
        let (seen_down, seen_across) = (down.outputs_of(tap_down), across.outputs_of(tap_across));
        let (line, rest) = line.split_at_mut(cells);
        rest.fill(0.0);
        for (row, target) in rows.clone().zip(line.chunks_exact_mut(across.outputs)) {
            if !seen_down.contains(&row) || seen_across.is_empty() {
                target.fill(0.0);
                continue;
            }
            target[..seen_across.start].fill(0.0);
            target[seen_across.end..].fill(0.0);
            let source = &map[down.cell(row, tap_down) * across.size..][..across.size];
            let source = &source[across.cell(seen_across.start, tap_across)..];
            pick(&mut target[seen_across.clone()], source, across.stride);
        }
    }
}
