//! Fully connected layers times changed cells.

use super::super::super::testing::backends;
use super::{CLOSE, Changes, assert_close, places};
use crate::backend::cpu::CpuBackend;
use crate::layer::testing::Numbers;
use crate::{Backend, Deltas, Epilogue, PlainBackend, Region, Shape, Tensor};

/// Channels, height and width of the maps, and outputs: of one cell, about a block, and with more
/// blocks of channels than are multiplied at once.
const SIZES: [[usize; 4]; 9] = [
    [1, 1, 1, 1],
    [16, 1, 1, 16],
    [15, 2, 3, 17],
    [17, 6, 5, 15],
    [33, 6, 5, 16],
    [16, 3, 9, 100],
    [1, 6, 5, 33],
    [200, 1, 1, 40],
    [230, 3, 2, 50],
];

fn changes([channels, height, width, _]: [usize; 4]) -> Changes {
    Changes::new([channels, height, width], places([height, width]), super::smooth)
}

fn weight([channels, height, width, outputs]: [usize; 4]) -> Tensor {
    Numbers::new(9).tensor([outputs, channels * height * width])
}

/// Flattens maps and multiplies them, on the plain backend.
fn whole(maps: &Tensor, weight: &Tensor) -> Tensor {
    let features = maps.shape().with_batch(1).volume();
    let rows = maps.with_shape([maps.shape().batch(), features]).unwrap();
    PlainBackend::new().linear(&rows, weight, None, Epilogue::None).unwrap()
}

/// Multiplies lists of changes.
fn linear(backend: &CpuBackend, lists: &[&Changes], weight: &Tensor) -> Tensor {
    let lists: Vec<Deltas> = lists.iter().map(|list| list.in_blocks(backend)).collect();
    backend.pool.poison();
    backend.deltas().linear(&lists.iter().collect::<Vec<_>>(), weight).unwrap().unwrap()
}

#[test]
fn products_of_deltas_are_those_of_changed_maps_minus_those_of_clean_ones() {
    for size in SIZES {
        let (changes, weight) = (changes(size), weight(size));
        let (expected, largest) = changes.difference(|maps| whole(maps, &weight));
        for backend in backends() {
            let what = format!("{} {size:?}", backend.isa());
            let products = linear(&backend, &[&changes], &weight);
            assert_close(&products, &expected, CLOSE * largest, &what);
        }
    }
}

#[test]
fn the_cases_of_several_lists_come_one_after_another() {
    for size in SIZES {
        let (changes, weight) = (changes(size), weight(size));
        let (expected, largest) = changes.difference(|maps| whole(maps, &weight));
        let cases: Vec<usize> = (0..expected.shape().batch()).collect();
        // The sixth is empty: a list of it alone has no cells.
        let lists = [&cases[6..], &[5], &[], &cases[..1], &cases[1..6]];
        let lists = lists.map(|cases| changes.some(cases));
        let order = cases[6..].iter().chain(&[5]).chain(&cases[..6]);
        let rows = order.flat_map(|&case| expected.row(case).unwrap().unwrap());
        let rows: Vec<f32> = rows.copied().collect();
        let expected = Tensor::new([cases.len() + 1, size[3]], rows).unwrap();
        for backend in backends() {
            let what = format!("{} {size:?}", backend.isa());
            let products = linear(&backend, &lists.each_ref(), &weight);
            assert_close(&products, &expected, CLOSE * largest, &what);
            // Cells that are none need not lie in blocks.
            let mut deltas = lists.each_ref().map(|list| list.in_blocks(&backend));
            deltas[1] = lists[1].deltas.clone();
            let products = backend.deltas().linear(&deltas.each_ref(), &weight).unwrap().unwrap();
            assert_close(&products, &expected, CLOSE * largest, &what);
        }
    }
}

#[test]
fn bits_of_a_row_depend_on_no_other() {
    for size in SIZES {
        let (changes, weight) = (changes(size), weight(size));
        for backend in backends() {
            let of_cases = |products: &Tensor| {
                let rows = products.values().unwrap().chunks_exact(size[3]);
                rows.map(|row| row.iter().map(|x| x.to_bits()).collect()).collect::<Vec<_>>()
            };
            let what = format!("{} {size:?}", backend.isa());
            super::assert_steady(&changes, &what, |changes| {
                of_cases(&linear(&backend, &[changes], &weight))
            });
            let cases: Vec<usize> = (0..changes.deltas.regions.places().len()).collect();
            let parts = [&cases[..9], &cases[9..]].map(|cases| changes.some(cases));
            let apart = of_cases(&linear(&backend, &parts.each_ref(), &weight));
            assert!(apart == of_cases(&linear(&backend, &[&changes], &weight)), "{what}");
        }
    }
}

#[test]
fn what_is_not_finite_stays_in_the_row_of_its_case() {
    for size in [[17, 6, 5, 15], [230, 3, 2, 50]] {
        let (mut changes, weight) = (changes(size), weight(size));
        for backend in backends() {
            let before = linear(&backend, &[&changes], &weight);
            for special in [f32::NAN, f32::INFINITY] {
                let (start, _) = changes.deltas.regions.each().nth(7).unwrap();
                let cells = &mut changes.deltas.cells;
                let mut values = cells.values().unwrap().to_vec();
                let place = values.len() / size[0] * 3 + start;
                let old = std::mem::replace(&mut values[place], special);
                *cells = Tensor::new(cells.shape().clone(), values).unwrap();
                let after = linear(&backend, &[&changes], &weight);
                let mut values = changes.deltas.cells.values().unwrap().to_vec();
                values[place] = old;
                let shape = changes.deltas.cells.shape().clone();
                changes.deltas.cells = Tensor::new(shape, values).unwrap();
                for case in 0..before.shape().batch() {
                    let [before, after] =
                        [&before, &after].map(|rows| rows.row(case).unwrap().unwrap());
                    if case == 7 {
                        assert!(after.iter().all(|x| !x.is_finite()));
                    } else {
                        assert_eq!(before, after, "case {case} on {}", backend.isa());
                    }
                }
            }
        }
    }
}

#[test]
fn what_does_not_fit_the_weights_has_no_product_of_deltas() {
    let size = [17, 6, 5, 15];
    let changes = changes(size);
    let nowhere = Region { top: 9, left: 0, height: 2, width: 2 };
    let nothing = Changes::new([17, 6, 5], vec![nowhere], super::smooth);
    let others = [[16, 6, 5], [17, 5, 6]]
        .map(|extents| Changes::new(extents, places([extents[1], extents[2]]), super::smooth));
    for backend in backends() {
        let deltas = changes.in_blocks(&backend);
        let others = others.each_ref().map(|other| other.in_blocks(&backend));
        let fitting = weight(size);
        assert!(backend.deltas().linear(&[&deltas], &Tensor::zeros([15, 500])).is_none());
        assert!(backend.deltas().linear(&[&deltas], &Tensor::zeros([15, 17, 30])).is_none());
        for other in &others {
            assert!(backend.deltas().linear(&[&deltas, other], &fitting).is_none());
        }
        // Rows are for the plain backend.
        assert!(backend.deltas().linear(&[&deltas, &changes.deltas], &fitting).is_none());
        assert!(backend.deltas().linear(&[], &fitting).is_none());
        assert!(backend.deltas().linear(&[&nothing.deltas], &fitting).is_none());
        let zeros = linear(&backend, &[&nothing], &fitting);
        assert_eq!(*zeros.shape(), Shape::from([1, 15]));
        assert!(zeros.values().unwrap().iter().all(|&x| x == 0.0));
    }
}
