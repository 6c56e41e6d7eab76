//! The heart of the fast backend: one small matrix product, of which every driver is made.
//!
//! ```text
//! out[p][j] = start + Σ over segments s, d < depth of  x[s.x + d + p · step] · w[s.w + (d · N + j) · 16 …]
//! ```
//!
//! for `p < P` pixels and `j < N` blocks of 16 channels. The sums stay in registers: 14 pixels by 2
//! blocks of AVX-512 take 28 of 32, and each input value that is read serves two weight vectors.
//! They begin at zero and what they are added to comes last, which costs nothing and keeps three to
//! nine times more accuracy than sums that begin with the old value.

#![allow(unsafe_code, reason = "registers are filled from raw addresses")]

use std::marker::PhantomData;

use super::Isa;
use super::simd::{Portable, Vector};

/// Channels of a block; a whole number of registers in every instruction set.
pub(super) const BLOCK: usize = 16;

/// Where a run of input values and their weights begin, relative to those of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Offset of the first pixel's first value.
    pub x: usize,
    /// Offset of the first weight.
    pub w: usize,
}

/// Values that several threads write, each its own part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    start: *mut f32,
    length: usize,
    values: PhantomData<&'a mut [f32]>,
}

// SAFETY: a target stands for an exclusively borrowed slice of plain numbers; drivers give every
// unit of work a part of its own.
unsafe impl Send for Target<'_> {}
// SAFETY: as above.
unsafe impl Sync for Target<'_> {}

impl<'a> Target<'a> {
    pub(super) fn new(values: &'a mut [f32]) -> Self {
        Self { start: values.as_mut_ptr(), length: values.len(), values: PhantomData }
    }

    /// Returns a part, which no other thread may touch meanwhile: the drivers cut targets into
    /// parts that do not overlap.
    ///
    /// # Panics
    /// Panics when the part is not within the target.
    #[expect(clippy::mut_from_ref, reason = "parts are disjoint by the drivers' units of work")]
    pub(super) fn part(&self, start: usize, length: usize) -> &mut [f32] {
        assert!(start <= self.length && length <= self.length - start, "a part leaves its target");
        // SAFETY: it lies within the slice, and no other unit of work has it.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), length) }
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Returns the address of a number.
    pub(super) fn address(&self, place: usize) -> *mut f32 {
        self.start.wrapping_add(place)
    }
}

/// What the sums are added to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start<'a> {
    /// Nothing.
    Zero,
    /// These, one for every channel of the blocks.
    Bias(&'a [f32]),
    /// What the result holds.
    Stored,
}

/// One call of the micro-kernel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    /// All input values.
    pub x: &'a [f32],
    /// Where the call begins among them; may lie before the first, if no segment does.
    pub x_start: isize,
    /// Values from pixel to pixel.
    pub step: usize,
    /// The weights of this call.
    pub w: &'a [f32],
    /// Runs of values and weights.
    pub segments: &'a [Segment],
    /// Values and weight vectors of each run.
    pub depth: usize,
    /// Where the sums go.
    pub out: Target<'a>,
    /// Where the first pixel's first channel lies.
    pub out_start: usize,
    /// Results from pixel to pixel.
    pub out_step: usize,
    /// Results from block to block.
    pub out_block: usize,
    /// What the sums are added to.
    pub start: Start<'a>,
    /// Whether negative results become zero.
    pub rectify: bool,
    /// Weights that the calls after this one need, to be fetched in passing.
    pub next: &'a [f32],
}

impl Call<'_> {
    /// Says whether every address of a call of so many pixels and blocks lies within its slice.
    fn is_inside(&self, pixels: usize, blocks: usize) -> bool {
        let run = (pixels - 1) * self.step + self.depth;
        let weights = self.depth * blocks * BLOCK;
        let reads = self.segments.iter().all(|segment| {
            let x = self.x_start.checked_add_unsigned(segment.x);
            let x = x.and_then(|x| usize::try_from(x).ok()).and_then(|x| x.checked_add(run));
            self.depth == 0
                || x.is_some_and(|end| end <= self.x.len()) && segment.w + weights <= self.w.len()
        });
        let last = (pixels - 1) * self.out_step + (blocks - 1) * self.out_block + BLOCK;
        let biased = match self.start {
            Start::Bias(bias) => bias.len() >= blocks * BLOCK,
            Start::Zero | Start::Stored => true,
        };
        reads && biased && self.out_start + last <= self.out.len()
    }
}

