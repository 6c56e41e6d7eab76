//! Vectors of the instruction sets, the only place with intrinsics.
//!
//! The methods carry no target feature, so that generic code has none either; the functions that
//! are called through a table carry it, and the compiler inlines everything into them.

#![allow(dead_code, reason = "kernels that are on their way use the rest")]
#![allow(unsafe_code, reason = "vectors are loaded from and stored at raw addresses")]

use std::marker::PhantomData;

use super::Isa;
use super::micro::BLOCK;

/// Runs a piece of work compiled for an instruction set: plain loops over blocks of 16 numbers
/// become loops over its registers. The work must be a closure marked `#[inline(always)]`, and what
/// it calls must be inlined too; a function that is not falls back to the compiler's target.
#[inline]
pub(super) fn vectorized<R>(isa: Isa, work: impl FnOnce() -> R) -> R {
    match isa {
        // SAFETY: an instruction set is only chosen where the processor has it.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2(work) },
        _ => work(),
    }
}

/// # Safety
/// Needs AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn avx512<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// # Safety
/// Needs AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Work that is written in blocks of 16 numbers which stay in registers.
pub(super) trait InRegisters {
    /// What comes out.
    type Output;

    /// Does the work. The method must be marked `#[inline(always)]`, and what it calls must be
    /// inlined too; a function that is not is slow.
    fn run<V: Vector, const N: usize>(self, registers: Registers<V, N>) -> Self::Output;
}

/// Does work in the registers of an instruction set.
#[inline]
pub(super) fn in_registers<W: InRegisters>(isa: Isa, work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    use std::arch::x86_64::{__m256, __m512};

    vectorized(
        isa,
        #[inline(always)]
        || match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => work.run(Registers::<__m512, 1>(PhantomData)),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => work.run(Registers::<__m256, 2>(PhantomData)),
            _ => work.run(Registers::<Portable, 4>(PhantomData)),
        },
    )
}

/// The promise that code runs on a processor with the instruction set of `V`, of which `N`
/// registers hold a block: only [`in_registers`] makes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers<V, const N: usize>(PhantomData<V>);

impl<V: Vector, const N: usize> Registers<V, N> {
    /// A block of which every number is `x`.
    #[inline(always)]
    #[expect(clippy::unused_self, reason = "to have it is the promise")]
    pub(super) fn splat(self, x: f32) -> Block<V, N> {
        // SAFETY: `self` promises the instruction set.
        Block([unsafe { V::splat(x) }; N])
    }

    /// Reads a block.
    ///
    /// # Panics
    /// Panics when there are fewer numbers.
    #[inline(always)]
    pub(super) fn load(self, values: &[f32]) -> Block<V, N> {
        let values = &values[..BLOCK];
        let mut block = self.splat(0.0);
        for (register, values) in block.0.iter_mut().zip(values.chunks_exact(V::LANES)) {
            // SAFETY: `self` promises the instruction set, a chunk has as many numbers as lanes.
            *register = unsafe { V::load(values.as_ptr()) };
        }
        block
    }

    /// Reads a block in another order: lane `l` gets the number at `order[l]`, which lies in the
    /// same half of the block.
    #[inline(always)]
    pub(super) fn permuted(self, values: &[f32; BLOCK], order: &Order) -> Block<V, N> {
        let mut block = self.splat(0.0);
        for (index, register) in block.0.iter_mut().enumerate() {
            // SAFETY: `self` promises the instruction set; the index is that of a register.
            *register = unsafe { V::permuted(values, index * V::LANES, order) };
        }
        block
    }
}

/// The order of a block's numbers: within each half, in both the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order([i32; BLOCK]);

