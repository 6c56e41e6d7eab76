//! Softmax and `LogSoftmax`, in their old form too, which flattens to two axes first.

use convscope_runtime::LayerError;
use convscope_runtime::layer::{Reshape, Softmax};
use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::normal_form::resolve_axis;
use crate::refusal::Refusal;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    along_axis(call, Softmax::new)
}

pub(super) fn logarithmic(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    along_axis(call, Softmax::logarithmic)
}

fn along_axis(
    call: &mut Call<'_, '_>,
    layer: fn(usize) -> Result<Softmax, LayerError>,
) -> Result<ValueId, Refusal> {
    call.at_most(1)?;
    let input = call.value(0)?;
    let shape = call.shape(input);
    let old = call.operator_set() < 13;
    let default = if old { 1 } else { -1 };
    let axis = call.attributes.integer("axis")?.unwrap_or(default);
    let axis = resolve_axis(axis, shape.rank())?;
    if axis == 0 {
        return Err(Refusal::unsupported("it normalizes across the batch"));
    }
    let (before, joined) = shape.extents().split_at(axis);
    let alone = joined.iter().skip(1).all(|&extent| extent == 1);
    if !old || alone {
        return call.add(layer(axis)?, &[input]);
    }
    let mut flat = before[1..].to_vec();
    flat.push(convscope_runtime::Shape::from(joined).volume());
    let flattened = call.add_before("flattened", Reshape::new(&flat), &[input])?;
    let normalized = call.add_before("normalized", layer(axis)?, &[flattened])?;
    call.add(Reshape::new(&shape.extents()[1..]), &[normalized])
}

#[cfg(test)]
mod tests {
    use convscope_runtime::LayerKind;

    use crate::testing::{Is, load_nodes, node, refusal};

    #[test]
    fn before_operator_set_13_it_flattens() {
        let kinds = |operator, version| -> Vec<LayerKind> {
            let nodes = vec![node(operator, "n", &["x"], &["y"])];
            let network = load_nodes(nodes, vec![], version).unwrap().network;
            network.nodes().iter().map(|node| node.layer.kind()).collect()
        };
        for (operator, kind) in
            [("Softmax", LayerKind::Softmax), ("LogSoftmax", LayerKind::LogSoftmax)]
        {
            assert_eq!(kinds(operator, 13), [kind]);
            assert_eq!(kinds(operator, 12), [LayerKind::Reshape, kind, LayerKind::Reshape]);
        }
    }

    #[test]
    fn a_softmax_across_the_batch_is_refused() {
        let nodes = vec![node("Softmax", "n", &["x"], &["y"]).with("axis", Is::Integer(0))];
        assert!(refusal(nodes, vec![], 13).ends_with("it normalizes across the batch"));
    }
}
