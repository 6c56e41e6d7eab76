//! Reductions of captured values.

use convscope_protocol::Values;
use convscope_protocol::observe::Reduction;
use convscope_runtime::{Peaks, Shape, Tensor};
use rayon::prelude::*;

use super::Plan;
use super::captured::Captured;
use super::spots::Spots;
use crate::HostError;
use crate::tensors::values_of;

/// The maps of a captured value: `[case, channel, cell]`. Features count as maps of one cell.
struct Maps<'a> {
    cases: usize,
    channels: usize,
    width: usize,
    cells: usize,
    values: &'a [f32],
}

impl<'a> Maps<'a> {
    fn of(tensor: &'a Tensor, value: &str) -> Result<Self, HostError> {
        let [cases, channels, height, width] = maps_of(tensor.shape(), value)?;
        let values = tensor.values()?;
        Ok(Self { cases, channels, width, cells: height * width, values })
    }

    /// Returns every map, cases outermost.
    fn each(&self) -> impl Iterator<Item = &'a [f32]> {
        let (values, cells) = (self.values, self.cells);
        (0..self.cases * self.channels).map(move |map| &values[map * cells..(map + 1) * cells])
    }

    fn refuse_nan(&self, value: &str, first: usize) -> Result<(), HostError> {
        refuse_nan(self.values, self.channels * self.cells, value, first)
    }
}

/// Refuses NaN among `each` numbers of every case.
fn refuse_nan(values: &[f32], each: usize, value: &str, first: usize) -> Result<(), HostError> {
    match values.iter().position(|v| v.is_nan()) {
        None => Ok(()),
        Some(index) => Err(HostError::NotANumber {
            value: value.to_owned(),
            case: first + index / each.max(1),
        }),
    }
}

/// Reads a shape as `[case, channel, row, column]`.
pub(crate) fn maps_of(shape: &Shape, value: &str) -> Result<[usize; 4], HostError> {
    match *shape.extents() {
        [n, c] => Ok([n, c, 1, 1]),
        [n, c, h, w] => Ok([n, c, h, w]),
        _ => Err(HostError::Unit {
            value: value.to_owned(),
            shape: shape.with_batch(1).to_string(),
            reason: "neither maps nor features".to_owned(),
        }),
    }
}

/// What a reduction is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The peaks of the maps, which the backend finds where the maps lie.
    Peaks,
    /// Values of this shape, on the host.
    Values(Shape),
}

/// Says what the reduction of a value is made of.
pub(super) fn source(shape: &Shape, plan: &Plan) -> Source {
    let is_of_peaks = match plan.reduction {
        // The peaks of all maps would be found for a few.
        _ if plan.channels.is_some() || shape.with_batch(1).volume() == 0 => false,
        Reduction::CountPositive => true,
        Reduction::Strongest { k, .. } => k == 1 || plan.spots == Spots::One,
        _ => false,
    };
    match chosen_first(plan) {
        _ if is_of_peaks => Source::Peaks,
        None => Source::Values(shape.clone()),
        Some(channels) => Source::Values(with_channels(shape, channels.len())),
    }
}

/// Returns a shape with another number of channels.
fn with_channels(shape: &Shape, channels: usize) -> Shape {
    let mut extents = shape.extents().to_vec();
    if let Some(extent) = extents.get_mut(1) {
        *extent = channels;
    }
    Shape::from(extents.as_slice())
}

/// Returns the channels that are chosen before the value is reduced.
pub(super) fn chosen_first(plan: &Plan) -> Option<&[usize]> {
    if plan.reduction == Reduction::Softmax { None } else { plan.channels.as_deref() }
}

