//! Clip.

use convscope_runtime::layer::{Clip, Rectifier};
use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::refusal::Refusal;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(3)?;
    let input = call.value(0)?;
    match call.clip_limits()? {
        [None, None] => Ok(input),
        [Some(0.0), None] => call.add(Rectifier, &[input]),
        [low, high] => call.add(Clip::new(low, high)?, &[input]),
    }
}

#[cfg(test)]
mod tests {
    use convscope_runtime::LayerKind;

    use crate::proto::{NodeProto, TensorProto};
    use crate::testing::{Is, load_nodes, node, reals, refusal};

    fn kind(node: NodeProto, stored: Vec<TensorProto>, version: i64) -> LayerKind {
        load_nodes(vec![node], stored, version).unwrap().network.nodes()[0].layer.kind()
    }

    #[test]
    fn limits_come_from_attributes_or_inputs() {
        let old = node("Clip", "n", &["x"], &["y"]);
        let old = old.with("min", Is::Real(0.0)).with("max", Is::Real(6.0));
        assert_eq!(kind(old.clone(), vec![], 10), LayerKind::Rectifier);
        let stored = || vec![reals("a", &[], &[-1.0]), reals("b", &[], &[6.0])];
        let new = node("Clip", "n", &["x", "a", "b"], &["y"]);
        assert_eq!(kind(new, stored(), 13), LayerKind::Clip);
        let open = node("Clip", "n", &["x", "", "b"], &["y"]);
        assert_eq!(kind(open, stored(), 13), LayerKind::Clip);
        // Attributes mean nothing to the newer form.
        assert!(refusal(vec![old], vec![], 13).contains("attribute min is not supported"));
    }

    #[test]
    fn limits_that_cross_are_invalid() {
        let nodes = vec![node("Clip", "n", &["x", "a", "b"], &["y"])];
        let stored = vec![reals("a", &[], &[2.0]), reals("b", &[], &[1.0])];
        assert!(refusal(nodes, stored, 13).starts_with("Clip n: clip: expected"));
    }
}
