//! The adjoint of a convolution that sees few channels, as the first of a network does.
//!
//! Blocks of 16 lanes for three colours would waste most of the products. Here the lanes are all
//! taps and channels of the filters: one matrix product makes what every cell of the signal does
//! to its window, and the windows are added up in an image whose channels lie innermost.

use std::ops::Range;

use super::Isa;
use super::buffer::{Buffer, Pool};
use super::entries::{Entries, Entry, Planes, for_width, sums, tiles};
use super::micro::{BLOCK, Call, Kernel, Segment, Start, Target};
use super::registers::{InRegisters, Registers, in_registers};
use super::simd::Vector;
use super::support::Support;
use super::tasks::for_each_task;
use super::weights::Weights;
use crate::backend::axis::Axis;
use crate::backend::filtering::Filtering;

/// Runs of 16 weights deep that stay in the first-level cache: 24 KiB with 32 lanes.
const SEGMENTS: usize = 12;
/// Products that are made before they are added up: 128 KiB of the second-level cache.
const PRODUCTS: usize = 1 << 15;
/// How many times as long as among others a number takes that is multiplied by itself, at most.
const SPARSE: usize = 3;

/// The adjoint for maps of one size, ready to run.
#[derive(Debug)]
pub(super) struct ImageHead {
    isa: Isa,
    kernel: Kernel,
    axes: [Axis; 2],
    channels: usize,
    /// Blocks of the signal.
    blocks: usize,
    /// Lanes of the products of one cell.
    lanes: usize,
    passes: Vec<Pass>,
    weights: Buffer,
    /// The same for signals that are zero nearly everywhere: `[tile of lanes][input][lane]`.
    rows: Buffer,
    multiply_adds: usize,
}

/// Some blocks of products and of the signal.
#[derive(Debug)]
struct Pass {
    first_block: usize,
    blocks: usize,
    segments: Vec<Segment>,
    weights: Range<usize>,
    is_first: bool,
}

impl ImageHead {
    /// Says whether this is the form for the adjoint of a convolution.
    pub(super) fn suits(filtering: &Filtering) -> bool {
        (1..BLOCK).contains(&filtering.channels) && filtering.groups == 1 && filtering.taps() > 1
    }

    /// Packs filters of one group, transposed, for maps of the size of `filtering`.
    pub(super) fn new(isa: Isa, pool: &Pool, filtering: &Filtering, weights: &Weights<'_>) -> Self {
        let kernel = Kernel::new(isa, BLOCK);
        let channels = filtering.channels;
        let used = filtering.taps() * channels;
        let lanes = used.next_multiple_of(BLOCK);
        let (blocks, plane) = (weights.inputs.lanes() / BLOCK, filtering.output_cells() * BLOCK);
        let mut passes = Vec::new();
        let mut end = 0;
        for first_block in (0..lanes / BLOCK).step_by(kernel.blocks()) {
            let width = kernel.blocks().min(lanes / BLOCK - first_block);
            for first in (0..blocks).step_by(SEGMENTS) {
                let inputs = first..blocks.min(first + SEGMENTS);
                let length = BLOCK * width * BLOCK;
                let segment = |input| Segment { x: input * plane, w: (input - first) * length };
                let start = end;
                end += inputs.len() * length;
                passes.push(Pass {
                    first_block,
                    blocks: width,
                    segments: inputs.map(segment).collect(),
                    weights: start..end,
                    is_first: first == 0,
                });
            }
        }
        let weight_at = |input: usize, lane: usize| {
            let (tap, channel) = (lane / channels, lane % channels);
            let tap = [tap / filtering.axes[1].kernel, tap % filtering.axes[1].kernel];
            if lane < used { weights.at(channel, input, tap) } else { 0.0 }
        };
        let mut packed = pool.take(end);
        for pass in &passes {
            let first_lane = pass.first_block * BLOCK;
            let rows = packed[pass.weights.clone()].chunks_exact_mut(pass.blocks * BLOCK);
            let inputs = pass.segments.iter().flat_map(|segment| {
                let first = segment.x / plane.max(1) * BLOCK;
                first..first + BLOCK
            });
            for (row, input) in rows.zip(inputs) {
                for (lane, weight) in (first_lane..).zip(row) {
                    *weight = weight_at(input, lane);
                }
            }
        }
        let inputs = weights.inputs.lanes();
        let mut rows = pool.take(inputs * lanes);
        for (first_block, blocks) in tiles(lanes / BLOCK) {
            let (first, width) = (first_block * BLOCK, blocks * BLOCK);
            let rows = rows[first * inputs..][..inputs * width].chunks_exact_mut(width);
            for (input, row) in rows.enumerate() {
                for (lane, weight) in (first..).zip(row) {
                    *weight = weight_at(input, lane);
                }
            }
        }
        Self {
            isa,
            rows,
            kernel,
            axes: filtering.axes,
            channels,
            blocks,
            lanes,
            passes,
            weights: packed,
            multiply_adds: filtering.multiply_adds(),
        }
    }

