//! Winograd's convolution of changed cells: the transpose of his tiles.
//!
//! Winograd's tile reads A × A inputs for M × M outputs. Transposed, a tile of M × M changed cells
//! makes A × A outputs, where those of neighbouring tiles overlap and add up: B [(G g Gᵀ) ⊙ (A z Aᵀ)]
//! Bᵀ. The transposed convolution with turned filters is the convolution itself. Only changed cells
//! are multiplied, and a tile makes all that they reach: for 8 × 8 of them 144 products for each
//! filter and channel, instead of 576 tap by tap.
//!
//! Filters are not transformed again for that. The reciprocals of the points 0, ±2/3, ±3/2 and
//! infinity are the same points in another order, and a turned polynomial has at a point its value
//! at the reciprocal times a power of the point. So the numbers of turned filters are those of the
//! filters in another order, 5 3 4 1 2 0, times 1, −q², −q², −p², −p², 1. The transforms below leave
//! the numbers in the order of the filters, and multiply the factors in.

#![expect(
    clippy::needless_range_loop,
    reason = "arrays that are walked by index stay in registers, others may not"
)]

use std::sync::Arc;

use super::cases::{Case, cases};
use crate::backend::cpu::CpuBackend;
use crate::backend::cpu::blocked::Blocked;
use crate::backend::cpu::convolution::Form;
use crate::backend::cpu::lanes::{cells, cells_mut};
use crate::backend::cpu::micro::{BLOCK, Target};
use crate::backend::cpu::registers::{Block, InRegisters, Registers, in_registers};
use crate::backend::cpu::simd::Vector;
use crate::backend::cpu::stencil::Stencil;
use crate::backend::cpu::tasks::for_each_task;
use crate::backend::cpu::weights::Weights;
use crate::backend::cpu::winograd::{
    Axis, Lanes, P, P2, Q, Q2, Size, Square, Winograd, both_axes, plane, scaled,
};
use crate::{Computed, Regions};

/// Changed cells of a tile along an axis.
const M: usize = 4;
/// Outputs of a tile along an axis.
const A: usize = 6;
/// Tiles that are multiplied at once, at most.
const TILES: usize = 196;
/// Groups of filters whose products are transformed while they are in the cache.
const GROUPS: usize = 2;

/// Filters for changed cells, transformed.
#[derive(Debug)]
pub(super) struct DeltaWinograd {
    backend: CpuBackend,
    /// The filters as they are for whole maps.
    winograd: Arc<Winograd>,
    /// Which output is the first of those of a tile at cell 0, along both axes.
    offsets: [isize; 2],
}

/// Some changed cells of a case.
#[derive(Clone, Copy, Debug)]
struct Tile {
    case: usize,
    /// Its first row and column within the rectangle.
    corner: [usize; 2],
}

impl DeltaWinograd {
    /// Takes the filters of the form for whole maps, or transforms them.
    ///
    /// # Errors
    /// Fails when the filters hold no numbers.
    pub(super) fn new(
        backend: &CpuBackend,
        stencils: [Stencil; 2],
        weights: &Weights<'_>,
        whole: &Form,
    ) -> Computed<Self> {
        // Output o sees cell o + offset + k under tap k: cell i is seen by the outputs from
        // i − offset − 2 on.
        let offsets = stencils.each_ref().map(|axis| -axis.taps[0].offset - 2);
        let whole = whole.tiled().filter(|tiled| tiled.size() == Size::Four);
        let winograd = if let Some(tiled) = whole {
            tiled.winograd()?.clone()
        } else {
            let size = Size::Four;
            Arc::new(Winograd::new(backend.isa, &backend.pool, stencils, size, weights))
        };
        Ok(Self { backend: backend.clone(), winograd, offsets })
    }

    /// Writes the products into the cells of `output`.
    pub(super) fn run(
        &self,
        regions: &Regions,
        changed: &Blocked,
        output: &Regions,
        sums: &mut [f32],
    ) {
        sums.fill(0.0);
        let cases = cases(regions, output);
        let mut tiles = Vec::new();
        for (case, Case { place, .. }) in cases.iter().enumerate() {
            for row in (0..place.height).step_by(M) {
                tiles.extend((0..place.width).step_by(M).map(|column| {
                    let corner = [row, column];
                    Tile { case, corner }
                }));
            }
        }
        let units = tiles.len().div_ceil(TILES).max(1);
        let per_unit = tiles.len().div_ceil(units).max(1);
        let target = Target::new(sums);
        for tiles in tiles.chunks(per_unit) {
            self.unit(&cases, tiles, changed, target, output.cells());
        }
    }

