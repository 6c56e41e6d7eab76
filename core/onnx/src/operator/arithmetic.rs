//! Operators that join values element by element.

use convscope_runtime::layer::{Addition, ElementWise, Pairwise, Rectifier};
use convscope_runtime::network::ValueId;
use convscope_runtime::{Tensor, Unary};

use crate::call::{Call, Known};
use crate::constant::Constant;
use crate::refusal::Refusal;

pub(super) fn add(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    let first = call.value(0)?;
    let inputs = call.all_values()?;
    if inputs.len() == 1 { Ok(first) } else { call.add(Addition, &inputs) }
}

pub(super) fn divide(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    pair(call, Pairwise::DIVISION)
}

pub(super) fn multiply(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    pair(call, Pairwise::MULTIPLICATION)
}

pub(super) fn parametric_rectifier(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(2)?;
    let inputs = [call.value(0)?, call.value(1)?];
    let [input, slope] = inputs.map(|value| call.shape(value));
    let aligned = input.extents().iter().rev().zip(slope.extents().iter().rev());
    let fits = |(input, slope): (&usize, &usize)| *slope == 1 || slope == input;
    if slope.rank() > input.rank() || !aligned.into_iter().all(fits) {
        let reason = format!("a slope of shape {slope} does not fit a value of shape {input}");
        return Err(Refusal::invalid(reason));
    }
    call.add(Pairwise::PARAMETRIC_RECTIFIER, &inputs)
}

pub(super) fn power(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(2)?;
    let base = call.value(0)?;
    if let Some(exponent) = exponent(call)? {
        let rank = call.shape(base).rank();
        if let [number] = *exponent.values()?
            && exponent.shape().rank() <= rank
        {
            return call.add(ElementWise::new(Unary::Power(number)), &[base]);
        }
        let exponent = call.place("exponent", exponent)?;
        return call.add(Pairwise::POWER, &[base, exponent]);
    }
    let exponent = call.value(1)?;
    call.add(Pairwise::POWER, &[base, exponent])
}

/// Returns a stored exponent, which may hold integers.
fn exponent(call: &Call<'_, '_>) -> Result<Option<Tensor>, Refusal> {
    match call.operand(1).map(|operand| &operand.known) {
        Some(Known::Constant(constant)) => Ok(Some(constant.clone().into_tensor()?)),
        _ => Ok(None),
    }
}

pub(super) fn subtract(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    pair(call, Pairwise::SUBTRACTION)
}

fn pair(call: &mut Call<'_, '_>, layer: Pairwise) -> Result<ValueId, Refusal> {
    call.at_most(2)?;
    let inputs = [call.value(0)?, call.value(1)?];
    call.add(layer, &inputs)
}

/// The larger of a value and zero is a rectifier, whatever its operator is called.
pub(super) fn maximum(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    if call.operands.len() == 2 {
        for (zero, other) in [(1, 0), (0, 1)] {
            let Some(axes) = axes_of_zero(call, zero)? else { continue };
            let value = call.value(other)?;
            if axes <= call.shape(value).rank() {
                return call.add(Rectifier, &[value]);
            }
        }
    }
    extremum(call, Pairwise::MAXIMUM)
}

pub(super) fn minimum(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    extremum(call, Pairwise::MINIMUM)
}

/// Counts the axes of an operand that is one stored zero.
fn axes_of_zero(call: &Call<'_, '_>, index: usize) -> Result<Option<usize>, Refusal> {
    match call.operand(index).map(|operand| &operand.known) {
        Some(Known::Constant(Constant::Real(tensor))) if tensor.values()? == [0.0] => {
            Ok(Some(tensor.shape().rank()))
        }
        _ => Ok(None),
    }
}

