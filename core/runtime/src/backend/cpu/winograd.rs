//! Winograd's convolution: fewer products for kernels of 3 × 3 taps (Lavin & Gray 2016).
//!
//! Tiles of all images form one list, of which a unit of work takes some hundred. For each of the
//! A × A numbers into which tiles are transformed, the products are one matrix product over the
//! channels, which the micro-kernel computes: tiles are its pixels.
//!
//! A tile mixes its inputs, so one that is not finite would spoil outputs that never see it. Images
//! with such outputs are reported, to be computed directly.

mod products;
mod transform;

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Isa;
use super::buffer::{Buffer, Pool};
use super::direct::Images;
use super::micro::{BLOCK, Kernel, Target};
use super::stencil::Stencil;
use super::tasks::for_each_task;
use super::weights::Weights;
use crate::Epilogue;
use crate::backend::alone::threads;
pub(super) use transform::{Axis, Lanes, P, P2, Q, Q2, Square, both_axes, scaled};
use transform::{F2, F4, Gather, Spread, Tile};

/// Bytes of transformed input, for one of the A × A numbers, that stay in the second-level cache.
const PLANE: usize = 256 << 10;
/// Bytes of products that are transformed while they are in the cache.
const PRODUCTS: usize = 1 << 20;
/// Units for each thread from which on units are not cut.
const PLENTY: usize = 4;
/// Numbers of transformed filters that every thread may read, and none waits for another's tiles.
const SMALL: usize = 1 << 16;

/// How many outputs a tile has along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// F(2×2, 3×3): 16 products for 4 outputs.
    Two,
    /// F(4×4, 3×3): 36 products for 16 outputs.
    Four,
}

impl Size {
    /// Counts the outputs of a tile along an axis.
    pub(super) fn outputs(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// Counts the products of a tile for each filter and channel.
    pub(super) fn products(self) -> usize {
        (self.outputs() + 2).pow(2)
    }
}

/// A convolution of 3 × 3 taps for maps of one size, ready to run.
#[derive(Debug)]
pub(super) struct Winograd {
    isa: Isa,
    kernel: Kernel,
    pool: Pool,
    size: Size,
    stencils: [Stencil; 2],
    /// Blocks of an input image and of an output image.
    blocks: [usize; 2],
    /// Input blocks that a filter sees.
    depth: usize,
    groups: Vec<Group>,
    /// Transformed filters: `[product][group][input channel][output channel of the group]`.
    weights: Buffer,
}

/// Some neighbouring blocks of outputs.
#[derive(Clone, Copy, Debug)]
struct Group {
    first_block: usize,
    blocks: usize,
    /// The first input block that they see.
    first_input: usize,
}

/// What a run works on.
#[derive(Debug)]
struct Work<'a> {
    input: &'a [Lanes],
    tiles: usize,
    /// Tiles of a unit.
    per_unit: usize,
    bias: &'a [Lanes],
    epilogue: Epilogue,
    output: Target<'a>,
    /// Numbers from one image of the output to the next.
    pitch: usize,
    /// For each image, whether an output of it is not finite.
    spoilt: &'a [AtomicBool],
}

/// Some tiles of one row of tiles.
#[derive(Debug)]
struct Run {
    image: usize,
    row: usize,
    columns: Range<usize>,
    /// Their places within the unit.
    indices: Range<usize>,
}

impl Winograd {
    /// Says whether a convolution can take this form.
    pub(super) fn fits(stencils: &[Stencil; 2]) -> bool {
        stencils.iter().all(|stencil| {
            let offsets: Vec<isize> = stencil.taps.iter().map(|tap| tap.offset).collect();
            let is_whole = (stencil.stride, stencil.start, stencil.step) == (1, 0, 1);
            is_whole && offsets.len() == 3 && offsets[2] == offsets[0] + 2
        })
    }

