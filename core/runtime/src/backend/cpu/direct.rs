//! Direct convolution: the micro-kernel over blocks, without copies of the input.
//!
//! Taps of one kernel column cover the same outputs, so each is one pass over exactly the outputs
//! whose tap lies on the map: padding is never multiplied, and there is no code for edges. Rows at
//! the top and the bottom take fewer taps, which lie side by side since taps go row by row.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::Isa;
use super::buffer::{Buffer, Pool};
use super::micro::{BLOCK, Call, Kernel, Segment, Start, Target};
use super::tasks::for_each_task;
use crate::Epilogue;
use crate::backend::axis::Axis;
use crate::backend::filtering::Filtering;

/// Weights for one output that stay in the first-level cache: 24 KiB for 32 of them.
const DEPTH: usize = 192;
/// Bytes of input that a unit of work reads again and again, from the second-level cache.
const UNIT: usize = 512 << 10;

/// Where the input's values lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// In blocks of 16 channels.
    Blocks,
    /// Channels side by side, with the padding around the map: for few channels.
    Pixels,
}

/// A direct convolution for maps of one size, ready to run.
#[derive(Debug)]
pub(super) struct Direct {
    kernel: Kernel,
    /// Taps of a kernel row whose values lie side by side, and are one run of the micro-kernel.
    taps_in_depth: usize,
    axes: [Axis; 2],
    /// Values of an input image, of one of its rows and of a cell.
    steps: [usize; 3],
    out_blocks: usize,
    groups: Vec<Group>,
    weights: Buffer,
    /// Cells of the output in one strip, and strips in a unit of work.
    strip: usize,
    strips_per_unit: usize,
    multiply_adds: usize,
}

/// Some neighbouring blocks of outputs.
#[derive(Debug)]
struct Group {
    first_block: usize,
    blocks: usize,
    weights: Range<usize>,
    passes: Arc<[Pass]>,
}

/// Some taps and input blocks, and the outputs that see them.
#[derive(Debug)]
struct Pass {
    /// The output columns.
    columns: Range<usize>,
    /// Row by row of the kernel.
    segments: Vec<Segment>,
    /// Segments of one row of the kernel.
    per_row: usize,
    /// Its weights within those of the group.
    weights: Range<usize>,
    base: Base,
    rectifies: bool,
}

/// What a pass adds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    Bias,
    Stored,
}

/// The taps and channels of one segment.
#[derive(Clone, Copy, Debug)]
struct Run {
    row: usize,
    column: usize,
    /// Input block, relative to the first of the group.
    block: usize,
}

impl Direct {
    /// Packs filters `[m, c / groups, kh, kw]` for maps of the size of `filtering`.
    pub(super) fn new(
        isa: Isa,
        pool: &Pool,
        filtering: &Filtering,
        source: Source,
        filters: &[f32],
    ) -> Self {
        let mut axes = filtering.axes;
        if source == Source::Pixels {
            for axis in &mut axes {
                axis.size += axis.padding[0] + axis.padding[1];
                axis.padding = [0, 0];
            }
        }
        let [rows, columns] = axes;
        let channels = filtering.groups * filtering.channels;
        let (lanes, taps_in_depth) = match source {
            Source::Blocks => (BLOCK, 1),
            Source::Pixels => (channels, if columns.dilation == 1 { columns.kernel } else { 1 }),
        };
        // One row of everything, where outputs are the cells.
        let pointwise = source == Source::Blocks && filtering.is_pointwise();
        if pointwise {
            let cells = rows.size * columns.size;
            axes[0] = Axis { size: 1, outputs: 1, ..rows };
            axes[1] = Axis { size: cells, outputs: cells, ..columns };
        }
        let plane = rows.size * columns.size * lanes;
        let steps = [channels.div_ceil(lanes) * plane, columns.size * lanes, lanes];
        let kernel = Kernel::new(isa, columns.stride * lanes);
        let mut plan = Self {
            kernel,
            taps_in_depth,
            axes,
            steps,
            out_blocks: (filtering.groups * filtering.filters).div_ceil(BLOCK),
            groups: Vec::new(),
            weights: pool.take(0),
            strip: 0,
            strips_per_unit: 1,
            multiply_adds: filtering.multiply_adds().saturating_mul(filtering.groups),
        };
        plan.cut(channels);
        plan.pack(pool, filtering, plane, filters);
        plan
    }

