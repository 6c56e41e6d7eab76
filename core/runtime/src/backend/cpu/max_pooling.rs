//! Maxima of windows over blocks, with their switches.

use super::CpuBackend;
use super::blocked::{Blocked, Maps};
use super::lanes::{Lanes, cells, cells_mut, chosen, masks};
use super::micro::BLOCK;
use super::simd::vectorized;
use super::strips::{Strip, strips};
use super::switches::Switches;
use super::windows::{Tap, Windows};
use crate::backend::axis::{Axis, require_cells, require_positions};
use crate::backend::units::for_each_unit;
use crate::{Computed, Tensor, Window};

const KERNEL: &str = "max_pooling";

/// Says whether switches can name all the taps of a window.
pub(super) fn has_kernel(window: &Window) -> bool {
    let [rows, columns] = window.kernel;
    rows.checked_mul(columns).is_some_and(|taps| taps <= Switches::TAPS)
}

/// Takes the maximum of every window; see [`Backend::max_pooling`](crate::Backend::max_pooling).
pub(super) fn max_pooling(
    backend: &CpuBackend,
    input: &Blocked,
    window: &Window,
    output: [usize; 2],
) -> Computed<(Tensor, Tensor)> {
    let Maps { batch, channels, height, width } = input.maps();
    let axes = Axis::both(KERNEL, window, [height, width], output)?;
    require_cells(KERNEL, &input.maps().shape(), &axes)?;
    require_positions(KERNEL, &input.maps().shape())?;
    let [height, width] = output;
    let maps = Maps { batch, channels, height, width };
    let mut maxima = backend.room(KERNEL, maps)?;
    let mut taps = backend.bytes.take(maps.len());
    let windows = Windows::new(axes);
    let work = maps.len() * window.kernel.iter().product::<usize>();
    let units = strips(&mut maxima, maps).zip(strips(&mut taps, maps)).collect();
    for_each_unit(units, work, |(maxima, taps): (Strip<'_, f32>, Strip<'_, u8>)| {
        let map = input.plane(maxima.image, maxima.block);
        vectorized(
            backend.isa,
            #[inline(always)]
            || pool(&windows, map, maxima, taps.values),
        );
    });
    let switches = Switches::new(maps, axes, taps);
    Ok((Blocked::new(maps, maxima).into_tensor(), switches.into_tensor()))
}

#[inline(always)]
fn pool(windows: &Windows, map: &[f32], maxima: Strip<'_, f32>, places: &mut [u8]) {
    let (map, maxima_here) = (cells(map), cells_mut(maxima.values));
    let places = cells_mut(places);
    windows.for_each(
        maxima.rows,
        #[inline(always)]
        |output, start, taps| {
            (maxima_here[output], places[output]) = largest(map, start, taps);
        },
    );
}

/// Finds the first of the largest numbers under the taps of a window, and its tap. NaN counts as
/// larger than any number.
#[inline(always)]
fn largest(map: &[Lanes], start: usize, taps: &[Tap]) -> (Lanes, Lanes<u8>) {
    let (mut best, mut places) = (map[start], [u32::from(taps[0].number); BLOCK]);
    for tap in &taps[1..] {
        let values = map[start + tap.offset];
        let stays = masks(|lane| (values[lane] <= best[lane]) | best[lane].is_nan());
        best = chosen(stays, best, values);
        for (place, stays) in places.iter_mut().zip(stays) {
            *place = (*place & stays) | (u32::from(tap.number) & !stays);
        }
    }
    (best, places.map(|place| place as u8))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same, backends, extents, in_blocks, rough, windows};
    use crate::{Backend, CpuBackend, PlainBackend, Shape, Tensor, Window};

    #[test]
    fn maxima_and_switches_are_those_of_the_plain_backend() {
        for backend in backends() {
            for extents in extents() {
                let host = rough(extents, 3);
                let input = in_blocks(&backend, &host);
                for (window, output) in windows([extents[2], extents[3]]) {
                    let what = format!("{} {extents:?} {window:?}", backend.isa());
                    let expected = PlainBackend::new().max_pooling(&host, &window, output).unwrap();
                    let (maxima, switches) = backend.max_pooling(&input, &window, output).unwrap();
                    assert_same(&maxima, &expected.0, &what);
                    assert_same(&switches, &expected.1, &what);
                }
            }
            assert_eq!(backend.conversions().len(), 0);
        }
    }

    #[test]
    fn windows_of_many_taps_run_on_the_plain_backend() {
        let (backend, host) = (CpuBackend::new(), rough([1, 17, 16, 17], 3));
        let input = in_blocks(&backend, &host);
        let window = Window::of([16, 17]);
        let (maxima, switches) = backend.max_pooling(&input, &window, [1, 1]).unwrap();
        let expected = PlainBackend::new().max_pooling(&host, &window, [1, 1]).unwrap();
        assert_eq!(switches.positions().unwrap(), expected.1.positions().unwrap());
        assert_eq!(maxima.shape(), expected.0.shape());
        assert_eq!(backend.conversions().get("max_pooling"), Some(&1));
    }

    #[test]
    fn unfit_windows_are_refused_as_on_the_plain_backend() {
        let backend = CpuBackend::new();
        let host = Tensor::zeros([1, 17, 4, 4]);
        let input = in_blocks(&backend, &host);
        for (window, output) in [
            (Window { stride: [0, 1], ..Window::of([2, 2]) }, [3, 3]),
            (Window::of([2, 2]), [9, 3]),
            (Window { dilation: [usize::MAX, 1], ..Window::of([2, 1]) }, [3, 4]),
        ] {
            let refused = backend.max_pooling(&input, &window, output).unwrap_err();
            let expected = PlainBackend::new().max_pooling(&host, &window, output).unwrap_err();
            assert_eq!(refused.to_string(), expected.to_string());
        }
    }

    #[test]
    fn selected_switches_are_those_of_the_selected_images() {
        for backend in backends() {
            let input = in_blocks(&backend, &rough([3, 17, 6, 6], 3));
            let window = Window::of([3, 3]);
            let (maxima, switches) = backend.max_pooling(&input, &window, [4, 4]).unwrap();
            let rows = [2, 0, 2];
            let chosen = backend.select(&input, &rows).unwrap();
            let expected = backend.max_pooling(&chosen, &window, [4, 4]).unwrap();
            let hosted = [expected.0.to_host().unwrap(), expected.1.to_host().unwrap()];
            assert_same(&backend.select(&maxima, &rows).unwrap(), &hosted[0], "maxima");
            assert_same(&backend.select(&switches, &rows).unwrap(), &hosted[1], "switches");
            for tensor in [&maxima, &switches] {
                let refused = backend.select(tensor, &[1, 3]).unwrap_err();
                let shape = Shape::from([3, 17, 4, 4]);
                let message = format!("select: expected more than 3 images, got shape {shape}");
                assert_eq!(refused.to_string(), message);
            }
            assert_eq!(backend.conversions().len(), 0);
        }
    }
}
