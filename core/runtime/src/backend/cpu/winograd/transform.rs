//! The small transforms of Winograd's convolution, and how they are carried over rows of tiles.
//!
//! A tile of M × M outputs sees A × A inputs, A = M + 2. With d the inputs and g the taps, its
//! outputs are Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A: A² products a tile instead of 9 M². The matrices follow
//! from evaluating polynomials at A − 1 points and at infinity (Lavin & Gray 2016, section 4).

#![expect(
    clippy::needless_range_loop,
    reason = "arrays that are walked by index stay in registers, others may not"
)]

use std::marker::PhantomData;
use std::ops::Range;

use super::super::Isa;
use super::super::micro::BLOCK;
use super::super::registers::{Block, InRegisters, Registers, in_registers};
use super::super::simd::Vector;
use crate::Epilogue;

/// A cell of maps in blocks.
pub(in crate::backend::cpu) type Lanes = [f32; BLOCK];

/// What lies in the padding.
static ZERO: Lanes = [0.0; BLOCK];

/// Cells by row and column.
pub(in crate::backend::cpu) type Square<'a, const A: usize> = [[&'a Lanes; A]; A];

/// A tile of `M` × `M` outputs, which sees `A` × `A` inputs. Some rows of a result are computed
/// together, as many as stay in registers.
pub(super) trait Tile<const M: usize, const A: usize> {
    /// G g.
    fn filter(g: [f64; 3]) -> [f64; A];
    /// Bᵀ d B.
    fn spread<V: Vector, const N: usize>(
        r: Registers<V, N>,
        d: &Square<'_, A>,
        target: &mut Numbers<'_, '_, A>,
    );
    /// Aᵀ p A.
    fn gather<V: Vector, const N: usize>(
        r: Registers<V, N>,
        p: &Square<'_, A>,
        target: &mut Outputs<'_, '_, V, N, M>,
    );
}

/// The transform of one axis. A type and not a function that is handed on, since that would not be
/// inlined for certain.
pub(in crate::backend::cpu) trait Axis<const I: usize, const O: usize> {
    fn apply<V: Vector, const N: usize>(
        r: Registers<V, N>,
        x: [Block<V, N>; I],
    ) -> [Block<V, N>; O];
}

/// `a · factor + c`.
#[inline(always)]
pub(in crate::backend::cpu) fn scaled<V: Vector, const N: usize>(
    r: Registers<V, N>,
    a: Block<V, N>,
    factor: f32,
    c: Block<V, N>,
) -> Block<V, N> {
    c.multiply_add(a, r.splat(factor))
}

/// Transforms both axes and returns some rows of the result.
#[inline(always)]
pub(in crate::backend::cpu) fn both_axes<
    F: Axis<A, O>,
    V: Vector,
    const N: usize,
    const A: usize,
    const O: usize,
    const K: usize,
>(
    _: F,
    r: Registers<V, N>,
    x: &Square<'_, A>,
    rows: [usize; K],
) -> [[Block<V, N>; O]; K] {
    let zero = r.splat(0.0);
    let mut half = [[zero; A]; K];
    for column in 0..A {
        let mut cells = [zero; A];
        for row in 0..A {
            cells[row] = r.load(x[row][column]);
        }
        let results = F::apply(r, cells);
        for place in 0..K {
            half[place][column] = results[rows[place]];
        }
    }
    let mut results = [[zero; O]; K];
    for place in 0..K {
        results[place] = F::apply(r, half[place]);
    }
    results
}

/// F(2×2, 3×3) with the points 0, 1, −1 and infinity.
pub(super) struct F2;

impl Tile<2, 4> for F2 {
    fn filter([a, b, c]: [f64; 3]) -> [f64; 4] {
        [a, 0.5 * (a + b + c), 0.5 * (a - b + c), c]
    }

    #[inline(always)]
    fn spread<V: Vector, const N: usize>(
        r: Registers<V, N>,
        d: &Square<'_, 4>,
        target: &mut Numbers<'_, '_, 4>,
    ) {
        target.put([0, 1, 2, 3], both_axes(F2Inputs, r, d, [0, 1, 2, 3]));
    }

    #[inline(always)]
    fn gather<V: Vector, const N: usize>(
        r: Registers<V, N>,
        p: &Square<'_, 4>,
        target: &mut Outputs<'_, '_, V, N, 2>,
    ) {
        target.put(r, [0, 1], both_axes(F2Outputs, r, p, [0, 1]));
    }
}

/// Bᵀ of F(2×2, 3×3).
struct F2Inputs;

