//! Arithmetic on constants.

use convscope_runtime::{Shape, Tensor};
use half::{bf16, f16};

use super::required;
use crate::call::Call;
use crate::constant::{Constant, Integers};
use crate::proto::data_type;
use crate::refusal::Refusal;

pub(super) fn add(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    pairwise(call, |a, b| a + b, i64::checked_add)
}

pub(super) fn subtract(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    pairwise(call, |a, b| a - b, i64::checked_sub)
}

pub(super) fn multiply(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    pairwise(call, |a, b| a * b, i64::checked_mul)
}

pub(super) fn divide(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    pairwise(call, |a, b| a / b, i64::checked_div)
}

fn pairwise(
    call: &Call<'_, '_>,
    real: fn(f32, f32) -> f32,
    integer: fn(i64, i64) -> Option<i64>,
) -> Result<Constant, Refusal> {
    let (a, b) = (required(call, 0)?, required(call, 1)?);
    let (shape, places) = broadcast(call, a.shape(), b.shape())?;
    match (a, b) {
        (Constant::Real(a), Constant::Real(b)) => {
            let (a, b) = (a.values()?, b.values()?);
            let values = places.map(|[i, j]| real(a[i], b[j])).collect();
            Ok(Constant::Real(Tensor::new(shape, values)?))
        }
        (Constant::Integer(a), Constant::Integer(b)) => {
            let values = places.map(|[i, j]| integer(a.values[i], b.values[j]));
            let values = values.collect::<Option<_>>();
            let values = values.ok_or_else(|| {
                Refusal::invalid("its integers overflow, or it divides them by zero")
            })?;
            Ok(Constant::Integer(Integers { shape, values }))
        }
        _ => Err(Refusal::invalid("it mixes integers with real numbers")),
    }
}

/// Broadcasts two shapes, and says for every element of the result which two it comes from.
fn broadcast(
    call: &Call<'_, '_>,
    a: &Shape,
    b: &Shape,
) -> Result<(Shape, impl Iterator<Item = [usize; 2]> + use<>), Refusal> {
    let rank = a.rank().max(b.rank());
    let aligned = |shape: &Shape| {
        let mut extents = vec![1; rank - shape.rank()];
        extents.extend(shape.extents());
        extents
    };
    let (a, b) = (aligned(a), aligned(b));
    let mut extents = Vec::with_capacity(rank);
    for (&a, &b) in a.iter().zip(&b) {
        if a != b && a != 1 && b != 1 {
            return Err(Refusal::invalid("the shapes of its inputs do not broadcast"));
        }
        extents.push(if a == 1 { b } else { a });
    }
    let shape = call.made(&extents)?;
    let places = (0..shape.volume()).map(move |index| {
        let (mut rest, mut places, mut steps) = (index, [0; 2], [1; 2]);
        for axis in (0..rank).rev() {
            let position = rest % extents[axis];
            rest /= extents[axis];
            for (side, own) in [&a, &b].into_iter().enumerate() {
                if own[axis] != 1 {
                    places[side] += position * steps[side];
                }
                steps[side] *= own[axis];
            }
        }
        places
    });
    Ok((shape, places))
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
    let integer = |value: i64| match to {
        data_type::BOOL => (value != 0).into(),
        data_type::INT32 => (value as i32).into(),
        data_type::UINT8 => (value as u8).into(),
        _ => value,
    };
    match (to, input) {
        (
            data_type::FLOAT | data_type::DOUBLE | data_type::FLOAT16 | data_type::BFLOAT16,
            input,
        ) => {
            let values = match input {
                Constant::Real(tensor) => tensor.values()?.iter().map(|&v| real(v)).collect(),
                Constant::Integer(list) => list.values.iter().map(|&v| real(v as f32)).collect(),
            };
            Ok(Constant::Real(Tensor::new(shape, values)?))
        }
        (data_type::BOOL, Constant::Real(tensor)) => {
            let values = tensor.values()?.iter().map(|&value| (value != 0.0).into()).collect();
            Ok(Constant::Integer(Integers { shape, values }))
        }
        (data_type::BOOL | data_type::INT32 | data_type::INT64 | data_type::UINT8, input) => {
            let values = match input {
                Constant::Real(tensor) => {
                    tensor.values()?.iter().map(|&value| integer(value as i64)).collect()
                }
                Constant::Integer(list) => list.values.iter().map(|&v| integer(v)).collect(),
            };
            Ok(Constant::Integer(Integers { shape, values }))
        }
        _ => {
            let name = data_type::name(to);
            Err(Refusal::unsupported(format!("a cast to {name} is not supported")))
        }
    }
}