/// The micro-kernel for a number of pixels and blocks and a pixel step.
type Shell = unsafe fn(&Call<'_>);

/// The most pixels of a tile.
const PIXELS: usize = 14;
/// The pixel steps that have kernels of their own; the first takes any step.
const STEPS: [usize; 3] = [0, BLOCK, 2 * BLOCK];

/// The micro-kernels of an instruction set, for one pixel step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel {
    isa: Isa,
    step: usize,
}

impl Kernel {
    /// Chooses the kernels for a pixel step.
    pub(super) fn new(isa: Isa, step: usize) -> Self {
        Self { isa, step: STEPS.iter().position(|&known| known == step).unwrap_or(0) }
    }

    /// Returns the most blocks that a call computes at once.
    pub(super) fn blocks(self) -> usize {
        if self.isa == Isa::Avx512 { 2 } else { 1 }
    }

    /// Returns the most pixels that a call computes at once.
    pub(super) fn pixels(self) -> usize {
        match self.isa {
            Isa::Avx512 => PIXELS,
            Isa::Avx2 => 6,
            Isa::Portable => 2,
        }
    }

    /// Computes `pixels` pixels of `blocks` blocks.
    ///
    /// # Panics
    /// Panics when there are more of either than the kernels have; in debug builds also when an
    /// address is not within its slice, which the plans of the drivers rule out.
    #[inline]
    pub(super) fn run(self, pixels: usize, blocks: usize, call: &Call<'_>) {
        debug_assert!(call.is_inside(pixels, blocks), "{pixels} pixels, {blocks} blocks: {call:?}");
        let shell = match self.isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => AVX512[self.step][blocks - 1][pixels - 1],
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => AVX2[self.step][blocks - 1][pixels - 1],
            _ => PORTABLE[self.step][blocks - 1][pixels - 1],
        };
        // SAFETY: an instruction set is only chosen where the processor has it, and the drivers
        // make calls whose addresses lie within their slices (checked above in debug builds).
        unsafe { shell(call) }
    }

    /// Cuts a number of pixels into tiles of nearly equal width: gives the start and the width of
    /// each.
    pub(super) fn tiles(self, pixels: usize) -> impl Iterator<Item = (usize, usize)> {
        let count = pixels.div_ceil(self.pixels());
        (0..count).map(move |tile| {
            let start = tile * pixels / count;
            (start, (tile + 1) * pixels / count - start)
        })
    }
}

/// Cache lines fetched ahead in one segment, at most: more would crowd out the sums' own reads.
const LINES: usize = 4;
/// Numbers in a cache line.
const LINE: usize = 16;

