//! Kernels over changed cells against what defines them: what becomes of changed maps, minus what
//! becomes of clean ones, both computed in full by the plain backend.

mod cells;
mod convolution;
mod layers;
mod linear;
mod pooling;

use super::super::testing::{assert_silent, in_blocks};
use crate::backend::cpu::CpuBackend;
use crate::backend::cpu::blocked::Blocked;
use crate::layer::testing::Numbers;
use crate::{Deltas, Padding, Region, Regions, Shape, Tensor, Window};

/// What errors may be, as shares of the largest number of a layer.
const CLOSE: f32 = 4e-6;

/// Rectangles of maps: the whole, in every corner, along borders, within, across several tiles,
/// hanging over the borders, and empty in every way.
fn places(size: [usize; 2]) -> Vec<Region> {
    let region = |top, left, height, width| Region { top, left, height, width };
    let [h, w] = size;
    let [bottom, right] = size.map(|cells| cells.cast_signed() - 1);
    vec![
        region(0, 0, h, w),
        region(0, 0, 1, 1),
        region(0, right, 1, 1),
        region(bottom, 0, 1, 1),
        region(bottom, right, 1, 1),
        region(0, 0, 0, 0),
        region(bottom / 2, right / 2, 1, 1),
        region(bottom / 3, 0, 2, w),
        region(0, right / 2, h, 1),
        region(1, 2, 5, 6),
        region(1, 1, 3, 0),
        region(-1, -1, 3, 2),
        region(bottom - 1, right - 2, 5, 9),
        region(-7, 2, 20, 2),
        region(-5, -5, 2, 2),
        region(bottom + 2, 0, 2, 9),
        region(bottom / 2, right / 3, 2, 3),
    ]
}

/// A square window.
fn window(kernel: usize, stride: usize, dilation: usize, padding: [usize; 4]) -> Window {
    let [top, left, bottom, right] = padding;
    let padding = Padding { top, left, bottom, right };
    Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [dilation; 2], padding }
}

/// Returns the outputs of a window, on maps of a size, that see what lies in rectangles.
fn seen(window: &Window, regions: &Regions, size: [usize; 2]) -> Regions {
    let empty = Region { top: 0, left: 0, height: 0, width: 0 };
    let holders = |&place: &Region| window.holding(place).unwrap_or(empty);
    Regions::new(size, regions.places().iter().map(holders))
}

fn smooth(shape: &Shape, seed: u64) -> Tensor {
    Numbers::new(seed).tensor(shape.clone())
}

/// Returns the places of the cells of every rectangle on its map, row by row.
fn cells_of(regions: &Regions) -> impl Iterator<Item = (usize, [usize; 2])> {
    regions.places().iter().enumerate().flat_map(|(case, place)| {
        let [top, left] = [place.top, place.left].map(|start| usize::try_from(start).unwrap());
        let cell = move |y: usize, x: usize| (case, [top + y, left + x]);
        (0..place.height).flat_map(move |y| (0..place.width).map(move |x| cell(y, x)))
    })
}

/// Takes the cells of every rectangle out of the maps of its case, or out of the only ones.
fn cut(maps: &Tensor, regions: &Regions) -> Tensor {
    let [batch, channels, height, width] = maps.shape().as_maps().unwrap();
    assert_eq!([height, width], regions.size());
    let values = maps.values().unwrap();
    let mut cells = Vec::new();
    for channel in 0..channels {
        for (case, [y, x]) in cells_of(regions) {
            let image = if batch == 1 { 0 } else { case };
            cells.push(values[((image * channels + channel) * height + y) * width + x]);
        }
    }
    Tensor::new([1, channels, 1, regions.cells()], cells).unwrap()
}

/// Clean maps of one image, and what changes of them in every case.
struct Changes {
    /// `[1, c, h, w]`.
    clean: Tensor,
    /// What is changed, row by row.
    deltas: Deltas,
}

impl Changes {
    /// Changes rectangles by numbers from `make`.
    fn new(
        [channels, height, width]: [usize; 3],
        places: Vec<Region>,
        make: impl Fn(&Shape, u64) -> Tensor,
    ) -> Self {
        let clean = make(&Shape::from([1, channels, height, width]), 3);
        let regions = Regions::new([height, width], places);
        let cells = make(&Shape::from([1, channels, 1, regions.cells()]), 4);
        Self { clean, deltas: Deltas { regions, cells } }
    }

    /// The same with some of the cases.
    fn some(&self, cases: &[usize]) -> Self {
        let Deltas { regions, cells } = &self.deltas;
        let each: Vec<(usize, Region)> = regions.each().collect();
        let places = cases.iter().map(|&case| each[case].1);
        let values = cells.values().unwrap();
        let mut some = Vec::new();
        for channel in values.chunks_exact(regions.cells().max(1)) {
            for (start, place) in cases.iter().map(|&case| each[case]) {
                some.extend_from_slice(&channel[start..][..place.height * place.width]);
            }
        }
        let regions = Regions::new(regions.size(), places);
        let cells = Tensor::new([1, self.deltas.channels(), 1, regions.cells()], some).unwrap();
        Self { clean: self.clean.clone(), deltas: Deltas { regions, cells } }
    }

