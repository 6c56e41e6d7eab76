//! Gemm with stored weights: a fully connected layer, and a sum where its bias is computed.

use convscope_runtime::layer::{Addition, ElementWise, Linear};
use convscope_runtime::network::ValueId;
use convscope_runtime::{Tensor, Unary};

use super::matrix_product::transposed;
use crate::call::{Call, Known};
use crate::refusal::Refusal;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(3)?;
    let input = call.value(0)?;
    let weight = call.required_tensor(1, "weight")?;
    let added = match call.operand(2).map(|operand| &operand.known) {
        Some(&Known::Computed(value)) => Some(value),
        _ => None,
    };
    let bias = if added.is_some() { None } else { call.tensor(2, "bias")? };
    let alpha = call.attributes.real("alpha")?.unwrap_or(1.0);
    let beta = call.attributes.real("beta")?.unwrap_or(1.0);
    if call.attributes.flag("transA")? == Some(true) {
        return Err(Refusal::unsupported("transA would exchange the batch with the features"));
    }
    let shape = call.shape(input);
    if shape.rank() != 2 {
        return Err(Refusal::invalid(format!("its input has the shape {shape}, not two axes")));
    }
    let weight = match call.attributes.flag("transB")? {
        Some(true) => weight,
        _ => transposed(&weight, call.bench.store.reading())?,
    };
    let outputs = weight.shape().batch();
    let weight = scaled(weight, alpha)?;
    let bias = bias.map(|bias| scaled(spread(&bias, outputs)?, beta)).transpose()?;
    let layer = Linear::new(weight, bias)?;
    match added {
        Some(added) => add_computed(call, layer, input, added, beta),
        None => call.add(layer, &[input]),
    }
}

/// Adds what another node computes to the product.
fn add_computed(
    call: &mut Call<'_, '_>,
    layer: Linear,
    input: ValueId,
    added: ValueId,
    beta: f32,
) -> Result<ValueId, Refusal> {
    let product = call.add_before("product", layer, &[input])?;
    let shape = call.shape(product);
    let added = if beta.to_bits() == 1.0_f32.to_bits() {
        added
    } else {
        call.add_before("scaled", ElementWise::new(Unary::Scale(beta)), &[added])?
    };
    let sum = call.add(Addition, &[product, added])?;
    if call.shape(sum) == shape {
        return Ok(sum);
    }
    let reason = format!("its bias makes its output larger than {shape}");
    Err(Refusal::invalid(reason))
}

fn scaled(tensor: Tensor, factor: f32) -> Result<Tensor, Refusal> {
    if factor.to_bits() == 1.0_f32.to_bits() {
        return Ok(tensor);
    }
    let values = tensor.values()?.iter().map(|value| value * factor).collect();
    Ok(Tensor::new(tensor.shape().clone(), values)?)
}

