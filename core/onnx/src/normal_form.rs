//! Brings old and new forms of operators together: what one operator set writes as an attribute,
//! a later one gives as an input.

mod movement;
mod reduction;

pub(crate) use movement::{Pads, Steps};

use convscope_runtime::Shape;

use crate::call::Call;
use crate::refusal::Refusal;
use crate::tensor::checked_shape;

impl Call<'_, '_> {
    /// Returns a list of integers: an attribute before operator set `since`, an input from then on.
    pub(crate) fn attribute_or_input(
        &self,
        name: &str,
        index: usize,
        since: i64,
    ) -> Result<Option<Vec<i64>>, Refusal> {
        let list = if self.operator_set() < since {
            self.attributes.integers(name)?
        } else {
            self.integers(index, name)?
        };
        Ok(list.map(<[i64]>::to_vec))
    }

    /// Returns the target of a Reshape and what a 0 in it means: an attribute before operator set
    /// 5, an input from then on.
    pub(crate) fn reshape_target(&self) -> Result<(Vec<i64>, Zero), Refusal> {
        let target = self.attribute_or_input("shape", 1, 5)?;
        let target = target.ok_or_else(|| Refusal::invalid("its target shape is missing"))?;
        let zero = match self.attributes.flag("allowzero")? {
            Some(true) => Zero::Literal,
            _ => Zero::Copied,
        };
        Ok((target, zero))
    }

    /// Returns the limits of a Clip: attributes before operator set 11, inputs from then on.
    pub(crate) fn clip_limits(&self) -> Result<[Option<f32>; 2], Refusal> {
        if self.operator_set() < 11 {
            let [low, high] = [self.attributes.real("min")?, self.attributes.real("max")?];
            // The largest finite number stood for "no limit".
            let low = low.filter(|&low| low > f32::MIN);
            return Ok([low, high.filter(|&high| high < f32::MAX)]);
        }
        let limit = |index, what| match self.constant(index, what)? {
            None => Ok(None),
            Some(constant) => match constant.scalar() {
                Some(limit) => Ok(Some(limit)),
                None => Err(Refusal::invalid(format!("its {what} is not one number"))),
            },
        };
        let [low, high] = [limit(1, "min")?, limit(2, "max")?];
        Ok([low.filter(|&low| low > f32::MIN), high.filter(|&high| high < f32::MAX)])
    }
}

/// Resolves an axis that may count from the end.
///
/// # Errors
/// Fails when the axis does not exist.
pub(crate) fn resolve_axis(axis: i64, rank: usize) -> Result<usize, Refusal> {
    let resolved = if axis < 0 { axis.checked_add(rank.cast_signed() as i64) } else { Some(axis) };
    resolved
        .and_then(|axis| usize::try_from(axis).ok())
        .filter(|&axis| axis < rank)
        .ok_or_else(|| Refusal::invalid(format!("axis {axis} does not exist among {rank} axes")))
}

/// Resolves axes that may count from the end; they come back ascending.
///
/// # Errors
/// Fails when an axis does not exist or is there twice.
pub(crate) fn resolve_axes(axes: &[i64], rank: usize) -> Result<Vec<usize>, Refusal> {
    let mut resolved =
        axes.iter().map(|&axis| resolve_axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
    resolved.sort_unstable();
    if resolved.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Refusal::invalid(format!("its axes {axes:?} hold one twice")));
    }
    Ok(resolved)
}

/// What a 0 in the target of a Reshape means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zero {
    /// The extent of the input.
    Copied,
    /// No elements.
    Literal,
}

/// Computes the extents that a Reshape makes.
///
/// # Errors
/// Fails when they do not hold as many elements as the input.
pub(crate) fn reshaped(from: &Shape, target: &[i64], zero: Zero) -> Result<Vec<usize>, Refusal> {
    let wrong =
        || Refusal::invalid(format!("a value of shape {from} does not reshape to {target:?}"));
    let mut extents = Vec::with_capacity(target.len());
    let mut open = None;
    for (index, &extent) in target.iter().enumerate() {
        extents.push(match extent {
            -1 if open.is_none() => {
                open = Some(index);
                1
            }
            0 if zero == Zero::Copied => *from.extents().get(index).ok_or_else(wrong)?,
            _ => usize::try_from(extent).map_err(|_| wrong())?,
        });
    }
    let known = checked_shape(&extents).map_err(Refusal::Invalid)?.volume();
    if let Some(index) = open {
        extents[index] = from.volume().checked_div(known).ok_or_else(wrong)?;
    }
    if Shape::new(&extents).volume() == from.volume() { Ok(extents) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(target: &[i64], zero: Zero) -> Option<Vec<usize>> {
        reshaped(&Shape::from([2, 3, 4]), target, zero).ok()
    }

    #[test]
    fn a_reshape_copies_zeros_and_fills_one_gap() {
        assert_eq!(to(&[0, -1], Zero::Copied), Some(vec![2, 12]));
        assert_eq!(to(&[-1], Zero::Copied), Some(vec![24]));
        assert_eq!(to(&[4, 0, 2], Zero::Copied), Some(vec![4, 3, 2]));
        assert_eq!(to(&[2, 0, 4], Zero::Literal), None);
    }

    #[test]
    fn a_reshape_that_does_not_fit_is_refused() {
        for target in [&[5, -1][..], &[-1, -1], &[7], &[-2, 12], &[2, 3, 4, 0], &[i64::MAX, 2]] {
            assert_eq!(to(target, Zero::Copied), None, "{target:?}");
        }
    }

    #[test]
    fn axes_count_from_either_end() {
        assert_eq!(resolve_axes(&[-1, 0], 3).unwrap(), [0, 2]);
        assert!(resolve_axis(3, 3).is_err());
        assert!(resolve_axis(i64::MIN, 3).is_err());
        assert!(resolve_axes(&[2, -1], 3).is_err());
    }
}
