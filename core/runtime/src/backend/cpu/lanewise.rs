//! Convolution and its adjoint in narrow groups, lane by lane: every channel sees itself
//! (depthwise), or the few others of its group, which lie in the same block.
//!
//! Where an output sees channels of other blocks, the maps are copied first so that they meet in
//! the same lane: a depthwise convolution of several filters a channel, and its adjoint.

use std::ops::Range;

use super::Isa;
use super::blocked::{Blocked, Maps};
use super::buffer::{Buffer, Pool};
use super::convolution::Setting;
use super::groups::{Groups, Layout, rearrange};
use super::micro::{BLOCK, Target};
use super::registers::{InRegisters, Registers, in_registers};
use super::simd::{Order, Vector};
use super::stencil::{Stencil, Tap};
use super::tasks::for_each_task;
use super::weights::Weights;
use crate::Epilogue;

/// The most channels that are copied so that one of the result sees them in its lane.
const MEMBERS: usize = 8;

/// A lane-wise convolution or adjoint for maps of one size, ready to run.
#[derive(Debug)]
pub(super) struct Lanewise {
    isa: Isa,
    phases: Vec<[Stencil; 2]>,
    inputs: Groups,
    outputs: Groups,
    /// Neighbouring lanes that see each other.
    width: usize,
    /// Of every block, `[copy][tap][lane of the group][16]`.
    weights: Buffer,
    kernel: [usize; 2],
}

/// One row of one block, to be computed where `WIDTH` neighbouring lanes see each other.
#[derive(Debug)]
struct Row<'a, const WIDTH: usize> {
    plan: &'a Lanewise,
    stencils: &'a [Stencil; 2],
    /// The row's number in its phase.
    number: usize,
    /// The block's maps in each copy.
    sources: &'a [&'a [[f32; BLOCK]]],
    weights: &'a [[f32; BLOCK]],
    bias: &'a [f32; BLOCK],
    epilogue: Epilogue,
    target: &'a mut [[f32; BLOCK]],
    /// Room for the taps of a cell.
    taps: &'a mut Vec<Place>,
}

/// Where the cell under a tap lies, relative to the first that the output could see, and which
/// weights are its.
#[derive(Clone, Copy, Debug)]
struct Place {
    cell: isize,
    weights: usize,
}

impl Lanewise {
    /// Says whether this is the form for filters.
    pub(super) fn suits(weights: &Weights<'_>) -> bool {
        let [inputs, outputs] = [weights.inputs.members, weights.outputs.members];
        let is_narrow = inputs == outputs && [1, 2, 4, 8].contains(&inputs);
        let is_single = inputs == 1 || outputs == 1 && (1..=MEMBERS).contains(&inputs);
        weights.inputs.count > 1 && (is_narrow || is_single)
    }

    /// Packs filters.
    pub(super) fn new(
        isa: Isa,
        pool: &Pool,
        phases: Vec<[Stencil; 2]>,
        kernel: [usize; 2],
        weights: &Weights<'_>,
    ) -> Self {
        let (inputs, outputs) = (weights.inputs, weights.outputs);
        let width = if inputs.members == outputs.members { inputs.members } else { 1 };
        let taps = kernel[0] * kernel[1];
        let block = inputs.members * taps * BLOCK;
        let mut packed = pool.zeros(outputs.channels().div_ceil(BLOCK) * block);
        for (index, lanes) in packed.chunks_exact_mut(BLOCK).enumerate() {
            let (number, lane) = (index % (taps * width) / width, index % width);
            let copy = index % (inputs.members * taps) / (taps * width);
            let tap = [number / kernel[1], number % kernel[1]];
            let first = index / (inputs.members * taps) * BLOCK;
            for (output, weight) in (first..outputs.channels()).zip(lanes) {
                let (group, output) = (output / outputs.members, output % outputs.members);
                *weight = weights.of(group, output, copy * width + lane, tap);
            }
        }
        Self { isa, phases, inputs, outputs, width, weights: packed, kernel }
    }

    /// Convolves maps.
    pub(super) fn run(
        &self,
        pool: &Pool,
        input: &Blocked,
        setting: &Setting<'_>,
        output: &mut [f32],
    ) {
        let (maps, input) = (input.maps(), input.values());
        let Setting { bias, epilogue, maps: made, .. } = *setting;
        let mut lanes = pool.zeros(made.blocks() * BLOCK);
        if let Some(bias) = bias {
            lanes[..bias.len()].copy_from_slice(bias);
        }
        let (biases, _) = lanes.as_chunks();
        let copies = self.copies(pool, maps, input);
        let sources: Vec<&[[f32; BLOCK]]> = match copies.as_slice() {
            [] => vec![input.as_chunks().0],
            copies => copies.iter().map(|copy| copy.as_chunks().0).collect(),
        };
        let (weights, _) = self.weights.as_chunks();
        let cells = maps.cells();
        let block_weights = self.inputs.members * self.kernel[0] * self.kernel[1];
        let output = Target::new(output);
        for stencils in &self.phases {
            let [rows, columns] = stencils;
            let work = [made.len(), rows.taps.len(), columns.taps.len(), self.inputs.members];
            let work = work.into_iter().fold(1, usize::saturating_mul) / BLOCK;
            for_each_task(made.batch * made.blocks(), rows.outputs, work, |unit, some| {
                let block = unit % made.blocks();
                let sources: Vec<_> =
                    sources.iter().map(|source| &source[unit * cells..][..cells]).collect();
                let mut taps = Vec::new();
                for row in some {
                    let place = rows.start + row * rows.step;
                    let length = columns.size * BLOCK;
                    let target = output.part(unit * made.plane() + place * length, length);
                    let row = Row {
                        plan: self,
                        stencils,
                        number: row,
                        sources: &sources,
                        weights: &weights[block * block_weights..][..block_weights],
                        bias: &biases[block],
                        epilogue,
                        target: target.as_chunks_mut().0,
                        taps: &mut taps,
                    };
                    match self.width {
                        1 => in_registers(self.isa, row),
                        2 => in_registers(self.isa, row.of_width::<2>()),
                        4 => in_registers(self.isa, row.of_width::<4>()),
                        _ => in_registers(self.isa, row.of_width::<8>()),
                    }
                }
            });
        }
    }