    /// Restores images `[n, c, h, w]` from a signal in blocks that is zero outside the supports.
    pub(super) fn run(
        &self,
        pool: &Pool,
        signal: &[f32],
        supports: &[Support],
        images: &mut [f32],
    ) {
        let images = Target::new(images);
        let batch = supports.len();
        let work = self.multiply_adds.saturating_mul(batch);
        for_each_task(batch, self.axes[0].size, work, |image, rows| {
            self.restore(pool, signal, (image, &supports[image]), rows, images);
        });
    }

    /// Restores some rows of an image. Every cell adds up what it gets from the rows of the signal
    /// in their order, and in each from the columns in theirs, whatever rows are asked for.
    fn restore(
        &self,
        pool: &Pool,
        signal: &[f32],
        (image, support): (usize, &Support),
        restored: Range<usize>,
        images: Target<'_>,
    ) {
        let [rows, _] = self.axes;
        let span = (rows.kernel - 1) * rows.dilation + 1;
        // Rows with their padding, of which a window of the kernel's height is unfinished.
        let wanted = restored.start + rows.padding[0]..restored.end + rows.padding[0];
        let mut sums = pool.zeros(span * self.row_length());
        let cells = (PRODUCTS / self.lanes.max(1)).next_multiple_of(self.kernel.pixels());
        let mut products = pool.take(cells * self.lanes + BLOCK);
        let mut finished = wanted.start;
        let first = wanted.start.saturating_sub(span - 1).div_ceil(rows.stride);
        let last = wanted.end.div_ceil(rows.stride).min(rows.outputs);
        for row in first.max(support.rows.start)..last.min(support.rows.end) {
            while finished < row * rows.stride {
                self.finish(&mut sums, image, finished, images);
                finished += 1;
            }
            for start in support.columns.clone().step_by(cells) {
                let some = start..support.columns.end.min(start + cells);
                self.multiply(signal, image, row, some.clone(), &mut products);
                let (products, sums) = (&*products, &mut *sums);
                let wanted = &wanted;
                let addition = Addition { head: self, products, row, cells: some, wanted, sums };
                in_registers(self.isa, addition);
            }
        }
        for done in finished..wanted.end {
            self.finish(&mut sums, image, done, images);
        }
    }

    /// Counts the numbers of a row of unfinished sums: the cells under all windows, and room for
    /// a block that begins in the last.
    fn row_length(&self) -> usize {
        let [_, columns] = self.axes;
        let last = columns.outputs.saturating_sub(1) * columns.stride;
        let width = last + (columns.kernel - 1) * columns.dilation + 1;
        width * self.channels + BLOCK
    }

    /// Makes the products of some cells of a row of the signal, with its zeros only where they are few.
    fn multiply(
        &self,
        signal: &[f32],
        image: usize,
        row: usize,
        cells: Range<usize>,
        products: &mut [f32],
    ) {
        let [rows, columns] = self.axes;
        let plane = rows.outputs * columns.outputs * BLOCK;
        let values = &signal[image * self.blocks * plane..][..self.blocks * plane];
        let planes = Planes { isa: self.isa, values, plane };
        let first = row * columns.outputs;
        let places = first + cells.start..first + cells.end;
        let count = planes.count(places.clone());
        if count.saturating_mul(SPARSE) < cells.len() * self.blocks * BLOCK {
            self.multiply_entries(&planes.collect(places, count), cells.len(), products);
            return;
        }
        let products = Target::new(products);
        let first = image * self.blocks * rows.outputs + row;
        for (index, pass) in self.passes.iter().enumerate() {
            let next = &self.passes[(index + 1) % self.passes.len()];
            let next = &self.weights[next.weights.clone()];
            let calls = cells.len().div_ceil(self.kernel.pixels());
            let ahead = next.len().div_ceil(calls).next_multiple_of(BLOCK);
            let mut next = next.chunks(ahead.max(BLOCK));
            for (cell, pixels) in self.kernel.tiles(cells.len()) {
                self.kernel.run(
                    pixels,
                    pass.blocks,
                    &Call {
                        x: signal,
                        x_start: ((first * columns.outputs + cells.start + cell) * BLOCK)
                            .cast_signed(),
                        step: BLOCK,
                        w: &self.weights[pass.weights.clone()],
                        segments: &pass.segments,
                        depth: BLOCK,
                        out: products,
                        out_start: cell * self.lanes + pass.first_block * BLOCK,
                        out_step: self.lanes,
                        out_block: BLOCK,
                        start: if pass.is_first { Start::Zero } else { Start::Stored },
                        rectify: false,
                        next: next.next().unwrap_or(&[]),
                    },
                );
            }
        }
    }

