//! Maxima of windows with their switches, and unpooling.

use std::ops::Range;

use super::lines::pick;
use crate::backend::axis::{Axis, require_cells, require_positions};
use crate::backend::functions::is_above;
use crate::backend::operand::{incompatible, maps, require, require_spreading, zeros};
use crate::backend::units::{for_each_chunk, for_each_chunk_pair};
use crate::{Computed, Overlap, Shape, Tensor, Window};

/// Takes the maximum of every window; see [`Backend::max_pooling`](crate::Backend::max_pooling).
pub(super) fn max_pooling(
    input: &Tensor,
    window: &Window,
    output: [usize; 2],
) -> Computed<(Tensor, Tensor)> {
    const KERNEL: &str = "max_pooling";
    let [batch, channels, height, width] = maps(KERNEL, input.shape())?;
    let axes = Axis::both(KERNEL, window, [height, width], output)?;
    require_cells(KERNEL, input.shape(), &axes)?;
    require_positions(KERNEL, input.shape())?;
    let shape = Shape::from([batch, channels, output[0], output[1]]);
    let mut maxima = zeros(KERNEL, &shape)?;
    let mut switches = vec![0; maxima.len()];
    let (input, area) = (input.values()?, height * width);
    let cells = output[0] * output[1];
    for_each_chunk_pair(&mut maxima, &mut switches, cells, |plane, maxima, switches| {
        let map = &input[plane * area..][..area];
        pool(&axes, map, maxima, switches);
    });
    Ok((Tensor::new(shape.clone(), maxima)?, Tensor::indices(shape, switches)?))
}

/// A tap of a kernel's row: the outputs that see the map through it, and the first of their cells.
struct Tap {
    columns: Range<usize>,
    first: usize,
}

fn pool(axes: &[Axis; 2], map: &[f32], maxima: &mut [f32], switches: &mut [u32]) {
    let [down, across] = axes;
    let first_cells: Vec<usize> =
        (0..across.outputs).map(|column| across.cell(column, across.taps(column).start)).collect();
    let taps: Vec<Tap> = (0..across.kernel)
        .map(|tap| (tap, across.outputs_of(tap)))
        .filter(|(_, columns)| !columns.is_empty())
        .map(|(tap, columns)| Tap { first: across.cell(columns.start, tap), columns })
        .collect();
    let mut candidates = vec![0.0; across.outputs];
    let lines = maxima.chunks_mut(across.outputs).zip(switches.chunks_mut(across.outputs));
    for (row, (maxima, switches)) in lines.enumerate() {
        let taps_down = down.taps(row);
        // The first cell of each window, so that a window of equal cells chooses it.
        let first_row = down.cell(row, taps_down.start) * across.size;
        let line = &map[first_row..][..across.size];
        for ((maximum, switch), &cell) in maxima.iter_mut().zip(&mut *switches).zip(&first_cells) {
            (*maximum, *switch) = (line[cell], (first_row + cell) as u32);
        }
        for tap_down in taps_down {
            let start = down.cell(row, tap_down) * across.size;
            let line = &map[start..][..across.size];
            for Tap { columns, first } in &taps {
                let candidates = &mut candidates[columns.clone()];
                pick(candidates, &line[*first..], across.stride);
                let maxima = &mut maxima[columns.clone()];
                let switches = &mut switches[columns.clone()];
                challenge(maxima, switches, candidates, start + first, across.stride);
            }
        }
    }
}

/// Puts candidates, which lie `step` cells apart from `first` on, in the place of smaller maxima.
fn challenge(
    maxima: &mut [f32],
    switches: &mut [u32],
    candidates: &[f32],
    first: usize,
    step: usize,
) {
    let (mut cell, step) = (first as u32, step as u32);
    // NaN counts as larger than any number, and the first one stays.
    for ((maximum, switch), &candidate) in maxima.iter_mut().zip(switches).zip(candidates) {
        // Bit masks, since compilers turn a choice into a store under a condition, one at a time.
        let wins = 0_u32.wrapping_sub(u32::from(is_above(candidate, *maximum)));
        let bits = (candidate.to_bits() & wins) | (maximum.to_bits() & !wins);
        *maximum = f32::from_bits(bits);
        *switch = (cell & wins) | (*switch & !wins);
        // Behind the last candidate the sum may leave the range; it is not used.
        cell = cell.wrapping_add(step);
    }
}

/// Puts values back where their maxima stood; see
/// [`Backend::unpooling`](crate::Backend::unpooling).
pub(super) fn unpooling(
    signal: &Tensor,
    switches: &Tensor,
    restored: &Shape,
    overlap: Overlap,
) -> Computed {
    const KERNEL: &str = "unpooling";
    let ([_, _, height, width], [rows, columns]) =
        require_spreading(KERNEL, signal.shape(), restored)?;
    require(KERNEL, "switches", switches.shape(), signal.shape().extents())?;
    let mut result = zeros(KERNEL, restored)?;
    let (signal, switches) = (signal.values()?, switches.positions()?);
    let (cells, area) = (rows * columns, height * width);
    if switches.iter().any(|&switch| switch as usize >= area) {
        return Err(incompatible(KERNEL, "switches that lie on the restored map", restored));
    }
    for_each_chunk(&mut result, area, |plane, target| {
        let signal = &signal[plane * cells..][..cells];
        for (&value, &switch) in signal.iter().zip(&switches[plane * cells..]) {
            let cell = &mut target[switch as usize];
            match overlap {
                Overlap::Sum => *cell += value,
                Overlap::Overwrite => *cell = value,
            }
        }
    });
    Tensor::new(restored.clone(), result)
}
