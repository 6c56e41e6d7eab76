//! Zero mean and unit variance over the trailing axes, and the adjoint.

use crate::backend::operand::{require, require_axis, zeros};
use crate::backend::units::for_each_unit;
use crate::{Computed, Shape, Tensor};

/// Standardizes the elements of the axes from `axis` on together; see
/// [`Backend::standardization`](crate::Backend::standardization).
pub(super) fn standardization(
    input: &Tensor,
    axis: usize,
    epsilon: f32,
) -> Computed<(Tensor, Tensor)> {
    const KERNEL: &str = "standardization";
    let (shape, count) = groups(KERNEL, input.shape(), axis)?;
    let values = input.values()?;
    let mut standardized = zeros(KERNEL, input.shape())?;
    let mut factors = zeros(KERNEL, &shape)?;
    let units = standardized.chunks_mut(count).zip(&mut factors).enumerate().collect();
    for_each_unit(units, values.len(), |(index, (group, factor))| {
        let values = &values[index * count..][..count];
        let mean = mean(values.iter().map(|&value| f64::from(value)));
        let distances = values.iter().map(|&value| f64::from(value) - mean);
        let variance = self::mean(distances.clone().map(|distance| distance * distance));
        let exact = 1.0 / (variance + f64::from(epsilon)).sqrt();
        for (result, distance) in group.iter_mut().zip(distances) {
            *result = (distance * exact) as f32;
        }
        *factor = exact as f32;
    });
    Ok((Tensor::new(input.shape().clone(), standardized)?, Tensor::new(shape, factors)?))
}

/// With x̂ the standardized values and means over the group:
/// `factor · (signal − mean(signal) − x̂ · mean(signal · x̂))`; see
/// [`Backend::standardization_adjoint`](crate::Backend::standardization_adjoint).
pub(super) fn standardization_adjoint(
    signal: &Tensor,
    standardized: &Tensor,
    factors: &Tensor,
    axis: usize,
) -> Computed {
    const KERNEL: &str = "standardization_adjoint";
    let (shape, count) = groups(KERNEL, signal.shape(), axis)?;
    require(KERNEL, "standardized values", standardized.shape(), signal.shape().extents())?;
    require(KERNEL, "factors", factors.shape(), shape.extents())?;
    let (signals, values) = (signal.values()?, standardized.values()?);
    let mut result = zeros(KERNEL, signal.shape())?;
    let units = result.chunks_mut(count).zip(factors.values()?).enumerate().collect();
    for_each_unit(units, signals.len(), |(index, (group, &factor))| {
        let [signals, values] = [signals, values].map(|all| &all[index * count..][..count]);
        let pairs = || {
            let pairs = signals.iter().zip(values);
            pairs.map(|(&signal, &value)| (f64::from(signal), f64::from(value)))
        };
        let level = mean(pairs().map(|(signal, _)| signal));
        let slope = mean(pairs().map(|(signal, value)| signal * value));
        for (result, (signal, value)) in group.iter_mut().zip(pairs()) {
            *result = (f64::from(factor) * (signal - level - value * slope)) as f32;
        }
    });
    Tensor::new(signal.shape().clone(), result)
}

/// Returns the shape of one number for each group, and the number of elements of a group; 1 where
/// there are none, since chunks have a length.
fn groups(kernel: &'static str, shape: &Shape, axis: usize) -> Computed<(Shape, usize)> {
    require_axis(kernel, shape, axis)?;
    let (before, together) = shape.extents().split_at(axis);
    let mut extents = before.to_vec();
    extents.resize(shape.rank(), 1);
    Ok((Shape::new(&extents), together.iter().product::<usize>().max(1)))
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_is_standardized_by_itself() {
        let input = Tensor::new([2, 2, 1], vec![1.0, 3.0, 10.0, 40.0]).unwrap();
        let (standardized, factors) = standardization(&input, 1, 0.0).unwrap();
        assert_eq!(standardized.values().unwrap(), [-1.0, 1.0, -1.0, 1.0]);
        assert_eq!(factors.values().unwrap(), [1.0, 1.0 / 15.0]);
        assert_eq!(*factors.shape(), Shape::from([2, 1, 1]));
        let (alone, factors) = standardization(&input, 2, 4.0).unwrap();
        assert_eq!(alone.values().unwrap(), [0.0; 4]);
        assert_eq!(factors.values().unwrap(), [0.5; 4]);
        let none = Tensor::zeros([2, 0]);
        assert_eq!(*standardization(&none, 1, 0.0).unwrap().1.shape(), Shape::from([2, 1]));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let input = Tensor::zeros([2, 3]);
        assert_eq!(
            standardization(&input, 2, 0.0).unwrap_err().to_string(),
            "standardization: expected an axis 2, got shape [2, 3]"
        );
        let refused = standardization_adjoint(&input, &input, &input, 1).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "standardization_adjoint: expected factors of shape [2, 1], got shape [2, 3]"
        );
    }
}