    /// Cuts the output into strips and units of work.
    fn cut(&mut self, channels: usize) {
        let [rows, columns] = self.axes;
        let cell = channels.next_multiple_of(self.steps[2]) * size_of::<f32>();
        if rows.outputs == 1 {
            let pixels = self.kernel.pixels();
            self.strip = (UNIT / (cell * columns.stride)).next_multiple_of(pixels).max(4 * pixels);
        } else {
            self.strip = columns.outputs.max(1);
            let row = columns.size * cell * rows.stride;
            self.strips_per_unit = (UNIT / row.max(1)).max(1);
        }
    }

    /// Lists the kernel columns that cover the same outputs together; the one that covers all of
    /// them comes first.
    fn classes(&self) -> Vec<(Range<usize>, Vec<usize>)> {
        let [_, columns] = self.axes;
        let mut classes: Vec<(Range<usize>, Vec<usize>)> = Vec::new();
        for tap in (0..columns.kernel).step_by(self.taps_in_depth) {
            let outputs = columns.outputs_of(tap);
            match classes.iter_mut().find(|(covered, _)| *covered == outputs) {
                Some((_, taps)) => taps.push(tap),
                None if outputs.is_empty() => {}
                None => classes.push((outputs, vec![tap])),
            }
        }
        classes.sort_by_key(|(covered, _)| *covered != (0..columns.outputs));
        classes
    }

    /// Lists the passes over `blocks` input blocks: outputs, and runs row by row of the kernel.
    fn runs(&self, blocks: usize) -> Vec<(Range<usize>, Vec<Run>)> {
        let [rows, columns] = self.axes;
        let per_segment = (DEPTH / self.depth()).max(1);
        let mut passes = Vec::new();
        for (covered, taps) in self.classes() {
            let taps_at_once = (per_segment / rows.kernel).clamp(1, taps.len());
            for taps in taps.chunks(taps_at_once) {
                let blocks_at_once = (per_segment / (rows.kernel * taps.len())).max(1);
                for first in (0..blocks).step_by(blocks_at_once) {
                    let some = first..(first + blocks_at_once).min(blocks);
                    let runs = (0..rows.kernel).flat_map(|row| {
                        let some = some.clone();
                        taps.iter().flat_map(move |&column| {
                            some.clone().map(move |block| Run { row, column, block })
                        })
                    });
                    passes.push((covered.clone(), runs.collect()));
                }
            }
        }
        let all = 0..columns.outputs;
        let covers = |pass: Option<&(Range<usize>, Vec<Run>)>| pass.is_some_and(|p| p.0 == all);
        if !covers(passes.first()) {
            passes.insert(0, (all.clone(), Vec::new()));
        }
        // One that covers everything ends the sums, so that it can rectify them.
        if passes.len() > 1 && !covers(passes.last()) {
            let last = passes.iter().rposition(|pass| pass.0 == all).unwrap_or(0);
            let last = if last == 0 { (all, Vec::new()) } else { passes.remove(last) };
            passes.push(last);
        }
        passes
    }