impl Axis<4, 4> for F2Inputs {
    #[inline(always)]
    fn apply<V: Vector, const N: usize>(
        _: Registers<V, N>,
        d: [Block<V, N>; 4],
    ) -> [Block<V, N>; 4] {
        [d[0].sub(d[2]), d[1].add(d[2]), d[2].sub(d[1]), d[3].sub(d[1])]
    }
}

/// Aᵀ of F(2×2, 3×3).
struct F2Outputs;

impl Axis<4, 2> for F2Outputs {
    #[inline(always)]
    fn apply<V: Vector, const N: usize>(
        _: Registers<V, N>,
        p: [Block<V, N>; 4],
    ) -> [Block<V, N>; 2] {
        [p[0].add(p[1]).add(p[2]), p[1].sub(p[2]).add(p[3])]
    }
}

/// F(4×4, 3×3) with the points 0, ±2/3, ±3/2 and infinity. Their reciprocals are the same points, so
/// that turned filters need no transform of their own; and they keep four times more accuracy than
/// the ±1, ±2 of textbooks.
pub(super) struct F4;

/// The inner pair of points, and its square.
pub(in crate::backend::cpu) const P: f32 = 2.0 / 3.0;
pub(in crate::backend::cpu) const P2: f32 = P * P;
/// The outer pair of points, and its square.
pub(in crate::backend::cpu) const Q: f32 = 1.5;
pub(in crate::backend::cpu) const Q2: f32 = Q * Q;

impl Tile<4, 6> for F4 {
    fn filter([a, b, c]: [f64; 3]) -> [f64; 6] {
        let [p, p2, q, q2] = [P, P2, Q, Q2].map(f64::from);
        let inner = 2.0 * p2 * (p2 - q2);
        let outer = 2.0 * q2 * (q2 - p2);
        [
            a / (p2 * q2),
            (a + p * b + p2 * c) / inner,
            (a - p * b + p2 * c) / inner,
            (a + q * b + q2 * c) / outer,
            (a - q * b + q2 * c) / outer,
            c,
        ]
    }

    #[inline(always)]
    fn spread<V: Vector, const N: usize>(
        r: Registers<V, N>,
        d: &Square<'_, 6>,
        target: &mut Numbers<'_, '_, 6>,
    ) {
        target.put([0], both_axes(F4Inputs, r, d, [0]));
        target.put([1, 2], both_axes(F4Inputs, r, d, [1, 2]));
        target.put([3, 4], both_axes(F4Inputs, r, d, [3, 4]));
        target.put([5], both_axes(F4Inputs, r, d, [5]));
    }

    #[inline(always)]
    fn gather<V: Vector, const N: usize>(
        r: Registers<V, N>,
        p: &Square<'_, 6>,
        target: &mut Outputs<'_, '_, V, N, 4>,
    ) {
        target.put(r, [0, 2], both_axes(F4Outputs, r, p, [0, 2]));
        target.put(r, [1, 3], both_axes(F4Outputs, r, p, [1, 3]));
    }
}

/// Bᵀ of F(4×4, 3×3).
struct F4Inputs;

impl Axis<6, 6> for F4Inputs {
    #[inline(always)]
    fn apply<V: Vector, const N: usize>(
        r: Registers<V, N>,
        d: [Block<V, N>; 6],
    ) -> [Block<V, N>; 6] {
        // Rows of a pair of points differ in the sign of their odd part only.
        let (inner_even, inner_odd) = (scaled(r, d[2], -Q2, d[4]), scaled(r, d[1], -Q2, d[3]));
        let (outer_even, outer_odd) = (scaled(r, d[2], -P2, d[4]), scaled(r, d[1], -P2, d[3]));
        [
            scaled(r, d[0], P2 * Q2, scaled(r, d[2], -(P2 + Q2), d[4])),
            scaled(r, inner_odd, P, inner_even),
            scaled(r, inner_odd, -P, inner_even),
            scaled(r, outer_odd, Q, outer_even),
            scaled(r, outer_odd, -Q, outer_even),
            scaled(r, d[1], P2 * Q2, scaled(r, d[3], -(P2 + Q2), d[5])),
        ]
    }
}

/// Aᵀ of F(4×4, 3×3).
struct F4Outputs;

