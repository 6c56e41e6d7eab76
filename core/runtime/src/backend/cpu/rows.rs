//! Register tiles of products with the rows of a matrix, which are read where they lie: copies of
//! fully connected layers would take as much memory as the model.
//!
//! Safe loops over a tile's sums do not stay in registers (the compiler takes them apart into
//! single numbers), hence the vectors.

#![allow(unsafe_code, reason = "registers are filled from raw addresses")]

use super::Isa;
use super::micro::Target;
use super::simd::{Portable, Vector};

/// Rows of weights whose scalar products are computed together.
pub(super) const ROWS: usize = 4;
/// Numbers between the sums of two scalar products: the lanes of the widest register.
pub(super) const LANES: usize = 16;
/// Registers of neighbouring columns that are computed together.
const REGISTERS: usize = 4;

/// Scalar products of [`ROWS`] rows with some images, lane by lane: `sums[row][image][lane]` grows
/// by `weights[row] · images[image]` over every number whose place has that lane.
#[derive(Debug)]
pub(super) struct Dots<'a> {
    /// The matrix.
    pub weights: &'a [f32],
    /// Where each row begins; the same row may come several times.
    pub rows: [usize; ROWS],
    /// The images.
    pub images: &'a [f32],
    /// Where the first image begins.
    pub first: usize,
    /// Numbers from image to image.
    pub image_step: usize,
    /// How many numbers are multiplied; a multiple of [`LANES`].
    pub length: usize,
    /// Where the sums go: [`LANES`] numbers each, of which narrower registers use the first.
    pub sums: &'a mut [f32],
    /// Where the first sum lies.
    pub sum: usize,
    /// Numbers from the sums of a row to those of the next.
    pub sum_step: usize,
    /// Where weights begin that the calls after this one need, to be fetched in passing.
    pub next: &'a [usize],
}

impl Dots<'_> {
    fn is_inside(&self, images: usize) -> bool {
        let last_image = self.first + (images - 1) * self.image_step;
        let last_sum = self.sum + (ROWS - 1) * self.sum_step + images * LANES;
        self.length.is_multiple_of(LANES)
            && self.rows.iter().all(|row| row + self.length <= self.weights.len())
            && last_image + self.length <= self.images.len()
            && last_sum <= self.sums.len()
    }
}

/// How sums of rows meet what lies where they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joining {
    /// They begin at zero and are added.
    Added,
    /// They go on from it.
    Continued,
}

/// Sums of some rows, each times its factor: `out[image][column]` grows by the sum over `index` of
/// `factors[image][index] · weights[rows[index]][column]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Combinations<'a> {
    /// The matrix.
    pub weights: &'a [f32],
    /// Where the first column of row 0 lies.
    pub first: usize,
    /// Numbers from row to row.
    pub row_step: usize,
    /// The rows that are added up.
    pub rows: &'a [usize],
    /// The factors.
    pub factors: &'a [f32],
    /// Where the first image's first factor lies.
    pub factor: usize,
    /// Numbers from the factors of an image to those of the next.
    pub factor_step: usize,
    /// Where the sums go.
    pub out: Target<'a>,
    /// Where the first image's first column lies.
    pub out_start: usize,
    /// Numbers from image to image.
    pub out_step: usize,
    /// How they meet what lies there.
    pub joining: Joining,
    /// Rows that the calls after this one need, each to be fetched in passing with one of `rows`.
    pub next: &'a [usize],
    /// Where what is fetched of them lies in row 0, line by line.
    pub lines: &'a [usize],
}

impl Combinations<'_> {
    fn is_inside(&self, images: usize, columns: usize) -> bool {
        let end = self.first + columns;
        self.rows.iter().all(|row| row * self.row_step + end <= self.weights.len())
            && self.factor + (images - 1) * self.factor_step + self.rows.len() <= self.factors.len()
            && self.out_start + (images - 1) * self.out_step + columns <= self.out.len()
    }
}

/// The tiles of an instruction set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiles(pub(super) Isa);

