//! The way back through a fully connected layer.

use std::ops::Range;

use super::{KERNEL, Linear, tiles};
use crate::backend::cpu::buffer::Pool;
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
    /// Computes `signals · weights`.
    pub(super) fn combined(
        self,
        backend: &CpuBackend,
        signals: &Tensor,
        weights: &Tensor,
    ) -> Computed {
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
        let steps = self.inputs.div_ceil(STEP);
        let length = steps_per_unit(steps, INPUTS / STEP, 1) * STEP;
        for_each_task(self.inputs.div_ceil(length), 1, self.multiply_adds(), |unit, _| {
            let inputs = unit * length..self.inputs.min((unit + 1) * length);
            back.add_up(backend.isa, &backend.pool, inputs, out);
        });
        Tensor::new(shape, result)
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
    fn add_up(&self, isa: Isa, pool: &Pool, inputs: Range<usize>, out: Target<'_>) {
        let Linear { images, inputs: width, outputs } = self.linear;
        let rest = inputs.len() % self.tiles.columns()[1];
        let whole = inputs.start..inputs.end - rest;
        let mut some = pool.take(if images <= FEW { images * whole.len() } else { 0 });
        let mut rest_weights = [0.0; DEPTH * LANES];
        let mut rest_out = pool.zeros(if rest > 0 { images * LANES } else { 0 });
        for first in (0..outputs).step_by(DEPTH) {
            let rows = first..outputs.min(first + DEPTH);
            let block = Block {
                weights: self.weights,
                first: first * width + whole.start,
                row_step: width,
                rows: rows.clone(),
                columns: whole.len(),
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
                for (row, padded) in rows.clone().zip(rest_weights.chunks_exact_mut(LANES)) {
                    padded[..rest]
                        .copy_from_slice(&self.weights[row * width + whole.end..][..rest]);
                }
                let weights = &rest_weights;
                let columns = self.tiles.columns()[1];
                let block = Block { weights, first: 0, row_step: LANES, rows, columns, ahead: 0 };
                self.add_rows(&block, Joining::Added, Target::new(&mut rest_out), [0, LANES]);
            }
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
        for first in block.rows.clone().step_by(FEW_ROWS) {
            let rows = first..block.rows.end.min(first + FEW_ROWS);
            let start = block.first + (first - block.rows.start) * block.row_step;
            let ahead = FEW_ROWS * block.row_step;
            let few = Block { first: start, rows, ahead, ..*block };
            self.add_rows(&few, Joining::Continued, out, [0, block.columns]);
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
        let outputs = self.linear.outputs;
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
                        rows: block.rows.len(),
                        factors: self.signals,
                        factor: tile.first * outputs + block.rows.start,
                        factor_step: outputs,
                        out,
                        out_start: out_start + tile.first * out_step + column,
                        out_step,
                        joining,
                        next: &lines[tile.share(lines.len())],
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
    /// Where the first row's first column lies.
    first: usize,
    /// Numbers from row to row.
    row_step: usize,
    /// The outputs they belong to.
    rows: Range<usize>,
    columns: usize,
    /// How far behind the weights lie those that are to be fetched meanwhile.
    ahead: usize,
}
