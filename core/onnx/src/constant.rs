//! Values that are known before anything runs.

use std::sync::Arc;

use convscope_runtime::{BackendError, Shape, Tensor};

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
    pub(crate) shape: Shape,
    pub(crate) values: Arc<[i64]>,
}

impl Constant {
    /// Makes a list of integers.
    pub(crate) fn list(values: impl IntoIterator<Item = i64>) -> Self {
        let values: Arc<[i64]> = values.into_iter().collect();
        Self::Integer(Integers { shape: Shape::from([values.len()]), values })
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
            Self::Integer(Integers { shape, values }) => {
                Tensor::new(shape, values.iter().map(|&value| value as f32).collect())
            }
        }
    }

    /// Turns it into integers, unless a number is none.
    pub(crate) fn into_integers(self) -> Option<Integers> {
        match self {
            Self::Integer(integers) => Some(integers),
            Self::Real(tensor) => {
                let exact = |&value: &f32| {
                    (value.trunc().to_bits() == value.to_bits() && value.abs() <= EXACT)
                        .then_some(value as i64)
                };
                let values = tensor.values().ok()?.iter().map(exact).collect::<Option<_>>()?;
                Some(Integers { shape: tensor.shape().clone(), values })
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn integers_of(values: &[f32]) -> Option<Vec<i64>> {
        let tensor = Tensor::new([values.len()], values.to_vec()).unwrap();
        Some(Constant::Real(tensor).into_integers()?.values.to_vec())
    }

    #[test]
    fn whole_numbers_become_integers_and_others_do_not() {
        assert_eq!(integers_of(&[-2.0, 0.0, 16_777_216.0]), Some(vec![-2, 0, 16_777_216]));
        for value in [0.5, f32::NAN, f32::INFINITY, 33_554_432.0] {
            assert_eq!(integers_of(&[1.0, value]), None, "{value}");
        }
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
