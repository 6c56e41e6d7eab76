//! The strongest cell of every map.

use super::axis::require_positions;
use super::functions::is_above;
use super::operand::incompatible;
use crate::{Computed, Shape, Tensor};

const KERNEL: &str = "peaks";

/// What stands out of maps. All three tensors have the shape `[batch, channel]`.
#[derive(Clone, Debug)]
pub struct Peaks {
    /// The largest number of every map: NaN where a map holds NaN.
    pub values: Tensor,
    /// The position `row · width + column` of the first such cell in row-major order.
    pub positions: Tensor,
    /// How many cells of every map are above zero, as u32.
    pub positive: Tensor,
}

/// Reads a shape as `[batch, channel, cell]`; features count as maps of one cell.
///
/// # Errors
/// Refuses what is neither, maps without cells, and maps whose positions are no u32.
pub(in crate::backend) fn extents(shape: &Shape) -> Computed<[usize; 3]> {
    require_positions(KERNEL, shape)?;
    match *shape.extents() {
        [batch, channels] => Ok([batch, channels, 1]),
        [batch, channels, height, width] if height * width > 0 => {
            Ok([batch, channels, height * width])
        }
        _ => Err(incompatible(KERNEL, "features, or maps of at least one cell", shape)),
    }
}

/// Finds the peaks of a host tensor.
pub(super) fn peaks(input: &Tensor) -> Computed<Peaks> {
    let [batch, channels, cells] = extents(input.shape())?;
    let shape = Shape::from([batch, channels]);
    let (mut values, mut positions, mut positive) = (Vec::new(), Vec::new(), Vec::new());
    for map in input.values()?.chunks_exact(cells) {
        let first = first_of_largest(map.iter().copied());
        values.push(map[first]);
        positions.push(first as u32);
        positive.push(map.iter().filter(|&&value| value > 0.0).count() as u32);
    }
    Ok(Peaks {
        values: Tensor::new(shape.clone(), values)?,
        positions: Tensor::indices(shape.clone(), positions)?,
        positive: Tensor::indices(shape, positive)?,
    })
}

/// Returns the place of the first of the largest numbers. NaN counts as larger than any other.
pub(in crate::backend) fn first_of_largest(values: impl Iterator<Item = f32>) -> usize {
    let mut largest: Option<(usize, f32)> = None;
    for (place, value) in values.enumerate() {
        if largest.is_none_or(|(_, largest)| is_above(value, largest)) {
            largest = Some((place, value));
        }
    }
    largest.map_or(0, |(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Backend, PlainBackend};

    fn found(extents: &[usize], values: &[f32]) -> (Vec<f32>, Vec<u32>, Vec<u32>) {
        let input = Tensor::new(extents, values.to_vec()).unwrap();
        let Peaks { values, positions, positive } = PlainBackend::new().peaks(&input).unwrap();
        let [positions, positive] = [positions, positive].map(|t| t.positions().unwrap().to_vec());
        assert_eq!(*values.shape(), Shape::from([extents[0], extents[1]]));
        (values.values().unwrap().to_vec(), positions, positive)
    }

    #[test]
    fn the_first_of_equal_cells_is_the_peak() {
        let values = [1.0, 3.0, 3.0, 0.0, -2.0, -1.0, -1.0, -4.0];
        let expected = (vec![3.0, -1.0], vec![1, 1], vec![3, 0]);
        assert_eq!(found(&[1, 2, 2, 2], &values), expected);
    }

    #[test]
    fn the_two_zeros_are_equal_and_not_above_zero() {
        let (values, positions, positive) = found(&[1, 2, 1, 2], &[-0.0, 0.0, 0.0, -0.0]);
        assert_eq!([values[0].to_bits(), values[1].to_bits()], [(-0.0_f32).to_bits(), 0]);
        assert_eq!((positions, positive), (vec![0, 0], vec![0, 0]));
    }

    #[test]
    fn nan_is_the_peak_of_its_map_alone() {
        let values = [1.0, f32::NAN, f32::INFINITY, f32::NAN, 5.0, f32::NEG_INFINITY, 6.0, 1.0];
        let (values, positions, positive) = found(&[2, 1, 1, 4], &values);
        assert!(values[0].is_nan());
        assert_eq!(values[1].to_bits(), 6.0_f32.to_bits());
        assert_eq!((positions, positive), (vec![1, 2], vec![2, 3]));
    }

    #[test]
    fn features_are_maps_of_one_cell() {
        let expected = (vec![1.0, -2.0, 0.0, 4.0], vec![0; 4], vec![1, 0, 0, 1]);
        assert_eq!(found(&[2, 2], &[1.0, -2.0, 0.0, 4.0]), expected);
    }

    #[test]
    fn what_has_no_cells_is_refused() {
        let refusal = |extents: &[usize]| {
            PlainBackend::new().peaks(&Tensor::zeros(extents)).unwrap_err().to_string()
        };
        for (extents, shape) in [(&[1, 2, 0, 3][..], "[1, 2, 0, 3]"), (&[1, 2, 3], "[1, 2, 3]")] {
            assert_eq!(
                refusal(extents),
                format!(
                    "peaks: expected features, or maps of at least one cell, got shape {shape}"
                )
            );
        }
    }
}