/// Reduces a captured value of consecutive cases, the first of which has the number `first`.
pub(super) fn reduce(
    captured: &mut Captured<'_>,
    plan: &Plan,
    first: usize,
) -> Result<Vec<Values>, HostError> {
    let Plan { name, reduction, spots, .. } = plan;
    let shape = captured.shape();
    if source(shape, plan) == Source::Peaks {
        let [_, channels, _, width] = maps_of(shape, name)?;
        let peaks = captured.peaks()?;
        refuse_nan(peaks.values.values()?, channels, name, first)?;
        return match reduction {
            Reduction::Strongest { k, .. } => strongest_alone(peaks, width, *k),
            _ => positive(peaks),
        };
    }
    let tensor = captured.channels(chosen_first(plan))?;
    if *reduction == Reduction::None {
        return Ok(vec![values_of(&tensor)?]);
    }
    let maps = Maps::of(&tensor, name)?;
    let per_map = |function: fn(&[f32]) -> f32| {
        let values: Vec<f32> = maps.each().map(function).collect();
        f32_values(&[maps.cases, maps.channels], values)
    };
    Ok(match *reduction {
        Reduction::None => vec![values_of(&tensor)?],
        Reduction::Sum => vec![per_map(sum)?],
        Reduction::Mean => vec![per_map(mean)?],
        Reduction::Norm => vec![per_map(norm)?],
        Reduction::CountPositive => {
            maps.refuse_nan(name, first)?;
            vec![per_map(count_positive)?]
        }
        Reduction::Softmax => {
            let all: Vec<usize> = (0..maps.channels).collect();
            let channels = plan.channels.as_deref().unwrap_or(&all);
            let shape = with_channels(tensor.shape(), channels.len());
            vec![f32_values(shape.extents(), softmax(&maps, channels))?]
        }
        Reduction::Argmax => {
            maps.refuse_nan(name, first)?;
            vec![u32_values(&[maps.cases], argmax(&maps))?]
        }
        Reduction::Strongest { k, .. } => {
            maps.refuse_nan(name, first)?;
            strongest(&maps, k, spots)?
        }
    })
}

/// Adds in the order of the cells with double precision: the result depends on the map alone.
fn total(map: &[f32]) -> f64 {
    map.iter().map(|&v| f64::from(v)).sum()
}

fn sum(map: &[f32]) -> f32 {
    total(map) as f32
}

fn mean(map: &[f32]) -> f32 {
    (total(map) / map.len() as f64) as f32
}

fn norm(map: &[f32]) -> f32 {
    map.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt() as f32
}

fn count_positive(map: &[f32]) -> f32 {
    map.iter().filter(|&&v| v > 0.0).count() as f32
}

/// Softmax over all channels, of which the chosen ones are returned.
fn softmax(maps: &Maps<'_>, chosen: &[usize]) -> Vec<f32> {
    let mut result = vec![0.0; maps.cases * chosen.len() * maps.cells];
    for case in 0..maps.cases {
        for cell in 0..maps.cells {
            let score = |channel: usize| {
                let map = case * maps.channels + channel;
                f64::from(maps.values[map * maps.cells + cell])
            };
            // `f64::max` ignores NaN; the exponentials below then show it.
            let largest = (0..maps.channels).map(score).fold(f64::NEG_INFINITY, f64::max);
            let powers: Vec<f64> =
                (0..maps.channels).map(|channel| (score(channel) - largest).exp()).collect();
            let total: f64 = powers.iter().sum();
            for (place, &channel) in chosen.iter().enumerate() {
                let map = case * chosen.len() + place;
                result[map * maps.cells + cell] = (powers[channel] / total) as f32;
            }
        }
    }
    result
}

fn argmax(maps: &Maps<'_>) -> Vec<u32> {
    let means: Vec<f64> = maps.each().map(total).collect();
    means
        .chunks(maps.channels.max(1))
        .map(|case| {
            let mut best = 0;
            for (channel, mean) in case.iter().enumerate() {
                if *mean > case[best] {
                    best = channel;
                }
            }
            best as u32
        })
        .collect()
}