    /// Transforms filters for maps of the size that the stencils tell, which must fit.
    pub(super) fn new(
        isa: Isa,
        pool: &Pool,
        stencils: [Stencil; 2],
        size: Size,
        weights: &Weights<'_>,
    ) -> Self {
        let kernel = Kernel::new(isa, BLOCK);
        let blocks = [weights.inputs, weights.outputs].map(|groups| groups.lanes() / BLOCK);
        let [depth, per_group] = [weights.inputs, weights.outputs].map(|side| side.room / BLOCK);
        let mut groups = Vec::new();
        for group in 0..weights.outputs.count {
            for block in (0..per_group).step_by(kernel.blocks()) {
                groups.push(Group {
                    first_block: group * per_group + block,
                    blocks: kernel.blocks().min(per_group - block),
                    first_input: group * depth,
                });
            }
        }
        let room = pool.take(size.products() * blocks[1] * depth * BLOCK * BLOCK);
        let mut plan = Self {
            isa,
            kernel,
            pool: pool.clone(),
            size,
            stencils,
            blocks,
            depth,
            groups,
            weights: room,
        };
        match size {
            Size::Two => plan.pack::<F2, 2, 4>(weights),
            Size::Four => plan.pack::<F4, 4, 6>(weights),
        }
        plan
    }

    /// Transforms in double precision and rounds once.
    fn pack<T: Tile<M, A>, const M: usize, const A: usize>(&mut self, weights: &Weights<'_>) {
        let taps =
            self.stencils.each_ref().map(|stencil| [0, 1, 2].map(|tap| stencil.taps[tap].index));
        let mut packed = std::mem::replace(&mut self.weights, self.pool.take(0));
        let work = packed.len().saturating_mul(3);
        let target = Target::new(&mut packed);
        for_each_task(1, self.groups.len(), work, |_, groups| {
            for &group in &self.groups[groups] {
                self.pack_group::<T, M, A>(group, taps, weights, target);
            }
        });
        self.weights = packed;
    }

    fn pack_group<T: Tile<M, A>, const M: usize, const A: usize>(
        &self,
        group: Group,
        taps: [[usize; 3]; 2],
        weights: &Weights<'_>,
        target: Target<'_>,
    ) {
        let width = group.blocks * BLOCK;
        let mut products: [[&mut [f32]; A]; A] = std::array::from_fn(|row| {
            std::array::from_fn(|column| {
                let range = self.weights_of(row * A + column, group, 0..self.depth);
                target.part(range.start, range.len())
            })
        });
        for channel in 0..self.depth * BLOCK {
            for lane in 0..width {
                let output = group.first_block * BLOCK + lane;
                let input = group.first_input * BLOCK + channel;
                let at = |row, column| f64::from(weights.at(output, input, [row, column]));
                let taps = taps[0].map(|row| taps[1].map(|column| at(row, column)));
                let transformed = transform::filter::<T, M, A>(&taps);
                for (products, values) in products.iter_mut().zip(transformed) {
                    for (product, value) in products.iter_mut().zip(values) {
                        product[channel * width + lane] = value as f32;
                    }
                }
            }
        }
    }

    /// Counts the tiles of a map along both axes.
    fn tiles(&self) -> [usize; 2] {
        self.stencils.each_ref().map(|axis| axis.outputs.div_ceil(self.size.outputs()))
    }

    /// Returns how many tiles a unit takes: as many as the caches hold, all units the same, and all
    /// threads as many units where each can read all filters.
    fn per_unit(&self, tiles: usize) -> usize {
        let pixels = self.kernel.pixels();
        let most = PLANE / (self.depth * BLOCK * size_of::<f32>()) / pixels * pixels;
        let most = most.clamp(4 * pixels, 14 * pixels);
        let mut units = tiles.div_ceil(most).max(1);
        if self.weights.len() <= SMALL && tiles > 2 * pixels {
            units = units.next_multiple_of(threads());
        }
        tiles.div_ceil(units).next_multiple_of(pixels).max(1)
    }

    /// Convolves images, all of them whatever their supports. Returns those that must be computed
    /// directly, since an output is not finite.
    pub(super) fn run(&self, images: &Images<'_>, output: &mut [f32]) -> Vec<usize> {
        match self.size {
            Size::Two => self.run_with::<F2, 2, 4>(images, output),
            Size::Four => self.run_with::<F4, 4, 6>(images, output),
        }
    }

