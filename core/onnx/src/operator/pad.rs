//! Pad.

use convscope_runtime::layer::Padding;
use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::normal_form::Pads;
use crate::refusal::Refusal;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(if call.operator_set() < 11 { 1 } else { 4 })?;
    let input = call.value(0)?;
    let Pads { axes, filling } = call.pads(call.shape(input).rank())?;
    if axes.is_empty() {
        return Ok(input);
    }
    if axes.iter().any(|padded| padded.axis == 0) {
        return Err(Refusal::unsupported("it pads the batch"));
    }
    call.add(Padding::new(axes, filling)?, &[input])
}

#[cfg(test)]
mod tests {
    use convscope_runtime::{CpuBackend, ForwardRequest, Keep, Tensor};

    use crate::proto::{NodeProto, TensorProto};
    use crate::testing::{Is, integers, load_nodes, node, reals, refusal, shape_of};

    fn pad(inputs: &[&str]) -> NodeProto {
        node("Pad", "n", inputs, &["y"])
    }

    /// Runs a Pad on a picture of ones and returns the first row.
    fn first_row(node: NodeProto, stored: Vec<TensorProto>, version: i64) -> Vec<f32> {
        let network = load_nodes(vec![node], stored, version).unwrap().network;
        let captures = network.outputs();
        let request = ForwardRequest { captures, interventions: &[], keep: Keep::Output };
        let ones = Tensor::filled([1, 3, 8, 8], 1.0);
        let trace = network.forward(&CpuBackend::new(), &[ones], &request).unwrap();
        let output = trace.value(captures[0]).unwrap();
        let [_, _, _, width] = output.shape().as_maps().unwrap();
        output.values().unwrap()[..width].to_vec()
    }

    #[test]
    fn pads_come_from_an_attribute_or_an_input_and_so_does_their_constant() {
        let old = pad(&["x"])
            .with("pads", Is::Integers(&[0, 0, 0, 1, 0, 0, 0, -6]))
            .with("value", Is::Real(5.0));
        assert_eq!(first_row(old, vec![], 10), [5.0, 1.0, 1.0]);
        let pads = integers("p", &[0, 0, 0, 0, 0, 0, 0, 1]);
        let stored = vec![pads.clone(), reals("v", &[], &[7.0])];
        let row = first_row(pad(&["x", "p", "v"]), stored, 11);
        assert_eq!(row, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 7.0]);
        let row = first_row(pad(&["x", "p"]), vec![pads], 13);
        assert_eq!(row.last(), Some(&0.0));
    }

    #[test]
    fn axes_and_modes_may_be_chosen() {
        let stored = vec![integers("p", &[2, 1, 0, 1]), integers("a", &[-1, 2])];
        for mode in ["constant", "edge", "reflect", "wrap"] {
            let node = pad(&["x", "p", "", "a"]).with("mode", Is::Text(mode));
            assert_eq!(shape_of(vec![node], stored.clone(), 19), [1, 3, 10, 10], "{mode}");
        }
        let nothing = vec![integers("p", &[0; 8])];
        let network = load_nodes(vec![pad(&["x", "p"])], nothing, 13).unwrap().network;
        assert!(network.nodes().is_empty());
    }

    #[test]
    fn pads_of_the_batch_and_pads_that_do_not_fit_are_refused() {
        let with = |pads: &[i64]| refusal(vec![pad(&["x", "p"])], vec![integers("p", pads)], 13);
        assert!(with(&[1, 0, 0, 0, 0, 0, 0, 0]).ends_with("Pad n: it pads the batch"));
        assert_eq!(with(&[1]), "Pad n: it has 1 pads for 4 axes");
        let crop = with(&[0, 0, 0, -9, 0, 0, 0, 0]);
        assert!(crop.starts_with("Pad n: padding: expected an axis 3 that -9 before"), "{crop}");
        let most = with(&[0, 0, 0, i64::MAX, 0, 0, 0, i64::MAX]);
        assert!(most.starts_with("Pad n: padding: expected an axis 3 that"), "{most}");
        assert_eq!(refusal(vec![pad(&["x"])], vec![], 13), "Pad n: its pads are missing");
        let odd = pad(&["x", "p"]).with("mode", Is::Text("mirror"));
        let refused = refusal(vec![odd], vec![integers("p", &[0; 8])], 13);
        assert!(refused.ends_with("Pad n: its mode mirror is not supported"), "{refused}");
        let stored = vec![integers("p", &[0; 8]), integers("v", &[1])];
        assert_eq!(
            refusal(vec![pad(&["x", "p", "v"])], stored, 13),
            "Pad n: its constant value is not one real number"
        );
    }
}
