//! The way back through a fully connected layer.
//!
//! Rows whose signal is zero are not read: a score starts at one row, and a rectified signal is zero
//! in every other.

use std::ops::Range;

use super::{KERNEL, Linear, tiles};
use crate::backend::cpu::buffer::{Buffer, Pool};
use crate::backend::cpu::micro::Target;
use crate::backend::cpu::rows::{Combinations, Joining, LANES, Tiles};
use crate::backend::cpu::simd::vectorized;
use crate::backend::cpu::tasks::{for_each_task, steps_per_unit};
use crate::backend::cpu::{CpuBackend, Isa};
use crate::backend::operand::zeros;
use crate::{Computed, Shape, Tensor};

/// Rows that go into one sum before it joins the total.
pub(super) const DEPTH: usize = 64;
/// Inputs that one unit of work computes at most.
pub(super) const INPUTS: usize = 4096;
/// Inputs that a unit takes or leaves.
const STEP: usize = 64;
/// Images that are few, for which memory alone counts.
const FEW: usize = 2;
/// Rows that are then added at a time.
const FEW_ROWS: usize = 8;
/// How many inputs ahead weights are fetched for more images.
const AHEAD: usize = 128;
/// Cache lines of the widest tile of inputs.
const LINES: usize = 4;

impl Linear {
    /// Computes `signals · weights`, where what is zero in a signal adds nothing.
    pub(super) fn combined(
        self,
        backend: &CpuBackend,
        signals: &Tensor,
        weights: &Tensor,
    ) -> Computed {
        let shape = Shape::from([self.images, self.inputs]);
        let mut result = zeros(KERNEL, &shape)?;
        let (signals, weights) = (signals.to_host()?, weights.to_host()?);
        let (signals, weights) = (signals.values()?, weights.values()?);
        self.combine(backend, signals, weights, &mut result);
        if self.images > 1 {
            // Another image's row may hold infinities, which times zero are no zeros.
            let alone = Self { images: 1, ..self };
            let images = signals.chunks_exact(self.outputs);
            for (signal, result) in images.zip(result.chunks_exact_mut(self.inputs)) {
                if !result.iter().all(|value| value.is_finite()) {
                    result.fill(0.0);
                    alone.combine(backend, signal, weights, result);
                }
            }
        }
        Tensor::new(shape, result)
    }

    /// Adds the products to zeros.
    fn combine(self, backend: &CpuBackend, signals: &[f32], weights: &[f32], result: &mut [f32]) {
        let back = Back::new(backend, self, weights, signals);
        let out = Target::new(result);
        let steps = self.inputs.div_ceil(STEP);
        let length = steps_per_unit(steps, INPUTS / STEP, 1) * STEP;
        let work = Self { outputs: back.rows.len(), ..self }.multiply_adds();
        for_each_task(self.inputs.div_ceil(length), 1, work, |unit, _| {
            let inputs = unit * length..self.inputs.min((unit + 1) * length);
            back.add_up(backend.isa, &backend.pool, inputs, out);
        });
    }
}

/// The way back.
struct Back<'a> {
    linear: Linear,
    tiles: Tiles,
    weights: &'a [f32],
    /// The rows that have a signal in some image, ascending.
    rows: Vec<usize>,
    /// Their signals, image by image.
    factors: Buffer,
}

impl<'a> Back<'a> {
    fn new(backend: &CpuBackend, linear: Linear, weights: &'a [f32], signals: &[f32]) -> Self {
        let images = || signals.chunks_exact(linear.outputs);
        let has_signal = |row: &usize| images().any(|image| image[*row] != 0.0);
        let rows: Vec<usize> = (0..linear.outputs).filter(has_signal).collect();
        let mut factors = backend.pool.take(linear.images * rows.len());
        for (image, factors) in images().zip(factors.chunks_exact_mut(rows.len().max(1))) {
            for (factor, &row) in factors.iter_mut().zip(&rows) {
                *factor = image[row];
            }
        }
        Self { linear, tiles: Tiles(backend.isa), weights, rows, factors }
    }