impl Tiles {
    /// Returns the most images of a tile.
    pub(super) fn images(self) -> usize {
        match self.0 {
            Isa::Avx512 => 6,
            Isa::Avx2 => 3,
            Isa::Portable => 2,
        }
    }

    /// Lists the numbers of columns that [`Tiles::combinations`] takes, descending; the last
    /// divides [`LANES`].
    pub(super) fn columns(self) -> [usize; 2] {
        let lanes = match self.0 {
            Isa::Avx512 => 16,
            Isa::Avx2 => 8,
            Isa::Portable => Portable::LANES,
        };
        [REGISTERS * lanes, lanes]
    }

    /// Adds scalar products to their sums.
    ///
    /// # Panics
    /// Panics when there are more images than tiles have; in debug builds also when an address is
    /// not within its slice, which the drivers rule out.
    pub(super) fn dots(self, images: usize, call: &mut Dots<'_>) {
        debug_assert!(call.is_inside(images), "{images} images: {call:?}");
        let shell = match self.0 {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => AVX512_DOTS[images - 1],
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => AVX2_DOTS[images - 1],
            _ => PORTABLE_DOTS[images - 1],
        };
        // SAFETY: an instruction set is only chosen where the processor has it, and the drivers
        // make calls whose addresses lie within their slices (checked above in debug builds).
        unsafe { shell(call) }
    }

    /// Adds sums of rows, for `columns` out of [`Tiles::columns`].
    ///
    /// # Panics
    /// As [`Tiles::dots`].
    pub(super) fn combinations(self, images: usize, columns: usize, call: &Combinations<'_>) {
        debug_assert!(call.is_inside(images, columns), "{images} images, {columns}: {call:?}");
        let narrow = usize::from(columns != self.columns()[0]);
        let shell = match self.0 {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => AVX512_COMBINATIONS[narrow][images - 1],
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => AVX2_COMBINATIONS[narrow][images - 1],
            _ => PORTABLE_COMBINATIONS[narrow][images - 1],
        };
        // SAFETY: as in dots.
        unsafe { shell(call) }
    }
}

/// Asks for the cache line of an address, which may lie anywhere, to be brought into the second
/// cache: weights come from memory, and the first cache has fewer lines under way than it takes.
#[inline(always)]
fn prefetch(address: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: fetching ahead reads nothing and never fails.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// # Safety
/// Needs the instruction set of `V`, and a call for `N` images whose addresses lie within their
/// slices.
#[inline(always)]
unsafe fn dots<V: Vector, const N: usize>(call: &mut Dots<'_>) {
    let weights = call.rows.map(|row| call.weights.as_ptr().wrapping_add(row));
    let images = call.images.as_ptr().wrapping_add(call.first);
    // SAFETY: for everything below the caller vouches.
    unsafe {
        let mut sums = [[V::splat(0.0); N]; ROWS];
        for line in (0..call.length).step_by(LANES) {
            for &next in call.next {
                prefetch(call.weights.as_ptr().wrapping_add(next + line));
            }
            for place in (line..line + LANES).step_by(V::LANES) {
                let mut values = [V::splat(0.0); N];
                for (n, value) in values.iter_mut().enumerate() {
                    *value = V::load(images.add(n * call.image_step + place));
                }
                for (row, sums) in weights.into_iter().zip(&mut sums) {
                    let weight = V::load(row.add(place));
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum = sum.fma(weight, value);
                    }
                }
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            for (n, sum) in sums.into_iter().enumerate() {
                let to = call.sums.as_mut_ptr().add(call.sum + row * call.sum_step + n * LANES);
                V::load(to).add(sum).store(to);
            }
        }
    }
}

/// # Safety
/// Needs the instruction set of `V`, and a call for `N` images and `R` registers of columns whose
/// addresses lie within their slices.
#[inline(always)]
unsafe fn combinations<V: Vector, const N: usize, const R: usize>(call: &Combinations<'_>) {
    let weights = call.weights.as_ptr();
    let factors = call.factors.as_ptr().wrapping_add(call.factor);
    // SAFETY: for everything below the caller vouches.
    unsafe {
        let out = call.out.address(call.out_start);
        let mut sums = [[V::splat(0.0); R]; N];
        if call.joining == Joining::Continued {
            for (n, sums) in sums.iter_mut().enumerate() {
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = V::load(out.add(n * call.out_step + r * V::LANES));
                }
            }
        }
        for (index, row) in call.rows.iter().enumerate() {
            if let Some(next) = call.next.get(index) {
                for line in call.lines {
                    prefetch(weights.wrapping_add(line + next * call.row_step));
                }
            }
            let weights = weights.wrapping_add(call.first + row * call.row_step);
            let mut values = [V::splat(0.0); N];
            for (n, value) in values.iter_mut().enumerate() {
                *value = V::splat(*factors.add(n * call.factor_step + index));
            }
            for r in 0..R {
                let weight = V::load(weights.add(r * V::LANES));
                for (sums, value) in sums.iter_mut().zip(values) {
                    sums[r] = sums[r].fma(value, weight);
                }
            }
        }
        for (n, sums) in sums.into_iter().enumerate() {
            for (r, sum) in sums.into_iter().enumerate() {
                let to = out.add(n * call.out_step + r * V::LANES);
                match call.joining {
                    Joining::Added => V::load(to).add(sum).store(to),
                    Joining::Continued => sum.store(to),
                }
            }
        }
    }
}

