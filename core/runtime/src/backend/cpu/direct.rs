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
use super::stencil::Stencil;
use super::support::Support;
use super::tasks::{for_each_task, steps_per_unit};
use super::weights::Weights;
use crate::Epilogue;

/// Weights for one output that stay in the first-level cache: 24 KiB for 32 of them.
const DEPTH: usize = 192;
/// Bytes of input that a unit of work reads again and again, from the second-level cache.
const UNIT: usize = 512 << 10;

/// Where the input's values lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// In blocks.
    Blocks,
    /// Channels side by side, with the padding around the map: for few channels.
    Pixels,
}

/// A direct convolution for maps of one size, ready to run.
#[derive(Debug)]
pub(super) struct Direct {
    kernel: Kernel,
    /// Values that lie side by side for one run of the micro-kernel.
    depth: usize,
    /// Rows and columns, or one row of all cells.
    stencils: [Stencil; 2],
    /// Columns of the maps.
    width: usize,
    /// Values of an input image, of one of its rows and of a cell.
    steps: [usize; 3],
    out_blocks: usize,
    groups: Vec<Group>,
    weights: Buffer,
    /// Cells of the output in one strip and strips in a unit of work, at most.
    strip: usize,
    strips_per_unit: usize,
    multiply_adds: usize,
}

/// Images to convolve.
#[derive(Clone, Copy, Debug)]
pub(super) struct Images<'a> {
    pub values: &'a [f32],
    /// Of every image.
    pub supports: &'a [Support],
    /// A number for every lane of every output block.
    pub bias: &'a [f32],
    pub epilogue: Epilogue,
    /// Numbers from one image of the output to the next.
    pub pitch: usize,
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
    /// The output columns whose taps lie on the map.
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

/// The passes of a group while its weights are packed.
#[derive(Debug)]
struct Passes {
    list: Arc<[Pass]>,
    /// Of all passes.
    runs: Arc<[Run]>,
    /// Numbers of its weights.
    length: usize,
}

impl Direct {
    /// Packs filters for maps of the size that the stencils tell.
    pub(super) fn new(
        isa: Isa,
        pool: &Pool,
        [mut rows, mut columns]: [Stencil; 2],
        source: Source,
        weights: &Weights<'_>,
    ) -> Self {
        let multiply_adds = [rows.outputs, columns.outputs, rows.taps.len(), columns.taps.len()]
            .into_iter()
            .chain([weights.inputs.channels(), weights.outputs.members])
            .fold(1, usize::saturating_mul);
        let channels = weights.inputs.lanes();
        let lanes = weights.inputs.block;
        let mut depth = lanes;
        if source == Source::Pixels && columns.is_dense() {
            // The taps of a kernel row are one run of values.
            depth *= columns.taps.len();
            columns.taps.truncate(1);
        }
        let width = columns.inputs;
        // One row of everything, where outputs are the cells.
        if source == Source::Blocks && rows.is_identity() && columns.is_identity() {
            let cells = rows.inputs * columns.inputs;
            [rows, columns] = [1, cells].map(Stencil::identity);
        }
        let row = columns.inputs * lanes;
        let mut plan = Self {
            kernel: Kernel::new(isa, columns.stride * lanes),
            depth,
            steps: [channels / lanes * rows.inputs * row, row, lanes],
            stencils: [rows, columns],
            width,
            out_blocks: weights.output_blocks(),
            groups: Vec::new(),
            weights: pool.take(0),
            strip: 0,
            strips_per_unit: 1,
            multiply_adds,
        };
        plan.cut(channels);
        plan.pack(pool, weights);
        plan
    }

    /// Cuts the output into strips and units of work.
    fn cut(&mut self, channels: usize) {
        let [rows, columns] = &self.stencils;
        let cell = (channels * size_of::<f32>()).max(1);
        if rows.outputs == 1 {
            let pixels = self.kernel.pixels();
            self.strip = (UNIT / (cell * columns.stride)).next_multiple_of(pixels).max(4 * pixels);
        } else {
            self.strip = columns.outputs.max(1);
            let row = columns.inputs * cell * rows.stride;
            self.strips_per_unit = (UNIT / row.max(1)).max(1);
        }
    }

    /// Lists the kernel columns that cover the same outputs together; the one that covers all of
    /// them comes first.
    fn classes(&self) -> Vec<(Range<usize>, Vec<usize>)> {
        let [_, columns] = &self.stencils;
        let mut classes: Vec<(Range<usize>, Vec<usize>)> = Vec::new();
        for (number, &tap) in columns.taps.iter().enumerate() {
            let outputs = columns.outputs_of(tap);
            match classes.iter_mut().find(|(covered, _)| *covered == outputs) {
                Some((_, taps)) => taps.push(number),
                None if outputs.is_empty() => {}
                None => classes.push((outputs, vec![number])),
            }
        }
        classes.sort_by_key(|(covered, _)| *covered != (0..columns.outputs));
        classes
    }

