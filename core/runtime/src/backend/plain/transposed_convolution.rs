//! The adjoint of convolution: products with the transposed filters, added up where windows
//! overlap.

use super::depthwise;
use super::gemm_call::{Destination, Extents, Matrix, multiply};
use super::lines::spread;
use super::scratch::{Scratch, ScratchPool};
use crate::backend::filtering::Filtering;
use crate::backend::operand::{require, zeros};
use crate::backend::units::for_each_unit;
use crate::{Computed, ConvolutionGeometry, Shape, Tensor};

const KERNEL: &str = "transposed_convolution";

/// Rows of products (one per channel and tap) that one unit aims at.
const ROWS: usize = 288;

/// Cells of the signal that are multiplied at once.
const CELLS: usize = 448;

/// Filters a signal with the transposed filters; see
/// [`Backend::transposed_convolution`](crate::Backend::transposed_convolution).
pub(super) fn transposed_convolution(
    scratch: &ScratchPool,
    signal: &Tensor,
    filters: &Tensor,
    geometry: &ConvolutionGeometry,
    restored: &Shape,
) -> Computed {
    let filtering = Filtering::new(KERNEL, restored, filters.shape(), geometry)?;
    require(KERNEL, "a signal", signal.shape(), filtering.output_shape().extents())?;
    let mut result = zeros(KERNEL, restored)?;
    let (signal, filters) = (signal.values()?, filters.values()?);
    if filtering.is_depthwise() {
        depthwise::transposed(&filtering, signal, filters, &mut result);
    } else {
        dense(scratch, &filtering, signal, filters, &mut result);
    }
    Tensor::new(restored.clone(), result)
}

/// Some channels of one image, restored by themselves.
struct Unit<'a> {
    image_group: usize,
    first_channel: usize,
    cells: &'a mut [f32],
}

fn dense(
    scratch: &ScratchPool,
    filtering: &Filtering,
    signal: &[f32],
    filters: &[f32],
    restored: &mut [f32],
) {
    let area = filtering.input_cells();
    if restored.is_empty() || filtering.filters == 0 {
        return;
    }
    let channels = filtering.channels;
    // Two pieces at least, so that one picture occupies two threads.
    let pieces = (channels * filtering.taps()).div_ceil(ROWS).clamp(2.min(channels), channels);
    let channels_each = channels.div_ceil(pieces);
    let units =
        restored
            .chunks_mut(channels * area)
            .enumerate()
            .flat_map(|(image_group, block)| {
                block.chunks_mut(channels_each * area).enumerate().map(move |(number, cells)| {
                    Unit { image_group, first_channel: number * channels_each, cells }
                })
            })
            .collect();
    let block = filtering.filters * filtering.output_cells();
    let supports: Vec<Support> =
        signal.chunks(block.max(1)).map(|maps| Support::of(filtering, maps)).collect();
    for_each_unit(units, filtering.multiply_adds(), |mut unit: Unit<'_>| {
        let Some(support) = supports.get(unit.image_group) else { return };
        let maps = &signal[unit.image_group * block..][..block];
        scratch.lend(|scratch| restore(filtering, maps, *support, filters, scratch, &mut unit));
    });
}

/// The rows and columns outside which a signal is zero. What lies outside would only add zeros,
/// finite filters provided. It belongs to one image, so that others do not change its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Support {
    top: usize,
    bottom: usize,
    left: usize,
    right: usize,
}

impl Support {
    /// Finds the support of the maps of one image and group. NaN counts as a signal.
    fn of(filtering: &Filtering, maps: &[f32]) -> Self {
        let [rows, columns] = filtering.axes.map(|axis| axis.outputs);
        let cells = rows * columns;
        let row_is_zero =
            |row: &usize| maps.chunks(cells).all(|map| is_zero(&map[row * columns..][..columns]));
        let top = (0..rows).find(|row| !row_is_zero(row)).unwrap_or(rows);
        let bottom = (top..rows).rfind(|row| !row_is_zero(row)).map_or(top, |row| row + 1);
        let (mut left, mut right) = (columns, 0);
        for map in maps.chunks(cells) {
            for line in map[top * columns..bottom * columns].chunks(columns) {
                if let Some(first) = line[..left].iter().position(|&value| value != 0.0) {
                    left = first;
                }
                if let Some(last) = line[right..].iter().rposition(|&value| value != 0.0) {
                    right += last + 1;
                }
            }
            if left == 0 && right == columns {
                break;
            }
        }
        Self { top, bottom, left: left.min(right), right }
    }
}