    /// Adds up the rows, each times its signal, for some inputs of all images.
    fn add_up(&self, isa: Isa, pool: &Pool, inputs: Range<usize>, out: Target<'_>) {
        let Linear { images, inputs: width, .. } = self.linear;
        let rest = inputs.len() % self.tiles.columns()[1];
        let whole = inputs.start..inputs.end - rest;
        let mut some = pool.take(if images <= FEW { images * whole.len() } else { 0 });
        let mut rest_weights = [0.0; DEPTH * LANES];
        let mut rest_out = pool.zeros(if rest > 0 { images * LANES } else { 0 });
        let rest_rows: [usize; DEPTH] = std::array::from_fn(|row| row);
        let mut factor = 0;
        // What joins the total together is told by the weights alone.
        for rows in self.rows.chunk_by(|a, b| a / DEPTH == b / DEPTH) {
            let block = Block {
                weights: self.weights,
                first: whole.start,
                row_step: width,
                rows,
                factor,
                columns: whole.len(),
                next: rows,
                ahead: AHEAD,
            };
            if images <= FEW {
                some.fill(0.0);
                self.continue_rows(&block, Target::new(&mut some));
                for (image, some) in some.chunks_exact(whole.len().max(1)).enumerate() {
                    let to = out.part(image * width + whole.start, whole.len());
                    vectorized(
                        isa,
                        #[inline(always)]
                        || to.iter_mut().zip(some).for_each(|(to, sum)| *to += sum),
                    );
                }
            } else {
                self.add_rows(&block, Joining::Added, out, [whole.start, width]);
            }
            if rest > 0 {
                for (row, padded) in rows.iter().zip(rest_weights.chunks_exact_mut(LANES)) {
                    padded[..rest]
                        .copy_from_slice(&self.weights[row * width + whole.end..][..rest]);
                }
                let block = Block {
                    weights: &rest_weights,
                    first: 0,
                    row_step: LANES,
                    rows: &rest_rows[..rows.len()],
                    columns: self.tiles.columns()[1],
                    next: &[],
                    ..block
                };
                self.add_rows(&block, Joining::Added, Target::new(&mut rest_out), [0, LANES]);
            }
            factor += rows.len();
        }
        if rest > 0 {
            for (image, values) in rest_out.chunks_exact(LANES).enumerate() {
                out.part(image * width + whole.end, rest).copy_from_slice(&values[..rest]);
            }
        }
    }

    /// Adds few rows at a time, which lets memory hand out long runs of each. The sums go through
    /// `out`; for many images that would take longer than the products.
    fn continue_rows(&self, block: &Block<'_>, out: Target<'_>) {
        let mut factor = block.factor;
        for rows in block.rows.chunks(FEW_ROWS) {
            let next = &self.rows[factor + rows.len()..];
            let next = &next[..next.len().min(FEW_ROWS)];
            let few = Block { rows, factor, next, ahead: 0, ..*block };
            self.add_rows(&few, Joining::Continued, out, [0, block.columns]);
            factor += rows.len();
        }
    }

    /// Adds the rows of a block to all images, which begin at the first and lie the second of
    /// `places` apart.
    fn add_rows(
        &self,
        block: &Block<'_>,
        joining: Joining,
        out: Target<'_>,
        [out_start, out_step]: [usize; 2],
    ) {
        let factor_step = self.rows.len();
        let [wide, narrow] = self.tiles.columns();
        let mut column = 0;
        while column < block.columns {
            let columns = if block.columns - column >= wide { wide } else { narrow };
            let first = block.first + column;
            let lines: [usize; LINES] =
                std::array::from_fn(|line| first + block.ahead + line * LANES);
            let lines = &lines[..columns / LANES];
            for tile in tiles(self.linear.images, self.tiles.images()) {
                self.tiles.combinations(
                    tile.count,
                    columns,
                    &Combinations {
                        weights: block.weights,
                        first,
                        row_step: block.row_step,
                        rows: block.rows,
                        factors: &self.factors,
                        factor: tile.first * factor_step + block.factor,
                        factor_step,
                        out,
                        out_start: out_start + tile.first * out_step + column,
                        out_step,
                        joining,
                        next: block.next,
                        lines: &lines[tile.share(lines.len())],
                    },
                );
            }
            column += columns;
        }
    }
}

/// Some rows and columns of a matrix.
#[derive(Clone)]
struct Block<'a> {
    weights: &'a [f32],
    /// Where the first column of row 0 lies.
    first: usize,
    /// Numbers from row to row.
    row_step: usize,
    rows: &'a [usize],
    /// Which factor is the first row's.
    factor: usize,
    columns: usize,
    /// Rows that are to be fetched meanwhile, and how far behind the columns.
    next: &'a [usize],
    ahead: usize,
}
