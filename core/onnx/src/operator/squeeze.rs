//! Squeeze and Unsqueeze, which drop and add axes of extent 1.

use convscope_runtime::layer::Reshape;
use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::refusal::Refusal;

pub(super) fn squeeze(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(2)?;
    let input = call.value(0)?;
    let shape = call.shape(input).with_batch(call.bench.batch);
    let extents = shape.extents();
    let dropped = match call.dropped_axes(extents)? {
        Some(dropped) => dropped,
        None => (0..extents.len()).filter(|&axis| extents[axis] == 1).collect(),
    };
    if dropped.contains(&0) {
        return Err(Refusal::unsupported("it drops the batch"));
    }
    let kept = (1..extents.len()).filter(|axis| !dropped.contains(axis));
    let kept: Vec<usize> = kept.map(|axis| extents[axis]).collect();
    call.add(Reshape::new(&kept), &[input])
}

pub(super) fn unsqueeze(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(2)?;
    let input = call.value(0)?;
    let (extents, added) = call.unsqueezed(call.shape(input).extents())?;
    if added.contains(&0) {
        return Err(Refusal::unsupported("it puts an axis before the batch"));
    }
    call.add(Reshape::new(extents.get(1..).unwrap_or_default()), &[input])
}

#[cfg(test)]
mod tests {
    use crate::proto::NodeProto;
    use crate::testing::{Is, integers, node, refusal, shape_of};

    fn pooled(then: NodeProto) -> Vec<NodeProto> {
        vec![node("GlobalAveragePool", "pool", &["x"], &["a"]), then]
    }

    #[test]
    fn axes_come_and_go_by_attribute_or_input() {
        let squeeze = node("Squeeze", "n", &["a"], &["y"]).with("axes", Is::Integers(&[2, 3]));
        assert_eq!(shape_of(pooled(squeeze), vec![], 11), [1, 3]);
        let squeeze = || pooled(node("Squeeze", "n", &["a", "k"], &["y"]));
        assert_eq!(shape_of(squeeze(), vec![integers("k", &[-1])], 13), [1, 3, 1]);
        let unsqueeze = node("Unsqueeze", "n", &["x"], &["y"]).with("axes", Is::Integers(&[1]));
        assert_eq!(shape_of(vec![unsqueeze], vec![], 11), [1, 1, 3, 8, 8]);
        let unsqueeze = vec![node("Unsqueeze", "n", &["x", "k"], &["y"])];
        let stored = vec![integers("k", &[-1, 2])];
        assert_eq!(shape_of(unsqueeze, stored, 13), [1, 3, 1, 8, 8, 1]);
    }

    #[test]
    fn the_batch_stays_the_first_axis() {
        let squeeze = pooled(node("Squeeze", "n", &["a"], &["y"]));
        assert!(refusal(squeeze, vec![], 13).ends_with("Squeeze n: it drops the batch"));
        let unsqueeze = vec![node("Unsqueeze", "n", &["x", "k"], &["y"])];
        let refused = refusal(unsqueeze, vec![integers("k", &[0])], 13);
        assert!(refused.ends_with("Unsqueeze n: it puts an axis before the batch"), "{refused}");
    }

    #[test]
    fn axes_that_are_longer_than_1_or_missing_are_invalid() {
        let squeeze = vec![node("Squeeze", "n", &["x", "k"], &["y"])];
        assert_eq!(
            refusal(squeeze, vec![integers("k", &[2])], 13),
            "Squeeze n: an axis to be dropped is longer than 1"
        );
        let unsqueeze = vec![node("Unsqueeze", "n", &["x"], &["y"])];
        assert_eq!(refusal(unsqueeze, vec![], 13), "Unsqueeze n: its axes are missing");
    }
}
