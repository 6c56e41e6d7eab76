//! Transpose of the axes behind the batch.

use convscope_runtime::layer::Transposition;
use convscope_runtime::network::ValueId;

use crate::call::{Call, Known, Operand};
use crate::layout::CHANNELS_FIRST;
use crate::refusal::Refusal;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(1)?;
    if let Some(&Operand { known: Known::ChannelsLast(picture), .. }) = call.operand(0)
        && call.axis_order(CHANNELS_FIRST.len())? == CHANNELS_FIRST
    {
        return Ok(picture);
    }
    let input = call.value(0)?;
    let order = call.axis_order(call.shape(input).rank())?;
    if order.is_sorted() {
        return Ok(input);
    }
    if order.first() != Some(&0) {
        return Err(Refusal::Unsupported(format!("its order {order:?} moves the batch")));
    }
    call.add(Transposition::new(&order)?, &[input])
}

#[cfg(test)]
mod tests {
    use crate::proto::NodeProto;
    use crate::testing::{Is, load_nodes, node, refusal, shape_of};

    fn transpose(order: &[i64]) -> NodeProto {
        node("Transpose", "n", &["x"], &["y"]).with("perm", Is::Integers(order))
    }

    #[test]
    fn axes_behind_the_batch_are_put_into_any_order() {
        assert_eq!(shape_of(vec![transpose(&[0, 2, 3, 1])], vec![], 13), [1, 8, 8, 3]);
        assert_eq!(shape_of(vec![transpose(&[0, 3, 1, 2])], vec![], 7), [1, 8, 3, 8]);
        let none = load_nodes(vec![transpose(&[0, 1, 2, 3])], vec![], 13).unwrap().network;
        assert!(none.nodes().is_empty());
    }

    #[test]
    fn an_order_that_moves_the_batch_or_misses_an_axis_is_refused() {
        let moved = refusal(vec![transpose(&[1, 0, 2, 3])], vec![], 13);
        assert!(moved.ends_with("Transpose n: its order [1, 0, 2, 3] moves the batch"), "{moved}");
        let reversed = refusal(vec![node("Transpose", "n", &["x"], &["y"])], vec![], 13);
        assert!(reversed.ends_with("its order [3, 2, 1, 0] moves the batch"), "{reversed}");
        assert_eq!(
            refusal(vec![transpose(&[0, 2, 1])], vec![], 13),
            "Transpose n: its order has not as many axes as its input"
        );
        assert_eq!(
            refusal(vec![transpose(&[0, 2, 2, 1])], vec![], 13),
            "Transpose n: its axes [0, 2, 2, 1] hold one twice"
        );
    }
}
