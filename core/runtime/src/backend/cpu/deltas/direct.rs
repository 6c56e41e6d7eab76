//! Filters times changed cells, tap by tap.
//!
//! As in the direct convolution of whole maps, each column of a kernel is a pass over exactly the
//! outputs whose tap lies on a changed cell, so that nothing is multiplied that did not change.

use std::collections::BTreeMap;
use std::ops::Range;

use super::cases::{Case, cases};
use crate::backend::cpu::CpuBackend;
use crate::backend::cpu::blocked::Blocked;
use crate::backend::cpu::buffer::Buffer;
use crate::backend::cpu::micro::{BLOCK, Call, Kernel, Segment, Start, Target};
use crate::backend::cpu::stencil::{Stencil, Tap};
use crate::backend::cpu::tasks::for_each_task;
use crate::backend::cpu::weights::Weights;
use crate::backend::filtering::Filtering;
use crate::{Region, Regions};

/// Input blocks times kernel rows of a pass, so that its weights stay in the first-level cache.
const SEGMENTS: usize = 12;

/// Filters for changed cells, tap by tap.
#[derive(Debug)]
pub(super) struct DeltaDirect {
    kernel: Kernel,
    stencils: [Stencil; 2],
    /// Whether every output is the cell that it sees.
    is_pointwise: bool,
    groups: Vec<Group>,
    /// `[group][pass][kernel row][input block][16][output lane]`.
    weights: Buffer,
}

/// Some neighbouring blocks of outputs.
#[derive(Debug)]
struct Group {
    first_block: usize,
    blocks: usize,
    passes: Vec<Pass>,
}

/// A column of the kernel and some input blocks.
#[derive(Clone, Debug)]
struct Pass {
    column: usize,
    inputs: Range<usize>,
    weights: Range<usize>,
}

impl DeltaDirect {
    /// Packs filters.
    pub(super) fn new(
        backend: &CpuBackend,
        stencils: [Stencil; 2],
        filtering: &Filtering,
        weights: &Weights<'_>,
    ) -> Self {
        let [rows, columns] = &stencils;
        let Filtering { groups: count, channels, filters, .. } = *filtering;
        let kernel = Kernel::new(backend.isa, columns.stride * BLOCK);
        let (outputs, widest) = (count * filters, kernel.blocks());
        let at_once = (SEGMENTS / rows.taps.len()).max(1);
        let mut groups = Vec::new();
        let mut end = 0;
        for first_block in (0..outputs.div_ceil(BLOCK)).step_by(widest) {
            let blocks = widest.min(outputs.div_ceil(BLOCK) - first_block);
            // The channels that they see: those of their groups of channels.
            let last = outputs.min((first_block + blocks) * BLOCK) - 1;
            let [seen, beyond] = [first_block * BLOCK / filters, last / filters + 1];
            let seen = seen * channels / BLOCK..(beyond * channels).div_ceil(BLOCK);
            let mut passes = Vec::new();
            for column in 0..columns.taps.len() {
                for start in seen.clone().step_by(at_once) {
                    let inputs = start..(start + at_once).min(seen.end);
                    let segments = rows.taps.len() * inputs.len();
                    let start = end;
                    end += segments * BLOCK * BLOCK * blocks;
                    passes.push(Pass { column, inputs, weights: start..end });
                }
            }
            groups.push(Group { first_block, blocks, passes });
        }
        let weight = |output: usize, input: usize, tap: [usize; 2]| {
            let is_there = output < outputs && input < count * channels;
            if is_there && output / filters == input / channels {
                weights.of(output / filters, output % filters, input % channels, tap)
            } else {
                0.0
            }
        };
        let mut packed = backend.pool.take(end);
        let mut vectors = &mut packed[..];
        for group in &groups {
            for pass in &group.passes {
                for row in &rows.taps {
                    for input in pass.inputs.start * BLOCK..pass.inputs.end * BLOCK {
                        let (vector, rest) = vectors.split_at_mut(group.blocks * BLOCK);
                        vectors = rest;
                        let tap = [row.index, columns.taps[pass.column].index];
                        for (lane, value) in vector.iter_mut().enumerate() {
                            *value = weight(group.first_block * BLOCK + lane, input, tap);
                        }
                    }
                }
            }
        }
        let is_pointwise = stencils
            .iter()
            .all(|axis| axis.stride == 1 && axis.taps.len() == 1 && axis.taps[0].offset == 0);
        Self { kernel, stencils, is_pointwise, groups, weights: packed }
    }

