//! Constants whose elements are chosen, joined or put in another order.

use convscope_runtime::{Shape, Tensor};

use super::creation::axis;
use super::required;
use crate::call::Call;
use crate::constant::{Constant, Integers};
use crate::normal_form::reshaped;
use crate::refusal::Refusal;

pub(super) fn identity(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    Ok(required(call, 0)?.clone())
}

pub(super) fn reshape(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    let input = required(call, 0)?;
    let (target, zero) = call.reshape_target()?;
    renamed_axes(input, &reshaped(input.shape(), &target, zero)?)
}

pub(super) fn squeeze(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    let input = required(call, 0)?;
    let extents = input.shape().extents();
    let dropped = call.dropped_axes(extents)?;
    let kept = |axis: &usize| match &dropped {
        Some(dropped) => !dropped.contains(axis),
        None => extents[*axis] != 1,
    };
    let kept: Vec<usize> = (0..extents.len()).filter(kept).map(|axis| extents[axis]).collect();
    renamed_axes(input, &kept)
}

pub(super) fn unsqueeze(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    let input = required(call, 0)?;
    renamed_axes(input, &call.unsqueezed(input.shape().extents())?.0)
}

/// Returns the same elements in the same order with other axes.
fn renamed_axes(input: &Constant, extents: &[usize]) -> Result<Constant, Refusal> {
    Ok(match input {
        Constant::Real(tensor) => Constant::Real(tensor.with_shape(extents)?),
        Constant::Integer(list) => {
            Constant::Integer(Integers { shape: Shape::new(extents), ..list.clone() })
        }
    })
}

pub(super) fn transpose(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    let input = required(call, 0)?;
    let extents = input.shape().extents();
    let order = call.axis_order(extents.len())?;
    let steps = steps(extents);
    let offsets = order.iter().map(|&axis| strided(0..extents[axis], steps[axis])).collect();
    let target: Vec<usize> = order.iter().map(|&axis| extents[axis]).collect();
    picked(call, input, &target, offsets)
}

pub(super) fn gather(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    let (input, indices) = (required(call, 0)?, required(call, 1)?);
    let Constant::Integer(indices) = indices else {
        return Err(Refusal::invalid("its indices are not integers"));
    };
    let extents = input.shape().extents();
    let (axis, chosen) = call.gathered(extents, indices)?;
    let steps = steps(extents);
    let mut offsets = whole(extents);
    offsets[axis] = strided(chosen, steps[axis]);
    let mut target = extents.to_vec();
    target.splice(axis..=axis, indices.shape.extents().iter().copied());
    picked(call, input, &target, offsets)
}

pub(super) fn expand(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    call.at_most(2)?;
    let input = required(call, 0)?;
    repeated(call, input, &call.expanded(input.shape().extents())?)
}

pub(super) fn tile(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    call.at_most(2)?;
    let input = required(call, 0)?;
    let extents = input.shape().extents();
    let times = call.tiles(extents.len())?;
    let target = extents.iter().zip(times).map(|(extent, times)| extent.checked_mul(times));
    let large = || Refusal::invalid("its output is too large");
    repeated(call, input, &target.collect::<Option<Vec<_>>>().ok_or_else(large)?)
}

/// Repeats a constant along each axis until it has the extents of the target, which may have
/// further axes in front.
fn repeated(call: &Call<'_, '_>, input: &Constant, target: &[usize]) -> Result<Constant, Refusal> {
    let extents = input.shape().extents();
    let steps = steps(extents);
    let front = target.len().saturating_sub(extents.len());
    // Before memory is taken for the places along an axis.
    let none = call.made(target)?.volume() == 0;
    let offsets = target.iter().enumerate().map(|(axis, &extent)| {
        let own =
            axis.checked_sub(front).and_then(|axis| Some((extents.get(axis)?, steps.get(axis)?)));
        match own {
            _ if none => Vec::new(),
            Some((&own, &step)) => (0..extent).map(|place| place % own.max(1) * step).collect(),
            None => vec![0; extent],
        }
    });
    picked(call, input, target, offsets.collect())
}

pub(super) fn slice(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    let input = required(call, 0)?;
    let extents = input.shape().extents();
    let steps = steps(extents);
    let mut offsets = whole(extents);
    for (axis, slice) in call.slices(extents)? {
        offsets[axis] = strided(slice.positions(), steps[axis]);
    }
    let target: Vec<usize> = offsets.iter().map(Vec::len).collect();
    picked(call, input, &target, offsets)
}

