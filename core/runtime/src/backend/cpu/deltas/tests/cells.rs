//! Cells taken out of maps, put back, and changed one by one. All of it is exact.

use super::super::super::testing::{assert_same, backends, in_blocks, rough};
use super::{CLOSE, Changes, assert_close, cut, places};
use crate::backend::cpu::CpuBackend;
use crate::{
    Backend, DeltaKernels, Deltas, HostDeltas, PlainBackend, Region, Regions, Shape, Tensor, Unary,
};

fn numbers(shape: &Shape, seed: u64) -> Tensor {
    rough(shape.as_maps().unwrap(), seed)
}

/// Changes of maps of many sizes, with NaN and infinities here and there.
fn changes() -> impl Iterator<Item = Changes> {
    let channels = [1, 15, 16, 17, 33].into_iter();
    let extents = channels.flat_map(|channels| [[channels, 1, 1], [channels, 6, 9]]);
    extents.chain([[3, 21, 1], [40, 1, 13]]).map(|extents| {
        let [_, height, width] = extents;
        Changes::new(extents, places([height, width]), numbers)
    })
}

/// Compares a kernel, by all backends over blocks and by plain loops over rows, with what is
/// expected bit for bit. The memory that is lent is full of NaN.
fn compare(
    changes: &Changes,
    kernel: impl Fn(&dyn DeltaKernels, &Tensor, &Deltas) -> Tensor,
    expected: &Tensor,
) {
    for backend in backends() {
        let (clean, deltas) = (in_blocks(&backend, &changes.clean), changes.in_blocks(&backend));
        let what = format!("{} {:?}", backend.isa(), changes.deltas.maps());
        for clean in [&clean, &changes.clean] {
            backend.pool.poison();
            assert_same(&kernel(&backend, clean, &deltas), expected, &what);
        }
        let from_rows = kernel(&backend, &clean, &changes.deltas);
        assert_same(&in_blocks(&backend, &from_rows.to_host().unwrap()), expected, &what);
    }
    let by_host = kernel(&HostDeltas, &changes.clean, &changes.deltas);
    let what = format!("host {:?}", changes.deltas.maps());
    assert_same(&in_blocks(&CpuBackend::new(), &by_host), expected, &what);
}

#[test]
fn cells_cut_out_of_clean_maps_are_those_of_the_rectangles() {
    for changes in changes() {
        let expected = cut(&changes.clean, &changes.deltas.regions);
        let kernel = |kernels: &dyn DeltaKernels, clean: &Tensor, deltas: &Deltas| {
            kernels.cut(clean, &deltas.regions).unwrap()
        };
        compare(&changes, kernel, &expected);
    }
}

#[test]
fn cells_cut_out_of_the_maps_of_every_case_are_those_of_its_rectangle() {
    for changes in changes() {
        let whole = changes.changed();
        let regions = &changes.deltas.regions;
        let expected = cut(&whole, regions);
        for backend in backends() {
            let what = format!("{} {:?}", backend.isa(), whole.shape());
            let blocked = in_blocks(&backend, &whole);
            assert_same(&backend.cut_each(&blocked, regions).unwrap(), &expected, &what);
            let of_rows = backend.cut_each(&whole, regions).unwrap();
            assert_same(&in_blocks(&backend, &of_rows), &expected, &what);
        }
    }
}

#[test]
fn pasted_maps_are_clean_ones_plus_the_deltas() {
    for changes in changes() {
        let kernel = |kernels: &dyn DeltaKernels, clean: &Tensor, deltas: &Deltas| {
            kernels.paste(clean, deltas).unwrap()
        };
        compare(&changes, kernel, &changes.changed());
    }
}