fn is_zero(values: &[f32]) -> bool {
    values.iter().all(|&value| value == 0.0)
}

fn restore(
    filtering: &Filtering,
    maps: &[f32],
    support: Support,
    filters: &[f32],
    scratch: &mut Scratch,
    unit: &mut Unit<'_>,
) {
    let [_, across] = filtering.axes;
    let (taps, inner) = (filtering.taps(), filtering.channels * filtering.taps());
    let group = unit.image_group % filtering.groups;
    let weights = &filters[group * filtering.filters * inner + unit.first_channel * taps..];
    let left = Matrix { values: weights, row_step: 1, column_step: inner };
    let count = unit.cells.len() / filtering.input_cells();
    let rows = count * taps;
    let columns = support.right - support.left;
    if columns == 0 {
        return;
    }
    let output_cells = filtering.output_cells();
    let is_whole = columns == across.outputs;
    if filtering.is_pointwise() && is_whole {
        let first = support.top * columns;
        let cells = (support.bottom - support.top) * columns;
        let extents = Extents { rows, inner: filtering.filters, columns: cells };
        let right = Matrix { values: &maps[first..], row_step: output_cells, column_step: 1 };
        let target = &mut unit.cells[first..];
        multiply(extents, left, right, target, output_cells, Destination::Replace);
        return;
    }
    let rows_each = (CELLS / columns).max(1);
    for top in (support.top..support.bottom).step_by(rows_each) {
        let part = Support { top, bottom: support.bottom.min(top + rows_each), ..support };
        let cells = (part.bottom - part.top) * columns;
        let gathered = if is_whole { 0 } else { filtering.filters * cells };
        let [gathered, products] = scratch.both(gathered, rows * cells);
        let right = if is_whole {
            let values = &maps[top * columns..];
            Matrix { values, row_step: output_cells, column_step: 1 }
        } else {
            gather(filtering, maps, part, gathered);
            Matrix { values: gathered, row_step: cells, column_step: 1 }
        };
        let extents = Extents { rows, inner: filtering.filters, columns: cells };
        multiply(extents, left, right, products, cells, Destination::Replace);
        for (channel, target) in unit.cells.chunks_mut(filtering.input_cells()).enumerate() {
            let products = &products[channel * taps * cells..][..taps * cells];
            add_up(filtering, products, part, target);
        }
    }
}

/// Copies a rectangle of every map to a memory without gaps.
fn gather(filtering: &Filtering, maps: &[f32], part: Support, values: &mut [f32]) {
    let columns = filtering.axes[1].outputs;
    let width = part.right - part.left;
    let mut targets = values.chunks_mut(width);
    for map in maps.chunks(filtering.output_cells()) {
        for row in part.top..part.bottom {
            if let Some(target) = targets.next() {
                target.copy_from_slice(&map[row * columns..][part.left..part.right]);
            }
        }
    }
}

/// Adds the products of one channel, a row per tap, to the cells that the taps see.
fn add_up(filtering: &Filtering, products: &[f32], part: Support, target: &mut [f32]) {
    let [down, across] = filtering.axes;
    let width = part.right - part.left;
    let cells = (part.bottom - part.top) * width;
    for (tap, line) in products.chunks(cells).enumerate() {
        let (tap_down, tap_across) = (tap / across.kernel, tap % across.kernel);
        let (seen_down, seen_across) = (down.outputs_of(tap_down), across.outputs_of(tap_across));
        let start = seen_across.start.max(part.left);
        let end = seen_across.end.min(part.right);
        if start >= end {
            continue;
        }
        let first = across.cell(start, tap_across);
        for (row, source) in (part.top..part.bottom).zip(line.chunks(width)) {
            if !seen_down.contains(&row) {
                continue;
            }
            let source = &source[start - part.left..end - part.left];
            let target = &mut target[down.cell(row, tap_down) * across.size + first..];
            spread(target, source, across.stride, 1.0);
        }
    }
}