    /// Copies maps so that what an output sees lies in its lane; none where it does already.
    fn copies(&self, pool: &Pool, maps: Maps, input: &[f32]) -> Vec<Buffer> {
        let [inputs, outputs] = [self.inputs.members, self.outputs.members];
        if inputs == outputs {
            return Vec::new();
        }
        let channels = self.outputs.channels();
        let lanes = Maps { channels, ..maps };
        let copy = |number: usize| {
            let mut copied = pool.take(lanes.len());
            rearrange(Layout::of(maps), input, Layout::of(lanes), &mut copied, |lane| {
                (lane < channels).then(|| lane / outputs * inputs + number)
            });
            copied
        };
        (0..inputs).map(copy).collect()
    }
}

impl<'a> Row<'a, 1> {
    fn of_width<const WIDTH: usize>(self) -> Row<'a, WIDTH> {
        let Self { plan, stencils, number, sources, weights, bias, epilogue, target, taps } = self;
        Row { plan, stencils, number, sources, weights, bias, epilogue, target, taps }
    }
}

impl<const WIDTH: usize> InRegisters for Row<'_, WIDTH> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector, const N: usize>(mut self, registers: Registers<V, N>) {
        let [_, columns] = self.stencils;
        // Outputs for which all taps lie on the map are computed several at a time.
        let inner = columns.taps.iter().fold(0..columns.outputs, |inner, &tap| {
            let seen = columns.outputs_of(tap);
            inner.start.max(seen.start)..inner.end.min(seen.end)
        });
        let mut column = 0;
        let mut seen = 0..0;
        while column < columns.outputs {
            let room = if inner.contains(&column) { inner.end - column } else { 1 };
            let across = columns.taps_of(column);
            if across != seen || column == 0 {
                self.place(across.clone());
                seen = across;
            }
            // As many as half of the registers hold.
            column += match room.min(8 / N) {
                8 => self.cells::<V, N, 8>(registers, column),
                4..8 => self.cells::<V, N, 4>(registers, column),
                2..4 => self.cells::<V, N, 2>(registers, column),
                _ => self.cells::<V, N, 1>(registers, column),
            };
        }
    }
}

impl<const WIDTH: usize> Row<'_, WIDTH> {
    const ORDERS: [Order; WIDTH] = {
        let mut orders = [Order::spread(WIDTH, 0); WIDTH];
        let mut member = 1;
        while member < WIDTH {
            orders[member] = Order::spread(WIDTH, member);
            member += 1;
        }
        orders
    };

    /// Notes the taps of cells for which some columns of the kernel lie on the map.
    #[inline(always)]
    fn place(&mut self, across: Range<usize>) {
        let [rows, columns] = self.stencils;
        let [_, taps_across] = self.plan.kernel;
        self.taps.clear();
        for down in &rows.taps[rows.taps_of(self.number)] {
            let row = (self.number * rows.stride).cast_signed() + down.offset;
            let place = |tap: &Tap| Place {
                cell: row * columns.inputs.cast_signed() + tap.offset,
                weights: down.index * taps_across + tap.index,
            };
            self.taps.extend(columns.taps[across.clone()].iter().map(place));
        }
    }

    /// Computes `CELLS` cells that see the same taps; returns how many.
    #[inline(always)]
    fn cells<V: Vector, const N: usize, const CELLS: usize>(
        &mut self,
        registers: Registers<V, N>,
        column: usize,
    ) -> usize {
        let [_, columns] = self.stencils;
        let [taps_down, taps_across] = self.plan.kernel;
        let mut sums = [registers.splat(0.0); CELLS];
        for (copy, source) in self.sources.iter().enumerate() {
            let weights = &self.weights[copy * taps_down * taps_across * WIDTH..];
            for place in &*self.taps {
                let cell = (column * columns.stride).wrapping_add_signed(place.cell);
                let source = &source[cell..];
                let weights = &weights[place.weights * WIDTH..][..WIDTH];
                for (weights, order) in weights.iter().zip(&Self::ORDERS) {
                    let weights = registers.load(weights);
                    for (number, sum) in sums.iter_mut().enumerate() {
                        let values = &source[number * columns.stride];
                        let values = match WIDTH {
                            1 => registers.load(values),
                            _ => registers.permuted(values, order),
                        };
                        *sum = sum.multiply_add(values, weights);
                    }
                }
            }
        }
        let bias = registers.load(self.bias);
        for (number, sum) in sums.into_iter().enumerate() {
            let sum = sum.add(bias);
            let target = &mut self.target[columns.start + (column + number) * columns.step];
            match self.epilogue {
                Epilogue::None => sum.store(target),
                Epilogue::Rectify => sum.rectify().store(target),
            }
        }
        CELLS
    }
}