impl Axis<6, 4> for F4Outputs {
    #[inline(always)]
    fn apply<V: Vector, const N: usize>(
        r: Registers<V, N>,
        p: [Block<V, N>; 6],
    ) -> [Block<V, N>; 4] {
        let (inner_sum, inner_difference) = (p[1].add(p[2]), p[1].sub(p[2]));
        let (outer_sum, outer_difference) = (p[3].add(p[4]), p[3].sub(p[4]));
        [
            p[0].add(inner_sum.add(outer_sum)),
            scaled(r, inner_difference, P, outer_difference.mul(r.splat(Q))),
            scaled(r, inner_sum, P2, outer_sum.mul(r.splat(Q2))),
            scaled(r, inner_difference, P2 * P, scaled(r, outer_difference, Q2 * Q, p[5])),
        ]
    }
}

/// G g Gᵀ of one filter and channel, row by row.
pub(super) fn filter<T: Tile<M, A>, const M: usize, const A: usize>(
    taps: &[[f64; 3]; 3],
) -> [[f64; A]; A] {
    let columns = [0, 1, 2].map(|column| T::filter([0, 1, 2].map(|row| taps[row][column])));
    std::array::from_fn(|row| T::filter(columns.map(|column| column[row])))
}

/// Bᵀ d B of neighbouring tiles of one row of tiles.
pub(super) struct Spread<'a, 'b, T, const M: usize, const A: usize> {
    /// The rows of the map that they see, empty ones for those beyond it.
    pub rows: &'a [&'b [Lanes]; A],
    /// The column of the first cell of the first tile; those left of the map wrap around.
    pub column: usize,
    /// Which of the tiles that are transformed they are.
    pub tiles: Range<usize>,
    /// For each of the A × A numbers, those of all tiles.
    pub planes: &'a mut [[&'b mut [Lanes]; A]; A],
    pub tile: PhantomData<T>,
}

impl<T: Tile<M, A>, const M: usize, const A: usize> Spread<'_, '_, T, M, A> {
    /// Transforms.
    pub(super) fn run(self, isa: Isa) {
        in_registers(isa, self);
    }
}

impl<T: Tile<M, A>, const M: usize, const A: usize> InRegisters for Spread<'_, '_, T, M, A> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector, const N: usize>(self, registers: Registers<V, N>) {
        let Spread { rows, column, tiles, planes, .. } = self;
        // Cells of a row lie side by side, except where some are beyond the map.
        let mut edge = [[ZERO; A]; A];
        for (index, tile) in tiles.enumerate() {
            let first = column.wrapping_add(index * M);
            let mut seen = [[&ZERO; A]; A];
            for ((row, edge), seen) in rows.iter().zip(&mut edge).zip(&mut seen) {
                let whole = row.get(first..first.wrapping_add(A));
                let whole: Option<&[Lanes; A]> = whole.and_then(|cells| cells.first_chunk());
                if whole.is_none() {
                    for (column, cell) in edge.iter_mut().enumerate() {
                        *cell = *row.get(first.wrapping_add(column)).unwrap_or(&ZERO);
                    }
                }
                let cells = whole.unwrap_or(edge);
                for (seen, cell) in seen.iter_mut().zip(cells) {
                    *seen = cell;
                }
            }
            T::spread(registers, &seen, &mut Numbers { planes: &mut *planes, tile });
        }
    }
}

/// Where a tile's A × A numbers go.
pub(super) struct Numbers<'a, 'b, const A: usize> {
    planes: &'a mut [[&'b mut [Lanes]; A]; A],
    tile: usize,
}

impl<const A: usize> Numbers<'_, '_, A> {
    #[inline(always)]
    fn put<V: Vector, const N: usize, const K: usize>(
        &mut self,
        rows: [usize; K],
        results: [[Block<V, N>; A]; K],
    ) {
        for place in 0..K {
            let planes = &mut self.planes[rows[place]];
            for column in 0..A {
                results[place][column].store(&mut planes[column][self.tile]);
            }
        }
    }
}

/// Aᵀ p A of neighbouring tiles of one row of tiles, and what is done to the outputs.
pub(super) struct Gather<'a, 'b, T, const M: usize, const A: usize> {
    /// For each of the A × A products, those of all tiles.
    pub planes: &'a [[&'b [Lanes]; A]; A],
    /// Which of them they are.
    pub tiles: Range<usize>,
    /// Is added to the outputs.
    pub bias: &'a Lanes,
    pub epilogue: Epilogue,
    /// The rows of the result that they cover, each as wide as there is room, empty ones for those
    /// beyond the map.
    pub rows: &'a mut [&'b mut [Lanes]; M],
    /// Becomes NaN in lanes with outputs that are not finite.
    pub sound: &'a mut Lanes,
    pub tile: PhantomData<T>,
}

impl<T: Tile<M, A>, const M: usize, const A: usize> Gather<'_, '_, T, M, A> {
    /// Transforms.
    pub(super) fn run(self, isa: Isa) {
        in_registers(isa, self);
    }
}