#[inline(always)]
fn prefetch(address: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: fetching ahead reads nothing and never fails.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// The micro-kernel: `P` pixels, `N` registers of weights (`N` · lanes / 16 blocks).
///
/// # Safety
/// Needs the instruction set of `V`, and a call whose addresses lie within their slices.
#[inline(always)]
unsafe fn body<V: Vector, const P: usize, const N: usize, const STEP: usize>(call: &Call<'_>) {
    let step = if STEP == 0 { call.step } else { STEP };
    let lines = call.next.len().div_ceil(LINE).div_ceil(call.segments.len().max(1)).min(LINES);
    let mut next = call.next.as_ptr();
    let x = call.x.as_ptr().wrapping_offset(call.x_start);
    let w = call.w.as_ptr();
    // SAFETY: for everything below the caller vouches.
    unsafe {
        let mut sums = [[V::splat(0.0); N]; P];
        for segment in call.segments {
            for _ in 0..lines {
                prefetch(next);
                next = next.wrapping_add(LINE);
            }
            let mut x = x.wrapping_add(segment.x);
            let mut w = w.add(segment.w);
            for _ in 0..call.depth {
                let mut weights = [V::splat(0.0); N];
                for (n, weight) in weights.iter_mut().enumerate() {
                    *weight = V::load(w.add(n * V::LANES));
                }
                for (p, sums) in sums.iter_mut().enumerate() {
                    let value = V::splat(*x.add(p * step));
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = sum.fma(value, weight);
                    }
                }
                x = x.add(1);
                w = w.add(N * V::LANES);
            }
        }
        // No branch within the loops over the sums, or they would leave their registers.
        let floor = V::splat(if call.rectify { 0.0 } else { f32::NEG_INFINITY });
        match call.start {
            Start::Zero => store(
                call,
                sums,
                #[inline(always)]
                |_, _, sum| sum.at_least(floor),
            ),
            Start::Bias(bias) => store(
                call,
                sums,
                #[inline(always)]
                |_, channel, sum| sum.add(V::load(bias.as_ptr().add(channel))).at_least(floor),
            ),
            Start::Stored => store(
                call,
                sums,
                #[inline(always)]
                |to, _, sum| sum.add(V::load(to)).at_least(floor),
            ),
        }
    }
}

/// Stores what is made of the sums, their places and their channels within the blocks.
///
/// # Safety
/// As [`body`].
#[inline(always)]
unsafe fn store<V: Vector, const P: usize, const N: usize>(
    call: &Call<'_>,
    sums: [[V; N]; P],
    made: impl Fn(*mut f32, usize, V) -> V,
) {
    // SAFETY: the caller vouches.
    unsafe {
        let out = call.out.start.add(call.out_start);
        for (p, sums) in sums.into_iter().enumerate() {
            for (n, sum) in sums.into_iter().enumerate() {
                let channel = n * V::LANES;
                let to = out
                    .add(p * call.out_step)
                    .add(channel / BLOCK * call.out_block + channel % BLOCK);
                made(to, channel, sum).store(to);
            }
        }
    }
}