fn strongest(maps: &Maps<'_>, k: usize, spots: &Spots) -> Result<Vec<Values>, HostError> {
    let count = maps.cases * maps.channels * k;
    let mut values = Vec::with_capacity(count);
    let mut positions = Vec::with_capacity(2 * count);
    let each: Vec<&[f32]> = maps.each().collect();
    let choices: Vec<Vec<usize>> =
        each.par_iter().map(|map| spots.choose(map, maps.width, k)).collect();
    for (map, chosen) in each.iter().zip(choices) {
        for &cell in &chosen {
            values.push(map[cell]);
            positions.extend([(cell / maps.width) as u32, (cell % maps.width) as u32]);
        }
        values.resize(values.len() + k - chosen.len(), f32::NAN);
        positions.resize(positions.len() + 2 * (k - chosen.len()), u32::MAX);
    }
    Ok(vec![
        f32_values(&[maps.cases, maps.channels, k], values)?,
        u32_values(&[maps.cases, maps.channels, k, 2], positions)?,
    ])
}

/// The strongest cells of maps of which no two may be chosen.
fn strongest_alone(peaks: &Peaks, width: usize, k: usize) -> Result<Vec<Values>, HostError> {
    let (peak_values, cells) = (peaks.values.values()?, peaks.positions.positions()?);
    let mut values = vec![f32::NAN; peak_values.len() * k];
    let mut positions = vec![u32::MAX; 2 * values.len()];
    for (target, &value) in values.iter_mut().step_by(k).zip(peak_values) {
        *target = value;
    }
    for (target, &cell) in positions.chunks_exact_mut(2).step_by(k).zip(cells) {
        let cell = cell as usize;
        target.copy_from_slice(&[(cell / width) as u32, (cell % width) as u32]);
    }
    let [cases, channels] = [0, 1].map(|axis| peaks.values.shape().extents()[axis]);
    Ok(vec![
        f32_values(&[cases, channels, k], values)?,
        u32_values(&[cases, channels, k, 2], positions)?,
    ])
}

fn positive(peaks: &Peaks) -> Result<Vec<Values>, HostError> {
    let counts = peaks.positive.positions()?.iter().map(|&count| count as f32).collect();
    Ok(vec![f32_values(peaks.positive.shape().extents(), counts)?])
}

fn f32_values(shape: &[usize], values: Vec<f32>) -> Result<Values, HostError> {
    values_of(&Tensor::new(shape, values)?)
}

fn u32_values(shape: &[usize], values: Vec<u32>) -> Result<Values, HostError> {
    values_of(&Tensor::indices(shape, values)?)
}

#[cfg(test)]
mod tests {
    use convscope_protocol::Disjoint;
    use convscope_runtime::CpuBackend;

    use super::*;

    /// Two cases of three maps of 2×3 cells, with ties and negative numbers.
    fn maps() -> Tensor {
        let values = (0..36_i32).map(|i| ((i * 7) % 11 - 4) as f32 / 2.0).collect();
        Tensor::new([2, 3, 2, 3], values).unwrap()
    }

    /// Reduces a value that lies on the host.
    fn reduce(
        tensor: &Tensor,
        value: &str,
        reduction: Reduction,
        spots: &Spots,
        first: usize,
    ) -> Result<Vec<Values>, HostError> {
        reduce_channels(tensor, value, reduction, spots, first, None)
    }

    fn reduce_channels(
        tensor: &Tensor,
        value: &str,
        reduction: Reduction,
        spots: &Spots,
        first: usize,
        channels: Option<&[usize]>,
    ) -> Result<Vec<Values>, HostError> {
        let backend = CpuBackend::new();
        let mut builder = convscope_runtime::NetworkBuilder::default();
        let plan = Plan {
            name: value.to_owned(),
            value: builder.input("image", tensor.shape().with_batch(1)).unwrap(),
            reduction,
            channels: channels.map(<[usize]>::to_vec),
            spots: spots.clone(),
        };
        super::reduce(&mut Captured::new(&backend, tensor), &plan, first)
    }