    fn unit(
        &self,
        cases: &[Case],
        tiles: &[Tile],
        changed: &Blocked,
        target: Target<'_>,
        outputs: usize,
    ) {
        let (winograd, pool) = (&self.winograd, &self.backend.pool);
        let [in_blocks, _] = winograd.blocks();
        let count = tiles.len();
        let distance = plane(in_blocks, count);
        let mut spread = pool.take(A * A * distance);
        let spread_target = Target::new(&mut spread);
        let work = count.saturating_mul(A * A * in_blocks * BLOCK * BLOCK);
        for_each_task(1, in_blocks, work, |_, blocks| {
            for block in blocks {
                let mut planes: [[&mut [Lanes]; A]; A] = std::array::from_fn(|row| {
                    std::array::from_fn(|column| {
                        let start = (row * A + column) * distance + block * count * BLOCK;
                        cells_mut(spread_target.part(start, count * BLOCK))
                    })
                });
                let changed = cells(changed.plane(0, block));
                in_registers(
                    self.backend.isa,
                    Spread { cases, tiles, changed, planes: &mut planes },
                );
            }
        });
        let groups = winograd.groups();
        let work = work.saturating_mul(groups);
        for_each_task(1, groups, work, |_, all| {
            let widest = winograd.widest();
            let apart = plane(GROUPS * widest, count);
            let mut products = pool.take(A * A * apart);
            let mut first = all.start;
            while first < all.end {
                let some = first..(first + GROUPS).min(all.end);
                first = some.end;
                let products_target = Target::new(&mut products);
                winograd.products([count, count], some.clone(), &spread, products_target, apart);
                for (block, place) in winograd.blocks_of(some) {
                    let planes: [[&[Lanes]; A]; A] = std::array::from_fn(|row| {
                        std::array::from_fn(|column| {
                            let plane = &products[(row * A + column) * apart..][..apart];
                            &cells(plane)[place * count..][..count]
                        })
                    });
                    let map = target.part(block * outputs * BLOCK, outputs * BLOCK);
                    let (offsets, map) = (self.offsets, cells_mut(map));
                    in_registers(
                        self.backend.isa,
                        Gather { cases, tiles, planes: &planes, offsets, map },
                    );
                }
            }
        });
    }
}

/// A of F(4×4, 3×3), in the order of the filters.
struct Inputs;

impl Axis<M, A> for Inputs {
    #[inline(always)]
    fn apply<V: Vector, const N: usize>(
        r: Registers<V, N>,
        z: [Block<V, N>; M],
    ) -> [Block<V, N>; A] {
        let inner_even = scaled(r, z[2], P2, z[0]);
        let inner_odd = scaled(r, z[3], P2 * P, z[1].mul(r.splat(P)));
        let outer_even = scaled(r, z[2], Q2, z[0]);
        let outer_odd = scaled(r, z[3], Q2 * Q, z[1].mul(r.splat(Q)));
        [
            z[3],
            outer_even.add(outer_odd),
            outer_even.sub(outer_odd),
            inner_even.add(inner_odd),
            inner_even.sub(inner_odd),
            z[0],
        ]
    }
}

/// B of F(4×4, 3×3) times the factors, from the order of the filters.
struct Outputs;

impl Axis<A, A> for Outputs {
    #[inline(always)]
    fn apply<V: Vector, const N: usize>(
        r: Registers<V, N>,
        m: [Block<V, N>; A],
    ) -> [Block<V, N>; A] {
        // In the order of the filters, those of the outer points stand where the inner ones were.
        let (outer_sum, outer_difference) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (inner_sum, inner_difference) = (m[3].add(m[4]), m[3].sub(m[4]));
        let (first, last) = (m[5], m[0]);
        let second = scaled(r, outer_difference, Q * P2 * P2, last.mul(r.splat(P2 * Q2)));
        let third = scaled(r, outer_sum, P2 * P2, first.mul(r.splat(-(P2 + Q2))));
        let fourth = scaled(r, outer_difference, -Q * P2, last.mul(r.splat(-(P2 + Q2))));
        let fifth = scaled(r, outer_sum, -P2, first);
        [
            first.mul(r.splat(P2 * Q2)),
            scaled(r, inner_difference, P * Q2 * Q2, second),
            scaled(r, inner_sum, Q2 * Q2, third),
            scaled(r, inner_difference, -P * Q2, fourth),
            scaled(r, inner_sum, -Q2, fifth),
            last,
        ]
    }
}