#[test]
fn deltas_within_other_rectangles_are_zero_where_there_are_none() {
    for changes in changes() {
        let size = changes.deltas.regions.size();
        let same = places(size);
        let turned = same.iter().copied().rev();
        let grown = same.iter().map(|place| Region {
            top: place.top - 1,
            left: place.left - 2,
            height: place.height + 3,
            width: place.width + 3,
        });
        let whole = same.iter().map(|_| Region::whole(size));
        for others in [
            Regions::new(size, same.iter().copied()),
            Regions::new(size, turned),
            Regions::new(size, grown),
            Regions::new(size, whole),
        ] {
            let expected = cut(&changes.alone(), &others);
            let kernel = |kernels: &dyn DeltaKernels, _: &Tensor, deltas: &Deltas| {
                let within = kernels.within(deltas, &others).unwrap();
                assert_eq!(within.regions, others);
                within.cells
            };
            compare(&changes, kernel, &expected);
        }
    }
}

#[test]
fn tiles_hold_the_deltas_wherever_their_corners_lie() {
    for changes in changes() {
        let Deltas { regions, .. } = &changes.deltas;
        let alone = changes.alone();
        let [cases, channels, height, width] = alone.shape().as_maps().unwrap();
        let values = alone.values().unwrap();
        let layouts: [([usize; 2], [isize; 2]); 3] =
            [([1, 1], [0, 0]), ([4, 5], [-2, -1]), ([3, 12], [1, 2])];
        for (tile, shift) in layouts {
            let corner = |place: &Region| [place.top + shift[0], place.left + shift[1]];
            let corners: Vec<[isize; 2]> = regions.places().iter().map(corner).collect();
            let mut expected = Vec::new();
            for (case, corner) in corners.iter().enumerate() {
                for channel in 0..channels {
                    for y in 0..tile[0] {
                        for x in 0..tile[1] {
                            let row = usize::try_from(corner[0] + y.cast_signed());
                            let column = usize::try_from(corner[1] + x.cast_signed());
                            expected.push(match (row, column) {
                                (Ok(row), Ok(column)) if row < height && column < width => {
                                    let map = case * channels + channel;
                                    values[(map * height + row) * width + column]
                                }
                                _ => 0.0,
                            });
                        }
                    }
                }
            }
            let expected = Tensor::new([cases, channels, tile[0], tile[1]], expected).unwrap();
            let kernel = |kernels: &dyn DeltaKernels, _: &Tensor, deltas: &Deltas| {
                kernels.tiles(deltas, &corners, tile).unwrap()
            };
            compare(&changes, kernel, &expected);
        }
        let plain = PlainBackend::new();
        let maps = changes.deltas.on_maps(&plain).unwrap();
        assert_same(&in_blocks(&CpuBackend::new(), &maps), &alone, "on whole maps");
    }
}

#[test]
fn rectified_deltas_are_rectified_changed_maps_minus_rectified_clean_ones() {
    let plain = PlainBackend::new();
    for changes in changes() {
        let rectified = |maps: &Tensor| plain.unary(Unary::Rectify, maps).unwrap();
        let (difference, _) = changes.difference(rectified);
        let expected = cut(&difference, &changes.deltas.regions);
        let kernel = |kernels: &dyn DeltaKernels, clean: &Tensor, deltas: &Deltas| {
            kernels.rectified(clean, deltas).unwrap()
        };
        compare(&changes, kernel, &expected);
    }
}

#[test]
fn sums_are_those_of_whole_maps_of_deltas() {
    for extents in [[1, 1, 1], [15, 6, 9], [33, 6, 9], [17, 40, 50]] {
        let [_, height, width] = extents;
        let changes = Changes::new(extents, places([height, width]), super::smooth);
        let alone = changes.alone();
        let [cases, channels, ..] = alone.shape().as_maps().unwrap();
        let maps = alone.values().unwrap().chunks(height * width);
        let sums = maps.map(|map| map.iter().map(|&x| f64::from(x)).sum::<f64>() as f32);
        let expected = Tensor::new([cases, channels, 1, 1], sums.collect()).unwrap();
        // What sums of so many numbers up to one may round off.
        let error = CLOSE * (height * width) as f32;
        for backend in backends() {
            let deltas = changes.in_blocks(&backend);
            let what = format!("{} {extents:?}", backend.isa());
            assert_close(&backend.sums(&deltas).unwrap(), &expected, error, &what);
            assert_close(&backend.sums(&changes.deltas).unwrap(), &expected, error, &what);
            super::assert_steady(&changes, &what, |changes| {
                let sums = backend.sums(&changes.in_blocks(&backend)).unwrap().to_host().unwrap();
                let of_case = |sums: &[f32]| sums.iter().map(|sum| sum.to_bits()).collect();
                sums.values().unwrap().chunks_exact(channels).map(of_case).collect()
            });
        }
        assert_close(&HostDeltas.sums(&changes.deltas).unwrap(), &expected, error, "host");
    }
}

