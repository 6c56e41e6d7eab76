//! Constants out of attributes and shapes.

use convscope_runtime::{Shape, Tensor};

use super::required;
use crate::call::{Call, Known, Operand};
use crate::constant::{Constant, Integers};
use crate::layout::InputLayout;
use crate::normal_form::resolve_axis;
use crate::refusal::Refusal;
use crate::tensor;

pub(super) fn constant(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    let attributes = &call.attributes;
    if let Some(tensor) = attributes.tensor("value")? {
        return call.stored(tensor);
    }
    if let Some(value) = attributes.integer("value_int")? {
        return Ok(Constant::single(value));
    }
    if let Some(values) = attributes.integers("value_ints")? {
        return Ok(Constant::list(values.iter().copied()));
    }
    if let Some(value) = attributes.real("value_float")? {
        return Ok(Constant::Real(Tensor::new([], vec![value])?));
    }
    if let Some(values) = attributes.reals("value_floats")? {
        return Ok(Constant::Real(Tensor::new([values.len()], values.to_vec())?));
    }
    Err(Refusal::unsupported("it holds neither a tensor nor numbers"))
}

pub(super) fn constant_of_shape(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    let extents = required(call, 0)?.integers();
    let extents = extents.ok_or_else(|| Refusal::invalid("its input is not a list of integers"))?;
    let extents = tensor::shape_of(extents).map_err(Refusal::Invalid)?;
    let shape = call.made(extents.extents())?;
    let Some(proto) = call.attributes.tensor("value")? else {
        return Ok(Constant::Real(Tensor::zeros(shape)));
    };
    match call.stored(proto)? {
        Constant::Real(value) => match value.values()? {
            &[value] => Ok(Constant::Real(Tensor::filled(shape, value))),
            _ => Err(Refusal::invalid("its value is not one number")),
        },
        Constant::Integer(value) => match *value.values {
            [one] => {
                let values = std::iter::repeat_n(one, shape.volume()).collect();
                Ok(Constant::Integer(Integers { kind: value.kind, shape, values }))
            }
            _ => Err(Refusal::invalid("its value is not one number")),
        },
    }
}

pub(super) fn shape(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    let operand = call.operand(0).ok_or_else(|| Refusal::invalid("its input is missing"))?;
    let shape = known_shape(call, operand)?;
    let rank = shape.rank().cast_signed() as i64;
    let bound = |name: &str, default: i64| -> Result<usize, Refusal> {
        let bound = call.attributes.integer(name)?.unwrap_or(default);
        let bound = if bound < 0 { bound.saturating_add(rank) } else { bound };
        Ok(bound.clamp(0, rank) as usize)
    };
    let (start, end) = (bound("start", 0)?, bound("end", rank)?);
    let extents = shape.extents().get(start..end).unwrap_or_default();
    Ok(Constant::list(extents.iter().map(|&extent| extent.cast_signed() as i64)))
}

/// Returns the shape of a value.
fn known_shape(call: &Call<'_, '_>, operand: &Operand<'_>) -> Result<Shape, Refusal> {
    match &operand.known {
        Known::Constant(constant) => Ok(constant.shape().clone()),
        // The batch is the one for which the file writes down its shapes: 1 where it is open.
        Known::Computed(id) => Ok(call.shape(*id).with_batch(call.bench.batch)),
        Known::ChannelsLast(id) => {
            Ok(InputLayout::ChannelsLast.in_file(&call.shape(*id)).with_batch(call.bench.batch))
        }
        Known::Switches(_) | Known::Lost => {
            Err(Refusal::unsupported("the shape of its input is unknown"))
        }
    }
}

pub(super) fn size(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    let operand = call.operand(0).ok_or_else(|| Refusal::invalid("its input is missing"))?;
    let volume = known_shape(call, operand)?.volume();
    Ok(Constant::single(volume.cast_signed() as i64))
}

pub(super) fn range(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    call.at_most(3)?;
    let [start, limit, delta] = [required(call, 0)?, required(call, 1)?, required(call, 2)?];
    let endless = || Refusal::invalid("it has no end");
    let one = || Refusal::invalid("its limits are not one number each");
    if let Some([start, limit, delta]) = reals(start, limit, delta) {
        let count = f64::from(limit - start) / f64::from(delta);
        let count =
            if count.is_finite() { count.ceil().max(0.0) as usize } else { return Err(endless()) };
        let shape = call.made(&[count])?;
        let values = (0..count).map(|index| start + index as f32 * delta).collect();
        return Ok(Constant::Real(Tensor::new(shape, values)?));
    }
    let (Constant::Integer(start), Constant::Integer(limit), Constant::Integer(delta)) =
        (start, limit, delta)
    else {
        return Err(one());
    };
    start.same_kind(limit)?;
    let kind = start.same_kind(delta)?;
    let (&[start], &[limit], &[delta]) = (&*start.values, &*limit.values, &*delta.values) else {
        return Err(one());
    };
    let [start, limit, delta] = [start, limit, delta].map(i128::from);
    if delta == 0 {
        return Err(endless());
    }
    // Rounded up, whichever way the numbers run.
    let count = ((limit - start + delta - delta.signum()) / delta).max(0);
    let count = usize::try_from(count).map_err(|_| Refusal::invalid("its output is too large"))?;
    let shape = call.made(&[count])?;
    // All of them lie between start and limit.
    let values = (0..count as i128).map(|index| (start + index * delta) as i64).collect();
    Ok(Constant::Integer(Integers { kind, shape, values }))
}

/// Returns three real numbers.
fn reals(start: &Constant, limit: &Constant, delta: &Constant) -> Option<[f32; 3]> {
    Some([start.scalar()?, limit.scalar()?, delta.scalar()?])
}

/// Returns an axis given as an attribute.
pub(super) fn axis(call: &Call<'_, '_>, default: i64, rank: usize) -> Result<usize, Refusal> {
    resolve_axis(call.attributes.integer("axis")?.unwrap_or(default), rank)
}
