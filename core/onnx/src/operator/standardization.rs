//! `LayerNormalization`, `InstanceNormalization` and `GroupNormalization`.

use convscope_runtime::Tensor;
use convscope_runtime::layer::{Reshape, Standardization};
use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::normal_form::resolve_axis;
use crate::refusal::Refusal;

pub(super) fn layer(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(3)?;
    let input = call.value(0)?;
    let scale = call.required_tensor(1, "scale")?;
    let shift = call.tensor(2, "bias")?;
    let axis = call.attributes.integer("axis")?.unwrap_or(-1);
    let axis = resolve_axis(axis, call.shape(input).rank())?;
    if axis == 0 {
        return Err(Refusal::unsupported("it normalizes across the batch"));
    }
    let epsilon = epsilon(call)?;
    call.add(Standardization::new(axis, Some(scale), shift, epsilon)?, &[input])
}

pub(super) fn instance(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(3)?;
    let input = call.value(0)?;
    let shape = call.shape(input);
    let &[_, channels, _, ..] = shape.extents() else {
        return Err(Refusal::invalid(format!("its input has the shape {shape}, not maps")));
    };
    let mut each = vec![1; shape.rank() - 1];
    each[0] = channels;
    let scale = stored(call, 1, "scale", channels, &each)?;
    let shift = stored(call, 2, "bias", channels, &each)?;
    let epsilon = epsilon(call)?;
    call.add(Standardization::new(2, Some(scale), Some(shift), epsilon)?, &[input])
}

pub(super) fn group(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(3)?;
    let input = call.value(0)?;
    let shape = call.shape(input);
    let &[_, channels, ref cells @ ..] = shape.extents() else {
        return Err(Refusal::invalid(format!("its input has the shape {shape}, not maps")));
    };
    let groups = call.attributes.integer("num_groups")?;
    let groups = groups.and_then(|groups| usize::try_from(groups).ok()).unwrap_or(0);
    if channels.checked_rem(groups) != Some(0) {
        let reason = format!("its num_groups does not divide {channels} channels");
        return Err(Refusal::invalid(reason));
    }
    // The first form has a number for each group, the later one for each channel.
    let within = if call.operator_set() < 21 { 1 } else { channels / groups };
    let mut each = vec![1; cells.len() + 2];
    (each[0], each[1]) = (groups, within);
    let scale = stored(call, 1, "scale", groups * within, &each)?;
    let shift = stored(call, 2, "bias", groups * within, &each)?;
    let epsilon = epsilon(call)?;
    let split = [&[groups, channels / groups], cells].concat();
    let grouped = call.add_before("grouped", Reshape::new(&split), &[input])?;
    let layer = Standardization::new(2, Some(scale), Some(shift), epsilon)?;
    let standardized = call.add_before("standardized", layer, &[grouped])?;
    call.add(Reshape::new(&shape.extents()[1..]), &[standardized])
}

fn epsilon(call: &Call<'_, '_>) -> Result<f32, Refusal> {
    // In which precision it is computed; here it is the better one.
    call.attributes.ignore("stash_type");
    Ok(call.attributes.real("epsilon")?.unwrap_or(1e-5))
}

/// Reads `count` stored numbers and gives them the axes of what they belong to.
fn stored(
    call: &Call<'_, '_>,
    index: usize,
    what: &str,
    count: usize,
    shape: &[usize],
) -> Result<Tensor, Refusal> {
    let tensor = call.required_tensor(index, what)?;
    if tensor.shape().extents() != [count] {
        let reason = format!("its {what} has the shape {}, not [{count}]", tensor.shape());
        return Err(Refusal::invalid(reason));
    }
    Ok(tensor.with_shape(shape)?)
}

#[cfg(test)]
mod tests {
    use convscope_runtime::{CpuBackend, ForwardRequest, LayerKind, Tensor};

    use crate::proto::{NodeProto, TensorProto};
    use crate::testing::{Is, load_nodes, node, reals, refusal};

    fn call(operator: &str) -> NodeProto {
        node(operator, "n", &["x", "s", "b"], &["y"])
    }

    /// A scale and a bias of so many numbers.
    fn stored(dims: &[i64]) -> Vec<TensorProto> {
        let count = dims.iter().product::<i64>() as usize;
        let numbers = |first: u8| (0..count).map(|at| f32::from(first) + at as f32).collect();
        let [scale, bias]: [Vec<f32>; 2] = [numbers(2), numbers(7)];
        vec![reals("s", dims, &scale), reals("b", dims, &bias)]
    }

