//! Many numbers made one.

use std::sync::Arc;

use ndarray::{ArrayD, Axis};
use rhai::{Dynamic, INT, Map};

use super::Tensor;
use crate::state::Budget;
use crate::{Failure, convert, kind};

/// How many numbers become one. Those that are NaN are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reduction {
    Minimum,
    Maximum,
    Mean,
    Sum,
}

impl Reduction {
    /// Reduces numbers; nothing where only a sum exists.
    fn of(self, numbers: impl Iterator<Item = f64>) -> Option<f64> {
        let mut count = 0_u64;
        let (mut low, mut high, mut sum) = (f64::INFINITY, f64::NEG_INFINITY, 0.0);
        for number in numbers.filter(|number| !number.is_nan()) {
            count += 1;
            low = low.min(number);
            high = high.max(number);
            sum += number;
        }
        match self {
            Self::Sum => Some(sum),
            _ if count == 0 => None,
            Self::Minimum => Some(low),
            Self::Maximum => Some(high),
            Self::Mean => Some(sum / count as f64),
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Minimum => "minimum",
            Self::Maximum => "maximum",
            Self::Mean => "mean",
            Self::Sum => "sum",
        }
    }
}

impl Tensor {
    /// Reduces all numbers to one.
    ///
    /// # Errors
    ///
    /// When there is none to reduce.
    pub(crate) fn reduced(&self, reduction: Reduction) -> Result<f64, Failure> {
        reduction.of(self.numbers()).ok_or_else(|| {
            let message = format!(
                "`{}` of shape {:?} holds no number to take the {} of",
                self.get().name,
                self.shape(),
                reduction.noun()
            );
            Failure::new(kind::EMPTY, message)
        })
    }

    /// Reduces along one axis: an array without that axis, or a number when it was the only one.
    pub(crate) fn reduced_along(
        &self,
        reduction: Reduction,
        axis: usize,
        budget: &Arc<Budget>,
    ) -> Result<Dynamic, Failure> {
        if self.shape().len() == 1 {
            return Ok(self.reduced(reduction)?.into());
        }
        let all = ArrayD::from_shape_vec(self.shape(), self.numbers().collect::<Vec<_>>())
            .map_err(|error| Failure::new(kind::SHAPE_MISMATCH, error.to_string()))?;
        let values: ArrayD<f32> = all.map_axis(Axis(axis), |lane| {
            reduction.of(lane.iter().copied()).map_or(f32::NAN, |number| number as f32)
        });
        let mut axes = self.get().meta.axes.clone();
        if axis < axes.len() {
            axes.remove(axis);
        }
        Ok(Dynamic::from(self.with_floats(values, axes, &self.get().meta.unit, budget)?))
    }

    /// Returns the largest numbers with their places, the largest first, ties in row-major order.
    pub(crate) fn largest(&self, count: INT) -> Result<rhai::Array, Failure> {
        let count = usize::try_from(count).map_err(|_| {
            Failure::new(kind::OUT_OF_BOUNDS, format!("cannot take the largest {count} numbers"))
        })?;
        let mut all: Vec<(usize, f64)> =
            self.numbers().enumerate().filter(|(_, number)| !number.is_nan()).collect();
        let stronger = |a: &(usize, f64), b: &(usize, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if count < all.len() && count > 0 {
            all.select_nth_unstable_by(count - 1, stronger);
        }
        all.truncate(count);
        all.sort_unstable_by(stronger);
        let entry = |(place, value): (usize, f64)| {
            let index = self.index_of(place);
            Dynamic::from(Map::from([("index".into(), index), ("value".into(), value.into())]))
        };
        Ok(all.into_iter().map(entry).collect())
    }

    /// Turns a row-major place into an index: a number, or a list with one number per axis.
    fn index_of(&self, mut place: usize) -> Dynamic {
        let mut index: rhai::Array = Vec::new();
        for &extent in self.shape().iter().rev() {
            index.push(Dynamic::from(convert::whole(place % extent)));
            place /= extent;
        }
        index.reverse();
        if index.len() == 1 { index.remove(0) } else { index.into() }
    }
}
