//! Flatten and Reshape, which leave the batch alone.

use convscope_runtime::layer::{Flatten, Reshape};
use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::normal_form::{reshaped, resolve_axis};
use crate::refusal::Refusal;

pub(super) fn flatten(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(1)?;
    let input = call.value(0)?;
    let shape = call.shape(input);
    let rank = shape.rank();
    let axis = call.attributes.integer("axis")?.unwrap_or(1);
    // One past the last axis is an axis to ONNX: everything in one row.
    let axis = if usize::try_from(axis) == Ok(rank) { rank } else { resolve_axis(axis, rank)? };
    let before = shape.extents().get(1..axis);
    if before.is_none_or(|before| before.iter().any(|&extent| extent != 1)) {
        return Err(Refusal::unsupported(format!("it flattens at axis {axis}, across the batch")));
    }
    call.add(Flatten, &[input])
}

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(2)?;
    let input = call.value(0)?;
    let (target, zero) = call.reshape_target()?;
    // A file may have its batch baked into the target, such as [1, 9216].
    let written = call.bench.batch;
    let extents = reshaped(&call.shape(input).with_batch(written), &target, zero)?;
    match *extents.as_slice() {
        [batch, _] if batch == written => call.add(Flatten, &[input]),
        [batch, ref others @ ..] if batch == written => call.add(Reshape::new(others), &[input]),
        _ => Err(Refusal::unsupported(format!("its target {target:?} does not keep the batch"))),
    }
}

#[cfg(test)]
mod tests {
    use convscope_runtime::LayerKind;

    use crate::testing::{Is, integers, load_nodes, node, refusal, shape_of};

    #[test]
    fn a_batch_baked_into_the_target_is_a_flatten() {
        for target in [&[1, 192][..], &[-1, 192], &[1, -1], &[0, -1]] {
            let nodes = vec![node("Reshape", "n", &["x", "s"], &["y"])];
            let network = load_nodes(nodes, vec![integers("s", target)], 13).unwrap().network;
            assert_eq!(network.nodes()[0].layer.kind(), LayerKind::Flatten, "{target:?}");
        }
    }

    #[test]
    fn channels_may_be_split_and_the_batch_may_not() {
        let nodes = || vec![node("Reshape", "n", &["x", "s"], &["y"])];
        let split = vec![integers("s", &[0, 3, 2, 4, 8])];
        assert_eq!(shape_of(nodes(), split, 13), [1, 3, 2, 4, 8]);
        let merged = vec![integers("s", &[3, 64])];
        assert!(
            refusal(nodes(), merged, 13).ends_with("its target [3, 64] does not keep the batch")
        );
        let wrong = vec![integers("s", &[1, 7])];
        assert!(refusal(nodes(), wrong, 13).starts_with("Reshape n: a value of shape"));
    }

    #[test]
    fn the_shape_that_an_exporter_computes_is_folded() {
        let nodes = vec![
            node("Shape", "", &["x"], &["shape"]),
            node("Gather", "", &["shape", "zero"], &["n"]),
            node("Unsqueeze", "", &["n"], &["list"]).with("axes", Is::Integers(&[0])),
            node("Concat", "", &["list", "rest"], &["s"]).with("axis", Is::Integer(0)),
            node("Reshape", "n", &["x", "s"], &["y"]),
        ];
        let mut zero = integers("zero", &[0]);
        zero.dims.clear();
        let stored = vec![zero, integers("rest", &[-1])];
        let network = load_nodes(nodes, stored, 11).unwrap().network;
        assert_eq!(network.nodes().len(), 1);
        assert_eq!(network.nodes()[0].layer.kind(), LayerKind::Flatten);
    }

    #[test]
    fn only_a_flatten_behind_the_batch_is_supported() {
        let flatten = node("Flatten", "n", &["x"], &["y"]);
        assert_eq!(shape_of(vec![flatten.clone()], vec![], 13), [1, 192]);
        let other = flatten.clone().with("axis", Is::Integer(2));
        assert!(refusal(vec![other], vec![], 13).contains("flattens at axis 2, across the batch"));
        let past = flatten.with("axis", Is::Integer(4));
        assert!(refusal(vec![past], vec![], 13).contains("flattens at axis 4, across the batch"));
        let all = node("Flatten", "n", &["x"], &["y"]).with("axis", Is::Integer(0));
        assert!(refusal(vec![all], vec![], 13).contains("flattens at axis 0, across the batch"));
        let pooled = vec![
            node("ReduceMax", "m", &["x"], &["a"]).with("axes", Is::Integers(&[1, 2])),
            node("Flatten", "n", &["a"], &["y"]).with("axis", Is::Integer(-1)),
        ];
        assert_eq!(shape_of(pooled, vec![], 13), [1, 8]);
    }
}