/// Compares the first operand with the second, the larger of them with the third, and so on.
fn extremum(call: &mut Call<'_, '_>, layer: Pairwise) -> Result<ValueId, Refusal> {
    let mut best = call.value(0)?;
    let last = call.operands.len() - 1;
    for index in 1..=last {
        let pair = [best, call.value(index)?];
        best = if index == last {
            call.add(layer, &pair)?
        } else {
            call.add_before(&format!("first_{}", index + 1), layer, &pair)?
        };
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use convscope_runtime::LayerKind;

    use crate::proto::{NodeProto, TensorProto};
    use crate::testing::{integers, load_nodes, node, reals, refusal, shape_of};

    #[test]
    fn values_and_constants_broadcast() {
        for operator in ["Add", "Mul", "Sub", "Div", "Max", "Min", "Pow", "PRelu"] {
            let nodes = vec![node(operator, "n", &["x", "c"], &["y"])];
            let stored = vec![reals("c", &[3, 1, 1], &[1.0, 2.0, 4.0])];
            assert_eq!(shape_of(nodes, stored, 13), [1, 3, 8, 8], "{operator}");
        }
    }

    #[test]
    fn values_meet_computed_values() {
        let operators = ["Add", "Div", "Max", "Min", "Mul", "PRelu", "Pow", "Sub", "Sum"];
        for operator in operators {
            let nodes = vec![
                node("GlobalAveragePool", "p", &["x"], &["p"]),
                node(operator, "n", &["x", "p"], &["y"]),
            ];
            assert_eq!(shape_of(nodes, vec![], 13), [1, 3, 8, 8], "{operator}");
        }
        for operator in ["Add", "Div", "Max", "Min", "Mul", "Pow", "Sub"] {
            let nodes = vec![node(operator, "n", &["c", "x"], &["y"])];
            let stored = vec![reals("c", &[3, 1, 1], &[1.0, 2.0, 4.0])];
            assert_eq!(shape_of(nodes, stored, 13), [1, 3, 8, 8], "{operator}");
        }
    }

    #[test]
    fn some_operators_take_any_number_of_operands() {
        for operator in ["Max", "Min", "Sum"] {
            for count in 1..=4 {
                let nodes = vec![
                    node("Abs", "a", &["x"], &["a"]),
                    node(operator, "n", &["x", "a", "x", "a"][..count], &["b"]),
                    node("Relu", "r", &["b"], &["y"]),
                ];
                assert_eq!(shape_of(nodes, vec![], 13), [1, 3, 8, 8], "{operator} {count}");
            }
            let none = vec![node(operator, "n", &[], &["y"])];
            let message = format!("{operator} n: its input 0 is missing");
            assert_eq!(refusal(none, vec![], 13), message);
        }
        assert_eq!(
            kinds(node("Max", "n", &["x", "x", "x"], &["y"]), vec![]),
            [LayerKind::Maximum; 2]
        );
    }

    fn kinds(node: NodeProto, stored: Vec<TensorProto>) -> Vec<LayerKind> {
        let network = load_nodes(vec![node], stored, 13).unwrap().network;
        network.nodes().iter().map(|node| node.layer.kind()).collect()
    }

    #[test]
    fn the_larger_of_a_value_and_zero_is_a_rectifier() {
        let largest = |operands: &[&str], zero: TensorProto| {
            kinds(node("Max", "n", operands, &["y"]), vec![zero])
        };
        let scalar = || reals("c", &[], &[0.0]);
        assert_eq!(largest(&["x", "c"], scalar()), [LayerKind::Rectifier]);
        assert_eq!(largest(&["c", "x"], scalar()), [LayerKind::Rectifier]);
        assert_eq!(largest(&["x", "c"], reals("c", &[1], &[1.0])), [LayerKind::Maximum]);
        assert_eq!(largest(&["x", "c", "x"], scalar()), [LayerKind::Maximum; 2]);
    }

    #[test]
    fn a_stored_exponent_may_hold_integers() {
        let pow = || node("Pow", "n", &["x", "c"], &["y"]);
        assert_eq!(kinds(pow(), vec![reals("c", &[], &[0.5])]), [LayerKind::ElementWise]);
        assert_eq!(kinds(pow(), vec![integers("c", &[2])]), [LayerKind::ElementWise]);
        assert_eq!(kinds(pow(), vec![integers("c", &[2; 8])]), [LayerKind::Power]);
    }

    #[test]
    fn a_slope_must_not_be_larger_than_what_it_is_for() {
        let refused = |dims: &[i64], values: &[f32]| {
            let nodes = vec![
                node("GlobalAveragePool", "p", &["x"], &["p"]),
                node("PRelu", "n", &["p", "c"], &["y"]),
            ];
            refusal(nodes, vec![reals("c", dims, values)], 16)
        };
        assert_eq!(
            refused(&[1, 1, 1, 1, 1], &[0.5]),
            "PRelu n: a slope of shape [1, 1, 1, 1, 1] does not fit a value of shape [1, 3, 1, 1]"
        );
        assert_eq!(
            refused(&[2], &[0.5, 0.5]),
            "PRelu n: a slope of shape [2] does not fit a value of shape [1, 3, 1, 1]"
        );
    }

    #[test]
    fn a_constant_with_a_batch_of_its_own_is_refused() {
        let nodes = vec![node("Add", "n", &["x", "c"], &["y"])];
        let refusal = refusal(nodes, vec![reals("c", &[2, 1, 1, 1], &[1.0, 2.0])], 13);
        assert!(refusal.starts_with("one node is not supported:\n  Add n: "), "{refusal}");
        assert!(refusal.contains("mixes the images of a batch"), "{refusal}");
    }

    #[test]
    fn a_third_factor_is_refused() {
        let nodes = vec![node("Mul", "n", &["x", "x", "x"], &["y"])];
        assert_eq!(refusal(nodes, vec![], 13), "Mul n: it has 3 inputs, at most 2 fit");
    }
}
