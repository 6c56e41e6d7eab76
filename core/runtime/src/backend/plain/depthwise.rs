//! Convolution in which every filter sees one channel, and its adjoint, row by row.

use super::convolution::Finish;
use super::lines::{gather, spread};
use super::scratch::ScratchPool;
use crate::backend::filtering::Filtering;
use crate::backend::units::for_each_chunk;

/// Correlates every channel with its own filters.
pub(super) fn convolution(
    scratch: &ScratchPool,
    filtering: &Filtering,
    input: &[f32],
    filters: &[f32],
    finish: Finish<'_>,
    output: &mut [f32],
) {
    let (taps, area) = (filtering.taps(), filtering.input_cells());
    let cells = filtering.output_cells();
    if cells == 0 {
        return;
    }
    let count = filtering.groups * filtering.filters;
    for_each_chunk(output, cells, |plane, target| {
        scratch.lend(|scratch| {
            let map = &input[plane / filtering.filters * area..][..area];
            let filter = plane % count;
            let [_, sums] = scratch.both(0, cells);
            sums.fill(0.0);
            for_each_row_pair(filtering, |tap, row, source_row, columns, first| {
                let [_, across] = filtering.axes;
                let weight = filters[filter * taps + tap];
                let source = &map[source_row * across.size + first..];
                let sums = &mut sums[row * across.outputs..][columns];
                gather(sums, source, across.stride, weight);
            });
            finish.store(filter, sums, target);
        });
    });
}

/// Filters the signals of every channel's filters with the transposed filters.
pub(super) fn transposed(
    filtering: &Filtering,
    signal: &[f32],
    filters: &[f32],
    restored: &mut [f32],
) {
    let (taps, cells) = (filtering.taps(), filtering.output_cells());
    let [_, across] = filtering.axes;
    for_each_chunk(restored, filtering.input_cells(), |plane, target| {
        let group = plane % filtering.groups;
        for number in 0..filtering.filters {
            let filter = &filters[(group * filtering.filters + number) * taps..][..taps];
            let signal = &signal[(plane * filtering.filters + number) * cells..][..cells];
            for_each_row_pair(filtering, |tap, row, target_row, columns, first| {
                let source = &signal[row * across.outputs..][columns];
                let target = &mut target[target_row * across.size + first..];
                spread(target, source, across.stride, filter[tap]);
            });
        }
    });
}

/// Visits every tap and row of outputs that lie on the map: the tap's number, the row of outputs,
/// the row of cells, the columns of outputs and the first of their columns of cells.
fn for_each_row_pair(
    filtering: &Filtering,
    mut visit: impl FnMut(usize, usize, usize, std::ops::Range<usize>, usize),
) {
    let [down, across] = filtering.axes;
    for tap_down in 0..down.kernel {
        for tap_across in 0..across.kernel {
            let columns = across.outputs_of(tap_across);
            if columns.is_empty() {
                continue;
            }
            let first = across.cell(columns.start, tap_across);
            for row in down.outputs_of(tap_down) {
                let tap = tap_down * across.kernel + tap_across;
                visit(tap, row, down.cell(row, tap_down), columns.clone(), first);
            }
        }
    }
}