    fn run_with<T: Tile<M, A>, const M: usize, const A: usize>(
        &self,
        images: &Images<'_>,
        output: &mut [f32],
    ) -> Vec<usize> {
        let batch = images.supports.len();
        let spoilt: Vec<AtomicBool> = (0..batch).map(|_| AtomicBool::new(false)).collect();
        let [rows, columns] = self.tiles();
        let tiles = batch * rows * columns;
        let per_unit = self.per_unit(tiles);
        let work = Work {
            input: images.values.as_chunks().0,
            tiles,
            per_unit,
            bias: images.bias.as_chunks().0,
            epilogue: images.epilogue,
            output: Target::new(output),
            pitch: images.pitch,
            spoilt: &spoilt,
        };
        let units = tiles.div_ceil(per_unit);
        let [in_blocks, out_blocks] = self.blocks;
        let multiply_adds = [A * A, tiles, self.depth * BLOCK, out_blocks * BLOCK];
        let multiply_adds = multiply_adds.into_iter().fold(1, usize::saturating_mul);
        let length = A * A * plane(in_blocks, per_unit);
        let threads = threads();
        let is_small = self.weights.len() <= SMALL && units.is_multiple_of(threads);
        if is_small || units >= PLENTY * threads {
            for_each_task(units, 1, multiply_adds, |unit, _| {
                let mut spread = self.pool.take(length);
                let target = Target::new(&mut spread);
                self.spread::<T, M, A>(&work, unit, 0..in_blocks, target, 0);
                self.multiply::<T, M, A>(&work, unit, 0..self.groups.len(), &spread);
            });
        } else {
            let mut spread = self.pool.take(units * length);
            let target = Target::new(&mut spread);
            for_each_task(units, in_blocks, multiply_adds, |unit, blocks| {
                self.spread::<T, M, A>(&work, unit, blocks, target, unit * length);
            });
            // The filters of neighbouring groups are neighbours in memory, which likes to be read in
            // order: each thread takes the same share at once where that is possible.
            let groups = self.groups.len();
            let share = if groups.is_multiple_of(threads) { groups / threads } else { 1 };
            for_each_task(units, groups.div_ceil(share), multiply_adds, |unit, shares| {
                let spread = &spread[unit * length..][..length];
                let groups = shares.start * share..(shares.end * share).min(groups);
                self.multiply::<T, M, A>(&work, unit, groups, spread);
            });
        }
        (0..batch).filter(|&image| spoilt[image].load(Ordering::Relaxed)).collect()
    }

    /// Lists the runs of tiles of a unit.
    fn runs(&self, work: &Work<'_>, unit: usize) -> impl Iterator<Item = Run> {
        let [rows, columns] = self.tiles();
        let first = unit * work.per_unit;
        let end = (first + work.per_unit).min(work.tiles);
        let mut next = first;
        std::iter::from_fn(move || {
            let (row, column) = (next / columns, next % columns);
            let count = (columns - column).min(end - next);
            let indices = next - first..next - first + count;
            next += count;
            let columns = column..column + count;
            (count > 0).then(|| Run { image: row / rows, row: row % rows, columns, indices })
        })
    }

