//! Averages of windows over blocks, and the adjoint.

use super::CpuBackend;
use super::blocked::{Blocked, Maps};
use super::lanes::{Lanes, cells, cells_mut};
use super::micro::BLOCK;
use super::simd::vectorized;
use super::strips::{Strip, strips};
use super::windows::Windows;
use crate::backend::axis::{Axis, require_cells};
use crate::backend::operand::require_spreading;
use crate::backend::units::for_each_unit;
use crate::{Computed, Divisor, Shape, Window};

/// Averages every window; see [`Backend::average_pooling`](crate::Backend::average_pooling).
pub(super) fn average_pooling(
    backend: &CpuBackend,
    input: &Blocked,
    window: &Window,
    output: [usize; 2],
    divisor: Divisor,
) -> Computed {
    const KERNEL: &str = "average_pooling";
    let Maps { batch, channels, height, width } = input.maps();
    let axes = Axis::both(KERNEL, window, [height, width], output)?;
    require_cells(KERNEL, &input.maps().shape(), &axes)?;
    let [height, width] = output;
    let maps = Maps { batch, channels, height, width };
    let mut averages = backend.room(KERNEL, maps)?;
    let windows = Windows::new(axes);
    let counts = Counts::new(&axes, divisor);
    let work = maps.len().saturating_mul(window.kernel.iter().product());
    let units: Vec<_> = strips(&mut averages, maps).collect();
    for_each_unit(units, work, |strip| {
        let map = cells(input.plane(strip.image, strip.block));
        vectorized(
            backend.isa,
            #[inline(always)]
            || average(&windows, &counts, map, strip),
        );
    });
    Ok(Blocked::new(maps, averages).into_tensor())
}