    #[test]
    fn chosen_channels_are_those_of_all_in_the_order_asked_for() {
        let strongest = |k| Reduction::Strongest { k, disjoint: Disjoint::None };
        let all = [
            Reduction::None,
            Reduction::Sum,
            Reduction::Mean,
            Reduction::Norm,
            Reduction::CountPositive,
            Reduction::Softmax,
            strongest(1),
            strongest(4),
        ];
        for reduction in all {
            let whole = reduce(&maps(), "maps", reduction, &Spots::Free, 0).unwrap();
            for channels in [&[1][..], &[2, 0]] {
                let some =
                    reduce_channels(&maps(), "maps", reduction, &Spots::Free, 0, Some(channels));
                for (some, whole) in some.unwrap().iter().zip(&whole) {
                    assert_eq!(some.shape()[..2], [2, channels.len()]);
                    assert_eq!(some.shape()[2..], whole.shape()[2..]);
                    let (some, whole) = (floats(some), floats(whole));
                    let each = whole.len() / 6;
                    let expected: Vec<u32> = [0, 3]
                        .iter()
                        .flat_map(|case| {
                            channels.iter().map(move |channel| (case + channel) * each)
                        })
                        .flat_map(|start| whole[start..start + each].iter().map(|v| v.to_bits()))
                        .collect();
                    let some: Vec<u32> = some.iter().map(|v| v.to_bits()).collect();
                    assert_eq!(some, expected, "{reduction:?} {channels:?}");
                }
            }
        }
    }

    fn reduced(reduction: Reduction) -> Vec<Vec<f32>> {
        let values = reduce(&maps(), "maps", reduction, &Spots::Free, 0).unwrap();
        values.iter().map(floats).collect()
    }

    fn floats(values: &Values) -> Vec<f32> {
        match values {
            Values::F32(array) => array.iter().copied().collect(),
            Values::U32(array) => array.iter().map(|&v| v as f32).collect(),
            Values::U8(array) => array.iter().map(|&v| f32::from(v)).collect(),
        }
    }

    /// Applies a function to every map, written as plain loops over four axes.
    fn by_loops(function: impl Fn(Vec<f32>) -> f32) -> Vec<f32> {
        let tensor = maps();
        let view = tensor.view().unwrap();
        let mut result = Vec::new();
        for n in 0..2 {
            for c in 0..3 {
                let mut map = Vec::new();
                for y in 0..2 {
                    for x in 0..3 {
                        map.push(view[[n, c, y, x]]);
                    }
                }
                result.push(function(map));
            }
        }
        result
    }

    #[test]
    fn reductions_of_maps_agree_with_slow_loops() {
        let sum = |map: Vec<f32>| map.iter().sum::<f32>();
        assert_eq!(reduced(Reduction::Sum)[0], by_loops(sum));
        assert_eq!(reduced(Reduction::Mean)[0], by_loops(|map| sum(map) / 6.0));
        let squares = |map: Vec<f32>| map.iter().map(|v| v * v).sum::<f32>().sqrt();
        assert_eq!(reduced(Reduction::Norm)[0], by_loops(squares));
        let positive = |map: Vec<f32>| map.iter().filter(|v| **v > 0.0).count() as f32;
        assert_eq!(reduced(Reduction::CountPositive)[0], by_loops(positive));
    }

    #[test]
    fn softmax_sums_to_one_over_the_channels_of_every_cell() {
        let result = reduced(Reduction::Softmax).remove(0);
        let scores = maps();
        let view = scores.view().unwrap();
        for n in 0..2 {
            for cell in 0..6 {
                let at = |c: usize| result[n * 18 + c * 6 + cell];
                assert!((at(0) + at(1) + at(2) - 1.0).abs() < 1e-6);
                let [y, x] = [cell / 3, cell % 3];
                let ratio = (view[[n, 1, y, x]] - view[[n, 0, y, x]]).exp();
                assert!((at(1) / at(0) - ratio).abs() < 1e-5 * ratio);
            }
        }
    }

    #[test]
    fn argmax_takes_the_first_of_equal_means() {
        let scores = Tensor::new([2, 3], vec![1.0, 5.0, 5.0, 2.0, 1.0, 0.0]).unwrap();
        let result = reduce(&scores, "scores", Reduction::Argmax, &Spots::Free, 0).unwrap();
        assert_eq!(floats(&result[0]), [1.0, 0.0]);
        assert_eq!(result[0].shape(), [2]);
        assert_eq!(result[0].dtype(), "uint32");
    }

