//! The numbers of maps that are not zero, for products with nothing else.
//!
//! Behind an unpooling and a rectifier nine of ten numbers of a signal are zero. Numbers that are
//! multiplied one by one share no weights, but where so few are left that costs less.

use std::ops::Range;

use super::Isa;
use super::micro::BLOCK;
use super::registers::{Block, InRegisters, Registers, in_registers};
use super::simd::Vector;

/// Blocks of sums that are computed together, at most: in AVX2 they leave room for a weight.
pub(super) const BLOCKS: usize = 6;

/// An image, or some images, in blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planes<'a> {
    pub isa: Isa,
    pub values: &'a [f32],
    /// Numbers of one block.
    pub plane: usize,
}

/// A number and the lane where it lies, counted through all blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    lane: u32,
    value: f32,
}

/// What is not zero in some cells.
#[derive(Debug)]
pub(super) struct Entries {
    entries: Vec<Entry>,
    ends: Vec<usize>,
}

impl Entries {
    /// Returns what is not zero in a cell, counted from the first; by ascending lane.
    pub(super) fn of(&self, cell: usize) -> &[Entry] {
        let start = if cell == 0 { 0 } else { self.ends[cell - 1] };
        &self.entries[start..self.ends[cell]]
    }
}

impl Planes<'_> {
    /// Counts what is not zero in some cells. NaN is not.
    pub(super) fn count(&self, cells: Range<usize>) -> usize {
        in_registers(self.isa, Count(self, cells))
    }

    /// Collects what is not zero in some cells.
    pub(super) fn collect(&self, cells: Range<usize>, count: usize) -> Entries {
        let mut entries =
            Entries { entries: Vec::with_capacity(count), ends: Vec::with_capacity(cells.len()) };
        in_registers(self.isa, Collect(self, cells, &mut entries));
        entries
    }
}

struct Count<'a>(&'a Planes<'a>, Range<usize>);

impl InRegisters for Count<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<V: Vector, const N: usize>(self, registers: Registers<V, N>) -> usize {
        let Self(planes, cells) = self;
        let mut count = 0;
        for plane in planes.values.chunks_exact(planes.plane.max(1)) {
            for cell in plane[cells.start * BLOCK..cells.end * BLOCK].chunks_exact(BLOCK) {
                count += registers.load(cell).signals().count_ones();
            }
        }
        count as usize
    }
}

struct Collect<'a>(&'a Planes<'a>, Range<usize>, &'a mut Entries);

impl InRegisters for Collect<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector, const N: usize>(self, registers: Registers<V, N>) {
        let Self(planes, cells, Entries { entries, ends }) = self;
        for cell in cells {
            for (block, plane) in planes.values.chunks_exact(planes.plane.max(1)).enumerate() {
                let values = &plane[cell * BLOCK..][..BLOCK];
                let mut signals = registers.load(values).signals();
                while signals != 0 {
                    let lane = signals.trailing_zeros();
                    signals &= signals - 1;
                    let value = values[lane as usize % BLOCK];
                    entries.push(Entry { lane: (block * BLOCK) as u32 + lane, value });
                }
            }
            ends.push(entries.len());
        }
    }
}

/// Adds up the weights of some entries, each times its number, for `B` blocks of outputs; weights
/// lie `[lane][block of outputs][16]`.
#[inline(always)]
pub(super) fn sums<V: Vector, const N: usize, const B: usize>(
    registers: Registers<V, N>,
    entries: &[Entry],
    weights: &[f32],
) -> [Block<V, N>; B] {
    let mut sums = [registers.splat(0.0); B];
    for entry in entries {
        let value = registers.splat(entry.value);
        let weights = &weights[entry.lane as usize * (B * BLOCK)..][..B * BLOCK];
        for (sum, weights) in sums.iter_mut().zip(weights.chunks_exact(BLOCK)) {
            *sum = sum.multiply_add(value, registers.load(weights));
        }
    }
    sums
}

/// Cuts a number of blocks into nearly equal tiles of at most [`BLOCKS`]: gives the first block and
/// the width of each.
pub(super) fn tiles(blocks: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = blocks.div_ceil(BLOCKS);
    (0..count).map(move |tile| {
        let first = tile * blocks / count;
        (first, (tile + 1) * blocks / count - first)
    })
}

/// Runs an expression in which a constant is the width of a tile, which is [`BLOCKS`] at most.
macro_rules! for_width {
    ($width:expr, $blocks:ident => $run:expr) => {
        for_width!(@arms $width, $blocks, $run, [1 2 3 4 5])
    };
    (@arms $width:expr, $blocks:ident, $run:expr, [$($known:literal)*]) => {
        match $width {
            $($known => { const $blocks: usize = $known; $run })*
            _ => { const $blocks: usize = crate::backend::cpu::entries::BLOCKS; $run }
        }
    };
}
pub(super) use for_width;

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes one sum of two blocks.
    struct Sample<'a>(&'a [Entry], &'a [f32]);

    impl InRegisters for Sample<'_> {
        type Output = [f32; 2 * BLOCK];

        #[inline(always)]
        fn run<V: Vector, const N: usize>(self, registers: Registers<V, N>) -> Self::Output {
            let mut result = [0.0; 2 * BLOCK];
            let blocks = sums::<V, N, 2>(registers, self.0, self.1);
            for (block, to) in blocks.into_iter().zip(result.chunks_exact_mut(BLOCK)) {
                block.store(to);
            }
            result
        }
    }

    #[test]
    fn what_is_not_zero_is_found_and_multiplied_in_every_instruction_set() {
        let plane = 3 * BLOCK;
        let mut values = vec![0.0; 2 * plane];
        values[4] = 9.0;
        values[BLOCK] = f32::MIN_POSITIVE / 2.0;
        values[BLOCK + 15] = -2.0;
        values[2 * BLOCK - 2] = -0.0;
        values[plane + BLOCK + 8] = 3.0;
        values[plane + 2 * BLOCK] = f32::NAN;
        let weights: Vec<f32> = (0..32 * 2 * BLOCK).map(|index| index as f32).collect();
        for isa in Isa::available() {
            let planes = Planes { isa, values: &values, plane };
            assert_eq!([planes.count(0..3), planes.count(1..2), planes.count(1..1)], [5, 3, 0]);
            let entries = planes.collect(1..3, 4);
            let lanes = |cell| entries.of(cell).iter().map(|entry| entry.lane).collect::<Vec<_>>();
            assert_eq!([lanes(0), lanes(1)], [vec![0, 15, 24], vec![16]]);
            let result = in_registers(isa, Sample(&entries.of(0)[1..], &weights));
            for (lane, value) in result.into_iter().enumerate() {
                // −2 · weights[15] + 3 · weights[24]
                assert_eq!(value.to_bits(), ((1344 + lane) as f32).to_bits());
            }
        }
    }

    #[test]
    fn tiles_are_nearly_equal() {
        assert_eq!(tiles(6).collect::<Vec<_>>(), [(0, 6)]);
        assert_eq!(tiles(10).collect::<Vec<_>>(), [(0, 5), (5, 5)]);
        assert_eq!(tiles(13).collect::<Vec<_>>(), [(0, 4), (4, 4), (8, 5)]);
        assert_eq!(tiles(0).count(), 0);
    }
}
