//! The adjoint of a convolution for signals that are zero nearly everywhere.
//!
//! Every number of the signal that is not zero adds its filter to the cells under it. One tap of
//! the filters is worked off after the other, so that its weights stay in the second-level cache,
//! and the sums over the channels of a cell stay in registers.

use std::sync::OnceLock;

use super::Isa;
use super::buffer::{Buffer, Pool};
use super::direct::Images;
use super::entries::{Entries, Planes, for_width, sums, tiles};
use super::micro::{BLOCK, Target};
use super::registers::{InRegisters, Registers, in_registers};
use super::simd::Vector;
use super::support::Support;
use super::tasks::for_each_task;
use super::weights::{Direction, Weights};
use crate::backend::axis::Axis;
use crate::backend::filtering::Filtering;
use crate::{Computed, Tensor};

/// How many times as long as among others a multiply-add takes whose weight is read for it alone.
const READING: usize = 2;

/// An adjoint for maps of one size, and when it is the one to take.
#[derive(Debug)]
pub(super) struct Scattered {
    isa: Isa,
    pool: Pool,
    filtering: Filtering,
    filters: Tensor,
    /// What the other form costs, in multiply-adds.
    other: usize,
    packed: OnceLock<Packed>,
}

/// The filters as they are read.
#[derive(Debug)]
struct Packed {
    tiles: Vec<Tile>,
    weights: Buffer,
    /// Input lanes of a group.
    lanes: usize,
}

/// Neighbouring blocks of outputs of a group that are computed together.
#[derive(Debug)]
struct Tile {
    group: usize,
    first_block: usize,
    blocks: usize,
    /// Where its weights begin.
    start: usize,
}

impl Scattered {
    /// Says whether signals lie so that a group's fill blocks of their own.
    pub(super) fn suits(filtering: &Filtering) -> bool {
        filtering.groups == 1 || filtering.filters.is_multiple_of(BLOCK)
    }

    /// Takes filters on the host; `other` is what the other form costs for a whole
    /// signal, in multiply-adds.
    pub(super) fn new(
        isa: Isa,
        pool: &Pool,
        filtering: &Filtering,
        filters: &Tensor,
        other: usize,
    ) -> Self {
        let (filtering, filters, pool) = (*filtering, filters.clone(), pool.clone());
        Self { isa, pool, filtering, filters, other, packed: OnceLock::new() }
    }

    /// Restores images from signals that are zero outside their supports; those that are not zero
    /// nearly everywhere by the other form. Which it is depends on the image alone.
    ///
    /// # Errors
    /// Fails when the filters hold no numbers or the other form does.
    pub(super) fn run(
        &self,
        images: &Images<'_>,
        output: &mut [f32],
        other: impl Fn(&Images<'_>, &mut [f32]) -> Computed<()>,
    ) -> Computed<()> {
        let batch = images.supports.len().max(1);
        let (input, pitch) = (images.values.len() / batch, images.pitch);
        let values = images.values.chunks_exact(input.max(1));
        let is_sparse: Vec<bool> = values
            .zip(images.supports)
            .map(|(values, support)| self.is_sparse(values, support))
            .collect();
        let mut first = 0;
        for alike in is_sparse.chunk_by(|a, b| a == b) {
            let range = first..first + alike.len();
            first = range.end;
            let values = &images.values[range.start * input..range.end * input];
            let end = output.len().min(range.end * pitch);
            let output = &mut output[range.start * pitch..end];
            if alike[0] {
                let packed = self.packed()?;
                let each = values.chunks_exact(input).zip(output.chunks_mut(pitch.max(1)));
                each.for_each(|(values, output)| self.restore(packed, values, output));
            } else {
                other(&Images { values, supports: &images.supports[range], ..*images }, output)?;
            }
        }
        Ok(())
    }

    /// Says whether what is not zero in an image costs less than its support does otherwise.
    fn is_sparse(&self, values: &[f32], support: &Support) -> bool {
        let cells = self.filtering.output_cells();
        let count = self.planes(values).count(0..cells);
        let each = self.filtering.taps() * self.filtering.channels.next_multiple_of(BLOCK);
        let supported = support.rows.len() * support.columns.len();
        // In two factors, of which neither overflows.
        let other = (self.other / cells.max(1)).saturating_mul(supported);
        (READING * each).saturating_mul(count) < other
    }

    fn planes<'a>(&self, values: &'a [f32]) -> Planes<'a> {
        Planes { isa: self.isa, values, plane: self.filtering.output_cells() * BLOCK }
    }

    /// Packs the filters when they are first needed.
    fn packed(&self) -> Computed<&Packed> {
        let filters = self.filters.values()?;
        Ok(self.packed.get_or_init(|| {
            let weights = Weights::new(Direction::Transposed, &self.filtering, filters);
            Packed::new(&self.pool, &self.filtering, &weights)
        }))
    }

    /// Restores one image.
    fn restore(&self, packed: &Packed, values: &[f32], output: &mut [f32]) {
        let cells = self.filtering.output_cells();
        let planes = self.planes(values);
        let groups = values.chunks_exact(packed.lanes * cells).map(|values| {
            let planes = Planes { values, ..planes };
            planes.collect(0..cells, planes.count(0..cells))
        });
        let groups: Vec<Entries> = groups.collect();
        let [rows, columns] = &self.filtering.axes;
        let output = Target::new(output);
        let work = self.filtering.multiply_adds();
        for_each_task(packed.tiles.len(), rows.size, work, |tile, restored| {
            let tile = &packed.tiles[tile];
            let place = |block: usize, row: usize| {
                ((tile.first_block + block) * rows.size + row) * columns.size * BLOCK
            };
            for block in 0..tile.blocks {
                let length = restored.len() * columns.size * BLOCK;
                output.part(place(block, restored.start), length).fill(0.0);
            }
            for tap in 0..self.filtering.taps() {
                let [down, right] = [tap / columns.kernel, tap % columns.kernel];
                let length = packed.lanes * tile.blocks * BLOCK;
                let weights = &packed.weights[tile.start + tap * length..][..length];
                for row in 0..rows.outputs {
                    let Some(to) = under(rows, row, down).filter(|to| restored.contains(to)) else {
                        continue;
                    };
                    for_width!(tile.blocks, WIDTH => in_registers(self.isa, Row {
                        entries: &groups[tile.group],
                        first: row * columns.outputs,
                        columns,
                        tap: right,
                        weights,
                        outputs: std::array::from_fn::<_, WIDTH, _>(|block| {
                            output.part(place(block, to), columns.size * BLOCK)
                        }),
                    }));
                }
            }
        });
    }
}

