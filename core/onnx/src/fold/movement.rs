//! Constants whose elements are chosen, joined or put in another order.

use convscope_runtime::{Shape, Tensor};

use super::creation::axis;
use super::required;
use crate::call::Call;
use crate::constant::{Constant, Integers};
use crate::normal_form::{reshaped, resolve_axes, resolve_axis};
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
    let dropped = match call.attribute_or_input("axes", 1, 13)? {
        Some(axes) => resolve_axes(&axes, extents.len())?,
        None => (0..extents.len()).filter(|&axis| extents[axis] == 1).collect(),
    };
    if dropped.iter().any(|&axis| extents[axis] != 1) {
        return Err(Refusal::invalid("an axis to be dropped is longer than 1"));
    }
    let kept = (0..extents.len()).filter(|axis| !dropped.contains(axis));
    renamed_axes(input, &kept.map(|axis| extents[axis]).collect::<Vec<_>>())
}

pub(super) fn unsqueeze(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    let input = required(call, 0)?;
    let axes = call.attribute_or_input("axes", 1, 13)?;
    let axes = axes.ok_or_else(|| Refusal::invalid("its axes are missing"))?;
    let rank = input.shape().rank() + axes.len();
    if rank > crate::limits::RANK {
        return Err(Refusal::invalid(format!("its output would have {rank} axes")));
    }
    let added = resolve_axes(&axes, rank)?;
    let mut own = input.shape().extents().iter().copied();
    let extent = |axis| if added.contains(&axis) { Some(1) } else { own.next() };
    renamed_axes(input, &(0..rank).filter_map(extent).collect::<Vec<_>>())
}

/// Returns the same elements in the same order with other axes.
fn renamed_axes(input: &Constant, extents: &[usize]) -> Result<Constant, Refusal> {
    Ok(match input {
        Constant::Real(tensor) => Constant::Real(tensor.with_shape(extents)?),
        Constant::Integer(list) => {
            Constant::Integer(Integers { shape: Shape::new(extents), values: list.values.clone() })
        }
    })
}

pub(super) fn transpose(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    let input = required(call, 0)?;
    let extents = input.shape().extents();
    let order = match call.attributes.integers("perm")? {
        None => (0..extents.len()).rev().collect(),
        Some(order) => {
            let resolved: Vec<usize> = order
                .iter()
                .map(|&axis| resolve_axis(axis, extents.len()))
                .collect::<Result<_, _>>()?;
            resolve_axes(order, extents.len())?;
            resolved
        }
    };
    if order.len() != extents.len() {
        return Err(Refusal::invalid("its order has not as many axes as its input"));
    }
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
    let axis = axis(call, 0, extents.len())?;
    let chosen = indices.values.iter().map(|&index| resolve_axis(index, extents[axis]));
    let chosen = chosen.collect::<Result<Vec<_>, _>>();
    let chosen = chosen.map_err(|_| Refusal::invalid("an index lies outside its input"))?;
    let steps = steps(extents);
    let mut offsets = whole(extents);
    offsets[axis] = strided(chosen, steps[axis]);
    let mut target = extents.to_vec();
    target.splice(axis..=axis, indices.shape.extents().iter().copied());
    picked(call, input, &target, offsets)
}

pub(super) fn slice(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    let input = required(call, 0)?;
    let extents = input.shape().extents();
    let list = |name, index| call.attribute_or_input(name, index, 10);
    let (Some(starts), Some(ends)) = (list("starts", 1)?, list("ends", 2)?) else {
        return Err(Refusal::invalid("its starts or ends are missing"));
    };
    let axes = list("axes", 3)?.unwrap_or_else(|| (0_i64..).take(starts.len()).collect());
    let strides = if call.operator_set() < 10 { None } else { call.integers(4, "steps")? };
    let strides = strides.map_or_else(|| vec![1; starts.len()], <[i64]>::to_vec);
    if [ends.len(), axes.len(), strides.len()] != [starts.len(); 3] {
        return Err(Refusal::invalid("its starts, ends, axes and steps differ in number"));
    }
    resolve_axes(&axes, extents.len())?;
    let steps = steps(extents);
    let mut offsets = whole(extents);
    for (((&start, &end), &axis), &stride) in starts.iter().zip(&ends).zip(&axes).zip(&strides) {
        let axis = resolve_axis(axis, extents.len())?;
        offsets[axis] = strided(range(start, end, stride, extents[axis])?, steps[axis]);
    }
    let target: Vec<usize> = offsets.iter().map(Vec::len).collect();
    picked(call, input, &target, offsets)
}

/// Lists the positions that a slice takes of an axis, in its order.
fn range(start: i64, end: i64, stride: i64, extent: usize) -> Result<Vec<usize>, Refusal> {
    if extent == 0 {
        return Ok(Vec::new());
    }
    let extent = extent.cast_signed() as i64;
    let from_end = |at: i64| if at < 0 { at.saturating_add(extent) } else { at };
    let (low, high) = if stride > 0 { (0, extent) } else { (-1, extent - 1) };
    let (start, end) = (from_end(start).clamp(low.max(0), high), from_end(end));
    let end = end.clamp(low, high);
    let step = usize::try_from(stride.unsigned_abs()).unwrap_or(usize::MAX);
    match stride {
        0 => Err(Refusal::invalid("its step is 0")),
        1.. => Ok((start..end).step_by(step).map(|at| at as usize).collect()),
        _ => Ok((end + 1..=start).rev().step_by(step).map(|at| at as usize).collect()),
    }
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
        Constant::Integer(list) => Some(&*list.values),
        Constant::Real(_) => None,
    });
    let integers = integers.collect::<Option<Vec<&[i64]>>>();
    let lists = integers.ok_or_else(|| Refusal::invalid("it mixes integers with real numbers"))?;
    Ok(Constant::Integer(Integers { shape: target, values: joined(&lists, outer).into() }))
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
            shape: target,
            values: places.map(|place| list.values[place]).collect(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_run_either_way_and_stop_at_the_ends() {
        assert_eq!(range(1, 9, 2, 6).unwrap(), [1, 3, 5]);
        assert_eq!(range(-2, i64::MAX, 1, 6).unwrap(), [4, 5]);
        assert_eq!(range(-1, i64::MIN, -1, 3).unwrap(), [2, 1, 0]);
        assert_eq!(range(4, 2, 1, 6).unwrap(), [0_usize; 0]);
        assert_eq!(range(0, 5, 1, 0).unwrap(), [0_usize; 0]);
        assert!(range(0, 1, 0, 3).is_err());
    }

    #[test]
    fn parts_are_joined_row_by_row() {
        assert_eq!(joined(&[&[1, 2, 3, 4][..], &[5, 6]], 2), [1, 2, 5, 3, 4, 6]);
    }
}
