//! Equal and Where: conditions on constants, and what they choose.

use convscope_runtime::Tensor;

use super::broadcast::broadcast;
use super::required;
use crate::call::Call;
use crate::constant::{Constant, Integers};
use crate::integer_type::IntegerType;
use crate::refusal::Refusal;

pub(super) fn equal(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    call.at_most(2)?;
    let (a, b) = (required(call, 0)?, required(call, 1)?);
    let (shape, places) = broadcast(call, [a.shape(), b.shape()])?;
    let values = match (a, b) {
        (Constant::Integer(a), Constant::Integer(b)) => {
            a.same_kind(b)?;
            places.map(|[i, j]| (a.values[i] == b.values[j]).into()).collect()
        }
        (Constant::Real(a), Constant::Real(b)) => {
            let (a, b) = (a.values()?, b.values()?);
            // As the operator says: the same number, not a close one.
            let same = |a: f32, b: f32| a.partial_cmp(&b) == Some(std::cmp::Ordering::Equal);
            places.map(|[i, j]| same(a[i], b[j]).into()).collect()
        }
        _ => return Err(Refusal::invalid("it mixes integers with real numbers")),
    };
    Ok(Constant::Integer(Integers { kind: IntegerType::Bool, shape, values }))
}

pub(super) fn choose(call: &Call<'_, '_>) -> Result<Constant, Refusal> {
    call.at_most(3)?;
    let Constant::Integer(condition) = required(call, 0)? else {
        return Err(Refusal::invalid("its condition holds real numbers"));
    };
    let (yes, no) = (required(call, 1)?, required(call, 2)?);
    let (shape, places) = broadcast(call, [&condition.shape, yes.shape(), no.shape()])?;
    let holds = |place: usize| condition.values[place] != 0;
    match (yes, no) {
        (Constant::Integer(yes), Constant::Integer(no)) => {
            let kind = yes.same_kind(no)?;
            let chosen =
                |[c, i, j]: [usize; 3]| if holds(c) { yes.values[i] } else { no.values[j] };
            Ok(Constant::Integer(Integers { kind, shape, values: places.map(chosen).collect() }))
        }
        (Constant::Real(yes), Constant::Real(no)) => {
            let (yes, no) = (yes.values()?, no.values()?);
            let chosen = |[c, i, j]: [usize; 3]| if holds(c) { yes[i] } else { no[j] };
            Ok(Constant::Real(Tensor::new(shape, places.map(chosen).collect())?))
        }
        _ => Err(Refusal::invalid("it mixes integers with real numbers")),
    }
}
