//! Concat of computed values.

use convscope_runtime::layer::Concatenation;
use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::normal_form::resolve_axis;
use crate::refusal::Refusal;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    let inputs = call.all_values()?;
    let &[first, ..] = inputs.as_slice() else {
        return Err(Refusal::invalid("it joins nothing"));
    };
    let axis = call.attributes.integer("axis")?;
    let axis = axis.ok_or_else(|| Refusal::invalid("its axis is missing"))?;
    let axis = resolve_axis(axis, call.shape(first).rank())?;
    if inputs.len() == 1 {
        return Ok(first);
    }
    if axis == 0 {
        return Err(Refusal::unsupported("it joins along the batch"));
    }
    call.add(Concatenation::new(axis)?, &inputs)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Is, node, refusal, shape_of};

    #[test]
    fn parts_are_joined_along_an_axis_from_either_end() {
        let concat = || node("Concat", "n", &["x", "x"], &["y"]);
        let channels = concat().with("axis", Is::Integer(1));
        assert_eq!(shape_of(vec![channels], vec![], 13), [1, 6, 8, 8]);
        let columns = concat().with("axis", Is::Integer(-1));
        assert_eq!(shape_of(vec![columns], vec![], 13), [1, 3, 8, 16]);
        let batch = concat().with("axis", Is::Integer(0));
        assert!(refusal(vec![batch], vec![], 13).ends_with("Concat n: it joins along the batch"));
    }
}
