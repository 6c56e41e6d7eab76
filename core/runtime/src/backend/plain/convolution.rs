//! Convolution as matrix products over panels of output cells.

use super::gemm_call::{Destination, Extents, Matrix, multiply};
use super::scratch::{Scratch, ScratchPool};
use super::{depthwise, panel};
use crate::backend::filtering::Filtering;
use crate::backend::functions::rectified;
use crate::backend::operand::{require, zeros};
use crate::backend::units::for_each_unit;
use crate::{Computed, ConvolutionGeometry, Epilogue, Tensor};

const KERNEL: &str = "convolution";

/// Output cells that one unit aims at: a panel wide enough for the matrix product to work at full
/// speed, and a tile small enough for the second-level cache.
const CELLS: usize = 448;

/// Values of a panel of input cells that are laid out at once.
const PANEL: usize = 1 << 17;

/// Correlates maps with filters; see [`Backend::convolution`](crate::Backend::convolution).
pub(super) fn convolution(
    scratch: &ScratchPool,
    input: &Tensor,
    filters: &Tensor,
    bias: Option<&Tensor>,
    geometry: &ConvolutionGeometry,
    epilogue: Epilogue,
) -> Computed {
    let filtering = Filtering::new(KERNEL, input.shape(), filters.shape(), geometry)?;
    if let Some(bias) = bias {
        require(KERNEL, "a bias", bias.shape(), &[filtering.groups * filtering.filters])?;
    }
    let shape = filtering.output_shape();
    let mut output = zeros(KERNEL, &shape)?;
    let finish = Finish { bias: bias.map(Tensor::values).transpose()?, epilogue };
    let (input, filters) = (input.values()?, filters.values()?);
    if filtering.is_depthwise() {
        depthwise::convolution(scratch, &filtering, input, filters, finish, &mut output);
    } else {
        dense(scratch, &filtering, input, filters, finish, &mut output);
    }
    Tensor::new(shape, output)
}

/// What is done to the finished sums of a filter.
#[derive(Clone, Copy)]
pub(super) struct Finish<'a> {
    pub bias: Option<&'a [f32]>,
    pub epilogue: Epilogue,
}

impl Finish<'_> {
    /// Stores the sums of a filter.
    pub(super) fn store(self, filter: usize, sums: &[f32], target: &mut [f32]) {
        let bias = self.bias.map_or(0.0, |bias| bias[filter]);
        let pairs = target.iter_mut().zip(sums);
        match (self.bias, self.epilogue) {
            (None, Epilogue::None) => target.copy_from_slice(sums),
            (Some(_), Epilogue::None) => pairs.for_each(|(cell, sum)| *cell = sum + bias),
            (_, Epilogue::Rectify) => pairs.for_each(|(cell, sum)| *cell = rectified(sum + bias)),
        }
    }
}

/// A rectangle of the output that is computed by itself: some filters, some rows.
struct Unit<'a> {
    image_group: usize,
    first_filter: usize,
    first_row: usize,
    /// The cells of every filter.
    targets: Vec<&'a mut [f32]>,
}

fn dense(
    scratch: &ScratchPool,
    filtering: &Filtering,
    input: &[f32],
    filters: &[f32],
    finish: Finish<'_>,
    output: &mut [f32],
) {
    let units = units(filtering, output);
    for_each_unit(units, filtering.multiply_adds(), |unit| {
        scratch.lend(|scratch| compute(filtering, input, filters, finish, scratch, unit));
    });
}

/// Cuts the output into units, by its shape alone.
fn units<'a>(filtering: &Filtering, output: &'a mut [f32]) -> Vec<Unit<'a>> {
    let [rows, columns] = filtering.axes;
    let cells = filtering.output_cells();
    if output.is_empty() {
        return Vec::new();
    }
    // Two units at least, so that one picture occupies two threads.
    let pieces = cells.div_ceil(CELLS).clamp(2.min(rows.outputs), rows.outputs);
    let rows_each = rows.outputs.div_ceil(pieces);
    let filters_each = filtering.filters.div_ceil(if rows.outputs == 1 { 4 } else { 1 });
    let mut units = Vec::new();
    for (image_group, block) in output.chunks_mut(filtering.filters * cells).enumerate() {
        for (number, part) in block.chunks_mut(filters_each * cells).enumerate() {
            let first = units.len();
            for plane in part.chunks_mut(cells) {
                for (piece, target) in plane.chunks_mut(rows_each * columns.outputs).enumerate() {
                    if first + piece == units.len() {
                        units.push(Unit {
                            image_group,
                            first_filter: number * filters_each,
                            first_row: piece * rows_each,
                            targets: Vec::with_capacity(filters_each),
                        });
                    }
                    units[first + piece].targets.push(target);
                }
            }
        }
    }
    units
}