    /// Transforms some input blocks of a unit into `target`, from `start` on.
    fn spread<T: Tile<M, A>, const M: usize, const A: usize>(
        &self,
        work: &Work<'_>,
        unit: usize,
        blocks: Range<usize>,
        target: Target<'_>,
        start: usize,
    ) {
        let [in_blocks, _] = self.blocks;
        let [rows, columns] = &self.stencils;
        let distance = plane(in_blocks, work.per_unit);
        let cells = rows.inputs * columns.inputs;
        for block in blocks {
            let mut planes: [[&mut [Lanes]; A]; A] = std::array::from_fn(|row| {
                std::array::from_fn(|column| {
                    let start = start + (row * A + column) * distance;
                    let start = start + block * work.per_unit * BLOCK;
                    target.part(start, work.per_unit * BLOCK).as_chunks_mut().0
                })
            });
            for run in self.runs(work, unit) {
                let map = &work.input[(run.image * in_blocks + block) * cells..][..cells];
                let seen: [&[Lanes]; A] = std::array::from_fn(|row| {
                    let row = (run.row * M + row).checked_add_signed(rows.taps[0].offset);
                    let row = row.filter(|&row| row < rows.inputs);
                    row.map_or(&[][..], |row| &map[row * columns.inputs..][..columns.inputs])
                });
                let column = (run.columns.start * M).wrapping_add_signed(columns.taps[0].offset);
                let tiles = run.indices;
                let (rows, planes, tile) = (&seen, &mut planes, PhantomData::<T>);
                Spread { rows, column, tiles, planes, tile }.run(self.isa);
            }
        }
    }

    /// Multiplies the tiles of a unit with some groups of filters and transforms the products.
    fn multiply<T: Tile<M, A>, const M: usize, const A: usize>(
        &self,
        work: &Work<'_>,
        unit: usize,
        groups: Range<usize>,
        spread: &[f32],
    ) {
        let widest = self.kernel.blocks();
        let bytes = A * A * widest * work.per_unit * BLOCK * size_of::<f32>();
        let at_once = (PRODUCTS / bytes).clamp(1, groups.len().max(1));
        let distance = plane(at_once * widest, work.per_unit);
        let mut products = self.pool.take(A * A * distance);
        let mut first = groups.start;
        while first < groups.end {
            let groups = first..(first + at_once).min(groups.end);
            first = groups.end;
            let tiles = work.per_unit.min(work.tiles - unit * work.per_unit);
            let target = Target::new(&mut products);
            self.products([tiles, work.per_unit], groups.clone(), spread, target, distance);
            for (index, group) in self.groups[groups].iter().enumerate() {
                for block in 0..group.blocks {
                    let place = (index * widest + block) * work.per_unit;
                    let products: [[&[Lanes]; A]; A] = std::array::from_fn(|row| {
                        std::array::from_fn(|column| {
                            let plane = &products[(row * A + column) * distance..][..distance];
                            &plane.as_chunks().0[place..][..work.per_unit]
                        })
                    });
                    self.gather::<T, M, A>(work, unit, group.first_block + block, &products);
                }
            }
        }
    }

    /// Transforms the products of a unit for one output block.
    fn gather<T: Tile<M, A>, const M: usize, const A: usize>(
        &self,
        work: &Work<'_>,
        unit: usize,
        block: usize,
        products: &[[&[Lanes]; A]; A],
    ) {
        let [height, width] = self.stencils.each_ref().map(|stencil| stencil.outputs);
        for run in self.runs(work, unit) {
            let map = run.image * work.pitch + block * height * width * BLOCK;
            let column = run.columns.start * M;
            let length = (run.columns.end * M).min(width) - column;
            let mut rows: [&mut [Lanes]; M] = std::array::from_fn(|row| {
                let row = run.row * M + row;
                let length = if row < height { length } else { 0 };
                let start = map + (row.min(height - 1) * width + column) * BLOCK;
                work.output.part(start, length * BLOCK).as_chunks_mut().0
            });
            let mut sound = [0.0; BLOCK];
            Gather {
                planes: products,
                tiles: run.indices,
                bias: &work.bias[block],
                epilogue: work.epilogue,
                rows: &mut rows,
                sound: &mut sound,
                tile: PhantomData::<T>,
            }
            .run(self.isa);
            if sound.iter().any(|lane| lane.is_nan()) {
                work.spoilt[run.image].store(true, Ordering::Relaxed);
            }
        }
    }
}

/// Returns the numbers of a plane of tiles: as many cache lines as to make their number odd, since
/// the A × A planes are written side by side and must not fall into the same cache sets.
pub(super) fn plane(blocks: usize, per_unit: usize) -> usize {
    ((blocks * per_unit) | 1) * BLOCK
}

#[cfg(test)]
mod tests;
