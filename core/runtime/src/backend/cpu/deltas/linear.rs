//! A fully connected layer times changed cells of the maps that it reads.
//!
//! Of flattened maps only some cells change, others for every case. For each cell of the map, the
//! cases in which it changed are one matrix product over the channels.

use crate::backend::cpu::CpuBackend;
use crate::backend::cpu::blocked::Blocked;
use crate::backend::cpu::buffer::Buffer;
use crate::backend::cpu::micro::{BLOCK, Call, Kernel, Segment, Start, Target};
use crate::backend::cpu::registers::{InRegisters, Registers, in_registers};
use crate::backend::cpu::simd::Vector;
use crate::backend::cpu::tasks::for_each_task;
use crate::backend::operand::zeros;
use crate::{Computed, Regions, Shape, Tensor};

/// Input blocks of one call of the micro-kernel, so that its weights stay in the first-level cache.
const SEGMENTS: usize = 12;

/// Rectangles, and what changed there; nothing where all of them are empty.
pub(super) type List<'a> = (&'a Regions, Option<&'a Blocked>);

/// A changed cell: of which case, and where it lies.
#[derive(Clone, Copy, Debug)]
struct Changed {
    case: usize,
    list: usize,
    cell: usize,
}

/// The cases in which each cell of the map changed, and what changed there.
struct Gathered {
    cases: usize,
    blocks: usize,
    /// For every cell of the map.
    cells: Vec<Vec<Changed>>,
    /// Where the numbers of each begin: `[block][case][16]`.
    starts: Vec<usize>,
    values: Buffer,
}

impl Gathered {
    fn new(backend: &CpuBackend, lists: &[List<'_>], size: [usize; 2]) -> Self {
        let mut cells: Vec<Vec<Changed>> = vec![Vec::new(); size[0] * size[1]];
        let mut cases = 0;
        for (list, (regions, _)) in lists.iter().enumerate() {
            for (start, place) in regions.each() {
                let [top, left] = [place.top, place.left].map(isize::cast_unsigned);
                for y in 0..place.height {
                    for x in 0..place.width {
                        let cell = start + y * place.width + x;
                        cells[(top + y) * size[1] + left + x].push(Changed {
                            case: cases,
                            list,
                            cell,
                        });
                    }
                }
                cases += 1;
            }
        }
        let blocks = lists.iter().find_map(|(_, changed)| Some(changed.as_ref()?.maps().blocks()));
        let blocks = blocks.unwrap_or(0);
        let mut end = 0;
        let lengths = cells.iter().map(|cases| cases.len() * blocks * BLOCK);
        let starts = lengths.map(|length| {
            end += length;
            end - length
        });
        let starts: Vec<usize> = starts.collect();
        let mut values = backend.pool.take(end);
        let mut to = values.chunks_exact_mut(BLOCK);
        for cases in &cells {
            for block in 0..blocks {
                for (Changed { list, cell, .. }, to) in cases.iter().zip(&mut to) {
                    if let (_, Some(changed)) = lists[*list] {
                        to.copy_from_slice(&changed.plane(0, block)[cell * BLOCK..][..BLOCK]);
                    }
                }
            }
        }
        Self { cases, blocks, cells, starts, values }
    }
}

/// Multiplies flattened maps of changes with the transposed weights `[output, input]`; none where
/// they do not fit.
pub(super) fn linear(
    backend: &CpuBackend,
    lists: &[List<'_>],
    weight: &Tensor,
) -> Option<Computed> {
    let &[outputs, inputs] = weight.shape().extents() else { return None };
    let (size, channels) = lists
        .iter()
        .find_map(|(regions, changed)| Some((regions.size(), changed.as_ref()?.maps().channels)))?;
    let fits = |(regions, changed): &List<'_>| {
        let channels_here = changed.map_or(channels, |changed| changed.maps().channels);
        regions.size() == size && channels_here == channels
    };
    if inputs != channels * size[0] * size[1] || !lists.iter().all(fits) {
        return None;
    }
    let weights = weight.values().ok()?;
    let gathered = Gathered::new(backend, lists, size);
    let shape = Shape::from([gathered.cases, outputs]);
    let mut result = match zeros("linear", &shape) {
        Ok(zeros) => zeros,
        Err(error) => return Some(Err(error)),
    };
    let kernel = Kernel::new(backend.isa, BLOCK);
    let lanes = kernel.blocks() * BLOCK;
    let work = gathered.values.len().saturating_mul(outputs);
    let target = Target::new(&mut result);
    for_each_task(outputs.div_ceil(lanes), 1, work, |strip, _| {
        let some = strip * lanes..outputs.min((strip + 1) * lanes);
        let rows = &weights[some.start * inputs..some.end * inputs];
        let rows = Rows { weights: rows, channels, inputs, outputs: some.len() };
        let packed = Packed::new(backend, rows, gathered.blocks);
        let mut sums = backend.pool.take(gathered.cases * some.len().next_multiple_of(BLOCK));
        multiply(backend, kernel, &gathered, &packed, some.len().div_ceil(BLOCK), &mut sums);
        let width = some.len().next_multiple_of(BLOCK);
        for (case, sums) in sums.chunks_exact(width.max(1)).enumerate() {
            let row = target.part(case * outputs + some.start, some.len());
            row.copy_from_slice(&sums[..some.len()]);
        }
    });
    Some(Tensor::new(shape, result))
}

/// Weights of some outputs, laid out cell by cell.
struct Packed {
    /// `[cell][input lane][output lane]`.
    values: Buffer,
    /// Numbers from cell to cell.
    step: usize,
}

impl Packed {
    fn new(backend: &CpuBackend, weights: Rows<'_>, blocks: usize) -> Self {
        let (lanes, width) = (blocks * BLOCK, weights.outputs.next_multiple_of(BLOCK));
        // A line more than there are numbers: cells a power of two apart would share few places in
        // the caches.
        let step = lanes * width + BLOCK;
        let cells = weights.inputs / weights.channels.max(1);
        let mut values = backend.pool.take(cells * step);
        if weights.channels < lanes {
            values.fill(0.0);
        }
        in_registers(backend.isa, Pack { weights, width, step, packed: &mut values });
        Self { values, step }
    }
}

/// Rows of weights, each `[channel][cell]`.
#[derive(Clone, Copy)]
struct Rows<'a> {
    weights: &'a [f32],
    channels: usize,
    inputs: usize,
    outputs: usize,
}