fn compute(
    filtering: &Filtering,
    input: &[f32],
    filters: &[f32],
    finish: Finish<'_>,
    scratch: &mut Scratch,
    unit: Unit<'_>,
) {
    let Filtering { channels, groups, .. } = *filtering;
    let (taps, area) = (filtering.taps(), filtering.input_cells());
    let inner = channels * taps;
    let group_filters = &filters[unit.image_group % groups * filtering.filters * inner..];
    let weights = &group_filters[unit.first_filter * inner..];
    let maps = &input[unit.image_group * channels * area..][..channels * area];
    let count = unit.targets.len();
    let cells = unit.targets.first().map_or(0, |target| target.len());
    let width = panel::padded_width(cells);
    let channels_each = (PANEL / (taps * width)).clamp(1, channels.max(1));
    let is_pointwise = filtering.is_pointwise();
    let panel = if is_pointwise { 0 } else { channels_each * taps * width };
    let [panel, tile] = scratch.both(panel, count * width);
    if inner == 0 {
        tile.fill(0.0);
    } else if is_pointwise {
        let first = unit.first_row * filtering.axes[1].outputs;
        let extents = Extents { rows: count, inner, columns: cells };
        let left = Matrix { values: weights, row_step: inner, column_step: 1 };
        let right = Matrix { values: &maps[first..], row_step: area, column_step: 1 };
        multiply(extents, left, right, tile, width, Destination::Replace);
    } else {
        let rows = unit.first_row..unit.first_row + cells / filtering.axes[1].outputs;
        for first in (0..channels).step_by(channels_each) {
            let some = channels_each.min(channels - first);
            let values = &mut panel[..some * taps * width];
            panel::lay_out(filtering, &maps[first * area..], rows.clone(), width, values);
            let extents = Extents { rows: count, inner: some * taps, columns: width };
            let left = Matrix { values: &weights[first * taps..], row_step: inner, column_step: 1 };
            let right = Matrix { values, row_step: width, column_step: 1 };
            let destination =
                if first == 0 { Destination::Replace } else { Destination::Accumulate };
            multiply(extents, left, right, tile, width, destination);
        }
    }
    let first = unit.image_group % groups * filtering.filters + unit.first_filter;
    for (index, target) in unit.targets.into_iter().enumerate() {
        finish.store(first + index, &tile[index * width..][..cells], target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Shape, Window};

    #[test]
    fn one_picture_makes_work_for_two_threads() {
        for (size, kernel) in [(224, 3), (13, 1), (2, 1), (6, 6), (1, 1)] {
            let geometry = ConvolutionGeometry { window: Window::of([kernel; 2]), groups: 1 };
            let (input, filters) = ([1, 3, size, size].into(), [8, 3, kernel, kernel].into());
            let filtering = Filtering::new(KERNEL, &input, &filters, &geometry).unwrap();
            let mut output = vec![0.0; filtering.output_shape().volume()];
            let units = units(&filtering, &mut output);
            assert!(units.len() >= 2, "{size} {kernel}");
            let covered: usize = units.iter().flat_map(|unit| &unit.targets).map(|t| t.len()).sum();
            assert_eq!(covered, output.len());
        }
    }

    #[test]
    fn units_do_not_depend_on_the_batch() {
        let geometry = ConvolutionGeometry { window: Window::of([3, 3]), groups: 2 };
        let cut = |batch: usize| -> Vec<[usize; 4]> {
            let (input, filters) = (Shape::from([batch, 4, 40, 40]), Shape::from([8, 2, 3, 3]));
            let filtering = Filtering::new(KERNEL, &input, &filters, &geometry).unwrap();
            let mut output = vec![0.0; filtering.output_shape().volume()];
            units(&filtering, &mut output)
                .iter()
                .map(|unit| {
                    let cells = unit.targets.iter().map(|target| target.len()).sum();
                    [unit.image_group, unit.first_filter, unit.first_row, cells]
                })
                .collect()
        };
        assert!(cut(3).starts_with(&cut(1)));
    }
}