    /// Lists the passes over `blocks` input blocks: outputs, and runs row by row of the kernel.
    fn runs(&self, blocks: usize) -> Vec<(Range<usize>, Vec<Run>)> {
        let taps_down = self.stencils[0].taps.len();
        let per_segment = (DEPTH / self.depth).max(1);
        let mut passes = Vec::new();
        for (covered, taps) in self.classes() {
            if taps_down == 0 {
                break;
            }
            let taps_at_once = (per_segment / taps_down).clamp(1, taps.len());
            for taps in taps.chunks(taps_at_once) {
                let blocks_at_once = (per_segment / (taps_down * taps.len())).max(1);
                for first in (0..blocks).step_by(blocks_at_once) {
                    let some = first..(first + blocks_at_once).min(blocks);
                    let runs = (0..taps_down).flat_map(|row| {
                        let some = some.clone();
                        taps.iter().flat_map(move |&column| {
                            some.clone().map(move |block| Run { row, column, block })
                        })
                    });
                    passes.push((covered.clone(), runs.collect()));
                }
            }
        }
        if passes.is_empty() {
            // Of the bias alone.
            passes.push((0..0, Vec::new()));
        }
        passes
    }

    fn pack(&mut self, pool: &Pool, weights: &Weights<'_>) {
        let [rows, columns] = &self.stencils;
        let [_, row_step, lanes] = self.steps;
        let plane = rows.inputs * row_step;
        // Groups that share no weights with others can be as wide as ungrouped ones.
        let widest = self.kernel.blocks();
        let outputs = weights.outputs;
        let at_once = match outputs.count {
            1 => widest,
            _ if outputs.room.is_multiple_of(widest * BLOCK) => widest,
            _ => 1,
        };
        let place = |stencil: &Stencil, tap: usize| {
            (stencil.taps[tap].offset - stencil.taps[0].offset).cast_unsigned()
        };
        // Groups that see the same inputs have the same passes.
        let mut known: BTreeMap<[usize; 3], Passes> = BTreeMap::new();
        let mut packed = Vec::new();
        let mut total = 0;
        for first_block in (0..self.out_blocks).step_by(at_once) {
            let blocks = at_once.min(self.out_blocks - first_block);
            let seen = weights.inputs_of(first_block * BLOCK..(first_block + blocks) * BLOCK);
            let inputs = seen.start / lanes..seen.end / lanes;
            let key = [inputs.start, inputs.end, blocks];
            let Passes { list, runs, length } = known.entry(key).or_insert_with(|| {
                let runs = self.runs(inputs.len());
                let width = blocks * BLOCK * self.depth;
                let mut end = 0;
                let count = runs.len();
                let passes = runs.iter().enumerate().map(|(index, (covered, runs))| {
                    let start = end;
                    end += runs.len() * width;
                    let segment = |(index, run): (usize, &Run)| Segment {
                        x: (inputs.start + run.block) * plane
                            + place(rows, run.row) * row_step
                            + place(columns, run.column) * lanes,
                        w: index * width,
                    };
                    Pass {
                        columns: covered.clone(),
                        segments: runs.iter().enumerate().map(segment).collect(),
                        per_row: runs.len() / rows.taps.len().max(1),
                        weights: start..end,
                        base: if index == 0 { Base::Bias } else { Base::Stored },
                        rectifies: index + 1 == count,
                    }
                });
                let list = passes.collect();
                let runs = runs.into_iter().flat_map(|(_, runs)| runs).collect();
                Passes { list, runs, length: end }
            });
            self.groups.push(Group {
                first_block,
                blocks,
                weights: total..total + *length,
                passes: list.clone(),
            });
            packed.push((inputs.start, runs.clone(), blocks));
            total += *length;
        }
        let mut packed_weights = pool.take(total);
        for (group, (first_input, runs, blocks)) in self.groups.iter().zip(&packed) {
            let mut values = packed_weights[group.weights.clone()].chunks_exact_mut(blocks * BLOCK);
            let first_output = group.first_block * BLOCK;
            for run in runs.iter() {
                let [row, column] = [rows.taps[run.row].index, columns.taps[run.column].index];
                for offset in 0..self.depth {
                    let input = (first_input + run.block) * lanes + offset % lanes;
                    let column = column + offset / lanes;
                    let Some(values) = values.next() else { return };
                    for (index, value) in values.iter_mut().enumerate() {
                        *value = weights.at(first_output + index, input, [row, column]);
                    }
                }
            }
        }
        self.weights = packed_weights;
    }

    /// Returns the numbers of a padded input image, for sources of pixels.
    pub(super) fn image(&self) -> usize {
        self.steps[0]
    }