/// Makes the functions that carry an instruction set's target features.
macro_rules! shell {
    ($name:ident, $vector:ty, $(#[$feature:meta])?) => {
        /// # Safety
        /// As [`body`].
        $(#[$feature])?
        unsafe fn $name<const P: usize, const N: usize, const STEP: usize>(call: &Call<'_>) {
            // SAFETY: the caller vouches.
            unsafe { body::<$vector, P, N, STEP>(call) }
        }
    };
}

/// Makes a table of shells: by pixel step, blocks and pixels.
macro_rules! table {
    ($shell:ident, $registers:tt, $pixels:tt) => {
        [
            table!(@step $shell, 0, $registers, $pixels),
            table!(@step $shell, 16, $registers, $pixels),
            table!(@step $shell, 32, $registers, $pixels),
        ]
    };
    (@step $shell:ident, $step:literal, [$($n:literal)*], $pixels:tt) => {
        [$(table!(@pixels $shell, $step, $n, $pixels)),*]
    };
    (@pixels $shell:ident, $step:literal, $n:literal, [$($p:literal)*]) => {
        [$($shell::<$p, $n, $step> as Shell),*]
    };
}

shell!(portable, Portable,);
static PORTABLE: [[[Shell; 2]; 1]; STEPS.len()] = table!(portable, [4], [1 2]);

#[cfg(target_arch = "x86_64")]
shell!(avx2, std::arch::x86_64::__m256, #[target_feature(enable = "avx2,fma")]);
#[cfg(target_arch = "x86_64")]
static AVX2: [[[Shell; 6]; 1]; STEPS.len()] = table!(avx2, [2], [1 2 3 4 5 6]);

#[cfg(target_arch = "x86_64")]
shell!(avx512, std::arch::x86_64::__m512, #[target_feature(enable = "avx512f,avx2,fma")]);
#[cfg(target_arch = "x86_64")]
static AVX512: [[[Shell; PIXELS]; 2]; STEPS.len()] =
    table!(avx512, [1 2], [1 2 3 4 5 6 7 8 9 10 11 12 13 14]);

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers between −1 and 1.
    fn numbers(seed: u64, count: usize) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / 8_388_608.0 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn every_kernel_of_every_instruction_set_agrees_with_the_definition() {
        for isa in Isa::available() {
            for step in [1, 3, 6, 12, 16, 32, 48] {
                let kernel = Kernel::new(isa, step);
                for blocks in 1..=kernel.blocks() {
                    for pixels in 1..=kernel.pixels() {
                        agrees(kernel, step, pixels, blocks);
                    }
                }
            }
        }
    }

    fn agrees(kernel: Kernel, step: usize, pixels: usize, blocks: usize) {
        let (depth, out_step) = (5, 2 * BLOCK);
        let out_block = pixels * out_step + 3;
        let x = numbers(1, 10 + pixels * step + depth);
        let w = numbers(2, 2 * depth * blocks * BLOCK);
        let segments = [Segment { x: 4, w: 0 }, Segment { x: 9, w: depth * blocks * BLOCK }];
        let bias = numbers(3, blocks * BLOCK);
        let old = numbers(4, blocks * out_block);
        for (start, rectify) in
            [(Start::Zero, false), (Start::Bias(&bias), true), (Start::Stored, false)]
        {
            // What no pixel owns must stay as it is.
            let mut out = vec![f32::NAN; 2 + old.len()];
            for p in 0..pixels {
                for c in 0..blocks * BLOCK {
                    let place = p * out_step + c / BLOCK * out_block + c % BLOCK;
                    out[2 + place] = old[place];
                }
            }
            let before = out.clone();
            kernel.run(
                pixels,
                blocks,
                &Call {
                    x: &x,
                    x_start: -4,
                    step,
                    w: &w,
                    segments: &segments,
                    depth,
                    out: Target::new(&mut out),
                    out_start: 2,
                    out_step,
                    out_block,
                    start,
                    rectify,
                    next: &w,
                },
            );
            let mut touched = vec![false; out.len()];
            for p in 0..pixels {
                for c in 0..blocks * BLOCK {
                    let place = 2 + p * out_step + c / BLOCK * out_block + c % BLOCK;
                    touched[place] = true;
                    let mut sum = 0.0;
                    for segment in segments {
                        for d in 0..depth {
                            let value = x[segment.x - 4 + d + p * step];
                            let weight = w[segment.w + d * blocks * BLOCK + c];
                            sum += f64::from(value) * f64::from(weight);
                        }
                    }
                    sum += match start {
                        Start::Zero => 0.0,
                        Start::Bias(bias) => f64::from(bias[c]),
                        Start::Stored => f64::from(before[place]),
                    };
                    let expected = if rectify { sum.max(0.0) } else { sum };
                    let error = (f64::from(out[place]) - expected).abs();
                    assert!(error < 2e-6, "{kernel:?} {step} {pixels}x{blocks}: {error}");
                }
            }
            for (index, value) in out.iter().enumerate() {
                assert!(touched[index] || value.is_nan(), "{index} was touched");
            }
        }
    }

    #[test]
    fn tiles_cover_a_row_once_and_are_nearly_equal() {
        for isa in Isa::available() {
            let kernel = Kernel::new(isa, BLOCK);
            for width in 0..60 {
                let tiles: Vec<_> = kernel.tiles(width).collect();
                let mut end = 0;
                for &(start, pixels) in &tiles {
                    assert_eq!(start, end);
                    assert!((1..=kernel.pixels()).contains(&pixels));
                    end += pixels;
                }
                assert_eq!(end, width);
                let widths = || tiles.iter().map(|&(_, pixels)| pixels);
                assert!(widths().max().unwrap_or(0) - widths().min().unwrap_or(0) <= 1);
            }
        }
    }

    #[test]
    #[should_panic(expected = "a part leaves its target")]
    fn a_part_beyond_its_target_is_refused() {
        Target::new(&mut [0.0; 4]).part(2, 3);
    }
}
