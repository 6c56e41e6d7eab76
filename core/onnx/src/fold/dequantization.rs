//! `DequantizeLinear` of stored integers: quantized weights become numbers of a network.

use convscope_runtime::Tensor;

use super::creation::axis;
use super::required;
use crate::call::Call;
use crate::constant::{Constant, Integers};
use crate::refusal::Refusal;

pub(super) fn dequantize(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    call.at_most(3)?;
    let Constant::Integer(input) = required(call, 0)? else {
        return Err(Refusal::invalid("its input holds real numbers"));
    };
    let scale = call.required_tensor(1, "scale")?;
    let zero = match call.constant(2, "zero point")? {
        None => None,
        Some(Constant::Integer(zero)) => Some(zero),
        Some(Constant::Real(_)) => {
            return Err(Refusal::invalid("its zero point holds real numbers"));
        }
    };
    if zero.is_some_and(|zero| zero.shape != *scale.shape()) {
        return Err(Refusal::invalid("its scale and zero point differ in shape"));
    }
    let extents = input.shape.extents();
    let steps = match scale.shape().extents() {
        [] | [1] => Steps { count: 1, length: 1 },
        &[count] => {
            let axis = axis(call, 1, extents.len())?;
            if extents[axis] != count {
                let extent = extents[axis];
                let reason = format!("it has {count} scales for {extent} elements of axis {axis}");
                return Err(Refusal::Invalid(reason));
            }
            Steps { count, length: extents[axis + 1..].iter().product() }
        }
        _ => return Err(Refusal::unsupported("it has a scale for every block of an axis")),
    };
    call.attributes.ignore("axis");
    Ok(Constant::Real(Tensor::new(
        call.made(extents)?,
        steps.dequantize(input, scale.values()?, zero),
    )?))
}

/// How scales follow each other along the elements: each of `count` serves `length` in a row.
struct Steps {
    count: usize,
    length: usize,
}

impl Steps {
    fn dequantize(&self, input: &Integers, scale: &[f32], zero: Option<&Integers>) -> Vec<f32> {
        let values = input.values.iter().enumerate().map(|(index, &value)| {
            let step = index / self.length % self.count;
            let zero = zero.map_or(0, |zero| zero.values[step]);
            value.saturating_sub(zero) as f32 * scale[step]
        });
        values.collect()
    }
}