impl Order {
    /// Puts the number at `member` of every `width` neighbours in the place of all of them, for
    /// a width that divides 8.
    #[expect(clippy::cast_possible_wrap, reason = "a block has 16 lanes")]
    pub(super) const fn spread(width: usize, member: usize) -> Self {
        assert!((BLOCK / 2).is_multiple_of(width) && member < width);
        let mut order = [0; BLOCK];
        let mut lane = 0;
        while lane < BLOCK {
            order[lane] = (lane / width * width + member) as i32;
            lane += 1;
        }
        Self(order)
    }
}

/// Sixteen numbers in registers.
#[derive(Clone, Copy)]
pub(super) struct Block<V, const N: usize>([V; N]);

// Whoever has a block had the promise of the instruction set.
impl<V: Vector, const N: usize> Block<V, N> {
    /// `self + other`.
    #[inline(always)]
    pub(super) fn add(mut self, other: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            // SAFETY: see above.
            *a = unsafe { a.add(b) };
        }
        self
    }

    /// `self + a · b`.
    #[inline(always)]
    pub(super) fn multiply_add(mut self, a: Self, b: Self) -> Self {
        for (sum, (a, b)) in self.0.iter_mut().zip(a.0.into_iter().zip(b.0)) {
            // SAFETY: see above.
            *sum = unsafe { sum.fma(a, b) };
        }
        self
    }

    /// max(self, 0) that keeps NaN.
    #[inline(always)]
    pub(super) fn rectify(mut self) -> Self {
        for lanes in &mut self.0 {
            // SAFETY: see above.
            *lanes = unsafe { lanes.rectify() };
        }
        self
    }

    /// In every lane its number where that of `selector` is above zero, else zero.
    #[inline(always)]
    pub(super) fn where_positive(mut self, selector: Self) -> Self {
        for (lanes, selector) in self.0.iter_mut().zip(selector.0) {
            // SAFETY: see above.
            *lanes = unsafe {
                let zero = V::splat(0.0);
                selector.if_greater(zero, *lanes, zero)
            };
        }
        self
    }

    /// Writes the numbers.
    ///
    /// # Panics
    /// Panics where there is room for fewer.
    #[inline(always)]
    pub(super) fn store(self, to: &mut [f32]) {
        let to = &mut to[..BLOCK];
        for (lanes, to) in self.0.into_iter().zip(to.chunks_exact_mut(V::LANES)) {
            // SAFETY: see above; a chunk has as many numbers as lanes.
            unsafe { lanes.store(to.as_mut_ptr()) };
        }
    }
}

/// Some neighbouring numbers in one register. The lane count divides 16.
///
/// # Safety
/// Every method needs the instruction set of the type; `load` and `store` also an address of
/// [`Vector::LANES`] numbers.
pub(super) trait Vector: Copy {
    /// How many numbers.
    const LANES: usize;