/// What lies beyond a rectangle.
static ZERO: Lanes = [0.0; BLOCK];

/// A z Aᵀ of all tiles.
struct Spread<'a, 'b> {
    cases: &'a [Case],
    tiles: &'a [Tile],
    changed: &'a [Lanes],
    planes: &'a mut [[&'b mut [Lanes]; A]; A],
}

impl InRegisters for Spread<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector, const N: usize>(self, r: Registers<V, N>) {
        for (index, tile) in self.tiles.iter().enumerate() {
            let Case { from, place, .. } = self.cases[tile.case];
            let [top, left] = tile.corner;
            let mut seen: Square<'_, M> = [[&ZERO; M]; M];
            for y in 0..M.min(place.height - top) {
                let row = &self.changed[from + (top + y) * place.width..][..place.width];
                for x in 0..M.min(place.width - left) {
                    seen[y][x] = &row[left + x];
                }
            }
            put_numbers(r, &seen, [0, 5], self.planes, index);
            put_numbers(r, &seen, [1, 2], self.planes, index);
            put_numbers(r, &seen, [3, 4], self.planes, index);
        }
    }
}

/// Computes two rows of A z Aᵀ of a tile.
#[inline(always)]
fn put_numbers<V: Vector, const N: usize>(
    r: Registers<V, N>,
    seen: &Square<'_, M>,
    rows: [usize; 2],
    planes: &mut [[&mut [Lanes]; A]; A],
    tile: usize,
) {
    let results = both_axes(Inputs, r, seen, rows);
    for place in 0..2 {
        for column in 0..A {
            results[place][column].store(&mut planes[rows[place]][column][tile]);
        }
    }
}

/// B p Bᵀ of all tiles, added up.
struct Gather<'a, 'b> {
    cases: &'a [Case],
    tiles: &'a [Tile],
    planes: &'a [[&'b [Lanes]; A]; A],
    offsets: [isize; 2],
    map: &'a mut [Lanes],
}

impl InRegisters for Gather<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector, const N: usize>(self, r: Registers<V, N>) {
        for (index, tile) in self.tiles.iter().enumerate() {
            let Case { place, to, out, .. } = self.cases[tile.case];
            let mut seen: Square<'_, A> = [[&ZERO; A]; A];
            for y in 0..A {
                for x in 0..A {
                    seen[y][x] = &self.planes[y][x][index];
                }
            }
            // The first output of the tile, within the outputs of the case.
            let [top, left] = tile.corner;
            let top = place.top + top.cast_signed() + self.offsets[0] - out.top;
            let left = place.left + left.cast_signed() + self.offsets[1] - out.left;
            let map = &mut self.map[to..][..out.height * out.width];
            for rows in [[0, 4], [1, 3], [2, 5]] {
                add_outputs(r, &seen, rows, map, out.width, [top, left]);
            }
        }
    }
}

/// Computes two rows of B p Bᵀ of a tile and adds those on the map to it.
#[inline(always)]
fn add_outputs<V: Vector, const N: usize>(
    r: Registers<V, N>,
    seen: &Square<'_, A>,
    rows: [usize; 2],
    map: &mut [Lanes],
    width: usize,
    [top, left]: [isize; 2],
) {
    let results = both_axes(Outputs, r, seen, rows);
    for place in 0..2 {
        let row = top + rows[place].cast_signed();
        if row < 0 {
            continue;
        }
        let row = row.cast_unsigned() * width;
        let Some(cells) = map.get_mut(row..row + width) else { continue };
        for x in 0..A {
            let column = left + x.cast_signed();
            if column >= 0
                && let Some(cell) = cells.get_mut(column.cast_unsigned())
            {
                results[place][x].add(r.load(cell)).store(cell);
            }
        }
    }
}
