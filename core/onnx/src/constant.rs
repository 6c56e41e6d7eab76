//! Values that are known before anything runs.

use std::sync::Arc;

use convscope_runtime::{BackendError, Shape, Tensor};

use crate::integer_type::IntegerType;
use crate::refusal::Refusal;

/// The largest integer up to which `f32` holds every one.
const EXACT: f32 = 16_777_216.0;

/// A value that is known before anything runs.
#[derive(Clone, Debug)]
pub enum Constant {
    /// Numbers of a network, whatever precision the file stores.
    Real(Tensor),
    /// Sizes, axes and conditions.
    Integer(Integers),
}

/// Integers, row-major; booleans count as 0 and 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integers {
    pub(crate) kind: IntegerType,
    pub(crate) shape: Shape,
    pub(crate) values: Arc<[i64]>,
}

impl Constant {
    /// Makes a list of integers of 64 bits.
    pub(crate) fn list(values: impl IntoIterator<Item = i64>) -> Self {
        let values: Arc<[i64]> = values.into_iter().collect();
        let shape = Shape::from([values.len()]);
        Self::Integer(Integers { kind: IntegerType::Int64, shape, values })
    }

    /// Makes a single integer of 64 bits.
    pub(crate) fn single(value: i64) -> Self {
        let (shape, values) = (Shape::from([]), [value].into());
        Self::Integer(Integers { kind: IntegerType::Int64, shape, values })
    }

    /// Returns the shape.
    pub fn shape(&self) -> &Shape {
        match self {
            Self::Real(tensor) => tensor.shape(),
            Self::Integer(integers) => &integers.shape,
        }
    }

    /// Turns it into numbers of a network; integers beyond 2²⁴ are rounded.
    ///
    /// # Errors
    /// Fails where shape and number of elements contradict each other.
    pub fn into_tensor(self) -> Result<Tensor, BackendError> {
        match self {
            Self::Real(tensor) => Ok(tensor),
            Self::Integer(Integers { shape, values, .. }) => {
                Tensor::new(shape, values.iter().map(|&value| value as f32).collect())
            }
        }
    }

    /// Turns it into integers of a type, unless a number is none.
    pub(crate) fn into_integers(self, kind: IntegerType) -> Option<Integers> {
        let integers = match self {
            Self::Integer(integers) => integers,
            Self::Real(tensor) => {
                let exact = |&value: &f32| {
                    (value.trunc().to_bits() == value.to_bits() && value.abs() <= EXACT)
                        .then_some(value as i64)
                };
                let values = tensor.values().ok()?.iter().map(exact).collect::<Option<_>>()?;
                Integers { kind, shape: tensor.shape().clone(), values }
            }
        };
        let fits = integers.values.iter().all(|&value| kind.holds(value));
        fits.then_some(Integers { kind, ..integers })
    }

    /// Returns the integers of a scalar or list.
    pub(crate) fn integers(&self) -> Option<&[i64]> {
        match self {
            Self::Integer(integers) if integers.shape.rank() <= 1 => Some(&integers.values),
            _ => None,
        }
    }

    /// Returns the tensor of real numbers.
    pub(crate) fn real(&self) -> Option<&Tensor> {
        match self {
            Self::Real(tensor) => Some(tensor),
            Self::Integer(_) => None,
        }
    }

    /// Returns the one real number.
    pub(crate) fn scalar(&self) -> Option<f32> {
        match self.real()?.values().ok()? {
            &[value] => Some(value),
            _ => None,
        }
    }
}

impl Integers {
    /// Returns the type of both.
    ///
    /// # Errors
    /// Fails where they differ, which no operator allows.
    pub(crate) fn same_kind(&self, other: &Self) -> Result<IntegerType, Refusal> {
        if self.kind == other.kind {
            return Ok(self.kind);
        }
        let [own, other] = [self, other].map(|integers| integers.kind.name());
        Err(Refusal::invalid(format!("it mixes {own} with {other}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integers_of(values: &[f32]) -> Option<Vec<i64>> {
        let tensor = Tensor::new([values.len()], values.to_vec()).unwrap();
        Some(Constant::Real(tensor).into_integers(IntegerType::Int64)?.values.to_vec())
    }

    #[test]
    fn whole_numbers_become_integers_and_others_do_not() {
        assert_eq!(integers_of(&[-2.0, 0.0, 16_777_216.0]), Some(vec![-2, 0, 16_777_216]));
        for value in [0.5, f32::NAN, f32::INFINITY, 33_554_432.0] {
            assert_eq!(integers_of(&[1.0, value]), None, "{value}");
        }
        assert_eq!(Constant::list([256]).into_integers(IntegerType::Uint8), None);
    }

    #[test]
    fn integers_become_numbers_of_the_same_shape() {
        let tensor = Constant::list([3, -1]).into_tensor().unwrap();
        assert_eq!(
            (tensor.shape().extents(), tensor.values().unwrap()),
            (&[2][..], &[3.0, -1.0][..])
        );
    }
}