    fn pack(&mut self, pool: &Pool, filtering: &Filtering, plane: usize, filters: &[f32]) {
        let [rows, columns] = self.axes;
        let lanes = self.steps[2];
        let at_once = match filtering.groups {
            1 => self.kernel.blocks(),
            // Groups that share no block can be as wide as ungrouped ones.
            _ if filtering.filters.is_multiple_of(self.kernel.blocks() * BLOCK) => {
                self.kernel.blocks()
            }
            _ => 1,
        };
        let mut known: BTreeMap<(Range2, usize), (Arc<[Pass]>, Vec<Vec<Run>>, usize)> =
            BTreeMap::new();
        let mut packed: Vec<(usize, Vec<Vec<Run>>, usize)> = Vec::new();
        let mut total = 0;
        for first_block in (0..self.out_blocks).step_by(at_once) {
            let blocks = at_once.min(self.out_blocks - first_block);
            let inputs = input_blocks(filtering, first_block * BLOCK, blocks * BLOCK, lanes);
            let key = ([inputs.start, inputs.end], blocks);
            let (passes, runs, length) = known.entry(key).or_insert_with(|| {
                let runs = self.runs(inputs.len());
                let width = blocks * BLOCK * self.depth();
                let mut end = 0;
                let count = runs.len();
                let passes = runs.iter().enumerate().map(|(index, (covered, runs))| {
                    let start = end;
                    end += runs.len() * width;
                    let segment = |(index, run): (usize, &Run)| Segment {
                        x: (inputs.start + run.block) * plane
                            + run.row * rows.dilation * self.steps[1]
                            + run.column * columns.dilation * self.steps[2],
                        w: index * width,
                    };
                    Pass {
                        columns: covered.clone(),
                        segments: runs.iter().enumerate().map(segment).collect(),
                        per_row: runs.len() / rows.kernel,
                        weights: start..end,
                        base: if index == 0 { Base::Bias } else { Base::Stored },
                        rectifies: index + 1 == count,
                    }
                });
                let passes = passes.collect();
                (passes, runs.into_iter().map(|(_, runs)| runs).collect(), end)
            });
            self.groups.push(Group {
                first_block,
                blocks,
                weights: total..total + *length,
                passes: passes.clone(),
            });
            packed.push((inputs.start, runs.clone(), blocks));
            total += *length;
        }
        let mut weights = pool.take(total);
        for (group, (first_input, runs, blocks)) in self.groups.iter().zip(&packed) {
            let mut values = weights[group.weights.clone()].chunks_exact_mut(blocks * BLOCK);
            let first_filter = group.first_block * BLOCK;
            for run in runs.iter().flatten() {
                for offset in 0..self.depth() {
                    let channel = (first_input + run.block) * lanes + offset % lanes;
                    let column = run.column + offset / lanes;
                    let Some(values) = values.next() else { return };
                    for (index, value) in values.iter_mut().enumerate() {
                        *value = weight(
                            filtering,
                            filters,
                            first_filter + index,
                            channel,
                            [run.row, column],
                        );
                    }
                }
            }
        }
        self.weights = weights;
    }

    /// Returns how many values lie side by side for one run of the micro-kernel.
    fn depth(&self) -> usize {
        self.taps_in_depth * self.steps[2]
    }

    /// Returns the numbers of a padded input image, for sources of pixels.
    pub(super) fn image(&self) -> usize {
        self.steps[0]
    }

    /// Convolves images. `bias` holds a number for every lane of every output block.
    pub(super) fn run(
        &self,
        input: &[f32],
        batch: usize,
        bias: &[f32],
        epilogue: Epilogue,
        output: &mut [f32],
    ) {
        let [rows, columns] = self.axes;
        let strips = columns.outputs.div_ceil(self.strip.max(1)) * rows.outputs * batch;
        let units = strips.div_ceil(self.strips_per_unit);
        let output = Target::new(output);
        let work = self.multiply_adds.saturating_mul(batch);
        for_each_task(units, self.groups.len(), work, |unit, groups| {
            let first = unit * self.strips_per_unit;
            let strips = first..(first + self.strips_per_unit).min(strips);
            for group in &self.groups[groups] {
                self.unit(group, strips.clone(), input, bias, epilogue, output);
            }
        });
    }

