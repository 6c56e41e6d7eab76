//! Convolutions of changed cells, tap by tap and in tiles.

use super::super::super::testing::backends;
use super::{CLOSE, Changes, assert_close, assert_nothing_beyond, bits, cut, places, seen, window};
use crate::backend::cpu::CpuBackend;
use crate::layer::testing::Numbers;
use crate::{
    Backend, ConvolutionForms, ConvolutionGeometry, DeltaKernels, Deltas, Epilogue, PlainBackend,
    Region, Regions, Rounding, Tensor, Window,
};

/// Channels, filters and groups, of which every group has a block of channels at least.
const CHANNELS: [[usize; 3]; 9] = [
    [16, 1, 1],
    [16, 16, 1],
    [17, 33, 1],
    [33, 15, 1],
    [40, 17, 1],
    // Groups that fill their blocks, and that do not.
    [32, 64, 2],
    [34, 6, 2],
    [48, 51, 3],
    [40, 34, 2],
];

/// Kernels smaller and larger than maps, strides larger than kernels, dilation, lopsided padding.
fn windows() -> impl Iterator<Item = Window> {
    let squares = [1, 3, 5, 7].into_iter().flat_map(|kernel| {
        (1..=3).flat_map(move |stride| {
            (1..=2).flat_map(move |dilation| {
                [[0; 4], [1; 4], [0, 2, 3, 1], [kernel / 2; 4]]
                    .map(|padding| window(kernel, stride, dilation, padding))
            })
        })
    });
    let narrow = Window { kernel: [1, 5], ..window(1, 1, 1, [0, 2, 0, 2]) };
    let tall = Window { kernel: [4, 1], stride: [3, 1], ..window(1, 1, 1, [2, 0, 1, 0]) };
    squares.chain([narrow, tall])
}

/// A convolution of changes.
struct Case {
    changes: Changes,
    filters: Tensor,
    geometry: ConvolutionGeometry,
    /// The size of the output.
    size: [usize; 2],
    words: String,
}

impl Case {
    /// Makes one, where the kernel fits the map.
    fn new(
        [channels, filters, groups]: [usize; 3],
        size: [usize; 2],
        window: Window,
    ) -> Option<Self> {
        let changes = Changes::new([channels, size[0], size[1]], places(size), super::smooth);
        let [rows, columns] = window.kernel;
        let filters = Numbers::new(9).tensor([filters, channels / groups, rows, columns]);
        Some(Self {
            changes,
            geometry: ConvolutionGeometry { window, groups },
            size: window.output_size(size, Rounding::Floor)?,
            words: format!(
                "{} filters for {channels} in {groups} on {size:?}, {window:?}",
                filters.shape().batch()
            ),
            filters,
        })
    }

    /// Returns the outputs that see a changed cell.
    fn seen(&self, regions: &Regions) -> Regions {
        seen(&self.geometry.window, regions, self.size)
    }

    /// Convolves whole maps on the plain backend.
    fn whole(&self, maps: &Tensor) -> Tensor {
        let plain = PlainBackend::new();
        plain.convolution(maps, &self.filters, None, &self.geometry, Epilogue::None).unwrap()
    }

    /// Convolves deltas.
    fn convolved(
        &self,
        backend: &CpuBackend,
        filters: &Tensor,
        deltas: &Deltas,
        output: &Regions,
    ) -> Tensor {
        backend.pool.poison();
        backend.convolved(deltas, filters, &self.geometry, output).unwrap().unwrap()
    }
}

/// Backends of every instruction set and for both forms.
fn all_backends() -> Vec<CpuBackend> {
    let forms = [ConvolutionForms::Any, ConvolutionForms::Direct];
    backends().flat_map(|backend| forms.map(|forms| backend.clone().with_forms(forms))).collect()
}

#[test]
fn convolved_deltas_are_convolved_changed_maps_minus_convolved_clean_ones() {
    let backends = all_backends();
    for channels in CHANNELS {
        for window in windows() {
            for size in [[1, 1], [6, 9], [9, 14]] {
                let Some(case) = Case::new(channels, size, window) else { continue };
                let (difference, largest) = case.changes.difference(|maps| case.whole(maps));
                let regions = &case.changes.deltas.regions;
                let seen = case.seen(regions);
                let error = CLOSE * largest;
                assert_nothing_beyond(&difference, &seen, error, &case.words);
                let whole = regions.places().iter().map(|_| Region::whole(case.size));
                let whole = Regions::new(case.size, whole);
                let [expected, expected_whole] = [&seen, &whole].map(|all| cut(&difference, all));
                for backend in &backends {
                    let what = format!("{} {}: {}", backend.name(), backend.isa(), case.words);
                    let filters = backend.upload_filters(&case.filters).unwrap();
                    let deltas = case.changes.in_blocks(backend);
                    let cells = case.convolved(backend, &filters, &deltas, &seen);
                    assert_close(&cells, &expected, error, &what);
                    // Rectangles may hold more than sees a changed cell.
                    let cells = case.convolved(backend, &filters, &deltas, &whole);
                    assert_close(&cells, &expected_whole, error, &what);
                }
            }
        }
    }
}