struct Pack<'a, 'b> {
    weights: Rows<'a>,
    width: usize,
    step: usize,
    packed: &'b mut [f32],
}

impl InRegisters for Pack<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector, const N: usize>(self, r: Registers<V, N>) {
        let Rows { weights, channels, inputs, outputs } = self.weights;
        let cells = inputs / channels.max(1);
        let mut columns = [[0.0; BLOCK]; BLOCK];
        for output in (0..outputs).step_by(BLOCK) {
            let rows = BLOCK.min(outputs - output);
            let (mut channel, mut cell) = (0, 0);
            for input in (0..inputs).step_by(BLOCK) {
                let count = BLOCK.min(inputs - input);
                let from = &weights[output * inputs + input..];
                if [rows, count] == [BLOCK; 2] {
                    r.transpose(from, inputs, &mut columns);
                } else {
                    for (index, column) in columns[..count].iter_mut().enumerate() {
                        for (row, weight) in column.iter_mut().enumerate() {
                            *weight = if row < rows { from[row * inputs + index] } else { 0.0 };
                        }
                    }
                }
                for column in &columns[..count] {
                    let place = cell * self.step + channel * self.width + output;
                    r.load(column).store(&mut self.packed[place..]);
                    cell += 1;
                    if cell == cells {
                        (channel, cell) = (channel + 1, 0);
                    }
                }
            }
        }
    }
}

/// Adds up the products of all cells for every case.
fn multiply(
    backend: &CpuBackend,
    kernel: Kernel,
    gathered: &Gathered,
    weights: &Packed,
    blocks: usize,
    sums: &mut [f32],
) {
    let width = blocks * BLOCK;
    let mut products = backend.pool.take(gathered.cases * width);
    sums.fill(0.0);
    for (cell, cases) in gathered.cells.iter().enumerate().filter(|(_, cases)| !cases.is_empty()) {
        let (weights, count) =
            (&weights.values[cell * weights.step..][..weights.step], cases.len());
        let row = count * BLOCK;
        for first in (0..gathered.blocks).step_by(SEGMENTS) {
            let inputs = first..(first + SEGMENTS).min(gathered.blocks);
            let segment = |block: usize| Segment { x: block * row, w: block * BLOCK * width };
            let segments: Vec<Segment> = inputs.map(segment).collect();
            let out = Target::new(&mut products);
            for (start, pixels) in kernel.tiles(count) {
                let call = Call {
                    x: &gathered.values,
                    x_start: (gathered.starts[cell] + start * BLOCK).cast_signed(),
                    step: BLOCK,
                    w: weights,
                    segments: &segments,
                    depth: BLOCK,
                    out,
                    out_start: start * width,
                    out_step: width,
                    out_block: BLOCK,
                    start: if first == 0 { Start::Zero } else { Start::Stored },
                    rectify: false,
                    next: &[],
                };
                kernel.run(pixels, blocks, &call);
            }
        }
        for (changed, products) in cases.iter().zip(products.chunks_exact(width)) {
            let sums = &mut sums[changed.case * width..][..width];
            for (sum, product) in sums.iter_mut().zip(products) {
                *sum += product;
            }
        }
    }
}
