//! Putting values back where maxima stood, in blocks, and the adjoint.

use super::CpuBackend;
use super::blocked::{Blocked, Maps, Operand};
use super::lanes::{Lanes, cells, cells_mut, chosen, masks};
use super::micro::BLOCK;
use super::simd::vectorized;
use super::strips::{Strip, strips};
use super::switches::Switches;
use crate::backend::axis::Axis;
use crate::backend::operand::{require, require_spreading};
use crate::backend::units::for_each_unit;
use crate::{Computed, Overlap, Shape, Tensor};

/// Puts values back where their maxima stood; see
/// [`Backend::unpooling`](crate::Backend::unpooling).
///
/// Goes by the cells that are restored, so that each is written by one thread, and adds up in the
/// order of the windows.
pub(super) fn unpooling(
    backend: &CpuBackend,
    signal: &Tensor,
    switches: &Switches,
    restored: &Shape,
    overlap: Overlap,
) -> Computed {
    const KERNEL: &str = "unpooling";
    let ([batch, channels, height, width], _) =
        require_spreading(KERNEL, signal.shape(), restored)?;
    require(KERNEL, "switches", &switches.maps().shape(), signal.shape().extents())?;
    let signal = Operand::of(&backend.pool, KERNEL, signal)?;
    let maps = Maps { batch, channels, height, width };
    let mut result = backend.room(KERNEL, maps)?;
    let units: Vec<_> = strips(&mut result, maps).collect();
    for_each_unit(units, maps.len() * 4, |strip| {
        let signal = signal.plane(strip.image, strip.block);
        let taps = switches.plane(strip.image, strip.block);
        vectorized(
            backend.isa,
            #[inline(always)]
            || put_back(switches, signal, taps, strip, overlap),
        );
    });
    Ok(Blocked::new(maps, result).into_tensor())
}

#[inline(always)]
fn put_back(
    switches: &Switches,
    signal: &[f32],
    taps: &[u8],
    strip: Strip<'_, f32>,
    overlap: Overlap,
) {
    let [down, across] = switches.axes();
    let (signal, taps) = (cells(signal), cells(taps));
    let targets = cells_mut(strip.values).chunks_exact_mut(across.size);
    for (row, target) in strip.rows.zip(targets) {
        target.fill([0.0; BLOCK]);
        for (output, tap_down) in down.outputs_over(row) {
            let line = output * across.outputs;
            // The last tap first: through it the first of the windows over a cell sees it.
            for tap in (0..across.kernel).rev() {
                let outputs = across.outputs_of(tap);
                if outputs.is_empty() {
                    continue;
                }
                let number = (tap_down * across.kernel + tap) as u8;
                let first = across.cell(outputs.start, tap);
                let outputs = line + outputs.start..line + outputs.end;
                let pairs = signal[outputs.clone()].iter().zip(&taps[outputs]);
                for (cell, (values, taps)) in
                    target[first..].iter_mut().step_by(across.stride).zip(pairs)
                {
                    *cell = joined(*cell, *values, *taps, number, overlap);
                }
            }
        }
    }
}

/// Adds to a cell, or puts in its place, what stood there.
#[inline(always)]
fn joined(cell: Lanes, values: Lanes, taps: Lanes<u8>, number: u8, overlap: Overlap) -> Lanes {
    let is_here = masks(|lane| taps[lane] == number);
    match overlap {
        Overlap::Sum => {
            let put = chosen(is_here, values, [0.0; BLOCK]);
            let mut sums = cell;
            sums.iter_mut().zip(put).for_each(|(sum, value)| *sum += value);
            sums
        }
        Overlap::Overwrite => chosen(is_here, values, cell),
    }
}

/// Takes what lies at every switch; see
/// [`Backend::unpooling_adjoint`](crate::Backend::unpooling_adjoint).
pub(super) fn unpooling_adjoint(
    backend: &CpuBackend,
    signal: &Tensor,
    switches: &Switches,
    overlap: Overlap,
) -> Computed {
    const KERNEL: &str = "unpooling_adjoint";
    let maps = switches.maps();
    let signal = Operand::of(&backend.pool, KERNEL, signal)?;
    let mut taken = backend.room(KERNEL, maps)?;
    let taps_per_window: usize = switches.axes().iter().map(|axis| axis.kernel).product();
    let units: Vec<_> = strips(&mut taken, maps).collect();
    for_each_unit(units, maps.len() * taps_per_window, |strip| {
        let signal = signal.plane(strip.image, strip.block);
        let taps = switches.plane(strip.image, strip.block);
        vectorized(
            backend.isa,
            #[inline(always)]
            || take(switches, signal, taps, strip, overlap),
        );
    });
    Ok(Blocked::new(maps, taken).into_tensor())
}

#[inline(always)]
fn take(switches: &Switches, signal: &[f32], taps: &[u8], strip: Strip<'_, f32>, overlap: Overlap) {
    let [down, across] = switches.axes();
    let (signal, taps) = (cells(signal), cells(taps));
    let Strip { rows, values, .. } = strip;
    let first = rows.start * across.outputs;
    for (index, target) in cells_mut(values).iter_mut().enumerate() {
        let output = first + index;
        let (row, column) = (output / across.outputs, output % across.outputs);
        let mut taken = [0.0; BLOCK];
        for tap_down in down.taps(row) {
            for tap in across.taps(column) {
                let cell = [down.cell(row, tap_down), across.cell(column, tap)];
                let mut is_here = at_tap(taps[output], tap_down * across.kernel + tap);
                if overlap == Overlap::Overwrite {
                    forget(&mut is_here, switches.axes(), taps, cell, output);
                }
                taken = chosen(is_here, signal[cell[0] * across.size + cell[1]], taken);
            }
        }
        *target = taken;
    }
}