#[test]
fn deep_layers_on_maps_of_many_tiles_are_convolved_too() {
    let backends = all_backends();
    for (channels, window) in [
        ([200, 100, 1], window(3, 1, 1, [1; 4])),
        ([300, 40, 1], window(1, 1, 1, [0; 4])),
        ([96, 256, 1], window(5, 2, 1, [0; 4])),
        ([256, 96, 2], window(3, 1, 1, [1; 4])),
    ] {
        let size = [30, 27];
        let case = Case::new(channels, size, window).unwrap();
        let (difference, largest) = case.changes.difference(|maps| case.whole(maps));
        let seen = case.seen(&case.changes.deltas.regions);
        let expected = cut(&difference, &seen);
        for backend in &backends {
            let what = format!("{} {}: {}", backend.name(), backend.isa(), case.words);
            let filters = backend.upload_filters(&case.filters).unwrap();
            let deltas = case.changes.in_blocks(backend);
            let cells = case.convolved(backend, &filters, &deltas, &seen);
            assert_close(&cells, &expected, CLOSE * largest, &what);
            super::assert_steady(&case.changes, &what, |changes| {
                let seen = case.seen(&changes.deltas.regions);
                let deltas = changes.in_blocks(backend);
                bits(&case.convolved(backend, &filters, &deltas, &seen), &seen)
            });
        }
    }
}

#[test]
fn bits_of_a_case_depend_on_no_other_for_every_window() {
    let backends = all_backends();
    for channels in [[17, 33, 1], [34, 6, 2]] {
        for window in windows() {
            let Some(case) = Case::new(channels, [6, 9], window) else { continue };
            for backend in &backends {
                let filters = backend.upload_filters(&case.filters).unwrap();
                super::assert_steady(&case.changes, &case.words, |changes| {
                    let seen = case.seen(&changes.deltas.regions);
                    let deltas = changes.in_blocks(backend);
                    bits(&case.convolved(backend, &filters, &deltas, &seen), &seen)
                });
            }
        }
    }
}

#[test]
fn what_is_not_finite_is_not_lost_and_stays_in_its_case() {
    for backend in all_backends() {
        for (channels, window) in [
            ([17, 33, 1], window(3, 1, 1, [1; 4])),
            ([17, 33, 1], window(3, 2, 1, [0, 2, 3, 1])),
            ([33, 15, 1], window(5, 1, 2, [3; 4])),
            ([34, 6, 2], window(3, 1, 1, [1; 4])),
        ] {
            let case = Case::new(channels, [9, 14], window).unwrap();
            let filters = backend.upload_filters(&case.filters).unwrap();
            let seen = case.seen(&case.changes.deltas.regions);
            let finite = case.changes.in_blocks(&backend);
            let finite = bits(&case.convolved(&backend, &filters, &finite, &seen), &seen);
            for special in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut spoilt = case.changes.some(&(0..finite.len()).collect::<Vec<_>>());
                let Deltas { regions, cells } = &mut spoilt.deltas;
                let (start, place) = regions.each().nth(9).unwrap();
                let mut values = cells.values().unwrap().to_vec();
                // The last cell of the case, in the second channel.
                values[regions.cells() + start + place.height * place.width - 1] = special;
                *cells = Tensor::new(cells.shape().clone(), values).unwrap();
                let expected = case.whole(&spoilt.alone());
                let expected = bits(&cut(&expected, &seen), &seen);
                let deltas = spoilt.in_blocks(&backend);
                let actual = case.convolved(&backend, &filters, &deltas, &seen);
                super::assert_silent(&actual, &case.words);
                let actual = bits(&actual, &seen);
                let is_finite = |bits: u32| f32::from_bits(bits).is_finite();
                assert!(expected[9].iter().any(|&bits| !is_finite(bits)));
                for (case, (actual, expected)) in actual.iter().zip(&expected).enumerate() {
                    if case == 9 {
                        let mut pairs = actual.iter().zip(expected);
                        assert!(pairs.all(|(&a, &b)| is_finite(b) || !is_finite(a)));
                    } else {
                        assert_eq!(*actual, finite[case], "case {case}");
                    }
                }
            }
        }
    }
}

#[test]
fn narrow_groups_and_filters_that_are_not_placed_have_no_form_for_deltas() {
    for backend in all_backends() {
        for channels in [[1, 1, 1], [15, 16, 1], [20, 20, 2], [32, 32, 32]] {
            let case = Case::new(channels, [6, 9], window(3, 1, 1, [1; 4])).unwrap();
            let filters = backend.upload_filters(&case.filters).unwrap();
            let deltas = case.changes.in_blocks(&backend);
            let seen = case.seen(&deltas.regions);
            assert!(backend.convolved(&deltas, &filters, &case.geometry, &seen).is_none());
        }
        let case = Case::new([16, 16, 1], [6, 9], window(3, 1, 1, [1; 4])).unwrap();
        let deltas = case.changes.in_blocks(&backend);
        let seen = case.seen(&deltas.regions);
        assert!(backend.convolved(&deltas, &case.filters, &case.geometry, &seen).is_none());
        let filters = backend.upload_filters(&case.filters).unwrap();
        let rows = &case.changes.deltas;
        assert!(backend.convolved(rows, &filters, &case.geometry, &seen).is_none());
    }
}
