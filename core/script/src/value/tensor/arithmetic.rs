//! Arithmetic on whole arrays.

use std::sync::Arc;

use ndarray::{ArrayD, IxDyn};

use super::Tensor;
use crate::state::Budget;
use crate::{Failure, kind};

impl Tensor {
    /// Applies a function to every number.
    pub(crate) fn each(
        &self,
        budget: &Arc<Budget>,
        unit: &str,
        function: impl Fn(f64) -> f64,
    ) -> Result<Self, Failure> {
        self.same_shape(self.numbers().map(function), unit, budget)
    }

    /// Combines the numbers of two arrays of the same shape, pair by pair.
    pub(crate) fn paired(
        &self,
        other: &Self,
        budget: &Arc<Budget>,
        unit: &str,
        function: impl Fn(f64, f64) -> f64,
    ) -> Result<Self, Failure> {
        if self.shape() != other.shape() {
            let message = format!(
                "arrays of shapes {:?} and {:?} do not fit together",
                self.shape(),
                other.shape()
            );
            return Err(Failure::new(kind::SHAPE_MISMATCH, message)
                .with_help("both have the same shape, or one of the two is a number"));
        }
        let pairs = self.numbers().zip(other.numbers());
        self.same_shape(pairs.map(|(a, b)| function(a, b)), unit, budget)
    }

    /// Makes an array of this shape.
    pub(crate) fn same_shape(
        &self,
        numbers: impl Iterator<Item = f64>,
        unit: &str,
        budget: &Arc<Budget>,
    ) -> Result<Self, Failure> {
        // Reserved before the numbers exist: an array that does not fit is never made.
        let count: usize = self.shape().iter().product();
        drop(budget.reserve(count as u64 * 4)?);
        // What is computed in double precision and rounded once is what single precision gives.
        let numbers = numbers.map(|number| number as f32).collect();
        let values = ArrayD::from_shape_vec(IxDyn(self.shape()), numbers)
            .map_err(|error| Failure::new(kind::SHAPE_MISMATCH, error.to_string()))?;
        self.with_floats(values, self.get().meta.axes.clone(), unit, budget)
    }

    /// Divides by the largest magnitude, so that everything lies between -1 and 1 and zero stays
    /// zero. An array of zeros stays as it is.
    pub(crate) fn normalized(&self, budget: &Arc<Budget>) -> Result<Self, Failure> {
        let largest = self
            .numbers()
            .filter(|number| !number.is_nan())
            .fold(0.0_f64, |largest, number| largest.max(number.abs()));
        if largest.is_infinite() {
            return Err(Failure::new(
                kind::INFINITE,
                format!("`{}` holds an infinite number and cannot be normalized", self.get().name),
            ));
        }
        let divisor = if largest == 0.0 { 1.0 } else { largest };
        self.each(budget, "", |number| number / divisor)
    }
}