impl<T: Tile<M, A>, const M: usize, const A: usize> InRegisters for Gather<'_, '_, T, M, A> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector, const N: usize>(self, registers: Registers<V, N>) {
        let bias = registers.load(self.bias);
        let sound = registers.load(self.sound);
        let epilogue = self.epilogue;
        let mut target = Outputs { rows: self.rows, column: 0, bias, epilogue, sound };
        for (index, tile) in self.tiles.enumerate() {
            let mut seen = [[&ZERO; A]; A];
            for (seen, planes) in seen.iter_mut().zip(self.planes) {
                for (seen, plane) in seen.iter_mut().zip(planes) {
                    *seen = &plane[tile];
                }
            }
            target.column = index * M;
            T::gather(registers, &seen, &mut target);
        }
        target.sound.store(self.sound);
    }
}

/// Where a tile's outputs go.
pub(super) struct Outputs<'a, 'b, V, const N: usize, const M: usize> {
    rows: &'a mut [&'b mut [Lanes]; M],
    column: usize,
    bias: Block<V, N>,
    epilogue: Epilogue,
    sound: Block<V, N>,
}

impl<V: Vector, const N: usize, const M: usize> Outputs<'_, '_, V, N, M> {
    #[inline(always)]
    fn put<const K: usize>(
        &mut self,
        r: Registers<V, N>,
        rows: [usize; K],
        results: [[Block<V, N>; M]; K],
    ) {
        for place in 0..K {
            let cells = self.rows[rows[place]].get_mut(self.column..).unwrap_or_default();
            for column in 0..M {
                let Some(cell) = cells.get_mut(column) else { break };
                let output = results[place][column].add(self.bias);
                self.sound = self.sound.multiply_add(output, r.splat(0.0));
                match self.epilogue {
                    Epilogue::None => output.store(cell),
                    Epilogue::Rectify => output.rectify().store(cell),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Convolves one row of numbers by the transforms.
    struct Row<I, O, const A: usize> {
        inputs: [f32; A],
        taps: [f64; 3],
        filter: [f64; A],
        axes: PhantomData<(I, O)>,
    }

    impl<I, O, const M: usize, const A: usize> InRegisters for (Row<I, O, A>, [(); M])
    where
        I: Axis<A, A>,
        O: Axis<A, M>,
    {
        type Output = ();

        fn run<V: Vector, const N: usize>(self, r: Registers<V, N>) {
            let Row { inputs, taps, filter, .. } = self.0;
            let mut products = I::apply(r, inputs.map(|x| r.splat(x)));
            for (product, tap) in products.iter_mut().zip(filter) {
                *product = product.mul(r.splat(tap as f32));
            }
            for (index, output) in O::apply(r, products).into_iter().enumerate() {
                let mut lanes = ZERO;
                output.store(&mut lanes);
                let seen = taps.iter().zip(&inputs[index..]);
                let expected: f64 = seen.map(|(tap, &x)| tap * f64::from(x)).sum();
                for lane in lanes {
                    assert!((f64::from(lane) - expected).abs() < 1e-4, "{lane} {expected}");
                }
            }
        }
    }

    #[test]
    fn the_transforms_of_one_axis_make_a_convolution() {
        let taps = [2.0, -1.0, 0.5];
        for isa in Isa::available() {
            let inputs = [-3.0, -2.0, 1.0, 6.0];
            let (filter, axes) = (F2::filter(taps), PhantomData::<(F2Inputs, F2Outputs)>);
            in_registers(isa, (Row { inputs, taps, filter, axes }, [(); 2]));
            let inputs = [-3.0, -2.0, 1.0, 6.0, 13.0, 22.0];
            let (filter, axes) = (F4::filter(taps), PhantomData::<(F4Inputs, F4Outputs)>);
            in_registers(isa, (Row { inputs, taps, filter, axes }, [(); 4]));
        }
    }

    #[test]
    fn filters_are_transformed_along_both_axes() {
        let [a, b] = [[1.0, 2.0, -4.0], [3.0, 0.5, 1.0]];
        let taps = a.map(|a| b.map(|b| a * b));
        let [rows, columns] = [a, b].map(<F4 as Tile<4, 6>>::filter);
        for (row, values) in filter::<F4, 4, 6>(&taps).into_iter().enumerate() {
            for (column, value) in values.into_iter().enumerate() {
                let expected: f64 = rows[row] * columns[column];
                assert!((value - expected).abs() < 1e-12, "{row} {column}");
            }
        }
    }
}