/// Returns the cell under a tap for an output, where it lies on the map.
#[inline(always)]
fn under(axis: &Axis, output: usize, tap: usize) -> Option<usize> {
    let place = output * axis.stride + tap * axis.dilation;
    place.checked_sub(axis.padding[0]).filter(|&cell| cell < axis.size)
}

impl Packed {
    fn new(pool: &Pool, filtering: &Filtering, weights: &Weights<'_>) -> Self {
        let (lanes, taps) = (weights.inputs.room, filtering.taps());
        let blocks = weights.outputs.room / BLOCK;
        let mut start = 0;
        let mut tile = |group: usize, (first, width): (usize, usize)| {
            let first_block = group * blocks + first;
            let tile = Tile { group, first_block, blocks: width, start };
            start += taps * lanes * width * BLOCK;
            tile
        };
        let mut all = Vec::new();
        for group in 0..filtering.groups {
            all.extend(tiles(blocks).map(|some| tile(group, some)));
        }
        let mut packed = pool.take(start);
        let kernel = filtering.axes[1].kernel;
        for tile in &all {
            let width = tile.blocks * BLOCK;
            let rows = packed[tile.start..][..taps * lanes * width].chunks_exact_mut(width);
            for (index, row) in rows.enumerate() {
                let (tap, input) = (index / lanes, tile.group * lanes + index % lanes);
                for (output, weight) in (tile.first_block * BLOCK..).zip(row) {
                    *weight = weights.at(output, input, [tap / kernel, tap % kernel]);
                }
            }
        }
        Self { tiles: all, weights: packed, lanes }
    }
}

/// Adds what the cells of a row of the signal do under one tap to a row of the result.
struct Row<'a, const B: usize> {
    entries: &'a Entries,
    /// The first cell of the row.
    first: usize,
    columns: &'a Axis,
    tap: usize,
    weights: &'a [f32],
    outputs: [&'a mut [f32]; B],
}

impl<const B: usize> InRegisters for Row<'_, B> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector, const N: usize>(mut self, registers: Registers<V, N>) {
        for column in 0..self.columns.outputs {
            let entries = self.entries.of(self.first + column);
            let Some(to) = under(self.columns, column, self.tap) else { continue };
            if entries.is_empty() {
                continue;
            }
            let sums = sums::<V, N, B>(registers, entries, self.weights);
            for (sum, output) in sums.into_iter().zip(&mut self.outputs) {
                let output = &mut output[to * BLOCK..][..BLOCK];
                registers.load(output).add(sum).store(output);
            }
        }
    }
}