    fn unit(
        &self,
        group: &Group,
        strips: Range<usize>,
        input: &[f32],
        bias: &[f32],
        epilogue: Epilogue,
        output: Target<'_>,
    ) {
        let [rows, columns] = self.axes;
        let per_row = columns.outputs.div_ceil(self.strip);
        let plane = rows.outputs * columns.outputs * BLOCK;
        let weights = &self.weights[group.weights.clone()];
        let bias = &bias[group.first_block * BLOCK..][..group.blocks * BLOCK];
        let [image_step, row_step, cell_step] = self.steps;
        for (index, pass) in group.passes.iter().enumerate() {
            let next =
                group.passes.get(index + 1).map_or(&[][..], |pass| &weights[pass.weights.clone()]);
            let calls: usize = strips.len() * self.strip.div_ceil(self.kernel.pixels());
            let ahead = next.len().div_ceil(calls.max(1)).next_multiple_of(BLOCK);
            let mut next = next.chunks(ahead.max(BLOCK));
            for strip in strips.clone() {
                let (row, part) = (strip / per_row, strip % per_row);
                let (image, row) = (row / rows.outputs, row % rows.outputs);
                let start = (part * self.strip).max(pass.columns.start);
                let end = ((part + 1) * self.strip).min(pass.columns.end);
                let taps = rows.taps(row);
                let segments = &pass.segments[taps.start * pass.per_row..taps.end * pass.per_row];
                let must_run =
                    pass.base == Base::Bias || pass.rectifies && epilogue == Epilogue::Rectify;
                if start >= end || segments.is_empty() && !must_run {
                    continue;
                }
                let input_row = (row * rows.stride).cast_signed() - rows.padding[0].cast_signed();
                for (first, pixels) in self.kernel.tiles(end - start) {
                    let column = start + first;
                    let input_column =
                        (column * columns.stride).cast_signed() - columns.padding[0].cast_signed();
                    let x_start = (image * image_step).cast_signed()
                        + input_row * row_step.cast_signed()
                        + input_column * cell_step.cast_signed();
                    self.kernel.run(
                        pixels,
                        group.blocks,
                        &Call {
                            x: input,
                            x_start,
                            step: columns.stride * cell_step,
                            w: &weights[pass.weights.clone()],
                            segments,
                            depth: self.depth(),
                            out: output,
                            out_start: (image * self.out_blocks + group.first_block) * plane
                                + (row * columns.outputs + column) * BLOCK,
                            out_step: BLOCK,
                            out_block: plane,
                            start: match pass.base {
                                Base::Bias => Start::Bias(bias),
                                Base::Stored => Start::Stored,
                            },
                            rectify: pass.rectifies && epilogue == Epilogue::Rectify,
                            next: next.next().unwrap_or(&[]),
                        },
                    );
                }
            }
        }
    }
}

type Range2 = [usize; 2];

/// Returns the blocks of input channels that some filters see.
fn input_blocks(filtering: &Filtering, first: usize, count: usize, lanes: usize) -> Range<usize> {
    let Filtering { groups, channels, filters, .. } = *filtering;
    let last = (first + count).min(groups * filters) - 1;
    let [start, end] = [first / filters * channels, (last / filters + 1) * channels];
    start / lanes..end.div_ceil(lanes)
}

/// Returns the weight of a filter for a channel of the input, zero where the two do not meet.
fn weight(
    filtering: &Filtering,
    filters: &[f32],
    filter: usize,
    channel: usize,
    [row, column]: [usize; 2],
) -> f32 {
    let Filtering { groups, channels, filters: per_group, axes: [rows, columns], .. } = *filtering;
    if filter >= groups * per_group || channel / channels != filter / per_group {
        return 0.0;
    }
    let place = (filter * channels + channel % channels) * rows.kernel + row;
    filters[place * columns.kernel + column]
}
