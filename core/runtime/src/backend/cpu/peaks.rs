//! The strongest cell of every map in blocks: one pass, 16 maps at a time.

use super::CpuBackend;
use super::blocked::Blocked;
use super::lanes::{Lanes, cells, chosen, masks};
use super::micro::BLOCK;
use super::simd::vectorized;
use crate::backend::peaks::{extents, first_of_largest};
use crate::backend::units::for_each_unit;
use crate::{Backend, Computed, Peaks, Shape, Tensor};

/// The peaks of the maps of a block.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    values: Lanes,
    positions: Lanes<u32>,
    positive: Lanes<u32>,
}

/// Finds the strongest cells; see [`Backend::peaks`]. Features that lie on the
/// host stay there.
pub(super) fn peaks(backend: &CpuBackend, input: &Tensor) -> Computed<Peaks> {
    let Some(input) = Blocked::behind(input) else { return backend.plain.peaks(input) };
    let maps = input.maps();
    extents(&maps.shape())?;
    let blocks = maps.blocks();
    let mut found = vec![Found::default(); maps.batch * blocks];
    let units = found.iter_mut().enumerate().collect();
    for_each_unit(units, maps.len(), |(plane, found): (usize, &mut Found)| {
        let map = cells(input.plane(plane / blocks, plane % blocks));
        let (numbers, holds_nan) = vectorized(
            backend.isa,
            #[inline(always)]
            || among_numbers(map),
        );
        *found = numbers;
        for lane in (0..BLOCK).filter(|&lane| holds_nan[lane] != 0) {
            let place = first_of_largest(map.iter().map(|cell| cell[lane]));
            (found.values[lane], found.positions[lane]) = (map[place][lane], place as u32);
        }
    });
    let shape = Shape::from([maps.batch, maps.channels]);
    let lanes = || {
        found.chunks_exact(blocks.max(1)).flat_map(|blocks| {
            (0..maps.channels).map(|channel| (&blocks[channel / BLOCK], channel % BLOCK))
        })
    };
    let values = lanes().map(|(found, lane)| found.values[lane]).collect();
    let positions = lanes().map(|(found, lane)| found.positions[lane]).collect();
    let positive = lanes().map(|(found, lane)| found.positive[lane]).collect();
    Ok(Peaks {
        values: Tensor::new(shape.clone(), values)?,
        positions: Tensor::indices(shape.clone(), positions)?,
        positive: Tensor::indices(shape, positive)?,
    })
}

/// Finds the peaks of maps without NaN, and tells which maps hold some: that costs less than to
/// rank NaN at every cell.
#[inline(always)]
fn among_numbers(map: &[Lanes]) -> (Found, Lanes<u32>) {
    let mut found = Found { values: map[0], ..Found::default() };
    let mut holds_nan = [0; BLOCK];
    for (cell, values) in map.iter().enumerate() {
        let wins = masks(|lane| values[lane] > found.values[lane]);
        found.values = chosen(wins, *values, found.values);
        for (position, wins) in found.positions.iter_mut().zip(wins) {
            *position = (cell as u32 & wins) | (*position & !wins);
        }
        for (count, is_above) in found.positive.iter_mut().zip(masks(|lane| values[lane] > 0.0)) {
            *count = count.wrapping_sub(is_above);
        }
        for (any, is_nan) in holds_nan.iter_mut().zip(masks(|lane| values[lane].is_nan())) {
            *any |= is_nan;
        }
    }
    (found, holds_nan)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{backends, extents, in_blocks, rough};
    use crate::layer::testing::Numbers;
    use crate::{Backend, Peaks, PlainBackend, Tensor};

    /// The bits of peaks; what NaN is made of may differ.
    fn bits(peaks: &Peaks) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
        let bits = |x: &f32| if x.is_nan() { u32::MAX } else { x.to_bits() };
        let values = peaks.values.values().unwrap().iter().map(bits).collect();
        let [positions, positive] =
            [&peaks.positions, &peaks.positive].map(|t| t.positions().unwrap().to_vec());
        (values, positions, positive)
    }

    /// Maps with ties, both zeros among them, and without NaN.
    fn coarse(extents: [usize; 4]) -> Tensor {
        let numbers = Numbers::new(5).tensor(extents);
        let coarse = numbers.values().unwrap().iter().map(|x| (x * 0.8).round());
        Tensor::new(extents, coarse.collect()).unwrap()
    }

    #[test]
    fn peaks_are_those_of_the_plain_backend() {
        for backend in backends() {
            for extents in extents().chain([[2, 19, 70, 75]]) {
                let all_negative = |x: &f32| x - 7.0;
                let coarse = coarse(extents);
                let below = coarse.values().unwrap().iter().map(all_negative).collect();
                let below = Tensor::new(extents, below).unwrap();
                for (host, kind) in [(rough(extents, 3), "rough"), (coarse, "ties"), (below, "low")]
                {
                    let peaks = backend.peaks(&in_blocks(&backend, &host)).unwrap();
                    let expected = PlainBackend::new().peaks(&host).unwrap();
                    let what = format!("{} {extents:?} {kind}", backend.isa());
                    assert_eq!(peaks.values.shape(), expected.values.shape(), "{what}");
                    assert_eq!(bits(&peaks), bits(&expected), "{what}");
                }
            }
            assert_eq!(backend.conversions().len(), 0);
        }
    }

    #[test]
    fn features_that_lie_on_the_host_stay_there() {
        for backend in backends() {
            let features = Tensor::new([2, 2], vec![1.0, -0.0, 3.0, -4.0]).unwrap();
            let peaks = backend.peaks(&features).unwrap();
            assert_eq!(bits(&peaks), bits(&PlainBackend::new().peaks(&features).unwrap()));
        }
    }

    #[test]
    fn maps_without_cells_are_refused_as_on_the_plain_backend() {
        for backend in backends() {
            let host = Tensor::zeros([1, 17, 0, 3]);
            let refused = backend.peaks(&in_blocks(&backend, &host)).unwrap_err();
            let expected = PlainBackend::new().peaks(&host).unwrap_err();
            assert_eq!(refused.to_string(), expected.to_string());
        }
    }
}
