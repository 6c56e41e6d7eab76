//! Products of transformed tiles with transformed filters, by the micro-kernel.

use std::ops::Range;

use super::super::micro::{BLOCK, Call, Segment, Start, Target};
use super::{Group, Winograd, plane};

/// Input blocks of one call of the micro-kernel, so that its weights stay in the first-level cache.
const SEGMENTS: usize = 12;

impl Winograd {
    /// Returns the blocks of an input image and of an output image.
    pub(in crate::backend::cpu) fn blocks(&self) -> [usize; 2] {
        self.blocks
    }

    /// Counts the groups of filters.
    pub(in crate::backend::cpu) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Returns the most blocks of a group.
    pub(in crate::backend::cpu) fn widest(&self) -> usize {
        self.kernel.blocks()
    }

    /// Lists the blocks that some groups make, and where among their products each lies.
    pub(in crate::backend::cpu) fn blocks_of(
        &self,
        groups: Range<usize>,
    ) -> impl Iterator<Item = (usize, usize)> {
        let widest = self.widest();
        let of_group = move |(index, group): (usize, &Group)| {
            let first = group.first_block;
            (0..group.blocks).map(move |block| (first + block, index * widest + block))
        };
        self.groups[groups].iter().enumerate().flat_map(of_group)
    }

    /// Returns where the transformed filters of some input blocks lie.
    pub(super) fn weights_of(
        &self,
        product: usize,
        group: Group,
        inputs: Range<usize>,
    ) -> Range<usize> {
        let [_, out_blocks] = self.blocks;
        let block = self.depth * BLOCK * BLOCK;
        let start = (product * out_blocks + group.first_block) * block;
        let step = BLOCK * BLOCK * group.blocks;
        start + inputs.start * step..start + inputs.end * step
    }

    /// Computes the products of some tiles, for which there is room as given, with some groups of
    /// filters.
    pub(in crate::backend::cpu) fn products(
        &self,
        [tiles, room]: [usize; 2],
        groups: Range<usize>,
        spread: &[f32],
        products: Target<'_>,
        distance: usize,
    ) {
        let groups = &self.groups[groups];
        let [in_blocks, _] = self.blocks;
        let chunks = self.depth.div_ceil(SEGMENTS);
        let inputs = |chunk: usize| chunk * self.depth / chunks..(chunk + 1) * self.depth / chunks;
        let steps = self.size.products() * groups.len() * chunks;
        let parts = |step: usize| {
            let (step, chunk) = (step / chunks, step % chunks);
            (step / groups.len(), step % groups.len(), chunk)
        };
        let weights = |step: usize| {
            let (product, group, chunk) = parts(step);
            &self.weights[self.weights_of(product, groups[group], inputs(chunk))]
        };
        let calls = tiles.div_ceil(self.kernel.pixels());
        let row = room * BLOCK;
        for step in 0..steps {
            let (product, index, chunk) = parts(step);
            let group = groups[index];
            let inputs = inputs(chunk);
            let mut segments = [Segment { x: 0, w: 0 }; SEGMENTS];
            for (index, segment) in segments.iter_mut().enumerate() {
                *segment = Segment { x: index * row, w: index * BLOCK * BLOCK * group.blocks };
            }
            let start = product * plane(in_blocks, room);
            let start = start + (group.first_input + inputs.start) * row;
            let out = product * distance + index * self.kernel.blocks() * row;
            let next = if step + 1 < steps { weights(step + 1) } else { &[] };
            let ahead = next.len().div_ceil(calls).next_multiple_of(BLOCK).max(BLOCK);
            let mut next = next.chunks(ahead);
            for (first, pixels) in self.kernel.tiles(tiles) {
                self.kernel.run(
                    pixels,
                    group.blocks,
                    &Call {
                        x: spread,
                        x_start: (start + first * BLOCK).cast_signed(),
                        step: BLOCK,
                        w: weights(step),
                        segments: &segments[..inputs.len()],
                        depth: BLOCK,
                        out: products,
                        out_start: out + first * BLOCK,
                        out_step: BLOCK,
                        out_block: row,
                        start: if chunk == 0 { Start::Zero } else { Start::Stored },
                        rectify: false,
                        next: next.next().unwrap_or(&[]),
                    },
                );
            }
        }
    }
}
