//! `ReduceMean`: the way in which some exporters write the global pool.

use convscope_runtime::layer::{GlobalAveragePooling, ReducedAxes};
use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::normal_form::resolve_axes;
use crate::refusal::Refusal;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(if call.operator_set() < 18 { 1 } else { 2 })?;
    let input = call.value(0)?;
    let axes = call.attribute_or_input("axes", 1, 18)?.unwrap_or_default();
    let without_axes = call.attributes.flag("noop_with_empty_axes")?;
    if axes.is_empty() && without_axes == Some(true) {
        return Ok(input);
    }
    let averaged = match call.attributes.flag("keepdims")? {
        Some(false) => ReducedAxes::Dropped,
        _ => ReducedAxes::Kept,
    };
    let axes = resolve_axes(&axes, call.shape(input).rank())?;
    // No axes mean all.
    if axes.first().is_none_or(|&first| first == 0) {
        return Err(Refusal::unsupported("it averages over the batch"));
    }
    call.add(GlobalAveragePooling::over(&axes, averaged)?, &[input])
}

#[cfg(test)]
mod tests {
    use crate::testing::{Is, integers, node, refusal, shape_of};

    #[test]
    fn axes_come_from_an_attribute_or_an_input() {
        let old = node("ReduceMean", "n", &["x"], &["y"]).with("axes", Is::Integers(&[2, 3]));
        assert_eq!(shape_of(vec![old.clone()], vec![], 13), [1, 3, 1, 1]);
        let flat = old.with("keepdims", Is::Integer(0));
        assert_eq!(shape_of(vec![flat], vec![], 13), [1, 3]);
        let new = node("ReduceMean", "n", &["x", "a"], &["y"]);
        assert_eq!(shape_of(vec![new], vec![integers("a", &[-1, -2])], 18), [1, 3, 1, 1]);
    }

    #[test]
    fn an_average_over_the_batch_is_refused() {
        let all = node("ReduceMean", "n", &["x"], &["y"]);
        assert!(
            refusal(vec![all], vec![], 13).ends_with("ReduceMean n: it averages over the batch")
        );
    }
}