    /// Runs on channels that are each half −c and half c, and returns the first cell of each.
    fn first_cells(node: NodeProto, stored: Vec<TensorProto>, version: i64) -> Vec<f32> {
        let network = load_nodes(vec![node], stored, version).unwrap().network;
        let cells = (0..3 * 64).map(|at| {
            let size = (at / 64 + 1) as f32;
            if at % 2 == 0 { -size } else { size }
        });
        let input = Tensor::new([1, 3, 8, 8], cells.collect()).unwrap();
        let captures = network.outputs();
        let request = ForwardRequest { captures, ..ForwardRequest::default() };
        let trace = network.forward(&CpuBackend::new(), &[input], &request).unwrap();
        let output = trace.value(captures[0]).unwrap();
        assert_eq!(output.shape().extents(), [1, 3, 8, 8]);
        output.values().unwrap().iter().step_by(64).copied().collect()
    }

    #[test]
    fn each_form_normalizes_over_its_own_axes() {
        let exact = |operator: &str| call(operator).with("epsilon", Is::Real(0.0));
        // −1 · scale + bias for every channel.
        let by_channel = [5.0, 5.0, 5.0];
        assert_eq!(first_cells(exact("InstanceNormalization"), stored(&[3]), 13), by_channel);
        let groups = exact("GroupNormalization").with("num_groups", Is::Integer(3));
        assert_eq!(first_cells(groups.clone(), stored(&[3]), 18), by_channel);
        assert_eq!(first_cells(groups, stored(&[3]), 21), by_channel);
        assert_eq!(first_cells(exact("LayerNormalization"), stored(&[8]), 17), by_channel);
        // All channels together have the variance 14 / 3.
        let one = exact("GroupNormalization").with("num_groups", Is::Integer(1));
        let all = exact("LayerNormalization").with("axis", Is::Integer(1));
        let deviation = (14.0_f32 / 3.0).sqrt();
        let expected = [1.0, 2.0, 3.0].map(|size| 7.0 - 2.0 * size / deviation);
        for cells in
            [first_cells(one.clone(), stored(&[1]), 18), first_cells(all, stored(&[1, 1, 1]), 17)]
        {
            assert!(cells.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{cells:?}");
        }
        let expected = [1.0, 2.0, 3.0].map(|size| 6.0 + size - (size + 1.0) * size / deviation);
        let cells = first_cells(one, stored(&[3]), 21);
        assert!(cells.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{cells:?}");
    }

    #[test]
    fn a_layer_normalization_needs_no_bias() {
        let node = node("LayerNormalization", "n", &["x", "s"], &["y"]);
        let network = load_nodes(vec![node], stored(&[8]), 17).unwrap().network;
        assert_eq!(network.nodes()[0].layer.kind(), LayerKind::Standardization);
        assert!(network.nodes()[0].layer.parameter("bias").is_none());
    }

    #[test]
    fn what_mixes_images_and_statistics_that_are_used_are_refused() {
        let batch = call("LayerNormalization").with("axis", Is::Integer(0));
        assert!(refusal(vec![batch], stored(&[8]), 17).ends_with("normalizes across the batch"));
        let mut first = node("LayerNormalization", "n", &["x", "s"], &["a", "mean"]);
        first.output.push("deviation".into());
        let nodes = vec![first, node("Add", "add", &["a", "mean"], &["y"])];
        assert_eq!(
            refusal(nodes, stored(&[8]), 17),
            "one node is not supported:\n  LayerNormalization n: its further output mean is used; \
             it is not supported"
        );
    }

    #[test]
    fn scales_and_groups_that_do_not_fit_are_invalid() {
        assert_eq!(
            refusal(vec![call("InstanceNormalization")], stored(&[8]), 13),
            "InstanceNormalization n: its scale has the shape [8], not [3]"
        );
        let groups = |count| call("GroupNormalization").with("num_groups", Is::Integer(count));
        for count in [2, 0, -1] {
            assert_eq!(
                refusal(vec![groups(count)], stored(&[3]), 21),
                "GroupNormalization n: its num_groups does not divide 3 channels"
            );
        }
        assert_eq!(
            refusal(vec![groups(1)], stored(&[3]), 18),
            "GroupNormalization n: its scale has the shape [3], not [1]"
        );
        assert!(
            refusal(vec![call("LayerNormalization")], stored(&[3]), 17)
                .contains("standardization: expected shapes that broadcast")
        );
        let flat = vec![
            node("Flatten", "f", &["x"], &["f"]),
            node("InstanceNormalization", "n", &["f", "s", "b"], &["y"]),
        ];
        assert_eq!(
            refusal(flat, stored(&[3]), 13),
            "InstanceNormalization n: its input has the shape [1, 192], not maps"
        );
        let negative = call("LayerNormalization").with("epsilon", Is::Real(-1.0));
        assert!(refusal(vec![negative], stored(&[8]), 17).contains("an epsilon of at least 0"));
    }
}
