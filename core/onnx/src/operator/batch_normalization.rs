//! `BatchNormalization` with stored statistics.

use convscope_runtime::layer::BatchNormalization;
use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::refusal::Refusal;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(5)?;
    let input = call.value(0)?;
    let gamma = call.required_tensor(1, "scale")?;
    let beta = call.required_tensor(2, "bias")?;
    let mean = call.required_tensor(3, "mean")?;
    let variance = call.required_tensor(4, "variance")?;
    let epsilon = call.attributes.real("epsilon")?.unwrap_or(1e-5);
    call.attributes.ignore("momentum");
    if call.attributes.flag("training_mode")? == Some(true) {
        let reason = "it is in training mode; export the model in evaluation mode";
        return Err(Refusal::unsupported(reason));
    }
    if call.attributes.flag("spatial")? == Some(false) {
        return Err(Refusal::unsupported("it has statistics for every cell (spatial = 0)"));
    }
    call.add(BatchNormalization::new(gamma, beta, mean, variance, epsilon)?, &[input])
}

#[cfg(test)]
mod tests {
    use crate::proto::{NodeProto, TensorProto};
    use crate::testing::{Is, node, reals, refusal, shape_of};

    fn normalization() -> (NodeProto, Vec<TensorProto>) {
        let stored = ["s", "b", "m", "v"].map(|name| reals(name, &[3], &[1.0, 2.0, 3.0]));
        (node("BatchNormalization", "n", &["x", "s", "b", "m", "v"], &["y"]), stored.into())
    }

    #[test]
    fn stored_statistics_make_a_layer() {
        let (node, stored) = normalization();
        assert_eq!(shape_of(vec![node], stored, 13), [1, 3, 8, 8]);
    }

    #[test]
    fn training_and_statistics_per_cell_are_refused() {
        let (node, stored) = normalization();
        let training = node.clone().with("training_mode", Is::Integer(1));
        assert!(refusal(vec![training], stored.clone(), 14).contains("training mode"));
        let cells = node.with("spatial", Is::Integer(0));
        assert!(refusal(vec![cells], stored, 7).contains("spatial = 0"));
    }

    #[test]
    fn statistics_of_another_length_are_invalid() {
        let (node, mut stored) = normalization();
        stored[2] = reals("m", &[2], &[0.0, 0.0]);
        let refusal = refusal(vec![node], stored, 13);
        assert!(refusal.starts_with("BatchNormalization n: "), "{refusal}");
    }
}
