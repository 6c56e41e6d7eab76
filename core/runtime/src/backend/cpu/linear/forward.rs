//! The way forward through a fully connected layer.

use std::ops::Range;

use super::{KERNEL, Linear, Tile, tiles};
use crate::backend::cpu::CpuBackend;
use crate::backend::cpu::buffer::{Buffer, Pool};
use crate::backend::cpu::micro::Target;
use crate::backend::cpu::rows::{Dots, LANES, ROWS, Tiles};
use crate::backend::cpu::simd::vectorized;
use crate::backend::cpu::tasks::for_each_task;
use crate::backend::operand::{require, zeros};
use crate::{Computed, Epilogue, Shape, Tensor};

/// Products that go into one sum before it joins the total, which keeps errors small; four rows and
/// six images of so many numbers lie in the first cache.
pub(super) const TERMS: usize = 512;
/// Outputs that share a pass over the images: their weights of [`TERMS`] inputs lie in the second
/// cache.
pub(super) const OUTPUTS: usize = 64;
/// Images that share a pass over the weights.
pub(super) const IMAGES: usize = 48;
/// Numbers of which the second cache holds some more.
const CACHED: usize = 1 << 17;

impl Linear {
    /// Computes `images · weightsᵀ + bias` and the epilogue.
    pub(super) fn multiplied(
        self,
        backend: &CpuBackend,
        images: &Tensor,
        weights: &Tensor,
        bias: Option<&Tensor>,
        epilogue: Epilogue,
    ) -> Computed {
        if let Some(bias) = bias {
            require(KERNEL, "a bias", bias.shape(), &[self.outputs])?;
        }
        let shape = Shape::from([self.images, self.outputs]);
        let mut result = zeros(KERNEL, &shape)?;
        let (images, weights) = (images.to_host()?, weights.to_host()?);
        let weights = weights.values()?;
        let bias = bias.map(Tensor::values).transpose()?;
        let packed = Packed::new(&backend.pool, self, images.values()?);
        let forward = Forward { linear: self, tiles: Tiles(backend.isa), weights, packed };
        let out = Target::new(&mut result);
        let units = self.outputs.div_ceil(OUTPUTS);
        let parts = self.images.div_ceil(IMAGES);
        for_each_task(units, parts, self.multiply_adds(), |unit, parts| {
            let outputs = unit * OUTPUTS..self.outputs.min((unit + 1) * OUTPUTS);
            let biases = bias.map_or(&[0.0; OUTPUTS][..], |bias| &bias[outputs.clone()]);
            for part in parts {
                let images = part * IMAGES..self.images.min((part + 1) * IMAGES);
                let mut sums = backend.pool.take(OUTPUTS * images.len() * LANES);
                sums.fill(0.0);
                forward.add_up(outputs.clone(), images.clone(), &mut sums);
                let (sums, _) = sums.as_chunks::<LANES>();
                vectorized(
                    backend.isa,
                    #[inline(always)]
                    || {
                        for (index, image) in images.clone().enumerate() {
                            let row = out.part(image * self.outputs + outputs.start, outputs.len());
                            let sums = sums[index..].iter().step_by(images.len());
                            for ((value, sums), bias) in row.iter_mut().zip(sums).zip(biases) {
                                *value = finished(total(sums) + bias, epilogue);
                            }
                        }
                    },
                );
            }
        });
        Tensor::new(shape, result)
    }
}

/// Sums lanes in a fixed order.
#[inline(always)]
fn total(lanes: &[f32; LANES]) -> f32 {
    let (mut eight, mut four) = ([0.0; 8], [0.0; 4]);
    for lane in 0..8 {
        eight[lane] = lanes[lane] + lanes[lane + 8];
    }
    for lane in 0..4 {
        four[lane] = eight[lane] + eight[lane + 4];
    }
    (four[0] + four[2]) + (four[1] + four[3])
}

#[inline(always)]
fn finished(sum: f32, epilogue: Epilogue) -> f32 {
    match epilogue {
        Epilogue::Rectify if sum <= 0.0 => 0.0,
        Epilogue::None | Epilogue::Rectify => sum,
    }
}

