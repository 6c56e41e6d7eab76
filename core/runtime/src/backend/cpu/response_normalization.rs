//! Local response normalization across channels over blocks, and its adjoint.

use std::ops::Range;

use super::CpuBackend;
use super::blocked::{Blocked, Maps, Operand};
use super::lanes::Lanes;
use super::micro::BLOCK;
use super::simd::vectorized;
use crate::backend::operand::{incompatible, require};
use crate::backend::units::{CHEAP_UNIT, for_each_unit};
use crate::{Computed, ResponseNormalization, Tensor};

/// Cells that are worked off together, so that nothing is read that was written just before.
const CELLS: usize = 8;

/// Normalizing an element takes about as long as so many multiply-adds.
const WORK: usize = 32;

/// Normalizes responses; see
/// [`Backend::response_normalization`](crate::Backend::response_normalization).
pub(super) fn response_normalization(
    backend: &CpuBackend,
    input: &Blocked,
    form: &ResponseNormalization,
) -> Computed {
    const KERNEL: &str = "response_normalization";
    let maps = input.maps();
    let field = Field::new(KERNEL, maps, form)?;
    let mut output = backend.room(KERNEL, maps)?;
    for_each_unit(field.units(&mut output), maps.len() * WORK, |mut unit| {
        let mut squares = backend.pool.zeros(CELLS * field.row);
        let values = &input.values()[unit.image * maps.image()..];
        vectorized(
            backend.isa,
            #[inline(always)]
            || {
                for first in (0..unit.cells).step_by(CELLS) {
                    let cells = first..(first + CELLS).min(unit.cells);
                    field.square(&unit, cells.clone(), values, &mut squares);
                    for (block, index, cell) in field.places(cells) {
                        let x = lanes(values, field.place(&unit, block, cell));
                        let base = field.base(&squares, block, index);
                        let normalized = field.powers(base, |power, lane| x[lane] * power);
                        unit.store(block, cell, field.silenced(block, normalized));
                    }
                }
            },
        );
    });
    Ok(Blocked::new(maps, output).into_tensor())
}

/// Multiplies a signal with the transposed Jacobian; see
/// [`Backend::response_normalization_adjoint`](crate::Backend::response_normalization_adjoint).
/// The plain backend has the formula.
pub(super) fn response_normalization_adjoint(
    backend: &CpuBackend,
    signal: &Tensor,
    input: &Tensor,
    form: &ResponseNormalization,
) -> Computed {
    const KERNEL: &str = "response_normalization_adjoint";
    let input = Operand::of(&backend.pool, KERNEL, input)?;
    let maps = input.maps();
    let field = Field::new(KERNEL, maps, form)?;
    require(KERNEL, "a signal", signal.shape(), maps.shape().extents())?;
    let signal = Operand::of(&backend.pool, KERNEL, signal)?;
    let factor = 2.0 * form.alpha * form.beta / form.size as f32;
    let mut result = backend.room(KERNEL, maps)?;
    for_each_unit(field.units(&mut result), maps.len() * 2 * WORK, |mut unit| {
        let mut squares = backend.pool.zeros(CELLS * field.row);
        let mut crossed = backend.pool.zeros(CELLS * field.row);
        let start = unit.image * maps.image();
        let (values, signal) = (&input.values()[start..], &signal.values()[start..]);
        vectorized(
            backend.isa,
            #[inline(always)]
            || {
                for first in (0..unit.cells).step_by(CELLS) {
                    let cells = first..(first + CELLS).min(unit.cells);
                    field.square(&unit, cells.clone(), values, &mut squares);
                    for (block, index, cell) in field.places(cells.clone()) {
                        let place = field.place(&unit, block, cell);
                        let (x, signal) = (lanes(values, place), lanes(signal, place));
                        let base = field.base(&squares, block, index);
                        let direct = field.powers(base, |power, lane| signal[lane] * power);
                        let mut share = direct;
                        for (lane, share) in share.iter_mut().enumerate() {
                            *share = *share * x[lane] / base[lane];
                        }
                        unit.store(block, cell, direct);
                        // A channel is summed over by those that it sums over, seen from behind.
                        let place = index * field.row + field.behind + block * BLOCK;
                        crossed[place..place + BLOCK]
                            .copy_from_slice(&field.silenced(block, share));
                    }
                    for (block, index, cell) in field.places(cells) {
                        let x = lanes(values, field.place(&unit, block, cell));
                        let sums = field.sums(&crossed, block, index);
                        let mut carried = unit.load(block, cell);
                        for (lane, carried) in carried.iter_mut().enumerate() {
                            *carried -= factor * x[lane] * sums[lane];
                        }
                        unit.store(block, cell, field.silenced(block, carried));
                    }
                }
            },
        );
    });
    Ok(Blocked::new(maps, result).into_tensor())
}

