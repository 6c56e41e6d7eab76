//! Fully connected layers, forward and back.
//!
//! The weights `[output, input]` stay as the model has them. Forward every output is a scalar
//! product with a row; on the way back the rows, each times its signal, are added up. Either way
//! the weights are read from memory once for some dozens of images, and every image's sums are
//! computed in an order that depends on the extents of the weights alone.

use std::ops::Range;

use super::CpuBackend;
use super::buffer::{Buffer, Pool};
use super::micro::Target;
use super::rows::{Combinations, Dots, LANES, ROWS, Tiles};
use super::simd::vectorized;
use super::tasks::for_each_task;
use crate::backend::operand::{require, zeros};
use crate::{Computed, Epilogue, Orientation, Shape, Tensor};

const KERNEL: &str = "linear";

/// Products that go into one sum before it joins the total, which keeps errors small; four rows and
/// six images of so many numbers lie in the first cache.
const TERMS: usize = 512;
/// Outputs that share a pass over the images: their weights of [`TERMS`] inputs lie in the second
/// cache.
const OUTPUTS: usize = 64;
/// Numbers of which the second cache holds some more.
const CACHED: usize = 1 << 17;
/// Images that share a pass over the weights.
const IMAGES: usize = 48;
/// Rows that go into one sum on the way back, before it joins the total.
const DEPTH: usize = 64;
/// Inputs that one unit of work computes on the way back.
const INPUTS: usize = 2048;
/// How many inputs ahead weights are fetched on the way back.
const AHEAD: usize = 128;
/// Cache lines of the widest tile of inputs.
const LINES: usize = 4;

/// A product of images `[image, input]` or signals `[image, output]` with weights
/// `[output, input]`.
#[derive(Clone, Copy, Debug)]
struct Linear {
    images: usize,
    inputs: usize,
    outputs: usize,
}

impl Linear {
    /// Says whether the shapes are those of images and the weights of a layer that is not empty.
    fn forward(images: &Shape, weights: &Shape) -> Option<Self> {
        match (images.extents(), weights.extents()) {
            (&[images, inputs], &[outputs, width]) if inputs == width => {
                Self { images, inputs, outputs }.unless_empty()
            }
            _ => None,
        }
    }

    /// Says the same of signals on the way back.
    fn back(signals: &Shape, weights: &Shape) -> Option<Self> {
        match (signals.extents(), weights.extents()) {
            (&[images, height], &[outputs, inputs]) if outputs == height => {
                Self { images, inputs, outputs }.unless_empty()
            }
            _ => None,
        }
    }

    fn unless_empty(self) -> Option<Self> {
        (self.images > 0 && self.inputs > 0 && self.outputs > 0).then_some(self)
    }

    fn multiply_adds(self) -> usize {
        self.images.saturating_mul(self.inputs).saturating_mul(self.outputs)
    }
}

/// Computes a fully connected layer; see [`Backend::linear`](crate::Backend::linear). None where
/// the input is no list of images.
pub(super) fn linear(
    backend: &CpuBackend,
    input: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    epilogue: Epilogue,
) -> Option<Computed> {
    let linear = Linear::forward(input.shape(), weight.shape())?;
    Some(linear.multiplied(backend, input, weight, bias, epilogue))
}

/// Multiplies matrices where the product is that of a fully connected layer or of its inversion;
/// none for any other.
pub(super) fn matrix_product(
    backend: &CpuBackend,
    a: &Tensor,
    b: &Tensor,
    b_orientation: Orientation,
) -> Option<Computed> {
    match b_orientation {
        Orientation::Transposed => {
            let linear = Linear::forward(a.shape(), b.shape())?;
            Some(linear.multiplied(backend, a, b, None, Epilogue::None))
        }
        Orientation::Plain => {
            let linear = Linear::back(a.shape(), b.shape())?;
            Some(linear.combined(backend, a, b))
        }
    }
}

