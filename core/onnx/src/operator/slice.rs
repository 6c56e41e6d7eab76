//! Slice.

use convscope_runtime::layer::{Chosen, Selection};
use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::normal_form::Steps;
use crate::refusal::Refusal;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(if call.operator_set() < 10 { 1 } else { 5 })?;
    let input = call.value(0)?;
    let shape = call.shape(input).with_batch(call.bench.batch);
    let mut chosen = Vec::new();
    for (axis, Steps { start, step, count, open }) in call.slices(shape.extents())? {
        let whole = (start, step, count) == (0, 1, shape.extents()[axis]);
        // A file whose batch is open and one for single images look alike here.
        if axis == 0 && !(whole && (open || call.bench.batch > 1)) {
            return Err(Refusal::unsupported("it slices the batch"));
        }
        if count == 0 {
            return Err(Refusal::Unsupported(format!("it takes nothing of axis {axis}")));
        }
        if !whole {
            chosen.push((axis, Chosen::Stepped { start, step, count }));
        }
    }
    if chosen.is_empty() {
        return Ok(input);
    }
    call.add(Selection::new(chosen)?, &[input])
}

#[cfg(test)]
mod tests {
    use crate::proto::NodeProto;
    use crate::testing::{Is, integers, load_nodes, node, refusal, shape_of};

    fn old(axes: &[i64], starts: &[i64], ends: &[i64]) -> NodeProto {
        node("Slice", "n", &["x"], &["y"])
            .with("axes", Is::Integers(axes))
            .with("starts", Is::Integers(starts))
            .with("ends", Is::Integers(ends))
    }

    fn refused(axes: &[i64], starts: &[i64], ends: &[i64]) -> String {
        refusal(vec![old(axes, starts, ends)], vec![], 9)
    }

    #[test]
    fn limits_come_from_attributes_or_inputs() {
        let attributes = old(&[1, -1], &[0, 2], &[2, i64::MAX]);
        assert_eq!(shape_of(vec![attributes], vec![], 9), [1, 2, 8, 6]);
        let inputs = node("Slice", "n", &["x", "s", "e", "a", "t"], &["y"]);
        let stored = vec![
            integers("s", &[-1, 1]),
            integers("e", &[i64::MIN, 8]),
            integers("a", &[2, 3]),
            integers("t", &[-3, 2]),
        ];
        assert_eq!(shape_of(vec![inputs], stored, 13), [1, 3, 3, 4]);
    }

    #[test]
    fn a_slice_of_everything_is_no_layer_and_one_of_nothing_is_refused() {
        let whole = old(&[0, 2], &[0, 0], &[i64::MAX, 8]);
        assert!(load_nodes(vec![whole], vec![], 9).unwrap().network.nodes().is_empty());
        let message = refused(&[2], &[3], &[3]);
        assert!(message.ends_with("Slice n: it takes nothing of axis 2"), "{message}");
    }

    #[test]
    fn the_batch_is_not_sliced() {
        // With an open batch, the first of all images.
        assert!(refused(&[0], &[0], &[1]).ends_with("Slice n: it slices the batch"));
        assert_eq!(
            refused(&[1], &[0], &[]),
            "Slice n: its starts, ends, axes and steps differ in number"
        );
    }
}