/// Images in blocks of [`TERMS`] inputs, in which they lie side by side; zeros fill up the last
/// block to whole registers.
struct Packed {
    values: Buffer,
    /// Inputs, those that fill up included.
    inputs: usize,
    images: usize,
}

impl Packed {
    fn new(pool: &Pool, linear: Linear, images: &[f32]) -> Self {
        let inputs = linear.inputs.next_multiple_of(LANES);
        let mut packed =
            Self { values: pool.take(linear.images * inputs), inputs, images: linear.images };
        for (image, row) in images.chunks_exact(linear.inputs).enumerate() {
            for (block, from) in row.chunks(TERMS).enumerate() {
                let (start, step) = packed.block(block);
                let to = &mut packed.values[start + image * step..][..step];
                to[..from.len()].copy_from_slice(from);
                to[from.len()..].fill(0.0);
            }
        }
        packed
    }

    /// Returns where a block begins, and how far its images lie apart.
    fn block(&self, block: usize) -> (usize, usize) {
        let start = block * TERMS;
        (start * self.images, TERMS.min(self.inputs - start))
    }
}

/// The way forward.
struct Forward<'a> {
    linear: Linear,
    tiles: Tiles,
    weights: &'a [f32],
    packed: Packed,
}

impl Forward<'_> {
    /// Adds up the products of some outputs and images, lane by lane.
    fn add_up(&self, outputs: Range<usize>, images: Range<usize>, sums: &mut [f32]) {
        // Where the images fit the second cache the rows pass one after the other, which memory
        // likes best.
        let fits = images.len() * self.packed.inputs <= CACHED;
        let band = if fits { ROWS } else { OUTPUTS };
        let ahead = if fits { ROWS * self.linear.inputs } else { 2 * TERMS };
        for first in outputs.clone().step_by(band) {
            let band = first..outputs.end.min(first + band);
            for block in 0..self.packed.inputs.div_ceil(TERMS) {
                // All rows for a tile, which stays in the first cache.
                for tile in tiles(images.len(), self.tiles.images()) {
                    for row in band.clone().step_by(ROWS) {
                        let place = (row - outputs.start) * images.len() * LANES;
                        // Behind the last row it comes again, and nobody reads the sums.
                        let rows = std::array::from_fn(|index| (row + index).min(outputs.end - 1));
                        let sums = &mut sums[place..];
                        self.add_rows(block, rows, images.clone(), tile, sums, ahead);
                    }
                }
            }
        }
    }

    fn add_rows(
        &self,
        block: usize,
        rows: [usize; ROWS],
        images: Range<usize>,
        tile: Tile,
        sums: &mut [f32],
        ahead: usize,
    ) {
        let inputs = self.linear.inputs;
        let (start, image_step) = self.packed.block(block);
        let term = block * TERMS;
        let whole = (inputs / LANES * LANES).saturating_sub(term).min(TERMS);
        // What does not fill a register, in the last block.
        let rest = inputs.min(term + TERMS) - term - whole;
        let mut last = [0.0; ROWS * LANES];
        for (last, row) in last.chunks_exact_mut(LANES).zip(rows) {
            last[..rest].copy_from_slice(&self.weights[row * inputs + term + whole..][..rest]);
        }
        let rows = rows.map(|row| row * inputs + term);
        let next = rows.map(|row| row + ahead);
        let mut call = Dots {
            weights: self.weights,
            rows,
            images: &self.packed.values,
            first: start + (images.start + tile.first) * image_step,
            image_step,
            length: whole,
            sums,
            sum: tile.first * LANES,
            sum_step: images.len() * LANES,
            next: &next[tile.share(ROWS)],
        };
        if whole > 0 {
            self.tiles.dots(tile.count, &mut call);
        }
        if rest > 0 {
            call.weights = &last;
            call.rows = std::array::from_fn(|row| row * LANES);
            call.first += whole;
            call.length = LANES;
            call.next = &[];
            self.tiles.dots(tile.count, &mut call);
        }
    }
}