    /// Writes the products into the cells of `output`.
    pub(super) fn run(
        &self,
        regions: &Regions,
        changed: &Blocked,
        output: &Regions,
        sums: &mut [f32],
    ) {
        sums.fill(0.0);
        let all = [regions.cells(), output.cells()];
        let cases: Vec<Case> = if self.is_pointwise && regions == output {
            let place = Region { top: 0, left: 0, height: 1, width: all[0] };
            vec![Case { from: 0, place, to: 0, out: place }]
        } else {
            cases(regions, output)
        };
        let target = Target::new(sums);
        let work = all[0].saturating_mul(self.weights.len());
        let run = Run { changed: changed.values(), cases: &cases, target, all };
        for_each_task(1, self.groups.len(), work, |_, groups| {
            for group in &self.groups[groups] {
                for index in 0..group.passes.len() {
                    self.pass(group, index, &run);
                }
            }
        });
    }

    fn pass(&self, group: &Group, index: usize, run: &Run<'_>) {
        let Run { changed, cases, target, all: [cells, outputs] } = *run;
        let [rows, columns] = &self.stencils;
        let width = BLOCK * BLOCK * group.blocks;
        let pass = &group.passes[index];
        let weights = &self.weights[pass.weights.clone()];
        let next = group.passes.get(index + 1);
        let next = next.map_or(&[][..], |next| &self.weights[next.weights.clone()]);
        let ahead = next.len().div_ceil((4 * cases.len()).max(1)).next_multiple_of(BLOCK);
        let mut next = next.chunks(ahead.max(BLOCK));
        let tap = columns.taps[pass.column];
        let per_row = pass.inputs.len();
        // The same for all cases whose rectangles are equally wide.
        let mut lists: BTreeMap<usize, Vec<Segment>> = BTreeMap::new();
        for case in cases {
            let Case { from, place, to, out } = *case;
            let [top, left] = [out.top, out.left].map(isize::cast_unsigned);
            let near = Near::of(columns, tap.offset, left, out.width, place.left, place.width);
            if near.outputs.is_empty() || place.height == 0 {
                continue;
            }
            let segments = lists.entry(place.width).or_insert_with(|| {
                let first = rows.taps[0].offset;
                let of_row = |(row, tap): (usize, &Tap)| {
                    let down = (tap.offset - first).cast_unsigned() * place.width * BLOCK;
                    let blocks = pass.inputs.clone().enumerate();
                    let segment = move |(index, block): (usize, usize)| Segment {
                        x: block * cells * BLOCK + down,
                        w: (row * per_row + index) * width,
                    };
                    blocks.map(segment).collect::<Vec<_>>()
                };
                rows.taps.iter().enumerate().flat_map(of_row).collect()
            });
            for y in 0..out.height {
                let corner = ((top + y) * rows.stride).cast_signed() - place.top;
                let row = |tap: &Tap| corner + tap.offset;
                let height = place.height.cast_signed();
                let before = rows.taps.partition_point(|tap| row(tap) < 0);
                let end = rows.taps.partition_point(|tap| row(tap) < height);
                if before >= end {
                    continue;
                }
                let some = &segments[before * per_row..end * per_row];
                let line = row(&rows.taps[0]) * place.width.cast_signed();
                let line = from.cast_signed() + line + near.column.cast_signed();
                let out_start = to + y * out.width + near.outputs.start;
                for (first, pixels) in self.kernel.tiles(near.outputs.len()) {
                    let x_start = line + (first * columns.stride).cast_signed();
                    self.kernel.run(
                        pixels,
                        group.blocks,
                        &Call {
                            x: changed,
                            x_start: x_start * BLOCK.cast_signed(),
                            step: columns.stride * BLOCK,
                            w: weights,
                            segments: some,
                            depth: BLOCK,
                            out: target,
                            out_start: (group.first_block * outputs + out_start + first) * BLOCK,
                            out_step: BLOCK,
                            out_block: outputs * BLOCK,
                            start: Start::Stored,
                            rectify: false,
                            next: next.next().unwrap_or(&[]),
                        },
                    );
                }
            }
        }
    }
}

/// What a run works on.
struct Run<'a> {
    changed: &'a [f32],
    cases: &'a [Case],
    target: Target<'a>,
    /// Changed cells and outputs of all cases.
    all: [usize; 2],
}

/// The outputs of a row that see a changed cell under one tap.
struct Near {
    /// Within the row of outputs.
    outputs: Range<usize>,
    /// The changed cell that the first of them sees.
    column: usize,
}

impl Near {
    fn of(
        columns: &Stencil,
        offset: isize,
        first: usize,
        count: usize,
        left: isize,
        width: usize,
    ) -> Self {
        let stride = columns.stride.cast_signed();
        // Output `o` sees the changed cell (first + o) · stride + offset − left.
        let base = (first * columns.stride).cast_signed() + offset - left;
        let start = usize::try_from(-base).unwrap_or(0).div_ceil(columns.stride);
        let room = usize::try_from(width.cast_signed() - base).unwrap_or(0);
        let end = room.div_ceil(columns.stride).min(count);
        let start = start.min(end);
        let column = base + start.cast_signed() * stride;
        Self { outputs: start..end, column: usize::try_from(column).unwrap_or(0) }
    }
}