    #[test]
    fn the_strongest_cells_come_in_order_and_ties_row_by_row() {
        let map = Tensor::new([1, 1, 2, 3], vec![1.0, 3.0, 2.0, 3.0, 0.0, -1.0]).unwrap();
        let reduction = Reduction::Strongest { k: 8, disjoint: Disjoint::None };
        let result = reduce(&map, "map", reduction, &Spots::Free, 0).unwrap();
        assert_eq!(result[0].shape(), [1, 1, 8]);
        assert_eq!(result[1].shape(), [1, 1, 8, 2]);
        let values = floats(&result[0]);
        assert_eq!(values[..6], [3.0, 3.0, 2.0, 1.0, 0.0, -1.0]);
        assert!(values[6..].iter().all(|v| v.is_nan()));
        let Values::U32(positions) = &result[1] else { panic!("positions are u32") };
        let positions: Vec<u32> = positions.iter().copied().collect();
        assert_eq!(positions[..6], [0, 1, 1, 0, 0, 2]);
        assert!(positions[12..].iter().all(|&p| p == u32::MAX));
    }

    #[test]
    fn the_one_strongest_cell_is_the_first_of_many() {
        let strongest = |k| Reduction::Strongest { k, disjoint: Disjoint::None };
        let many = reduce(&maps(), "maps", strongest(6), &Spots::Free, 0).unwrap();
        let one = reduce(&maps(), "maps", strongest(1), &Spots::Free, 0).unwrap();
        let alone = reduce(&maps(), "maps", strongest(3), &Spots::One, 0).unwrap();
        assert_eq!(one[1].shape(), [2, 3, 1, 2]);
        assert_eq!(alone[1].shape(), [2, 3, 3, 2]);
        let [many, one, alone] = [many, one, alone].map(|v| [floats(&v[0]), floats(&v[1])]);
        for map in 0..6 {
            assert_eq!(one[0][map].to_bits(), many[0][6 * map].to_bits());
            assert_eq!(one[0][map].to_bits(), alone[0][3 * map].to_bits());
            assert!(alone[0][3 * map + 1..3 * map + 3].iter().all(|value| value.is_nan()));
            let place = &one[1][2 * map..2 * map + 2];
            assert_eq!(place, &many[1][12 * map..12 * map + 2]);
            assert_eq!(place, &alone[1][6 * map..6 * map + 2]);
            assert_eq!(alone[1][6 * map + 2..6 * map + 6], [u32::MAX as f32; 4]);
        }
    }

    #[test]
    fn nan_is_an_error_where_a_reduction_would_hide_it() {
        let tensor = Tensor::new([2, 1], vec![1.0, f32::NAN]).unwrap();
        let error = reduce(&tensor, "fc", Reduction::Argmax, &Spots::Free, 10).unwrap_err();
        assert_eq!(error.to_string(), "fc of case 11 holds NaN");
        assert!(error.help().unwrap().contains("--capture"), "{:?}", error.help());
        let strongest = |k| Reduction::Strongest { k, disjoint: Disjoint::None };
        for reduction in [Reduction::CountPositive, strongest(1), strongest(2)] {
            let error = reduce(&tensor, "fc", reduction, &Spots::Free, 10).unwrap_err();
            assert_eq!(error.to_string(), "fc of case 11 holds NaN");
        }
        let sums = reduce(&tensor, "fc", Reduction::Sum, &Spots::Free, 10).unwrap();
        assert!(floats(&sums[0])[1].is_nan());
    }

    #[test]
    fn a_value_that_is_no_map_can_only_be_kept_whole() {
        let tensor = Tensor::zeros([1, 2, 3]);
        let error = reduce(&tensor, "x", Reduction::Sum, &Spots::Free, 0).unwrap_err();
        assert_eq!(error.to_string(), "x has shape [1, 2, 3]: neither maps nor features");
        assert!(reduce(&tensor, "x", Reduction::None, &Spots::Free, 0).is_ok());
    }
}
