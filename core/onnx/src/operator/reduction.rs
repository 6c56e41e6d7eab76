//! Reductions over axes: as a global pooling, which some exporters write so, and otherwise.

use convscope_runtime::layer::{GlobalAveragePooling, ReducedAxes, Reducer, Reduction};
use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::refusal::Refusal;

pub(super) fn mean(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    let (input, Some((axes, left))) = reduced(call, 18)? else { return call.value(0) };
    call.add(GlobalAveragePooling::over(&axes, left)?, &[input])
}

pub(super) fn sum(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    reduction(call, Reducer::Sum, 13)
}

pub(super) fn maximum(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    reduction(call, Reducer::Maximum, 18)
}

pub(super) fn minimum(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    reduction(call, Reducer::Minimum, 18)
}

pub(super) fn global_maximum(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(1)?;
    let input = call.value(0)?;
    call.map_size(input)?;
    call.add(Reduction::of_maps(Reducer::Maximum), &[input])
}

fn reduction(call: &mut Call<'_, '_>, reducer: Reducer, since: i64) -> Result<ValueId, Refusal> {
    let (input, Some((axes, left))) = reduced(call, since)? else { return call.value(0) };
    call.add(Reduction::over(reducer, &axes, left)?, &[input])
}

type Reduced = Option<(Vec<usize>, ReducedAxes)>;

/// Returns the input and which of its axes are reduced, if any.
fn reduced(call: &mut Call<'_, '_>, since: i64) -> Result<(ValueId, Reduced), Refusal> {
    let input = call.value(0)?;
    let reduced = call.reduced_axes(call.shape(input).rank(), since)?;
    if reduced.as_ref().is_some_and(|(axes, _)| axes.contains(&0)) {
        return Err(Refusal::unsupported("it reduces the batch"));
    }
    Ok((input, reduced))
}

#[cfg(test)]
mod tests {
    use convscope_runtime::LayerKind;

    use crate::testing::{Is, integers, load_nodes, node, refusal, shape_of};

    /// Every reduction, and the operator set from which on its axes are an input.
    const ALL: [(&str, i64); 4] =
        [("ReduceMax", 18), ("ReduceMean", 18), ("ReduceMin", 18), ("ReduceSum", 13)];

    #[test]
    fn axes_come_from_an_attribute_or_an_input() {
        for (operator, since) in ALL {
            let old = node(operator, "n", &["x"], &["y"]).with("axes", Is::Integers(&[2, -1]));
            assert_eq!(shape_of(vec![old.clone()], vec![], since - 1), [1, 3, 1, 1]);
            let flat = old.with("keepdims", Is::Integer(0));
            assert_eq!(shape_of(vec![flat], vec![], since - 1), [1, 3]);
            let new = vec![node(operator, "n", &["x", "a"], &["y"])];
            assert_eq!(shape_of(new, vec![integers("a", &[-1, 1])], since), [1, 1, 8, 1]);
        }
    }

    #[test]
    fn without_axes_a_reduction_takes_all_or_none() {
        for (operator, _) in ALL {
            let all = node(operator, "n", &["x"], &["y"]);
            let refused = refusal(vec![all.clone()], vec![], 18);
            assert!(refused.ends_with(&format!("{operator} n: it reduces the batch")), "{refused}");
            let none = all.with("noop_with_empty_axes", Is::Integer(1));
            assert!(load_nodes(vec![none], vec![], 18).unwrap().network.nodes().is_empty());
        }
    }

    #[test]
    fn a_global_max_pooling_is_a_reduction_of_maps() {
        let nodes = vec![node("GlobalMaxPool", "n", &["x"], &["y"])];
        assert_eq!(shape_of(nodes.clone(), vec![], 13), [1, 3, 1, 1]);
        let network = load_nodes(nodes, vec![], 13).unwrap().network;
        assert_eq!(network.nodes()[0].layer.kind(), LayerKind::Reduction);
        let flat =
            vec![node("Flatten", "f", &["x"], &["a"]), node("GlobalMaxPool", "n", &["a"], &["y"])];
        assert!(refusal(flat, vec![], 13).ends_with("its input has the shape [1, 192], not maps"));
    }
}
