//! Gemm with stored weights: a fully connected layer.

use convscope_runtime::Tensor;
use convscope_runtime::layer::Linear;
use convscope_runtime::network::ValueId;

use super::matrix_product::transposed;
use crate::call::Call;
use crate::refusal::Refusal;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(3)?;
    let input = call.value(0)?;
    let weight = call.required_tensor(1, "weight")?;
    let bias = call.tensor(2, "bias")?;
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
        _ => transposed(&weight)?,
    };
    let outputs = weight.shape().batch();
    let weight = scaled(weight, alpha)?;
    let bias = bias.map(|bias| scaled(spread(&bias, outputs)?, beta)).transpose()?;
    call.add(Linear::new(weight, bias)?, &[input])
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
    fn what_would_mix_the_batch_is_refused() {
        let nodes = vec![
            node("Flatten", "f", &["x"], &["f"]),
            node("Gemm", "n", &["f", "w"], &["y"]).with("transA", Is::Integer(1)),
        ];
        let stored = vec![reals("w", &[1, 1], &[1.0])];
        assert!(refusal(nodes, stored, 13).contains("transA would exchange the batch"));
    }
}
