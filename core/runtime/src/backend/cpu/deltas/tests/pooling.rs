//! Maxima and averages of changed windows.

use super::super::super::testing::{assert_same, backends, in_blocks, rough, windows};
use super::{CLOSE, Changes, assert_close, assert_nothing_beyond, bits, cut, places, seen, window};
use crate::backend::cpu::CpuBackend;
use crate::{
    Backend, DeltaKernels, Deltas, Divisor, PlainBackend, Region, Regions, Rounding, Shape, Tensor,
    Window,
};

const EXTENTS: [[usize; 3]; 9] = [
    [1, 1, 1],
    [15, 1, 1],
    [1, 6, 9],
    [15, 6, 9],
    [16, 6, 9],
    [17, 9, 14],
    [33, 6, 9],
    [33, 1, 11],
    [16, 25, 22],
];

/// Windows that fit a map: as for whole maps, and some larger ones.
fn all_windows(size: [usize; 2]) -> impl Iterator<Item = (Window, [usize; 2])> {
    let large = [window(5, 3, 1, [2; 4]), window(7, 1, 1, [0, 3, 3, 0]), window(20, 2, 1, [0; 4])];
    let large = large.into_iter();
    let large =
        large.filter_map(move |window| Some((window, window.output_size(size, Rounding::Floor)?)));
    windows(size).chain(large)
}

fn numbers(shape: &Shape, seed: u64) -> Tensor {
    rough(shape.as_maps().unwrap(), seed)
}

/// Takes maxima on the plain backend.
fn maxima(maps: &Tensor, window: &Window, output: [usize; 2]) -> Tensor {
    PlainBackend::new().max_pooling(maps, window, output).unwrap().0
}

/// Takes maxima of changed windows.
fn max_pooled(
    backend: &CpuBackend,
    changes: &Changes,
    deltas: &Deltas,
    window: &Window,
    output: &Regions,
) -> Tensor {
    let pooled = in_blocks(backend, &maxima(&changes.clean, window, output.size()));
    let clean = in_blocks(backend, &changes.clean);
    backend.pool.poison();
    backend.max_pooled([&clean, &pooled], deltas, window, output).unwrap().unwrap()
}

#[test]
fn max_pooled_deltas_are_pooled_changed_maps_minus_pooled_clean_ones() {
    for extents in EXTENTS {
        let size = [extents[1], extents[2]];
        // With equal numbers, NaN and infinities.
        let changes = Changes::new(extents, places(size), numbers);
        let finite = Changes::new(extents, places(size), super::smooth);
        for (window, output) in all_windows(size) {
            let words = format!("{extents:?} {window:?}");
            let regions = seen(&window, &changes.deltas.regions, output);
            let (beyond, _) = finite.difference(|maps| maxima(maps, &window, output));
            assert_nothing_beyond(&beyond, &regions, 0.0, &words);
            let whole = places(size).into_iter().map(|_| Region::whole(output));
            for output in [regions, Regions::new(output, whole)] {
                let size = output.size();
                let (difference, _) = changes.difference(|maps| maxima(maps, &window, size));
                let expected = cut(&difference, &output);
                for backend in backends() {
                    let deltas = changes.in_blocks(&backend);
                    let cells = max_pooled(&backend, &changes, &deltas, &window, &output);
                    assert_same(&cells, &expected, &format!("{} {words}", backend.isa()));
                }
            }
        }
    }
}

#[test]
fn averages_of_deltas_are_averages_of_changed_maps_minus_those_of_clean_ones() {
    for extents in EXTENTS {
        let size = [extents[1], extents[2]];
        let changes = Changes::new(extents, places(size), super::smooth);
        for (window, output) in all_windows(size) {
            for divisor in [Divisor::Cells, Divisor::PaddedCells] {
                let words = format!("{extents:?} {window:?} {divisor:?}");
                let regions = seen(&window, &changes.deltas.regions, output);
                let plain = PlainBackend::new();
                let (difference, _) = changes.difference(|maps| {
                    plain.average_pooling(maps, &window, output, divisor).unwrap()
                });
                assert_nothing_beyond(&difference, &regions, 0.0, &words);
                let whole = places(size).into_iter().map(|_| Region::whole(output));
                for output in [regions, Regions::new(output, whole)] {
                    let expected = cut(&difference, &output);
                    for backend in backends() {
                        let deltas = changes.in_blocks(&backend);
                        backend.pool.poison();
                        let cells = backend.average_pooled(&deltas, &window, divisor, &output);
                        let what = format!("{} {words}", backend.isa());
                        assert_close(&cells.unwrap().unwrap(), &expected, CLOSE, &what);
                    }
                }
            }
        }
    }
}

#[test]
fn bits_of_a_pooled_case_depend_on_no_other() {
    for extents in [[17, 9, 14], [40, 40, 41]] {
        let size = [extents[1], extents[2]];
        let changes = Changes::new(extents, places(size), super::smooth);
        for (window, output) in all_windows(size) {
            for backend in backends() {
                let words = format!("{} {extents:?} {window:?}", backend.isa());
                super::assert_steady(&changes, &words, |changes| {
                    let output = seen(&window, &changes.deltas.regions, output);
                    let deltas = changes.in_blocks(&backend);
                    let maxima = max_pooled(&backend, changes, &deltas, &window, &output);
                    let cells = Divisor::Cells;
                    let averages = backend.average_pooled(&deltas, &window, cells, &output);
                    let averages = averages.unwrap().unwrap();
                    let both = [maxima, averages].map(|cells| bits(&cells, &output));
                    let [maxima, averages] = both;
                    maxima.into_iter().zip(averages).map(|(a, b)| [a, b].concat()).collect()
                });
            }
        }
    }
}

#[test]
fn averages_keep_what_is_not_finite_where_it_is() {
    let changes = Changes::new([17, 9, 14], places([9, 14]), numbers);
    for (window, output) in all_windows([9, 14]) {
        let whole = PlainBackend::new();
        let whole = whole.average_pooling(&changes.alone(), &window, output, Divisor::Cells);
        let output = seen(&window, &changes.deltas.regions, output);
        let expected = cut(&whole.unwrap(), &output);
        for backend in backends() {
            let deltas = changes.in_blocks(&backend);
            let cells = backend.average_pooled(&deltas, &window, Divisor::Cells, &output);
            let cells = cells.unwrap().unwrap();
            super::assert_silent(&cells, "averages");
            let cells = cells.to_host().unwrap();
            let kind = |x: &f32| [x.is_nan(), *x == f32::INFINITY, *x == f32::NEG_INFINITY];
            let [actual, expected] =
                [&cells, &expected].map(|cells| cells.values().unwrap().iter());
            assert!(actual.map(kind).eq(expected.map(kind)), "{} {window:?}", backend.isa());
        }
    }
}
