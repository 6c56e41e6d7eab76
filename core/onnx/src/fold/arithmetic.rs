//! Arithmetic on constants.

use std::fmt::Display;
use std::sync::Arc;

use convscope_runtime::{Backend, CpuBackend, Shape, Tensor, Unary};
use half::{bf16, f16};

use super::broadcast::broadcast;
use super::required;
use crate::call::Call;
use crate::constant::{Constant, Integers};
use crate::integer_type::IntegerType;
use crate::operator::element_wise;
use crate::proto::data_type;
use crate::refusal::Refusal;

/// A function of two real numbers.
type Real = fn(f32, f32) -> f32;

/// The same function of integers; nothing where it has no result.
type Integer = fn(i64, i64) -> Option<i64>;

pub(super) fn add(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    pair(call, |a, b| a + b, i64::checked_add)
}

pub(super) fn subtract(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    pair(call, |a, b| a - b, i64::checked_sub)
}

pub(super) fn multiply(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    pair(call, |a, b| a * b, i64::checked_mul)
}

pub(super) fn divide(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    pair(call, |a, b| a / b, i64::checked_div)
}

pub(super) fn power(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    call.at_most(2)?;
    let (base, exponent) = (required(call, 0)?, required(call, 1)?);
    let integral: Integer = |base, exponent| base.checked_pow(u32::try_from(exponent).ok()?);
    match (base, exponent) {
        (Constant::Real(_), _) => {
            let exponent = Constant::Real(exponent.clone().into_tensor()?);
            joined(call, base, &exponent, f32::powf, integral)
        }
        (Constant::Integer(Integers { kind, .. }), Constant::Integer(exponent)) => {
            let alike = Constant::Integer(Integers { kind: *kind, ..exponent.clone() });
            // An exponent may have a type of its own.
            joined(call, base, &alike, f32::powf, integral)
        }
        (Constant::Integer(_), Constant::Real(_)) => {
            Err(Refusal::unsupported("it raises integers to a power that is real"))
        }
    }
}

pub(super) fn maximum(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    let larger = |a, b: f32| if b > a || b.is_nan() { b } else { a };
    several(call, larger, |a, b| Some(a.max(b)))
}

pub(super) fn minimum(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    let smaller = |a, b: f32| if b < a || b.is_nan() { b } else { a };
    several(call, smaller, |a, b| Some(a.min(b)))
}

pub(super) fn sum(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    several(call, |a, b| a + b, i64::checked_add)
}

/// Joins both operands.
fn pair(call: &Call<'_, '_>, real: Real, integer: Integer) -> Result<Constant, Refusal> {
    call.at_most(2)?;
    joined(call, required(call, 0)?, required(call, 1)?, real, integer)
}

/// Joins the first operand with the second, what becomes of them with the third, and so on.
fn several(call: &Call<'_, '_>, real: Real, integer: Integer) -> Result<Constant, Refusal> {
    let mut result = required(call, 0)?.clone();
    for index in 1..call.operands.len() {
        result = joined(call, &result, required(call, index)?, real, integer)?;
    }
    Ok(result)
}

fn joined(
    call: &Call<'_, '_>,
    a: &Constant,
    b: &Constant,
    real: Real,
    integer: Integer,
) -> Result<Constant, Refusal> {
    let (shape, places) = broadcast(call, [a.shape(), b.shape()])?;
    match (a, b) {
        (Constant::Real(a), Constant::Real(b)) => {
            let (a, b) = (a.values()?, b.values()?);
            let values = places.map(|[i, j]| real(a[i], b[j])).collect();
            Ok(Constant::Real(Tensor::new(shape, values)?))
        }
        (Constant::Integer(a), Constant::Integer(b)) => {
            let kind = a.same_kind(b)?;
            let values = places.map(|[i, j]| integer(a.values[i], b.values[j]));
            integers(kind, shape, values)
        }
        _ => Err(Refusal::invalid("it mixes integers with real numbers")),
    }
}

/// Gathers results, none of which may be missing, and all of which their type must hold.
fn integers(
    kind: IntegerType,
    shape: Shape,
    values: impl Iterator<Item = Option<i64>>,
) -> Result<Constant, Refusal> {
    let values = values.collect::<Option<Arc<[i64]>>>();
    let values = values
        .ok_or_else(|| Refusal::invalid("its integers overflow, or it divides them by zero"))?;
    // What becomes of the others, the specification does not say.
    if let Some(value) = values.iter().find(|&&value| !kind.holds(value)) {
        let name = kind.name();
        return Err(Refusal::unsupported(format!("it makes {value}, which is no {name}")));
    }
    Ok(Constant::Integer(Integers { kind, shape, values }))
}

/// Applies a function to every element.
pub(super) fn element_wise(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    let function = element_wise::function(call)?;
    let input = required(call, 0)?;
    let shape = call.made(input.shape().extents())?;
    match (function, input) {
        (_, Constant::Real(tensor)) => apply(function, tensor),
        (Unary::Absolute, Constant::Integer(list)) => {
            integers(list.kind, shape, list.values.iter().map(|value| value.checked_abs()))
        }
        (Unary::Scale(-1.0), Constant::Integer(list)) => {
            integers(list.kind, shape, list.values.iter().map(|value| value.checked_neg()))
        }
        (_, Constant::Integer(_)) => Err(Refusal::invalid("its input holds integers")),
    }
}

pub(super) fn clip(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    call.at_most(3)?;
    let Constant::Real(input) = required(call, 0)? else {
        return Err(Refusal::unsupported("its input holds integers"));
    };
    call.made(input.shape().extents())?;
    let [low, high] = call.clip_limits()?;
    let low = low.unwrap_or(f32::NEG_INFINITY);
    apply(Unary::Clip { low, high: high.unwrap_or(f32::INFINITY) }, input)
}

fn apply(function: Unary, input: &Tensor) -> Result<Constant, Refusal> {
    Ok(Constant::Real(CpuBackend::new().unary(function, input)?))
}

pub(super) fn cast(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    let to = call.attributes.integer("to")?.unwrap_or_default() as i32;
    let input = required(call, 0)?;
    call.attributes.ignore("saturate");
    let shape = call.made(input.shape().extents())?;
    let real = |value: f32| match to {
        data_type::FLOAT16 => f16::from_f32(value).to_f32(),
        data_type::BFLOAT16 => bf16::from_f32(value).to_f32(),
        _ => value,
    };
    if data_type::is_real(to) {
        let values = match input {
            Constant::Real(tensor) => tensor.values()?.iter().map(|&v| real(v)).collect(),
            Constant::Integer(list) => list.values.iter().map(|&v| real(v as f32)).collect(),
        };
        return Ok(Constant::Real(Tensor::new(shape, values)?));
    }
    let name = data_type::name(to);
    let Some(kind) = IntegerType::of(to) else {
        return Err(Refusal::unsupported(format!("a cast to {name} is not supported")));
    };
    let lost = |value: &dyn Display| Refusal::unsupported(format!("it casts {value} to {name}"));
    let values = match input {
        Constant::Real(tensor) => tensor
            .values()?
            .iter()
            .map(|&value| kind.cast_real(value).ok_or_else(|| lost(&value)))
            .collect::<Result<_, _>>()?,
        Constant::Integer(list) => list
            .values
            .iter()
            .map(|&value| kind.cast(value).ok_or_else(|| lost(&value)))
            .collect::<Result<_, _>>()?,
    };
    Ok(Constant::Integer(Integers { kind, shape, values }))
}