#[inline(always)]
fn average(windows: &Windows, counts: &Counts, map: &[Lanes], strip: Strip<'_, f32>) {
    let first = strip.rows.start;
    let averages = cells_mut(strip.values);
    windows.for_each(
        strip.rows,
        #[inline(always)]
        |output, start, taps| {
            let mut sums = [0.0; BLOCK];
            for tap in taps {
                let values = map[start + tap.offset];
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            averages[output] = counts.divided(sums, first * counts.columns.len() + output);
        },
    );
}

/// Spreads every signal over its window; see
/// [`Backend::average_unpooling`](crate::Backend::average_unpooling).
///
/// Goes by the cells that are restored, so that each is written by one thread.
pub(super) fn average_unpooling(
    backend: &CpuBackend,
    signal: &Blocked,
    window: &Window,
    restored: &Shape,
    divisor: Divisor,
) -> Computed {
    const KERNEL: &str = "average_unpooling";
    let ([batch, channels, height, width], [rows, columns]) =
        require_spreading(KERNEL, &signal.maps().shape(), restored)?;
    let axes = Axis::both(KERNEL, window, [height, width], [rows, columns])?;
    require_cells(KERNEL, restored, &axes)?;
    let counts = Counts::new(&axes, divisor);
    let mut shares = backend.room(KERNEL, signal.maps())?;
    let units: Vec<_> = strips(&mut shares, signal.maps()).collect();
    for_each_unit(units, signal.maps().len(), |strip| {
        let source = cells(signal.plane(strip.image, strip.block));
        let first = strip.rows.start * columns;
        vectorized(
            backend.isa,
            #[inline(always)]
            || {
                for (index, share) in cells_mut(strip.values).iter_mut().enumerate() {
                    *share = counts.divided(source[first + index], first + index);
                }
            },
        );
    });
    let shares = Blocked::new(signal.maps(), shares);
    let maps = Maps { batch, channels, height, width };
    let mut result = backend.room(KERNEL, maps)?;
    let work = shares.maps().len().saturating_mul(window.kernel.iter().product());
    let units: Vec<_> = strips(&mut result, maps).collect();
    for_each_unit(units, work, |strip| {
        let shares = cells(shares.plane(strip.image, strip.block));
        vectorized(
            backend.isa,
            #[inline(always)]
            || spread(&axes, shares, strip),
        );
    });
    Ok(Blocked::new(maps, result).into_tensor())
}

#[inline(always)]
fn spread([down, across]: &[Axis; 2], shares: &[Lanes], strip: Strip<'_, f32>) {
    let targets = cells_mut(strip.values).chunks_exact_mut(across.size);
    for (row, target) in strip.rows.zip(targets) {
        target.fill([0.0; BLOCK]);
        for (output, _) in down.outputs_over(row) {
            let line = &shares[output * across.outputs..][..across.outputs];
            for tap in 0..across.kernel {
                let outputs = across.outputs_of(tap);
                if outputs.is_empty() {
                    continue;
                }
                let first = across.cell(outputs.start, tap);
                let targets = target[first..].iter_mut().step_by(across.stride);
                for (cell, share) in targets.zip(&line[outputs]) {
                    let (mut sums, share) = (*cell, *share);
                    sums.iter_mut().zip(share).for_each(|(sum, share)| *sum += share);
                    *cell = sums;
                }
            }
        }
    }
}

/// How many cells the sum of each window is divided by.
struct Counts {
    rows: Vec<f32>,
    columns: Vec<f32>,
}

impl Counts {
    fn new(axes: &[Axis; 2], divisor: Divisor) -> Self {
        let [rows, columns] = axes.each_ref().map(|axis| axis.divisors(divisor));
        Self { rows, columns }
    }

    /// Divides what belongs to an output.
    #[inline(always)]
    fn divided(&self, values: Lanes, output: usize) -> Lanes {
        let columns = self.columns.len();
        let count = self.rows[output / columns] * self.columns[output % columns];
        values.map(|value| value / count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same, backends, extents, in_blocks, rough, windows};
    use super::*;
    use crate::{Backend, PlainBackend, Tensor};

    #[test]
    fn averages_and_their_adjoints_are_those_of_the_plain_backend() {
        let plain = PlainBackend::new();
        for backend in backends() {
            for extents in extents() {
                let host = rough(extents, 3);
                let input = in_blocks(&backend, &host);
                for (window, output) in windows([extents[2], extents[3]]) {
                    let signal = rough([extents[0], extents[1], output[0], output[1]], 5);
                    let blocked = in_blocks(&backend, &signal);
                    for divisor in [Divisor::Cells, Divisor::PaddedCells] {
                        let what = format!("{} {extents:?} {window:?} {divisor:?}", backend.isa());
                        let averages = backend.average_pooling(&input, &window, output, divisor);
                        let expected = plain.average_pooling(&host, &window, output, divisor);
                        assert_same(&averages.unwrap(), &expected.unwrap(), &what);
                        let restored = Shape::from(extents);
                        let spread =
                            backend.average_unpooling(&blocked, &window, &restored, divisor);
                        let expected =
                            plain.average_unpooling(&signal, &window, &restored, divisor);
                        assert_same(&spread.unwrap(), &expected.unwrap(), &what);
                    }
                }
            }
            assert_eq!(backend.conversions().len(), 0);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_as_on_the_plain_backend() {
        let backend = CpuBackend::new();
        let host = Tensor::zeros([1, 17, 4, 4]);
        let maps = in_blocks(&backend, &host);
        let refusals = |backend: &dyn Backend, maps: &Tensor| {
            let (window, cells) = (Window::of([2, 2]), Divisor::Cells);
            let shape = Shape::from([1, 16, 5, 5]);
            [
                backend.average_pooling(maps, &window, [9, 3], cells),
                backend.average_unpooling(maps, &window, &shape, cells),
                backend.average_unpooling(maps, &window, &Shape::from([1, 17, 2, 2]), cells),
                backend.average_unpooling(maps, &window, &Shape::from([1, 17]), cells),
            ]
            .map(|refused| refused.unwrap_err().to_string())
        };
        assert_eq!(refusals(&backend, &maps), refusals(&PlainBackend::new(), &host));
    }
}