    /// Makes the products of some cells with what is not zero.
    fn multiply_entries(&self, entries: &Entries, cells: usize, products: &mut [f32]) {
        let inputs = self.blocks * BLOCK;
        for (first_block, blocks) in tiles(self.lanes / BLOCK) {
            let (first, width) = (first_block * BLOCK, blocks * BLOCK);
            let weights = &self.rows[first * inputs..][..inputs * width];
            let cells = products.chunks_exact_mut(self.lanes).take(cells).enumerate();
            let cells = cells.map(|(cell, products)| (entries.of(cell), &mut products[first..]));
            for_width!(blocks, WIDTH => in_registers(self.isa, Sums::<_, WIDTH> { weights, cells }));
        }
    }

    /// Writes a finished row into the planes of an image, and clears it.
    fn finish(&self, sums: &mut [f32], image: usize, row: usize, images: Target<'_>) {
        let [rows, columns] = self.axes;
        let length = self.row_length();
        let slot = row % (sums.len() / length);
        let sums = &mut sums[slot * length..][..length];
        for channel in 0..self.channels {
            let start = (image * self.channels + channel) * rows.size + row - rows.padding[0];
            let target = images.part(start * columns.size, columns.size);
            let cells = sums[..length - BLOCK].chunks_exact(self.channels);
            let cells = cells.skip(columns.padding[0]);
            let seen = target.len().min(cells.len());
            for (value, cell) in target.iter_mut().zip(cells) {
                *value = cell[channel];
            }
            target[seen..].fill(0.0);
        }
        sums.fill(0.0);
    }
}

/// Adds up products with what is not zero in cells.
struct Sums<'a, I, const B: usize> {
    weights: &'a [f32],
    /// What is not zero in each, and where its sums go.
    cells: I,
}

impl<'a, I, const B: usize> InRegisters for Sums<'_, I, B>
where
    I: Iterator<Item = (&'a [Entry], &'a mut [f32])>,
{
    type Output = ();

    #[inline(always)]
    fn run<V: Vector, const N: usize>(self, registers: Registers<V, N>) {
        for (entries, products) in self.cells {
            let sums = sums::<V, N, B>(registers, entries, self.weights);
            for (sum, products) in sums.into_iter().zip(products.chunks_exact_mut(BLOCK)) {
                sum.store(products);
            }
        }
    }
}

/// Adds the products of some cells of a row of the signal to the rows of their windows.
#[derive(Debug)]
struct Addition<'a> {
    head: &'a ImageHead,
    products: &'a [f32],
    row: usize,
    cells: Range<usize>,
    /// The rows that are asked for.
    wanted: &'a Range<usize>,
    sums: &'a mut [f32],
}

impl InRegisters for Addition<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector, const N: usize>(self, registers: Registers<V, N>) {
        let ImageHead { axes: [rows, columns], channels, lanes, .. } = *self.head;
        // The taps of a kernel row are side by side in the image, if nothing lies between them.
        let (runs, run) = match columns.dilation {
            1 => (1, columns.kernel * channels),
            _ => (columns.kernel, channels),
        };
        let length = self.head.row_length();
        let span = self.sums.len() / length;
        // Of the last block of a run only some lanes count.
        let mut counting = [0.0; BLOCK];
        counting[..=(run - 1) % BLOCK].fill(1.0);
        let counting = registers.load(&counting);
        for (number, cell) in self.cells.enumerate() {
            let left = cell * columns.stride * channels;
            for tap in 0..rows.kernel {
                let row = self.row * rows.stride + tap * rows.dilation;
                if !self.wanted.contains(&row) {
                    continue;
                }
                for some in 0..runs {
                    let mut from = number * lanes + (tap * runs + some) * run;
                    let mut to = row % span * length + left + some * columns.dilation * channels;
                    let end = from + run;
                    while from < end {
                        let products = registers.load(&self.products[from..]);
                        let is_last = end - from <= BLOCK;
                        let products =
                            if is_last { products.where_positive(counting) } else { products };
                        let sums = &mut self.sums[to..];
                        registers.load(sums).add(products).store(sums);
                        from += BLOCK;
                        to += BLOCK;
                    }
                }
            }
        }
    }
}