impl Linear {
    /// Computes `images · weightsᵀ + bias` and the epilogue.
    fn multiplied(
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

    /// Computes `signals · weights`.
    fn combined(self, backend: &CpuBackend, signals: &Tensor, weights: &Tensor) -> Computed {
        let shape = Shape::from([self.images, self.inputs]);
        let mut result = zeros(KERNEL, &shape)?;
        let (signals, weights) = (signals.to_host()?, weights.to_host()?);
        let back = Back {
            linear: self,
            tiles: Tiles(backend.isa),
            weights: weights.values()?,
            signals: signals.values()?,
        };
        let out = Target::new(&mut result);
        let units = self.inputs.div_ceil(INPUTS);
        for_each_task(units, 1, self.multiply_adds(), |unit, _| {
            let inputs = unit * INPUTS..self.inputs.min((unit + 1) * INPUTS);
            back.add_up(&backend.pool, inputs, out);
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

/// Images that are computed together.
#[derive(Clone, Copy, Debug)]
struct Tile {
    index: usize,
    of: usize,
    first: usize,
    count: usize,
}

/// Cuts a number of images into tiles of nearly equal size.
fn tiles(images: usize, most: usize) -> impl Iterator<Item = Tile> {
    let of = images.div_ceil(most);
    (0..of).map(move |index| {
        let first = index * images / of;
        Tile { index, of, first, count: (index + 1) * images / of - first }
    })
}

impl Tile {
    /// Returns which of some runs of weights this tile fetches, so that all tiles together fetch
    /// each once and evenly.
    fn share(self, runs: usize) -> Range<usize> {
        (self.index * runs).div_ceil(self.of)..((self.index + 1) * runs).div_ceil(self.of)
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
                for row in band.clone().step_by(ROWS) {
                    let place = (row - outputs.start) * images.len() * LANES;
                    // Behind the last row it comes again, and nobody reads the sums.
                    let rows = std::array::from_fn(|index| (row + index).min(outputs.end - 1));
                    self.add_rows(block, rows, images.clone(), &mut sums[place..], ahead);
                }
            }
        }
    }

    fn add_rows(
        &self,
        block: usize,
        rows: [usize; ROWS],
        images: Range<usize>,
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
        for tile in tiles(images.len(), self.tiles.images()) {
            let mut call = Dots {
                weights: self.weights,
                rows,
                images: &self.packed.values,
                first: start + (images.start + tile.first) * image_step,
                image_step,
                length: whole,
                sums: &mut *sums,
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
}

/// The way back.
struct Back<'a> {
    linear: Linear,
    tiles: Tiles,
    weights: &'a [f32],
    signals: &'a [f32],
}

impl Back<'_> {
    /// Adds up the rows, each times its signal, for some inputs of all images.
    fn add_up(&self, pool: &Pool, inputs: Range<usize>, out: Target<'_>) {
        let Linear { images, inputs: width, outputs } = self.linear;
        let [wide, narrow] = self.tiles.columns();
        let rest = inputs.len() % narrow;
        let whole = inputs.end - rest;
        let mut rest_weights = [0.0; DEPTH * LANES];
        let mut rest_out = pool.zeros(if rest > 0 { images * LANES } else { 0 });
        let rest_target = Target::new(&mut rest_out);
        for row in (0..outputs).step_by(DEPTH) {
            let rows = DEPTH.min(outputs - row);
            let mut column = inputs.start;
            while column < whole {
                let columns = if whole - column >= wide { wide } else { narrow };
                self.add_rows(
                    columns,
                    &Combinations {
                        weights: self.weights,
                        first: row * width + column,
                        row_step: width,
                        rows,
                        factors: self.signals,
                        factor: row,
                        factor_step: outputs,
                        out,
                        out_start: column,
                        out_step: width,
                        next: &[],
                    },
                );
                column += columns;
            }
            if rest > 0 {
                for (index, padded) in rest_weights.chunks_exact_mut(LANES).take(rows).enumerate() {
                    let from = &self.weights[(row + index) * width + whole..][..rest];
                    padded[..rest].copy_from_slice(from);
                }
                self.add_rows(
                    narrow,
                    &Combinations {
                        weights: &rest_weights,
                        first: 0,
                        row_step: LANES,
                        rows,
                        factors: self.signals,
                        factor: row,
                        factor_step: outputs,
                        out: rest_target,
                        out_start: 0,
                        out_step: LANES,
                        next: &[],
                    },
                );
            }
        }
        if rest > 0 {
            for (image, values) in rest_out.chunks_exact(LANES).enumerate() {
                out.part(image * width + whole, rest).copy_from_slice(&values[..rest]);
            }
        }
    }

    /// Adds one tile of columns to all images.
    fn add_rows(&self, columns: usize, call: &Combinations<'_>) {
        let lines: [usize; LINES] = std::array::from_fn(|line| call.first + AHEAD + line * LANES);
        let lines = &lines[..columns / LANES];
        for tile in tiles(self.linear.images, self.tiles.images()) {
            let call = Combinations {
                factor: call.factor + tile.first * call.factor_step,
                out_start: call.out_start + tile.first * call.out_step,
                next: &lines[tile.share(lines.len())],
                ..*call
            };
            self.tiles.combinations(tile.count, columns, &call);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::Isa;
    use crate::layer::testing::Numbers;
    use crate::{Backend, PlainBackend};

    /// Images, inputs and outputs at the edges of registers, tiles, blocks and units of work.
    const EXTENTS: [[usize; 3]; 10] = [
        [1, 1, 1],
        [1, 15, 3],
        [2, 16, 4],
        [3, 17, 5],
        [7, 33, 66],
        [5, TERMS, 8],
        [6, TERMS + 1, DEPTH],
        [13, TERMS + 16, DEPTH + 1],
        [1, INPUTS + 37, 70],
        [IMAGES + 2, 2 * TERMS + 70, OUTPUTS + 2],
    ];

    fn assert_close(actual: &Tensor, expected: &Tensor, what: &str) {
        assert_eq!(actual.shape(), expected.shape());
        let (actual, expected) = (actual.values().unwrap(), expected.values().unwrap());
        let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        for (actual, expected) in actual.iter().zip(expected) {
            assert!((actual - expected).abs() <= 2e-6 * largest, "{what}: {actual}, {expected}");
        }
    }

    #[test]
    fn every_instruction_set_computes_what_the_plain_backend_does_forward_and_back() {
        let plain = PlainBackend::new();
        for isa in Isa::available() {
            let backend = CpuBackend::with_isa(isa);
            // What is left over in idle memory must not get into results.
            let idle: Vec<_> = [100, 3000, 40_000, 300_000, 300_000]
                .map(|length| backend.pool.take(length))
                .into_iter()
                .map(|mut buffer| buffer.fill(f32::NAN))
                .collect();
            drop(idle);
            for [images, inputs, outputs] in EXTENTS {
                let mut numbers = Numbers::new(7);
                let weights = numbers.tensor([outputs, inputs]);
                let bias = numbers.tensor([outputs]);
                let pictures = numbers.tensor([images, inputs]);
                let signals = numbers.tensor([images, outputs]);
                let what = format!("{isa} {images} {inputs} {outputs}");
                for epilogue in [Epilogue::None, Epilogue::Rectify] {
                    for bias in [None, Some(&bias)] {
                        let [actual, expected]: [Tensor; 2] = [&backend as &dyn Backend, &plain]
                            .map(|b| b.linear(&pictures, &weights, bias, epilogue).unwrap());
                        assert_close(&actual, &expected, &what);
                    }
                }
                let orientation = Orientation::Plain;
                let [actual, expected]: [Tensor; 2] = [&backend as &dyn Backend, &plain].map(|b| {
                    b.matrix_product(&signals, orientation, &weights, orientation).unwrap()
                });
                assert_close(&actual, &expected, &what);
            }
        }
    }

    #[test]
    fn an_image_has_the_same_bits_in_any_batch_and_with_any_number_of_threads() {
        let mut numbers = Numbers::new(8);
        let weights = numbers.tensor([150, 1600]);
        let pictures = numbers.tensor([IMAGES + 3, 1600]);
        let signals = numbers.tensor([IMAGES + 3, 150]);
        let plain = Orientation::Plain;
        for isa in Isa::available() {
            let backend = CpuBackend::with_isa(isa);
            let both = |count: usize, threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let first = |tensor| backend.slice(tensor, 0, 0, count).unwrap();
                pool.install(|| {
                    [
                        backend.linear(&first(&pictures), &weights, None, Epilogue::None),
                        backend.matrix_product(&first(&signals), plain, &weights, plain),
                    ]
                    .map(|result| {
                        let result = result.unwrap();
                        result.values().unwrap().iter().map(|x| x.to_bits()).collect::<Vec<_>>()
                    })
                })
            };
            let all = both(IMAGES + 3, 1);
            for (count, threads) in [(1, 1), (1, 2), (2, 1), (8, 2), (IMAGES + 3, 2)] {
                let some = both(count, threads);
                assert!(all[0].starts_with(&some[0]) && all[1].starts_with(&some[1]), "{isa}");
            }
        }
    }

    #[test]
    fn not_a_number_and_infinities_go_through() {
        let weights = Tensor::filled([5, 40], 1.0);
        for isa in Isa::available() {
            let backend = CpuBackend::with_isa(isa);
            for special in [f32::NAN, f32::INFINITY] {
                let mut values = vec![1.0; 80];
                values[37] = special;
                let pictures = Tensor::new([2, 40], values).unwrap();
                let scores = backend.linear(&pictures, &weights, None, Epilogue::Rectify).unwrap();
                let scores = scores.values().unwrap();
                let same = |x: &f32| x.is_nan() == special.is_nan() && !x.is_finite();
                assert!(scores[..5].iter().all(same), "{scores:?}");
                assert!(scores[5..].iter().all(|&x| (x - 40.0).abs() < 1e-6), "{scores:?}");
            }
        }
    }

    #[test]
    fn other_products_run_on_the_plain_backend() {
        let (backend, plain) = (CpuBackend::new(), PlainBackend::new());
        let mut numbers = Numbers::new(9);
        let [wide, empty] = [numbers.tensor([2, 3, 20]), numbers.tensor([0, 20])];
        let weights = numbers.tensor([6, 20]);
        for input in [&wide, &empty] {
            let [actual, expected]: [Tensor; 2] = [&backend as &dyn Backend, &plain]
                .map(|b| b.linear(input, &weights, None, Epilogue::Rectify).unwrap());
            assert_close(&actual, &expected, "other products");
        }
    }

    #[test]
    fn a_bias_of_another_width_is_refused() {
        let (features, weights) = (Tensor::zeros([2, 4]), Tensor::zeros([3, 4]));
        for backend in [&CpuBackend::new() as &dyn Backend, &PlainBackend::new()] {
            let bias = Tensor::zeros([1]);
            let refused = backend.linear(&features, &weights, Some(&bias), Epilogue::None);
            assert_eq!(
                refused.unwrap_err().to_string(),
                "linear: expected a bias of shape [3], got shape [1]"
            );
        }
    }
}