#[inline(always)]
fn at_tap(taps: Lanes<u8>, number: usize) -> Lanes<u32> {
    masks(|lane| usize::from(taps[lane]) == number)
}

/// Clears the mask of lanes in which a window later than `output` has its maximum in a cell too.
#[inline(always)]
fn forget(
    is_here: &mut Lanes<u32>,
    [down, across]: &[Axis; 2],
    taps: &[Lanes<u8>],
    cell: [usize; 2],
    output: usize,
) {
    for (row, tap_down) in down.outputs_over(cell[0]) {
        for (column, tap) in across.outputs_over(cell[1]) {
            let later = row * across.outputs + column;
            if later > output {
                let is_there = at_tap(taps[later], tap_down * across.kernel + tap);
                is_here.iter_mut().zip(is_there).for_each(|(here, there)| *here &= !there);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same, backends, extents, in_blocks, rough, windows};
    use crate::{Backend, CpuBackend, Overlap, PlainBackend, Shape, Window};

    const OVERLAPS: [Overlap; 2] = [Overlap::Sum, Overlap::Overwrite];

    #[test]
    fn values_go_where_the_plain_backend_puts_them_and_come_back() {
        for backend in backends() {
            for extents in extents() {
                let host = rough(extents, 3);
                let pooled = in_blocks(&backend, &host);
                for (window, output) in windows([extents[2], extents[3]]) {
                    let (plain, shape) = (PlainBackend::new(), Shape::from(extents));
                    let (maxima, expected) = plain.max_pooling(&host, &window, output).unwrap();
                    let (_, switches) = backend.max_pooling(&pooled, &window, output).unwrap();
                    let signal = rough([extents[0], extents[1], output[0], output[1]], 5);
                    assert_eq!(signal.shape(), maxima.shape());
                    for overlap in OVERLAPS {
                        let what = format!("{} {extents:?} {window:?} {overlap:?}", backend.isa());
                        // Signals come from the host or lie in blocks.
                        for signal in [signal.clone(), in_blocks(&backend, &signal)] {
                            let restored =
                                backend.unpooling(&signal, &switches, &shape, overlap).unwrap();
                            let signal = signal.to_host().unwrap();
                            let expected =
                                plain.unpooling(&signal, &expected, &shape, overlap).unwrap();
                            assert_same(&restored, &expected, &what);
                        }
                        let taken = backend.unpooling_adjoint(&pooled, &switches, overlap).unwrap();
                        let expected = plain.unpooling_adjoint(&host, &expected, overlap).unwrap();
                        assert_same(&taken, &expected, &what);
                    }
                }
            }
            assert_eq!(backend.conversions().len(), 0);
        }
    }

    #[test]
    fn switches_of_maps_of_another_size_are_taken_by_position() {
        let backend = CpuBackend::new();
        let pooled = in_blocks(&backend, &rough([1, 17, 4, 4], 3));
        let window = Window { stride: [2, 2], ..Window::of([2, 2]) };
        let (maxima, switches) = backend.max_pooling(&pooled, &window, [2, 2]).unwrap();
        let [maxima, positions] = [&maxima, &switches].map(|tensor| tensor.to_host().unwrap());
        let wider = Shape::from([1, 17, 4, 5]);
        let unpool = |backend: &dyn Backend, switches| {
            backend.unpooling(&maxima, switches, &wider, Overlap::Sum).unwrap()
        };
        let expected = unpool(&PlainBackend::new(), &positions);
        let bits = |x: &f32| x.to_bits();
        assert!(
            unpool(&backend, &switches).values().unwrap().iter().map(bits).eq(expected
                .values()
                .unwrap()
                .iter()
                .map(bits))
        );
        assert_eq!(backend.conversions().get("unpooling"), Some(&1));
    }

    #[test]
    fn what_does_not_fit_is_refused_as_on_the_plain_backend() {
        let backend = CpuBackend::new();
        let pooled = in_blocks(&backend, &rough([1, 17, 4, 4], 3));
        let (_, switches) = backend.max_pooling(&pooled, &Window::of([2, 2]), [3, 3]).unwrap();
        let positions = switches.to_host().unwrap();
        let (plain, signal) = (PlainBackend::new(), rough([1, 17, 3, 2], 5));
        for restored in [Shape::from([1, 17, 4, 4]), Shape::from([1, 17, 9]), [1, 17, 1, 1].into()]
        {
            let refused = backend.unpooling(&signal, &switches, &restored, Overlap::Sum);
            let expected = plain.unpooling(&signal, &positions, &restored, Overlap::Sum);
            assert_eq!(refused.unwrap_err().to_string(), expected.unwrap_err().to_string());
            let refused = backend.unpooling_adjoint(&signal, &switches, Overlap::Sum);
            let expected = plain.unpooling_adjoint(&signal, &positions, Overlap::Sum);
            assert_eq!(refused.unwrap_err().to_string(), expected.unwrap_err().to_string());
        }
    }
}
