//! Vectors of the instruction sets, the only place with intrinsics.
//!
//! The methods carry no target feature, so that generic code has none either; the functions that
//! are called through a table carry it, and the compiler inlines everything into them.

#![allow(unsafe_code, reason = "vectors are loaded from and stored at raw addresses")]

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
    /// `self + a · b`, rounded once where the instruction set can.
    unsafe fn fma(self, a: Self, b: Self) -> Self;
    /// max(self, floor) that keeps NaN of `self`.
    unsafe fn at_least(self, floor: Self) -> Self;
    /// max(self, 0) that keeps NaN.
    #[inline(always)]
    unsafe fn rectify(self) -> Self {
        // SAFETY: the caller has the instruction set.
        unsafe { self.at_least(Self::splat(0.0)) }
    }
    /// max(self, other), of equal numbers `self`; NaN counts as larger than any number.
    unsafe fn larger(self, other: Self) -> Self;
    /// In every lane `a` where `self > limit`, else `b`; NaN is not greater.
    unsafe fn if_greater(self, limit: Self, a: Self, b: Self) -> Self;
    /// A bit for every lane, the first lowest, that is set where it is not zero; NaN is not.
    unsafe fn signals(self) -> u32;
    /// Reads as many rows as there are lanes, `step` numbers apart, and returns their columns in
    /// the first elements.
    unsafe fn columns(from: *const f32, step: usize) -> [Self; BLOCK];
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256, __m512, _CMP_GT_OQ, _CMP_NEQ_UQ, _CMP_UNORD_Q, _mm256_add_ps, _mm256_blendv_ps,
        _mm256_cmp_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_max_ps,
        _mm256_movemask_ps, _mm256_mul_ps, _mm256_permute2f128_ps, _mm256_permutevar8x32_ps,
        _mm256_set1_ps, _mm256_setzero_ps, _mm256_shuffle_ps, _mm256_storeu_ps, _mm256_sub_ps,
        _mm512_add_ps, _mm512_cmp_ps_mask, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512,
        _mm512_mask_blend_ps, _mm512_max_ps, _mm512_mul_ps, _mm512_permutexvar_ps, _mm512_set1_ps,
        _mm512_setzero_ps, _mm512_shuffle_f32x4, _mm512_shuffle_ps, _mm512_storeu_ps,
        _mm512_sub_ps,
    };

    use super::{BLOCK, Order, Vector};

    /// Turns the squares of four by four numbers of some rows.
    macro_rules! squares {
        ($rows:ident, $count:literal, $shuffle:ident) => {{
            let mut turned = $rows;
            for first in (0..$count).step_by(4) {
                let [a, b, c, d] = [0, 1, 2, 3].map(|index| $rows[first + index]);
                let (ab, cd) = ($shuffle::<0x44>(a, b), $shuffle::<0x44>(c, d));
                turned[first] = $shuffle::<0x88>(ab, cd);
                turned[first + 1] = $shuffle::<0xDD>(ab, cd);
                let (ab, cd) = ($shuffle::<0xEE>(a, b), $shuffle::<0xEE>(c, d));
                turned[first + 2] = $shuffle::<0x88>(ab, cd);
                turned[first + 3] = $shuffle::<0xDD>(ab, cd);
            }
            turned
        }};
    }

    /// Writes one method after the other as a call of an intrinsic.
    macro_rules! vector {
        ($vector:ty, $lanes:literal, $set1:ident, $load:ident, $store:ident,
         $add:ident, $sub:ident, $mul:ident, $fmadd:ident, $max:ident,
         |$block:ident, $first:ident, $order:ident| $permuted:expr,
         |$x:ident, $limit:ident, $a:ident, $b:ident| $select:expr,
         |$one:ident, $largest:ident| $larger:expr,
         |$lanes_of:ident| $signals:expr,
         |$rows:ident| $columns:expr) => {
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
                unsafe fn fma(self, a: Self, b: Self) -> Self {
                    // SAFETY: see above.
                    unsafe { $fmadd(a, b, self) }
                }

                #[inline(always)]
                unsafe fn at_least(self, floor: Self) -> Self {
                    // Where an operand is NaN the instruction returns the second one.
                    // SAFETY: see above.
                    unsafe { $max(floor, self) }
                }

                #[inline(always)]
                unsafe fn larger(self, other: Self) -> Self {
                    // Where an operand is NaN the instruction returns the second one.
                    // SAFETY: see above.
                    unsafe {
                        let ($one, $largest) = (other, $max(other, self));
                        $larger
                    }
                }

                #[inline(always)]
                unsafe fn if_greater(self, limit: Self, a: Self, b: Self) -> Self {
                    let ($x, $limit, $a, $b) = (self, limit, a, b);
                    // SAFETY: see above.
                    unsafe { $select }
                }

                #[inline(always)]
                unsafe fn signals(self) -> u32 {
                    let $lanes_of = self;
                    // SAFETY: see above.
                    unsafe { $signals }
                }

                #[inline(always)]
                unsafe fn columns(from: *const f32, step: usize) -> [Self; BLOCK] {
                    // SAFETY: see above.
                    unsafe {
                        let mut $rows = [Self::splat(0.0); BLOCK];
                        for (index, row) in $rows[..Self::LANES].iter_mut().enumerate() {
                            *row = $load(from.add(index * step));
                        }
                        $columns
                    }
                }
            }
        };
    }

    vector!(
        __m512,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_fmadd_ps,
        _mm512_max_ps,
        |block, _first, order| _mm512_permutexvar_ps(
            _mm512_loadu_si512(order),
            _mm512_loadu_ps(block)
        ),
        |x, limit, a, b| _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, limit), b, a),
        |x, largest| _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x), largest, x),
        |x| u32::from(_mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(x, _mm512_setzero_ps())),
        |rows| {
            // Squares of four within quarters, then the quarters among each other.
            let rows = squares!(rows, 16, _mm512_shuffle_ps);
            let mut halves = rows;
            for place in 0..4 {
                let [a, b, c, d] = [0, 4, 8, 12].map(|quarter| rows[quarter + place]);
                halves[place] = _mm512_shuffle_f32x4::<0x88>(a, b);
                halves[place + 4] = _mm512_shuffle_f32x4::<0xDD>(a, b);
                halves[place + 8] = _mm512_shuffle_f32x4::<0x88>(c, d);
                halves[place + 12] = _mm512_shuffle_f32x4::<0xDD>(c, d);
            }
            let mut columns = rows;
            for place in 0..4 {
                let [a, b, c, d] = [0, 4, 8, 12].map(|quarter| halves[quarter + place]);
                columns[place] = _mm512_shuffle_f32x4::<0x88>(a, c);
                columns[place + 4] = _mm512_shuffle_f32x4::<0x88>(b, d);
                columns[place + 8] = _mm512_shuffle_f32x4::<0xDD>(a, c);
                columns[place + 12] = _mm512_shuffle_f32x4::<0xDD>(b, d);
            }
            columns
        }
    );

    vector!(
        __m256,
        8,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_fmadd_ps,
        _mm256_max_ps,
        // Both halves have the same order.
        |block, first, order| _mm256_permutevar8x32_ps(
            _mm256_loadu_ps(block.add(first)),
            _mm256_loadu_si256(order)
        ),
        |x, limit, a, b| _mm256_blendv_ps(b, a, _mm256_cmp_ps::<_CMP_GT_OQ>(x, limit)),
        |x, largest| _mm256_blendv_ps(largest, x, _mm256_cmp_ps::<_CMP_UNORD_Q>(x, x)),
        |x| _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NEQ_UQ>(x, _mm256_setzero_ps()))
            .cast_unsigned(),
        |rows| {
            let rows = squares!(rows, 8, _mm256_shuffle_ps);
            let mut columns = rows;
            for place in 0..4 {
                let (a, b) = (rows[place], rows[place + 4]);
                columns[place] = _mm256_permute2f128_ps::<0x20>(a, b);
                columns[place + 4] = _mm256_permute2f128_ps::<0x31>(a, b);
            }
            columns
        }
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
    unsafe fn at_least(self, floor: Self) -> Self {
        self.zip(floor, |x, floor| if x <= floor { floor } else { x })
    }

    #[inline(always)]
    unsafe fn larger(self, other: Self) -> Self {
        self.zip(other, |x, y| if y > x || y.is_nan() { y } else { x })
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

    #[inline(always)]
    unsafe fn signals(self) -> u32 {
        let bits = self.0.iter().rev();
        bits.fold(0, |bits, &x| bits << 1 | u32::from(x != 0.0))
    }

    #[inline(always)]
    unsafe fn columns(from: *const f32, step: usize) -> [Self; BLOCK] {
        // SAFETY: the caller vouches for the addresses.
        let rows = [0, 1, 2, 3].map(|row| unsafe { Self::load(from.add(row * step)) });
        std::array::from_fn(|column| Self(rows.map(|row| row.0[column % 4])))
    }
}