#[test]
fn what_is_not_finite_stays_in_the_sums_of_its_case_and_channel() {
    let changes = Changes::new([17, 6, 9], places([6, 9]), numbers);
    let (expected, cases) = (HostDeltas.sums(&changes.deltas).unwrap(), places([6, 9]).len());
    for backend in backends() {
        let sums = backend.sums(&changes.in_blocks(&backend)).unwrap();
        super::assert_silent(&sums, "sums");
        let sums = sums.to_host().unwrap();
        assert_eq!(sums.shape(), &Shape::from([cases, 17, 1, 1]));
        let kind = |x: &f32| [x.is_nan(), *x == f32::INFINITY, *x == f32::NEG_INFINITY];
        let [actual, expected] = [&sums, &expected].map(|sums| sums.values().unwrap().iter());
        assert!(actual.map(kind).eq(expected.map(kind)), "{}", backend.isa());
    }
}

#[test]
fn no_cells_at_all_are_no_trouble() {
    let nowhere = Region { top: -3, left: 0, height: 2, width: 2 };
    for backend in backends() {
        let changes = Changes::new([17, 6, 9], vec![nowhere; 2], super::smooth);
        let (clean, deltas) = (in_blocks(&backend, &changes.clean), changes.in_blocks(&backend));
        let none = Shape::from([1, 17, 1, 0]);
        assert_eq!(*backend.cut(&clean, &deltas.regions).unwrap().shape(), none);
        assert_eq!(*backend.rectified(&clean, &deltas).unwrap().shape(), none);
        let pasted = backend.paste(&clean, &deltas).unwrap();
        assert_same(&pasted, &changes.changed(), "pasted");
        let whole = Regions::new([6, 9], [Region::whole([6, 9]); 2]);
        let within = backend.within(&deltas, &whole).unwrap().cells;
        assert_same(&within, &Tensor::zeros([1, 17, 1, 108]), "within");
        let tiles = backend.tiles(&deltas, &[[0, 0]; 2], [2, 3]).unwrap();
        assert_same(&tiles, &Tensor::zeros([2, 17, 2, 3]), "tiles");
        assert_same(&backend.sums(&deltas).unwrap(), &Tensor::zeros([2, 17, 1, 1]), "sums");
    }
}

#[test]
fn maps_of_another_size_are_refused() {
    let changes = Changes::new([17, 6, 9], places([6, 9]), super::smooth);
    let (cases, host) = (places([6, 9]).len(), Tensor::zeros([1, 17, 6, 8]));
    for backend in backends() {
        let (other, deltas) = (in_blocks(&backend, &host), changes.in_blocks(&backend));
        let kernels: [&dyn DeltaKernels; 2] = [&backend, &HostDeltas];
        for kernels in kernels {
            let refusals = [
                kernels.cut(&other, &deltas.regions).unwrap_err(),
                kernels.cut_each(&other, &deltas.regions).unwrap_err(),
                kernels.paste(&other, &deltas).unwrap_err(),
                kernels.rectified(&other, &deltas).unwrap_err(),
            ];
            let got = "got shape [1, 17, 6, 8]";
            assert_eq!(
                refusals.map(|refusal| refusal.to_string()),
                [
                    format!("cut: expected maps of shape [1, 17, 6, 9], {got}"),
                    format!("cut: expected maps of shape [{cases}, 17, 6, 9], {got}"),
                    format!("paste: expected clean maps of shape [1, 17, 6, 9], {got}"),
                    format!("cut: expected maps of shape [1, 17, 6, 9], {got}"),
                ]
            );
        }
    }
}