    /// A register of which every lane is `x`.
    unsafe fn splat(x: f32) -> Self;
    /// Reads the lanes from anywhere.
    unsafe fn load(from: *const f32) -> Self;
    /// Reads the lanes from a block, those at `order[first..]`.
    unsafe fn permuted(block: &[f32; BLOCK], first: usize, order: &Order) -> Self;
    /// Writes the lanes anywhere.
    unsafe fn store(self, to: *mut f32);
    /// `self + other`.
    unsafe fn add(self, other: Self) -> Self;
    /// `self − other`.
    unsafe fn sub(self, other: Self) -> Self;
    /// `self · other`.
    unsafe fn mul(self, other: Self) -> Self;
    /// `self / other`.
    unsafe fn div(self, other: Self) -> Self;
    /// The square root.
    unsafe fn sqrt(self) -> Self;
    /// `self + a · b`, rounded once where the instruction set can.
    unsafe fn fma(self, a: Self, b: Self) -> Self;
    /// max(self, 0) that keeps NaN.
    unsafe fn rectify(self) -> Self;
    /// In every lane `a` where `self > limit`, else `b`; NaN is not greater.
    unsafe fn if_greater(self, limit: Self, a: Self, b: Self) -> Self;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256, __m512, _CMP_GT_OQ, _mm256_add_ps, _mm256_blendv_ps, _mm256_cmp_ps, _mm256_div_ps,
        _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_max_ps, _mm256_mul_ps,
        _mm256_permutevar8x32_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_sqrt_ps,
        _mm256_storeu_ps, _mm256_sub_ps, _mm512_add_ps, _mm512_cmp_ps_mask, _mm512_div_ps,
        _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_blend_ps, _mm512_max_ps,
        _mm512_mul_ps, _mm512_permutexvar_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_sqrt_ps,
        _mm512_storeu_ps, _mm512_sub_ps,
    };

    use super::{BLOCK, Order, Vector};

    /// Writes one method after the other as a call of an intrinsic.
    macro_rules! vector {
        ($vector:ty, $lanes:literal, $set1:ident, $zero:ident, $load:ident, $store:ident,
         $add:ident, $sub:ident, $mul:ident, $div:ident, $sqrt:ident, $fmadd:ident, $max:ident,
         |$block:ident, $first:ident, $order:ident| $permuted:expr,
         |$x:ident, $limit:ident, $a:ident, $b:ident| $select:expr) => {
            // SAFETY of all: the caller has the instruction set and, for load and store, vouches
            // for the address.
            impl Vector for $vector {
                const LANES: usize = $lanes;

                #[inline(always)]
                unsafe fn splat(x: f32) -> Self {
                    // SAFETY: see above.
                    unsafe { $set1(x) }
                }

                #[inline(always)]
                unsafe fn load(from: *const f32) -> Self {
                    // SAFETY: see above.
                    unsafe { $load(from) }
                }

                #[inline(always)]
                unsafe fn permuted(block: &[f32; BLOCK], first: usize, order: &Order) -> Self {
                    let ($block, $first, $order) = (block.as_ptr(), first, order.0.as_ptr().cast());
                    // SAFETY: see above; the caller vouches that `first` is a register's.
                    unsafe { $permuted }
                }

                #[inline(always)]
                unsafe fn store(self, to: *mut f32) {
                    // SAFETY: see above.
                    unsafe { $store(to, self) }
                }

                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    // SAFETY: see above.
                    unsafe { $add(self, other) }
                }

                #[inline(always)]
                unsafe fn sub(self, other: Self) -> Self {
                    // SAFETY: see above.
                    unsafe { $sub(self, other) }
                }

                #[inline(always)]
                unsafe fn mul(self, other: Self) -> Self {
                    // SAFETY: see above.
                    unsafe { $mul(self, other) }
                }

                #[inline(always)]
                unsafe fn div(self, other: Self) -> Self {
                    // SAFETY: see above.
                    unsafe { $div(self, other) }
                }

                #[inline(always)]
                unsafe fn sqrt(self) -> Self {
                    // SAFETY: see above.
                    unsafe { $sqrt(self) }
                }

                #[inline(always)]
                unsafe fn fma(self, a: Self, b: Self) -> Self {
                    // SAFETY: see above.
                    unsafe { $fmadd(a, b, self) }
                }

                #[inline(always)]
                unsafe fn rectify(self) -> Self {
                    // Where an operand is NaN the instruction returns the second one.
                    // SAFETY: see above.
                    unsafe { $max($zero(), self) }
                }

                #[inline(always)]
                unsafe fn if_greater(self, limit: Self, a: Self, b: Self) -> Self {
                    let ($x, $limit, $a, $b) = (self, limit, a, b);
                    // SAFETY: see above.
                    unsafe { $select }
                }
            }
        };
    }

    vector!(
        __m512,
        16,
        _mm512_set1_ps,
        _mm512_setzero_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_div_ps,
        _mm512_sqrt_ps,
        _mm512_fmadd_ps,
        _mm512_max_ps,
        |block, _first, order| _mm512_permutexvar_ps(
            _mm512_loadu_si512(order),
            _mm512_loadu_ps(block)
        ),
        |x, limit, a, b| _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, limit), b, a)
    );

    vector!(
        __m256,
        8,
        _mm256_set1_ps,
        _mm256_setzero_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_div_ps,
        _mm256_sqrt_ps,
        _mm256_fmadd_ps,
        _mm256_max_ps,
        // Both halves have the same order.
        |block, first, order| _mm256_permutevar8x32_ps(
            _mm256_loadu_ps(block.add(first)),
            _mm256_loadu_si256(order)
        ),
        |x, limit, a, b| _mm256_blendv_ps(b, a, _mm256_cmp_ps::<_CMP_GT_OQ>(x, limit))
    );
}