/// Gives the bias one number per output, whatever shape it is broadcast from.
fn spread(bias: &Tensor, outputs: usize) -> Result<Tensor, Refusal> {
    match (bias.shape().extents(), bias.values()?) {
        ([count] | [1, count], _) if *count == outputs => Ok(bias.with_shape([outputs])?),
        ([] | [1] | [1, 1], &[value]) => Ok(Tensor::filled([outputs], value)),
        ([rows, _], _) if *rows > 1 => Err(Refusal::unsupported("its bias differs between images")),
        (shape, _) => Err(Refusal::invalid(format!(
            "its bias of shape {shape:?} does not fit {outputs} outputs"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use convscope_runtime::{CpuBackend, ForwardRequest, Tensor};

    use crate::proto::{NodeProto, TensorProto};
    use crate::testing::{Is, load_nodes, node, reals, refusal};

    fn parameters(gemm: NodeProto, mut stored: Vec<TensorProto>) -> [Option<Vec<f32>>; 2] {
        let nodes = vec![
            node("GlobalAveragePool", "p", &["x"], &["p"]),
            node("Flatten", "f", &["p"], &["f"]),
            gemm,
        ];
        stored.push(reals("w", &[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
        stored.push(reals("t", &[2, 3], &[1.0, 3.0, 5.0, 2.0, 4.0, 6.0]));
        let network = load_nodes(nodes, stored, 13).unwrap().network;
        let layer = &network.nodes()[2].layer;
        ["weight", "bias"].map(|name| Some(layer.parameter(name)?.values().unwrap().to_vec()))
    }

    #[test]
    fn either_orientation_gives_the_same_weight() {
        let plain = parameters(node("Gemm", "n", &["f", "w"], &["y"]), vec![]);
        let transposed = node("Gemm", "n", &["f", "t"], &["y"]).with("transB", Is::Integer(1));
        assert_eq!(parameters(transposed, vec![]), plain);
        assert_eq!(plain, [Some(vec![1.0, 3.0, 5.0, 2.0, 4.0, 6.0]), None]);
    }

    #[test]
    fn alpha_scales_the_weight_and_beta_the_bias() {
        let gemm = node("Gemm", "n", &["f", "w", "b"], &["y"]);
        let gemm = gemm.with("alpha", Is::Real(2.0)).with("beta", Is::Real(3.0));
        for bias in [reals("b", &[], &[1.0]), reals("b", &[1, 2], &[1.0, 1.0])] {
            let [weight, bias] = parameters(gemm.clone(), vec![bias]);
            assert_eq!(weight.unwrap(), [2.0, 6.0, 10.0, 4.0, 8.0, 12.0]);
            assert_eq!(bias.unwrap(), [3.0, 3.0]);
        }
    }

    #[test]
    fn a_computed_bias_is_added() {
        let nodes = |beta: f32| {
            vec![
                node("GlobalAveragePool", "p", &["x"], &["p"]),
                node("Flatten", "f", &["p"], &["f"]),
                node("Gemm", "n", &["f", "w", "f"], &["y"]).with("beta", Is::Real(beta)),
            ]
        };
        let stored =
            |outputs: i64| vec![reals("w", &[3, outputs], &vec![1.0; 3 * outputs as usize])];
        let output = |beta| {
            let network = load_nodes(nodes(beta), stored(3), 13).unwrap().network;
            let input = Tensor::filled([2, 3, 8, 8], 2.0);
            let captures = &[network.find("n").unwrap()];
            let request = ForwardRequest { captures, ..ForwardRequest::default() };
            let trace = network.forward(&CpuBackend::new(), &[input], &request).unwrap();
            trace.value(captures[0]).unwrap().to_host().unwrap().values().unwrap().to_vec()
        };
        assert_eq!(output(1.0), [8.0; 6]);
        assert_eq!(output(-0.5), [5.0; 6]);
        assert_eq!(
            refusal(nodes(1.0), stored(1), 13),
            "Gemm n: its bias makes its output larger than [1, 1]"
        );
        assert!(refusal(nodes(1.0), stored(2), 13).contains("shapes that broadcast"));
    }

    #[test]
    fn biases_that_do_not_fit_and_computed_weights_are_refused() {
        let message = |gemm: NodeProto, bias: TensorProto| {
            let nodes = vec![node("Flatten", "f", &["x"], &["f"]), gemm];
            let weight = reals("w", &[192, 2], &[1.0; 384]);
            refusal(nodes, vec![weight, bias], 13)
        };
        let gemm = || node("Gemm", "n", &["f", "w", "b"], &["y"]);
        assert_eq!(
            message(gemm(), reals("b", &[3], &[1.0; 3])),
            "Gemm n: its bias of shape [3] does not fit 2 outputs"
        );
        assert!(
            message(gemm(), reals("b", &[2, 2], &[1.0; 4])).contains("bias differs between images")
        );
        let computed = node("Gemm", "n", &["f", "f"], &["y"]);
        assert!(message(computed, reals("b", &[1], &[1.0])).contains("its weight f is computed"));
    }

    #[test]
    fn what_would_mix_the_batch_is_refused() {
        let nodes = vec![
            node("Flatten", "f", &["x"], &["f"]),
            node("Gemm", "n", &["f", "w"], &["y"]).with("transA", Is::Integer(1)),
        ];
        let stored = vec![reals("w", &[1, 1], &[1.0])];
        assert!(refusal(nodes, stored, 13).contains("transA would exchange the batch"));
    }
}
