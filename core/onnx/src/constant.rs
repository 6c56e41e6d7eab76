//! Values that are known before anything runs.

use std::sync::Arc;

use convscope_runtime::{Shape, Tensor};

/// A value that is known before anything runs.
#[derive(Clone, Debug)]
pub(crate) enum Constant {
    /// Numbers of a network, whatever precision the file stores.
    Real(Tensor),
    /// Sizes, axes and conditions.
    Integer(Integers),
}

/// Integers, row-major; booleans count as 0 and 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Integers {
    pub(crate) shape: Shape,
    pub(crate) values: Arc<[i64]>,
}

impl Constant {
    /// Makes a list of integers.
    pub(crate) fn list(values: impl IntoIterator<Item = i64>) -> Self {
        let values: Arc<[i64]> = values.into_iter().collect();
        Self::Integer(Integers { shape: Shape::from([values.len()]), values })
    }

    pub(crate) fn shape(&self) -> &Shape {
        match self {
            Self::Real(tensor) => tensor.shape(),
            Self::Integer(integers) => &integers.shape,
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
