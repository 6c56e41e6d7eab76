//! Blocks of 16 numbers in the registers of whichever instruction set there is.

#![allow(unsafe_code, reason = "instructions are used that not every processor has")]

use std::marker::PhantomData;

use super::Isa;
use super::micro::BLOCK;
use super::simd::{Order, Portable, Vector, vectorized};

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

    /// Writes the columns of a block of rows, each of 16 numbers, the rows `step` apart.
    ///
    /// # Panics
    /// Panics when there are fewer numbers.
    #[inline(always)]
    #[expect(clippy::unused_self, reason = "to have it is the promise")]
    pub(super) fn transpose(self, rows: &[f32], step: usize, columns: &mut [[f32; BLOCK]; BLOCK]) {
        let rows = &rows[..(BLOCK - 1) * step + BLOCK];
        for row in (0..BLOCK).step_by(V::LANES) {
            for column in (0..BLOCK).step_by(V::LANES) {
                // SAFETY: `self` promises the instruction set; the last number that is read lies
                // in the last of the rows, the last that is written in the last of the columns.
                unsafe {
                    let turned = V::columns(rows.as_ptr().add(row * step + column), step);
                    for index in 0..V::LANES {
                        turned[index].store(columns[column + index].as_mut_ptr().add(row));
                    }
                }
            }
        }
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

    /// `self · other`.
    #[inline(always)]
    pub(super) fn mul(mut self, other: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            // SAFETY: see above.
            *a = unsafe { a.mul(b) };
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

    /// max(self, other), of equal numbers `self`; NaN counts as larger than any number.
    #[inline(always)]
    pub(super) fn larger(mut self, other: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            // SAFETY: see above.
            *a = unsafe { a.larger(b) };
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

    /// A bit for every number, the first lowest, that is set where it is not zero; NaN is not.
    #[inline(always)]
    pub(super) fn signals(self) -> u32 {
        let lanes = self.0.into_iter().rev();
        // SAFETY: see above.
        lanes
            .fold(0, |bits, lanes| bits.unbounded_shl(V::LANES as u32) | unsafe { lanes.signals() })
    }

    /// `self − other`.
    #[inline(always)]
    pub(super) fn sub(mut self, other: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            // SAFETY: see above.
            *a = unsafe { a.sub(b) };
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

    /// Takes the larger of two.
    struct Larger<'a>([&'a [f32; BLOCK]; 2], &'a mut [f32; BLOCK]);

    impl InRegisters for Larger<'_> {
        type Output = ();

        #[inline(always)]
        fn run<V: Vector, const N: usize>(self, registers: Registers<V, N>) {
            let [a, b] = self.0.map(|values| registers.load(values));
            a.larger(b).store(self.1);
        }
    }

    #[test]
    fn what_is_not_a_number_is_larger_in_every_instruction_set() {
        let a: [f32; BLOCK] =
            std::array::from_fn(|lane| if lane % 3 == 0 { f32::NAN } else { 2.0 });
        let b = std::array::from_fn(|lane| if lane % 4 == 0 { f32::NAN } else { lane as f32 });
        for isa in Isa::available() {
            let mut results = [0.0; BLOCK];
            in_registers(isa, Larger([&a, &b], &mut results));
            for (lane, result) in results.into_iter().enumerate() {
                let is_nan = lane % 3 == 0 || lane % 4 == 0;
                let largest = a[lane].max(b[lane]).to_bits();
                assert!(if is_nan { result.is_nan() } else { result.to_bits() == largest });
            }
        }
    }

    /// Turns the rows of a wider matrix.
    struct Turned<'a>(&'a [f32], usize, &'a mut [[f32; BLOCK]; BLOCK]);

    impl InRegisters for Turned<'_> {
        type Output = ();

        #[inline(always)]
        fn run<V: Vector, const N: usize>(self, registers: Registers<V, N>) {
            registers.transpose(self.0, self.1, self.2);
        }
    }

    #[test]
    fn rows_become_columns_in_every_instruction_set() {
        let step = 23;
        let rows: Vec<f32> = (0..15 * step + BLOCK).map(|number| number as f32).collect();
        for isa in Isa::available() {
            let mut columns = [[f32::NAN; BLOCK]; BLOCK];
            in_registers(isa, Turned(&rows, step, &mut columns));
            for (column, numbers) in columns.iter().enumerate() {
                for (row, number) in numbers.iter().enumerate() {
                    let expected = rows[row * step + column].to_bits();
                    assert_eq!(number.to_bits(), expected, "{isa}: row {row}, column {column}");
                }
            }
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