type DotsShell = unsafe fn(&mut Dots<'_>);
type CombinationsShell = unsafe fn(&Combinations<'_>);

/// Makes the functions that carry an instruction set's target features.
macro_rules! shells {
    ($dots:ident, $combinations:ident, $vector:ty, $(#[$feature:meta])?) => {
        /// # Safety
        /// As [`dots`].
        $(#[$feature])?
        unsafe fn $dots<const N: usize>(call: &mut Dots<'_>) {
            // SAFETY: the caller vouches.
            unsafe { dots::<$vector, N>(call) }
        }

        /// # Safety
        /// As [`combinations`].
        $(#[$feature])?
        unsafe fn $combinations<const N: usize, const R: usize>(call: &Combinations<'_>) {
            // SAFETY: the caller vouches.
            unsafe { combinations::<$vector, N, R>(call) }
        }
    };
}

/// Makes a table of shells by the number of images.
macro_rules! dots {
    ($shell:ident, [$($n:literal)*]) => { [$($shell::<$n> as DotsShell),*] };
}

/// Makes a table of shells: by registers of columns, many first, and images.
macro_rules! combinations {
    ($shell:ident, [$($n:literal)*]) => {
        [
            [$($shell::<$n, REGISTERS> as CombinationsShell),*],
            [$($shell::<$n, 1> as CombinationsShell),*],
        ]
    };
}

shells!(portable_dots, portable_combinations, Portable,);
static PORTABLE_DOTS: [DotsShell; 2] = dots!(portable_dots, [1 2]);
static PORTABLE_COMBINATIONS: [[CombinationsShell; 2]; 2] =
    combinations!(portable_combinations, [1 2]);

#[cfg(target_arch = "x86_64")]
shells!(avx2_dots, avx2_combinations, std::arch::x86_64::__m256,
    #[target_feature(enable = "avx2,fma")]);
#[cfg(target_arch = "x86_64")]
static AVX2_DOTS: [DotsShell; 3] = dots!(avx2_dots, [1 2 3]);
#[cfg(target_arch = "x86_64")]
static AVX2_COMBINATIONS: [[CombinationsShell; 3]; 2] = combinations!(avx2_combinations, [1 2 3]);

#[cfg(target_arch = "x86_64")]
shells!(avx512_dots, avx512_combinations, std::arch::x86_64::__m512,
    #[target_feature(enable = "avx512f,avx2,fma")]);
#[cfg(target_arch = "x86_64")]
static AVX512_DOTS: [DotsShell; 6] = dots!(avx512_dots, [1 2 3 4 5 6]);
#[cfg(target_arch = "x86_64")]
static AVX512_COMBINATIONS: [[CombinationsShell; 6]; 2] =
    combinations!(avx512_combinations, [1 2 3 4 5 6]);