/// Four lanes of whatever the compiler's target has.
#[derive(Clone, Copy)]
pub(super) struct Portable([f32; 4]);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let mut lanes = self.0;
        for (lane, other) in lanes.iter_mut().zip(other.0) {
            *lane = f(*lane, other);
        }
        Self(lanes)
    }
}

// SAFETY of all: only the addresses of load and store matter, for which the caller vouches.
impl Vector for Portable {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; 4])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for four numbers; an array needs no more alignment than one.
        Self(unsafe { from.cast::<[f32; 4]>().read() })
    }

    #[inline(always)]
    unsafe fn permuted(block: &[f32; BLOCK], first: usize, order: &Order) -> Self {
        let mut lanes = [0.0; 4];
        for (lane, place) in lanes.iter_mut().zip(&order.0[first..]) {
            *lane = block[*place as usize];
        }
        Self(lanes)
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as in load.
        unsafe { to.cast::<[f32; 4]>().write(self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }

    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        Self(self.0.map(f32::sqrt))
    }

    #[inline(always)]
    unsafe fn fma(self, a: Self, b: Self) -> Self {
        // Without the instruction a fused multiply-add would be a call of a library function.
        let mut lanes = self.0;
        for (lane, (a, b)) in lanes.iter_mut().zip(a.0.into_iter().zip(b.0)) {
            *lane = if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
                a.mul_add(b, *lane)
            } else {
                *lane + a * b
            };
        }
        Self(lanes)
    }

    #[inline(always)]
    unsafe fn rectify(self) -> Self {
        Self(self.0.map(|x| if x <= 0.0 { 0.0 } else { x }))
    }

    #[inline(always)]
    unsafe fn if_greater(self, limit: Self, a: Self, b: Self) -> Self {
        let mut lanes = b.0;
        for (index, lane) in lanes.iter_mut().enumerate() {
            if self.0[index] > limit.0[index] {
                *lane = a.0[index];
            }
        }
        Self(lanes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spreads the third of four neighbours, keeps the first five lanes, and adds up.
    struct Sample<'a>(&'a [f32; BLOCK], &'a mut [f32; BLOCK]);

    impl InRegisters for Sample<'_> {
        type Output = ();

        #[inline(always)]
        fn run<V: Vector, const N: usize>(self, registers: Registers<V, N>) {
            let mut first = [0.0; BLOCK];
            first[..5].fill(1.0);
            let spread = registers.permuted(self.0, &const { Order::spread(4, 2) });
            let values = registers.load(self.0);
            let sum = registers.splat(-4.0).multiply_add(spread, values).rectify();
            sum.add(values).where_positive(registers.load(&first)).store(self.1);
        }
    }

    #[test]
    fn blocks_compute_the_same_in_every_instruction_set() {
        let values: [f32; BLOCK] = std::array::from_fn(|lane| lane as f32 - 2.0);
        for isa in Isa::available() {
            let mut results = [f32::NAN; BLOCK];
            in_registers(isa, Sample(&values, &mut results));
            for (lane, result) in results.into_iter().enumerate() {
                let product = values[lane / 4 * 4 + 2] * values[lane] - 4.0;
                let expected = if lane < 5 { product.max(0.0) + values[lane] } else { 0.0 };
                assert_eq!(result.to_bits(), expected.to_bits(), "{isa}: lane {lane}");
            }
        }
    }
}
