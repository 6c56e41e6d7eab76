//! Brings nodes of operator sets before 7 into the form of set 7. Then, operands were broadcast
//! along a stated axis, training was what an operator did unless it was told that this is a test,
//! and some operators meant something else.

use convscope_runtime::Shape;

use crate::call::Call;
use crate::constant::{Constant, Integers};
use crate::refusal::Refusal;

/// The operator set in which an operator got the meaning that is read here, alphabetical; all
/// others have had it since set 1.
const SINCE: &[(&str, i64)] =
    &[("Cast", 6), ("Concat", 4), ("Equal", 7), ("Pad", 2), ("Selu", 6), ("Split", 2), ("Tile", 6)];

/// Brings a node of an operator set before 7 into the form of set 7.
///
/// # Errors
/// Fails where that cannot be done.
pub(crate) fn modernize(operator: &str, call: &mut Call<'_, '_>) -> Result<(), Refusal> {
    let set = call.operator_set();
    if set >= 7 {
        return Ok(());
    }
    if let Some((_, since)) = SINCE.iter().find(|(name, since)| *name == operator && set < *since) {
        let reason = format!("its form before operator set {since} is not supported");
        return Err(Refusal::Unsupported(reason));
    }
    match operator {
        "Add" | "Div" | "Mul" | "Pow" | "Sub" => {
            // Without it, the operands have one shape.
            call.attributes.ignore("broadcast");
            match call.attributes.integer("axis")? {
                Some(axis) => align(call, axis, "second operand"),
                None => Ok(()),
            }
        }
        "BatchNormalization" | "Dropout" => match call.attributes.flag("is_test")? {
            Some(true) => Ok(()),
            _ => Err(Refusal::unsupported(
                "it is in training mode; export the model in evaluation mode",
            )),
        },
        "Gemm" => {
            call.attributes.ignore("broadcast");
            Ok(())
        }
        "PRelu" => {
            let shared =
                call.constant(1, "slope")?.is_some_and(|slope| slope.shape().volume() == 1);
            if shared { Ok(()) } else { align(call, 1, "slope") }
        }
        _ => Ok(()),
    }
}

/// Lets the second operand, a constant, begin at an axis of the first: axes of extent 1 are put
/// behind its own.
fn align(call: &mut Call<'_, '_>, axis: i64, what: &str) -> Result<(), Refusal> {
    let Some(rank) = call.rank(0) else { return Ok(()) };
    let Some(second) = call.rank(1) else { return Ok(()) };
    let behind =
        usize::try_from(axis).ok().and_then(|axis| rank.checked_sub(axis)?.checked_sub(second));
    let Some(behind) = behind else {
        let reason =
            format!("its {what} has {second} axes, which do not fit axis {axis} of {rank}");
        return Err(Refusal::Invalid(reason));
    };
    if behind == 0 {
        return Ok(());
    }
    let Some(constant) = call.constant(1, what)? else { return Ok(()) };
    let shape = Shape::new(&[constant.shape().extents(), &vec![1; behind]].concat());
    let aligned = match constant {
        Constant::Real(tensor) => Constant::Real(tensor.with_shape(shape)?),
        Constant::Integer(integers) => Constant::Integer(Integers { shape, ..integers.clone() }),
    };
    call.replace(1, aligned);
    Ok(())
}

#[cfg(test)]
mod tests {
    use convscope_runtime::network::Origin;

    use super::*;
    use crate::testing::{Is, load_nodes, node, reals, refusal, shape_of};

    #[test]
    fn the_list_is_alphabetical() {
        assert!(SINCE.is_sorted_by_key(|(name, _)| *name));
    }

    #[test]
    fn operands_begin_at_the_stated_axis() {
        let nodes = vec![
            node("Add", "n", &["x", "b"], &["a"])
                .with("broadcast", Is::Integer(1))
                .with("axis", Is::Integer(1)),
            node("Mul", "m", &["a", "b"], &["y"]).with("broadcast", Is::Integer(1)),
        ];
        let stored = vec![reals("b", &[8], &[1.0; 8])];
        let words = refusal(nodes.clone(), stored.clone(), 6);
        assert!(words.contains("[8, 1, 1]"), "eight numbers do not fit three channels: {words}");
        let mut along_rows = nodes;
        along_rows[0].attribute[1].i = 2;
        let network = load_nodes(along_rows, stored, 6).unwrap().network;
        let constants = network.nodes().iter().map(|node| network.value(node.inputs[1]));
        let shapes: Vec<_> = constants
            .map(|value| match &value.origin {
                Origin::Constant(tensor) => tensor.shape().extents().to_vec(),
                origin => panic!("{origin:?}"),
            })
            .collect();
        assert_eq!(shapes, [vec![8, 1], vec![8]], "the constant is there in both shapes");
    }

    #[test]
    fn an_operand_behind_the_last_axis_is_invalid() {
        let nodes = vec![node("Add", "n", &["x", "b"], &["y"]).with("axis", Is::Integer(4))];
        assert_eq!(
            refusal(nodes, vec![reals("b", &[8], &[1.0; 8])], 6),
            "Add n: its second operand has 1 axes, which do not fit axis 4 of 4"
        );
    }

    #[test]
    fn training_is_the_default() {
        let relu = node("Dropout", "n", &["x"], &["y"]);
        let words = refusal(vec![relu.clone()], vec![], 6);
        assert!(
            words.ends_with(
                "Dropout n: it is in training mode; export the model in evaluation mode"
            )
        );
        let test = relu.with("is_test", Is::Integer(1));
        assert_eq!(shape_of(vec![test], vec![], 6), [1, 3, 8, 8]);
    }

    #[test]
    fn earlier_meanings_are_refused() {
        let nodes = vec![node("Concat", "n", &["x", "x"], &["y"]).with("axis", Is::Integer(1))];
        assert_eq!(
            refusal(nodes, vec![], 3),
            "one node is not supported:\n  Concat n: its form before operator set 4 is not supported"
        );
    }
}
