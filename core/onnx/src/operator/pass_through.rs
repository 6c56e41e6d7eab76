//! Nodes that change nothing: their names become further names of their input.

use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::proto::data_type;
use crate::refusal::Refusal;

pub(super) fn identity(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(1)?;
    call.value(0)
}

pub(super) fn dropout(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(3)?;
    // How much is dropped matters in training only.
    call.attributes.ignore("ratio");
    call.attributes.ignore("seed");
    let training = call.integers(2, "training_mode")?;
    let drops_nothing = training.is_none_or(|training| training == [0])
        || call.tensor(1, "ratio")?.is_some_and(|ratio| matches!(ratio.values(), Ok(&[0.0])));
    if !drops_nothing {
        let reason = "it is in training mode; export the model in evaluation mode";
        return Err(Refusal::unsupported(reason));
    }
    call.value(0)
}

pub(super) fn cast(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(1)?;
    // What becomes of numbers that do not fit matters for types that are refused here.
    call.attributes.ignore("saturate");
    call.attributes.ignore("round_mode");
    let to = call.attributes.integer("to")?;
    let to = to.ok_or_else(|| Refusal::invalid("its target type is missing"))?;
    let to = i32::try_from(to).unwrap_or(0);
    if !data_type::is_real(to) {
        let name = data_type::name(to);
        return Err(Refusal::unsupported(format!("it casts computed values to {name}")));
    }
    call.value(0)
}

#[cfg(test)]
mod tests {
    use crate::proto::{TensorProto, data_type};
    use crate::testing::{Is, load_nodes, node, reals, refusal};

    #[test]
    fn names_of_dropped_nodes_still_find_their_value() {
        let nodes = vec![
            node("Relu", "relu", &["x"], &["a"]),
            node("Dropout", "drop9", &["a"], &["b"]).with("ratio", Is::Real(0.5)),
            node("Identity", "same", &["b"], &["y"]),
        ];
        let network = load_nodes(nodes, vec![], 10).unwrap().network;
        assert_eq!(network.nodes().len(), 1);
        let value = network.find("relu").unwrap();
        for name in ["a", "drop9", "b", "same", "y"] {
            assert_eq!(network.find(name), Some(value), "{name}");
        }
        assert_eq!(network.outputs(), [value]);
    }

    #[test]
    fn a_cast_to_another_precision_changes_nothing_and_one_to_integers_is_refused() {
        let cast = |to| vec![node("Cast", "n", &["x"], &["y"]).with("to", Is::Integer(to))];
        for to in [1, 10, 11, 16] {
            assert!(load_nodes(cast(to), vec![], 13).unwrap().network.nodes().is_empty());
        }
        let refused = refusal(cast(6), vec![], 13);
        assert!(refused.ends_with("Cast n: it casts computed values to INT32"), "{refused}");
        let missing = refusal(vec![node("Cast", "n", &["x"], &["y"])], vec![], 13);
        assert_eq!(missing, "Cast n: its target type is missing");
    }

    fn training(mode: u8) -> TensorProto {
        TensorProto {
            name: "t".into(),
            data_type: data_type::BOOL,
            raw_data: vec![mode].into(),
            ..TensorProto::default()
        }
    }

    #[test]
    fn dropout_in_training_is_refused_unless_it_drops_nothing() {
        let nodes = |name: &str| vec![node("Dropout", "n", &["x", "r", name], &["y"])];
        let stored = |ratio: f32, mode| vec![reals("r", &[], &[ratio]), training(mode)];
        assert_eq!(
            refusal(nodes("t"), stored(0.5, 1), 13),
            "one node is not supported:\n  Dropout n: it is in training mode; export the model in \
             evaluation mode"
        );
        assert!(load_nodes(nodes("t"), stored(0.5, 0), 13).is_ok());
        assert!(load_nodes(nodes("t"), stored(0.0, 1), 13).is_ok());
        let refusal = refusal(nodes("x"), stored(0.5, 1), 13);
        assert!(refusal.contains("its training_mode x is computed"), "{refusal}");
    }

    #[test]
    fn dropout_has_an_attribute_or_inputs() {
        let old = node("Dropout", "n", &["x"], &["y"]).with("ratio", Is::Real(0.5));
        assert!(load_nodes(vec![old], vec![], 7).is_ok());
        let seeded = node("Dropout", "n", &["x", "r"], &["y"]).with("seed", Is::Integer(3));
        assert!(load_nodes(vec![seeded], vec![reals("r", &[], &[0.5])], 12).is_ok());
    }

    #[test]
    fn a_mask_that_is_used_is_refused() {
        let nodes = vec![
            node("Dropout", "n", &["x"], &["a", "mask"]),
            node("Add", "add", &["a", "mask"], &["y"]),
        ];
        assert_eq!(
            refusal(nodes, vec![], 13),
            "one node is not supported:\n  Dropout n: its further output mask is used; it is not \
             supported"
        );
    }
}