/// Some cells of an image, with all their channels.
struct Unit<'a> {
    image: usize,
    first: usize,
    cells: usize,
    /// What is written of each block.
    blocks: Vec<&'a mut [f32]>,
}

impl Unit<'_> {
    #[inline(always)]
    fn load(&self, block: usize, cell: usize) -> Lanes {
        lanes(self.blocks[block], cell * BLOCK)
    }

    #[inline(always)]
    fn store(&mut self, block: usize, cell: usize, values: Lanes) {
        self.blocks[block][cell * BLOCK..(cell + 1) * BLOCK].copy_from_slice(&values);
    }
}

#[inline(always)]
fn lanes(values: &[f32], start: usize) -> Lanes {
    let mut lanes = [0.0; BLOCK];
    lanes.copy_from_slice(&values[start..start + BLOCK]);
    lanes
}

/// Maps whose channels are normalized. The channels of a cell stand in a row, with room for as many
/// beyond both ends as a neighbourhood reaches.
struct Field<'a> {
    maps: Maps,
    before: usize,
    behind: usize,
    row: usize,
    form: &'a ResponseNormalization,
}

impl<'a> Field<'a> {
    fn new(kernel: &'static str, maps: Maps, form: &'a ResponseNormalization) -> Computed<Self> {
        if form.size == 0 {
            let expected = "a neighbourhood of at least 1 channel";
            return Err(incompatible(kernel, expected, &maps.shape()));
        }
        // An even size reaches one channel further behind than before.
        let before = ((form.size - 1) / 2).min(maps.channels);
        let behind = (form.size / 2).min(maps.channels);
        let row = before + maps.blocks() * BLOCK + behind;
        Ok(Self { maps, before, behind, row, form })
    }