    /// Puts the deltas on as many copies of maps as there are cases.
    fn put_on(&self, image: &[f32], put: impl Fn(&mut f32, f32)) -> Tensor {
        let Deltas { regions, cells } = &self.deltas;
        let shape = self.deltas.maps();
        let [batch, channels, height, width] = shape.as_maps().unwrap();
        let mut maps = image.repeat(batch);
        let values = cells.values().unwrap();
        for channel in 0..channels {
            for (index, (case, [y, x])) in cells_of(regions).enumerate() {
                let place = ((case * channels + channel) * height + y) * width + x;
                put(&mut maps[place], values[channel * regions.cells() + index]);
            }
        }
        Tensor::new(shape, maps).unwrap()
    }

    /// Returns changed maps of every case.
    fn changed(&self) -> Tensor {
        self.put_on(self.clean.values().unwrap(), |value, delta| *value += delta)
    }

    /// Returns the deltas on whole maps, zero where there are none.
    fn alone(&self) -> Tensor {
        let zeros = vec![0.0; self.clean.shape().volume()];
        self.put_on(&zeros, |value, delta| *value = delta)
    }

    /// Returns the deltas with their cells in blocks.
    fn in_blocks(&self, backend: &CpuBackend) -> Deltas {
        let Deltas { regions, cells } = &self.deltas;
        Deltas { regions: regions.clone(), cells: in_blocks(backend, cells) }
    }

    /// Computes what becomes of changed maps minus what becomes of clean ones, and the largest
    /// number among both.
    fn difference(&self, layer: impl Fn(&Tensor) -> Tensor) -> (Tensor, f32) {
        let (changed, clean) = (layer(&self.changed()), layer(&self.clean));
        let (after, before) = (changed.values().unwrap(), clean.values().unwrap());
        let pairs = after.iter().zip(before.iter().cycle());
        let largest = after.iter().chain(before).fold(1e-3_f32, |most, x| f32::max(most, x.abs()));
        let difference = pairs.map(|(after, before)| after - before).collect();
        (Tensor::new(changed.shape().clone(), difference).unwrap(), largest)
    }
}

/// Fails if anything differs outside rectangles.
fn assert_nothing_beyond(difference: &Tensor, regions: &Regions, error: f32, what: &str) {
    let [_, channels, height, width] = difference.shape().as_maps().unwrap();
    for (index, value) in difference.values().unwrap().iter().enumerate() {
        let [case, y, x] =
            [index / (channels * height * width), index / width % height, index % width];
        let Region { top, left, height, width } = regions.places()[case];
        let is_within = |at: usize, start: isize, length: usize| {
            (start..start + length.cast_signed()).contains(&at.cast_signed())
        };
        if !(is_within(y, top, height) && is_within(x, left, width)) {
            assert!(value.abs() <= error, "{what}: case {case} changed at {y}, {x}");
        }
    }
}

/// Fails unless two results differ by no more than so much, and lanes beyond the channels are zero.
fn assert_close(actual: &Tensor, expected: &Tensor, error: f32, what: &str) {
    assert_eq!(actual.shape(), expected.shape(), "{what}");
    let host = actual.to_host().unwrap();
    let pairs = host.values().unwrap().iter().zip(expected.values().unwrap());
    for (index, (a, b)) in pairs.enumerate() {
        assert!((a - b).abs() <= error, "{what}: element {index}: {a}, not {b}");
    }
    if Blocked::behind(actual).is_some() {
        assert_silent(actual, what);
    }
}

/// Returns the bits of the cells of every case.
fn bits(cells: &Tensor, regions: &Regions) -> Vec<Vec<u32>> {
    let host = cells.to_host().unwrap();
    let channels = host.values().unwrap().chunks_exact(regions.cells().max(1));
    let of_case = |(start, place): (usize, Region)| {
        let cells = channels.clone().flat_map(|row| &row[start..][..place.height * place.width]);
        cells.map(|value| value.to_bits()).collect()
    };
    regions.each().map(of_case).collect()
}

/// Fails unless every case has the same bits alone, among others, in another order, and with two
/// threads. `run` returns the results of every case.
fn assert_steady(
    changes: &Changes,
    what: &str,
    run: impl Fn(&Changes) -> Vec<Vec<u32>> + Send + Sync,
) {
    let on = |threads: usize, some: &Changes| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(some))
    };
    let all = on(1, changes);
    assert!(all.iter().flatten().any(|&bits| f32::from_bits(bits) != 0.0), "{what}");
    assert!(on(2, changes) == all, "{what}: two threads");
    let mut turned = on(2, &changes.some(&(0..all.len()).rev().collect::<Vec<_>>()));
    turned.reverse();
    assert!(turned == all, "{what}: in another order");
    for (case, among_others) in all.iter().enumerate() {
        let alone = on(1, &changes.some(&[case]));
        assert!(alone[0] == *among_others, "{what}: case {case} alone");
    }
}