    /// Returns the support of images without zeros.
    pub(super) fn whole(&self) -> Support {
        Support::whole(self.stencils.each_ref().map(|stencil| stencil.inputs))
    }

    /// Convolves images that are zero outside their supports.
    pub(super) fn run(&self, images: &Images<'_>, output: &mut [f32]) {
        let [rows, columns] = &self.stencils;
        let batch = images.supports.len();
        let is_flat = columns.inputs != self.width;
        let supports = images.supports.iter();
        let supports: Vec<Support> = supports
            .map(|support| if is_flat { support.flat(self.width) } else { support.clone() })
            .collect();
        let images = &Images { supports: &supports, ..*images };
        let parts = self.groups.len();
        let width = if rows.outputs == 1 {
            let pixels = self.kernel.pixels();
            let width = steps_per_unit(columns.outputs * batch, self.strip, parts);
            width.next_multiple_of(pixels).max(4 * pixels)
        } else {
            self.strip
        };
        let strips = columns.outputs.div_ceil(width) * rows.outputs * batch;
        let per_unit = steps_per_unit(strips, self.strips_per_unit, parts);
        let output = Target::new(output);
        let work = self.multiply_adds.saturating_mul(batch);
        for_each_task(strips.div_ceil(per_unit), parts, work, |unit, groups| {
            let first = unit * per_unit;
            let strips = first..(first + per_unit).min(strips);
            for group in &self.groups[groups] {
                self.unit(group, width, strips.clone(), images, output);
            }
        });
    }

    /// Computes a group of outputs in some strips of so many cells.
    fn unit(
        &self,
        group: &Group,
        width: usize,
        strips: Range<usize>,
        images: &Images<'_>,
        output: Target<'_>,
    ) {
        let Images { values, supports, bias, epilogue, pitch } = *images;
        let [rows, columns] = &self.stencils;
        let per_row = columns.outputs.div_ceil(width);
        let plane = rows.size * columns.size * BLOCK;
        let [top, left] =
            [rows, columns].map(|stencil| stencil.taps.first().map_or(0, |tap| tap.offset));
        let weights = &self.weights[group.weights.clone()];
        let bias = &bias[group.first_block * BLOCK..][..group.blocks * BLOCK];
        let [image_step, row_step, cell_step] = self.steps;
        for (index, pass) in group.passes.iter().enumerate() {
            let next =
                group.passes.get(index + 1).map_or(&[][..], |pass| &weights[pass.weights.clone()]);
            let calls: usize = strips.len() * width.div_ceil(self.kernel.pixels());
            let ahead = next.len().div_ceil(calls.max(1)).next_multiple_of(BLOCK);
            let mut next = next.chunks(ahead.max(BLOCK));
            for strip in strips.clone() {
                let (row, part) = (strip / per_row, strip % per_row);
                let (image, row) = (row / rows.outputs, row % rows.outputs);
                let (start, end) = (part * width, columns.outputs.min((part + 1) * width));
                let support = &supports[image];
                let taps = rows.taps_within(row, &support.rows);
                let segments = &pass.segments[taps.start * pass.per_row..taps.end * pass.per_row];
                let must_run =
                    pass.base == Base::Bias || pass.rectifies && epilogue == Epilogue::Rectify;
                if segments.is_empty() && !must_run {
                    continue;
                }
                let reach = columns.outputs_within(&support.columns);
                let from = reach.start.max(pass.columns.start).clamp(start, end);
                let to = reach.end.min(pass.columns.end).clamp(from, end);
                let input_row = (row * rows.stride).cast_signed() + top;
                let out_row = rows.start + row * rows.step;
                // Elsewhere there are no products.
                let parts = [(start..from, &[][..]), (from..to, segments), (to..end, &[])];
                let parts = parts.into_iter().filter(|(_, some)| must_run || !some.is_empty());
                let tiles = parts.flat_map(|(part, segments)| {
                    let tiles = self.kernel.tiles(part.len());
                    tiles.map(move |(first, pixels)| (part.start + first, pixels, segments))
                });
                for (column, pixels, segments) in tiles {
                    let input_column = (column * columns.stride).cast_signed() + left;
                    let x_start = (image * image_step).cast_signed()
                        + input_row * row_step.cast_signed()
                        + input_column * cell_step.cast_signed();
                    self.kernel.run(
                        pixels,
                        group.blocks,
                        &Call {
                            x: values,
                            x_start,
                            step: columns.stride * cell_step,
                            w: &weights[pass.weights.clone()],
                            segments,
                            depth: self.depth,
                            out: output,
                            out_start: image * pitch
                                + group.first_block * plane
                                + (out_row * columns.size + columns.start + column * columns.step)
                                    * BLOCK,
                            out_step: columns.step * BLOCK,
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