pub(super) fn concat(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    let count = call.operands.len();
    let parts = (0..count).map(|index| required(call, index)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = parts.first() else {
        return Err(Refusal::invalid("it joins nothing"));
    };
    let extents = first.shape().extents();
    let axis = axis(call, 0, extents.len())?;
    let others = |shape: &Shape| {
        let mut extents = shape.extents().to_vec();
        let own = (axis < extents.len()).then(|| extents.remove(axis));
        (own, extents)
    };
    let (_, apart) = others(first.shape());
    let mut total = 0_usize;
    for part in &parts {
        match others(part.shape()) {
            (Some(own), rest) if rest == apart => total = total.saturating_add(own),
            _ => return Err(Refusal::invalid("the shapes of its inputs do not join")),
        }
    }
    let mut target = extents.to_vec();
    target[axis] = total;
    let target = call.made(&target)?;
    let outer: usize = extents[..axis].iter().product();
    let reals: Option<Vec<&Tensor>> = parts.iter().map(|part| part.real()).collect();
    if let Some(reals) = reals {
        let lists = reals.iter().map(|tensor| tensor.values()).collect::<Result<Vec<_>, _>>()?;
        return Ok(Constant::Real(Tensor::new(target, joined(&lists, outer))?));
    }
    let integers = parts.iter().map(|part| match part {
        Constant::Integer(list) => Some(list),
        Constant::Real(_) => None,
    });
    let integers = integers.collect::<Option<Vec<&Integers>>>();
    let integers =
        integers.ok_or_else(|| Refusal::invalid("it mixes integers with real numbers"))?;
    for pair in integers.windows(2) {
        pair[0].same_kind(pair[1])?;
    }
    let lists: Vec<&[i64]> = integers.iter().map(|list| &*list.values).collect();
    let values = joined(&lists, outer).into();
    Ok(Constant::Integer(Integers { kind: integers[0].kind, shape: target, values }))
}

fn joined<T: Copy>(parts: &[&[T]], outer: usize) -> Vec<T> {
    let chunk = |part: &[T], index: usize| {
        let length = part.len() / outer.max(1);
        index * length..(index + 1) * length
    };
    let rows = (0..outer).flat_map(|index| {
        parts.iter().flat_map(move |part| part[chunk(part, index)].iter().copied())
    });
    rows.collect()
}

/// Says how far apart neighbours along each axis lie.
fn steps(extents: &[usize]) -> Vec<usize> {
    let mut steps = vec![1; extents.len()];
    for axis in (1..extents.len()).rev() {
        steps[axis - 1] = steps[axis] * extents[axis];
    }
    steps
}

fn strided(positions: impl IntoIterator<Item = usize>, step: usize) -> Vec<usize> {
    positions.into_iter().map(|position| position * step).collect()
}

/// Lists the offsets of every axis that is taken as it is.
fn whole(extents: &[usize]) -> Vec<Vec<usize>> {
    steps(extents)
        .into_iter()
        .zip(extents)
        .map(|(step, &extent)| strided(0..extent, step))
        .collect()
}

/// Picks the elements at every sum of one offset of each list, the last list running fastest.
fn picked(
    call: &Call<'_, '_>,
    input: &Constant,
    target: &[usize],
    mut offsets: Vec<Vec<usize>>,
) -> Result<Constant, Refusal> {
    let target = call.made(target)?;
    let last = offsets.pop().unwrap_or_else(|| vec![0]);
    // The places of the last axis are never listed: they would take more memory than the numbers.
    let mut outer = vec![0];
    for list in offsets {
        let further = |&place: &usize| list.iter().map(move |offset| place + offset);
        outer = outer.iter().flat_map(further).collect();
    }
    let places = outer.iter().flat_map(|place| last.iter().map(move |offset| place + offset));
    Ok(match input {
        Constant::Real(tensor) => {
            let values = tensor.values()?;
            Constant::Real(Tensor::new(target, places.map(|place| values[place]).collect())?)
        }
        Constant::Integer(list) => Constant::Integer(Integers {
            kind: list.kind,
            shape: target,
            values: places.map(|place| list.values[place]).collect(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_joined_row_by_row() {
        assert_eq!(joined(&[&[1, 2, 3, 4][..], &[5, 6]], 2), [1, 2, 5, 3, 4, 6]);
    }
}