    /// Cuts what is written into units.
    fn units<'b>(&self, output: &'b mut [f32]) -> Vec<Unit<'b>> {
        let maps = self.maps;
        let cells = (CHEAP_UNIT / (maps.blocks().max(1) * BLOCK)).max(CELLS);
        let mut units = Vec::new();
        for (image, values) in output.chunks_mut(maps.image().max(1)).enumerate() {
            let start = units.len();
            units.extend((0..maps.cells()).step_by(cells).map(|first| Unit {
                image,
                first,
                cells: cells.min(maps.cells() - first),
                blocks: Vec::with_capacity(maps.blocks()),
            }));
            for plane in values.chunks_mut(maps.plane()) {
                for (unit, part) in units[start..].iter_mut().zip(plane.chunks_mut(cells * BLOCK)) {
                    unit.blocks.push(part);
                }
            }
        }
        units
    }

    /// Visits blocks of cells: the block, the place of the cell among those worked off together,
    /// and the cell.
    #[inline(always)]
    fn places(&self, cells: Range<usize>) -> impl Iterator<Item = (usize, usize, usize)> {
        let blocks = 0..self.maps.blocks();
        blocks.flat_map(move |block| {
            cells.clone().enumerate().map(move |(index, cell)| (block, index, cell))
        })
    }

    /// Returns where the numbers of a cell lie within an image.
    #[inline(always)]
    fn place(&self, unit: &Unit<'_>, block: usize, cell: usize) -> usize {
        block * self.maps.plane() + (unit.first + cell) * BLOCK
    }

    /// Writes the squares of some cells into rows.
    #[inline(always)]
    fn square(&self, unit: &Unit<'_>, cells: Range<usize>, values: &[f32], squares: &mut [f32]) {
        for (block, index, cell) in self.places(cells) {
            let x = lanes(values, self.place(unit, block, cell));
            let place = index * self.row + self.before + block * BLOCK;
            squares[place..place + BLOCK].copy_from_slice(&x.map(|x| x * x));
        }
    }

    /// Adds up neighbours in rows.
    #[inline(always)]
    fn sums(&self, rows: &[f32], block: usize, index: usize) -> Lanes {
        let mut sums = [0.0; BLOCK];
        for neighbour in 0..=self.before + self.behind {
            let values = lanes(rows, index * self.row + block * BLOCK + neighbour);
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        sums
    }

    /// Computes `bias + alpha / size · Σ x²`.
    #[inline(always)]
    fn base(&self, squares: &[f32], block: usize, index: usize) -> Lanes {
        let factor = self.form.alpha / self.form.size as f32;
        self.sums(squares, block, index).map(|sum| self.form.bias + factor * sum)
    }

    /// Computes a function of base^−beta and its lane.
    #[inline(always)]
    fn powers(&self, mut base: Lanes, function: impl Fn(f32, usize) -> f32) -> Lanes {
        // The exponent of nearly every network, by square roots instead of a logarithm.
        #[expect(clippy::float_cmp, reason = "the shortcut is for this very exponent")]
        if self.form.beta == 0.75 {
            for (lane, base) in base.iter_mut().enumerate() {
                let root = base.sqrt();
                *base = function(1.0 / (root * root.sqrt()), lane);
            }
        } else {
            for (lane, base) in base.iter_mut().enumerate() {
                *base = function(base.powf(-self.form.beta), lane);
            }
        }
        base
    }

    /// Clears lanes beyond the channels, where neighbours or a base of zero may have left something.
    #[inline(always)]
    fn silenced(&self, block: usize, mut values: Lanes) -> Lanes {
        let lanes = (self.maps.channels - block * BLOCK).min(BLOCK);
        if lanes < BLOCK {
            values[lanes..].fill(0.0);
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same, backends, extents, in_blocks, rough};
    use super::*;
    use crate::layer::testing::Numbers;
    use crate::{Backend, PlainBackend};

    fn forms() -> impl Iterator<Item = ResponseNormalization> {
        [1, 2, 5, 6, 40].into_iter().flat_map(|size| {
            [(0.75, 1.0), (0.6, 1.5), (0.75, 0.0)].map(|(beta, bias)| ResponseNormalization {
                size,
                alpha: 0.5,
                beta,
                bias,
            })
        })
    }

    #[test]
    fn responses_and_their_adjoints_are_those_of_the_plain_backend() {
        let plain = PlainBackend::new();
        for backend in backends() {
            for extents in extents() {
                let smooth = Numbers::new(7).tensor(extents);
                for host in [rough(extents, 3), smooth] {
                    let input = in_blocks(&backend, &host);
                    let signal = rough(extents, 5);
                    for form in forms() {
                        let what = format!("{} {extents:?} {form:?}", backend.isa());
                        let output = backend.response_normalization(&input, &form).unwrap();
                        let expected = plain.response_normalization(&host, &form).unwrap();
                        assert_same(&output, &expected, &what);
                        let carried =
                            backend.response_normalization_adjoint(&signal, &input, &form);
                        let expected = plain.response_normalization_adjoint(&signal, &host, &form);
                        assert_same(&carried.unwrap(), &expected.unwrap(), &what);
                    }
                }
            }
            assert_eq!(backend.conversions().len(), 0);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_as_on_the_plain_backend() {
        let backend = CpuBackend::new();
        let (host, other) = (rough([1, 17, 2, 2], 3), rough([1, 17, 2, 3], 3));
        let maps = in_blocks(&backend, &host);
        let none = ResponseNormalization { size: 0, alpha: 1.0, beta: 1.0, bias: 1.0 };
        let one = ResponseNormalization { size: 1, ..none };
        let refusals = |backend: &dyn Backend, maps: &Tensor| {
            [
                backend.response_normalization(maps, &none),
                backend.response_normalization_adjoint(maps, maps, &none),
                backend.response_normalization_adjoint(&other, maps, &one),
            ]
            .map(|refused| refused.unwrap_err().to_string())
        };
        assert_eq!(refusals(&backend, &maps), refusals(&PlainBackend::new(), &host));
    }
}
