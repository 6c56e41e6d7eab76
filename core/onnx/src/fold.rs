//! Evaluates nodes whose inputs are all constant, so that the chains of Shape, Gather, Cast and
//! Concat that exporters write vanish before anything runs.

mod arithmetic;
mod broadcast;
mod choice;
mod creation;
mod dequantization;
mod movement;

use crate::call::{Call, Known, check_extents};
use crate::constant::Constant;
use crate::operator::element_wise;
use crate::refusal::Refusal;

/// Evaluates a node on constants.
type Fold = fn(&Call<'_, '_>) -> Result<Constant, Refusal>;

/// Every operator that is evaluated on constants, alphabetical, but for those that apply a function
/// to every element.
const FOLDS: &[(&str, Fold)] = &[
    ("Add", arithmetic::add),
    ("Cast", arithmetic::cast),
    ("Clip", arithmetic::clip),
    ("Concat", movement::concat),
    ("Constant", creation::constant),
    ("ConstantOfShape", creation::constant_of_shape),
    ("DequantizeLinear", dequantization::dequantize),
    ("Div", arithmetic::divide),
    ("Equal", choice::equal),
    ("Expand", movement::expand),
    ("Gather", movement::gather),
    ("Identity", movement::identity),
    ("Max", arithmetic::maximum),
    ("Min", arithmetic::minimum),
    ("Mul", arithmetic::multiply),
    ("Pow", arithmetic::power),
    ("Range", creation::range),
    ("Reshape", movement::reshape),
    ("Shape", creation::shape),
    ("Size", creation::size),
    ("Slice", movement::slice),
    ("Squeeze", movement::squeeze),
    ("Sub", arithmetic::subtract),
    ("Sum", arithmetic::sum),
    ("Tile", movement::tile),
    ("Transpose", movement::transpose),
    ("Unsqueeze", movement::unsqueeze),
    ("Where", choice::choose),
];

/// Says whether an operator is evaluated on constants.
pub(crate) fn is_known(operator: &str) -> bool {
    find(operator).is_some()
}

/// Evaluates a node, if all its inputs are constant; `Shape` and `Size` need no more than a shape.
///
/// # Errors
/// Fails when the node contradicts the specification.
pub(crate) fn evaluate(operator: &str, call: &Call<'_, '_>) -> Result<Option<Constant>, Refusal> {
    let constant = |operand: &Known| matches!(operand, Known::Constant(_));
    let all = call.operands.iter().flatten().all(|operand| constant(&operand.known));
    match find(operator) {
        Some(fold) if all || ["Shape", "Size"].contains(&operator) => {
            for operand in call.operands.iter().flatten() {
                if let Known::Constant(constant) = &operand.known {
                    check_extents(constant.shape().extents())?;
                }
            }
            fold(call).map(Some)
        }
        _ => Ok(None),
    }
}

fn find(operator: &str) -> Option<Fold> {
    if element_wise::is_known(operator) {
        return Some(arithmetic::element_wise);
    }
    FOLDS.iter().find(|(name, _)| *name == operator).map(|&(_, fold)| fold)
}

/// Returns an operand that the specification demands.
fn required<'a>(call: &'a Call<'_, '_>, index: usize) -> Result<&'a Constant, Refusal> {
    let missing = || Refusal::invalid(format!("its input {index} is missing"));
    call.constant(index, "input")?.ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use convscope_runtime::network::Origin;

    use super::*;
    use crate::proto::{NodeProto, TensorProto, data_type};
    use crate::testing::{Is, integers, load_nodes, node, reals, refusal};

    #[test]
    fn the_list_is_alphabetical() {
        assert!(FOLDS.is_sorted_by_key(|(name, _)| *name));
    }

    /// Evaluates nodes that make the constant `y`.
    fn folded(nodes: Vec<NodeProto>, stored: Vec<TensorProto>, version: i64) -> Vec<f32> {
        let network = load_nodes(nodes, stored, version).unwrap().network;
        assert!(network.nodes().is_empty());
        match &network.value(network.outputs()[0]).origin {
            Origin::Constant(tensor) => tensor.values().unwrap().to_vec(),
            origin => panic!("{origin:?}"),
        }
    }

    /// Evaluates nodes that make the integers `i`.
    fn integral(mut nodes: Vec<NodeProto>, stored: Vec<TensorProto>, version: i64) -> Vec<f32> {
        nodes.push(node("Cast", "cast", &["i"], &["y"]).with("to", Is::Integer(1)));
        folded(nodes, stored, version)
    }

    #[test]
    fn arithmetic_broadcasts_and_divides_like_integers() {
        let matrix = || reals("a", &[2, 2], &[1.0, 2.0, 3.0, 4.0]);
        let row = || reals("b", &[2], &[2.0, 4.0]);
        let cases = [
            ("Add", [3.0, 6.0, 5.0, 8.0]),
            ("Sub", [-1.0, -2.0, 1.0, 0.0]),
            ("Mul", [2.0, 8.0, 6.0, 16.0]),
            ("Div", [0.5, 0.5, 1.5, 1.0]),
        ];
        for (operator, expected) in cases {
            let nodes = vec![node(operator, "n", &["a", "b"], &["y"])];
            assert_eq!(folded(nodes, vec![matrix(), row()], 13), expected, "{operator}");
        }
        let nodes = vec![node("Div", "n", &["a", "b"], &["i"])];
        let stored = vec![integers("a", &[7, -7]), integers("b", &[2])];
        assert_eq!(integral(nodes, stored, 13), [3.0, -3.0]);
        let nodes = vec![node("Div", "n", &["a", "b"], &["y"])];
        let stored = vec![integers("a", &[7]), integers("b", &[0])];
        assert_eq!(
            refusal(nodes, stored, 13),
            "Div n: its integers overflow, or it divides them by zero"
        );
    }

    #[test]
    fn several_operands_are_joined_one_after_the_other() {
        let joined = |operator, middle: f32| {
            let stored = vec![
                reals("a", &[3], &[1.0, 5.0, 3.0]),
                reals("b", &[1], &[2.0]),
                reals("c", &[3], &[4.0, middle, 0.0]),
            ];
            folded(vec![node(operator, "n", &["a", "b", "c"], &["y"])], stored, 13)
        };
        assert_eq!(joined("Max", 1.0), [4.0, 5.0, 3.0]);
        assert_eq!(joined("Min", 1.0), [1.0, 1.0, 0.0]);
        assert_eq!(joined("Sum", 1.0), [7.0, 8.0, 5.0]);
        assert!(joined("Max", f32::NAN)[1].is_nan() && joined("Min", f32::NAN)[1].is_nan());
        let nodes = vec![node("Max", "n", &["a", "b"], &["i"])];
        let stored = vec![integers("a", &[3, -4]), integers("b", &[1])];
        assert_eq!(integral(nodes, stored, 13), [3.0, 1.0]);
    }

    #[test]
    fn powers_of_integers_are_exact_and_others_real() {
        let power = |output| vec![node("Pow", "n", &["a", "b"], &[output])];
        let stored = vec![integers("a", &[3, -2]), integers("b", &[3])];
        assert_eq!(integral(power("i"), stored, 13), [27.0, -8.0]);
        let stored = vec![reals("a", &[2], &[4.0, 9.0]), reals("b", &[], &[0.5])];
        assert_eq!(folded(power("y"), stored, 13), [2.0, 3.0]);
        let stored = vec![reals("a", &[2], &[4.0, 9.0]), integers("b", &[2])];
        assert_eq!(folded(power("y"), stored, 13), [16.0, 81.0]);
        let stored = vec![integers("a", &[3]), integers("b", &[-1])];
        assert_eq!(
            refusal(power("y"), stored, 13),
            "Pow n: its integers overflow, or it divides them by zero"
        );
        let stored = vec![integers("a", &[3]), reals("b", &[], &[0.5])];
        assert_eq!(
            refusal(power("y"), stored, 13),
            "one node is not supported:\n  Pow n: it raises integers to a power that is real"
        );
    }

    #[test]
    fn integers_that_their_type_does_not_hold_are_refused() {
        let (a, b) = ("a", "b");
        let typed = |name: &str, kind, value| TensorProto {
            name: name.into(),
            data_type: kind,
            int32_data: vec![value],
            dims: vec![1],
            ..TensorProto::default()
        };
        let of = |operator, first, second| {
            (vec![node(operator, "n", &[a, b], &["i"])], vec![first, second])
        };
        let bytes = |x, y| [typed(a, data_type::UINT8, x), typed(b, data_type::UINT8, y)];
        for (operator, [first, second], words) in [
            ("Add", bytes(200, 56), "it makes 256, which is no UINT8"),
            ("Sub", bytes(1, 2), "it makes -1, which is no UINT8"),
            ("Mul", bytes(16, 16), "it makes 256, which is no UINT8"),
            ("Pow", bytes(2, 8), "it makes 256, which is no UINT8"),
        ] {
            let (mut nodes, stored) = of(operator, first, second);
            nodes.push(node("Cast", "c", &["i"], &["y"]).with("to", Is::Integer(1)));
            assert!(refusal(nodes, stored, 14).ends_with(&format!("{operator} n: {words}")));
        }
        let [first, second] = bytes(200, 55);
        let (nodes, stored) = of("Add", first, second);
        assert_eq!(integral(nodes, stored, 14), [255.0]);
        let (nodes, stored) = of("Pow", typed(a, data_type::INT32, 3), integers(b, &[2]));
        assert_eq!(integral(nodes, stored, 13), [9.0]);
        for operator in ["Add", "Concat", "Equal"] {
            let (mut nodes, stored) =
                of(operator, typed(a, data_type::INT32, 1), integers(b, &[1]));
            if operator == "Concat" {
                nodes[0] = nodes[0].clone().with("axis", Is::Integer(0));
            }
            nodes.push(node("Cast", "c", &["i"], &["y"]).with("to", Is::Integer(1)));
            let words = format!("{operator} n: it mixes INT32 with INT64");
            assert_eq!(refusal(nodes, stored, 13), words);
        }
    }

    #[test]
    fn casts_of_integers_wrap_and_casts_of_other_numbers_must_fit() {
        let through =
            |kind| node("Cast", "n", &["a"], &["i"]).with("to", Is::Integer(i64::from(kind)));
        let wide = || vec![integers("a", &[200, -1])];
        assert_eq!(integral(vec![through(data_type::INT8)], wide(), 13), [-56.0, -1.0]);
        assert_eq!(integral(vec![through(data_type::UINT8)], wide(), 13), [200.0, 255.0]);
        assert_eq!(integral(vec![through(data_type::BOOL)], wide(), 13), [1.0, 1.0]);
        let says = |kind, stored| {
            let back = node("Cast", "c", &["i"], &["y"]).with("to", Is::Integer(1));
            refusal(vec![through(kind), back], stored, 13)
        };
        assert!(says(data_type::UINT64, wide()).ends_with("Cast n: it casts -1 to UINT64"));
        let real = |value| vec![reals("a", &[1], &[value])];
        assert_eq!(integral(vec![through(data_type::UINT8)], real(255.5), 13), [255.0]);
        assert!(says(data_type::UINT8, real(300.0)).ends_with("Cast n: it casts 300 to UINT8"));
        assert!(says(data_type::INT64, real(f32::NAN)).ends_with("it casts NaN to INT64"));
        let text = says(8, real(1.0));
        assert!(text.ends_with("Cast n: a cast to STRING is not supported"), "{text}");
    }

    #[test]
    fn functions_apply_to_every_element() {
        let values = || vec![reals("a", &[3], &[4.0, -0.25, 0.0])];
        let of = |operator| folded(vec![node(operator, "n", &["a"], &["y"])], values(), 13);
        assert_eq!(of("Abs"), [4.0, 0.25, 0.0]);
        assert_eq!(of("Neg"), [-4.0, 0.25, 0.0]);
        assert_eq!(of("Relu"), [4.0, 0.0, 0.0]);
        let clip = node("Clip", "n", &["a", "low"], &["y"]);
        let mut stored = values();
        stored.push(reals("low", &[], &[-0.125]));
        assert_eq!(folded(vec![clip], stored, 13), [4.0, -0.125, 0.0]);
        let of_integers = |operator, output| {
            (vec![node(operator, "n", &["a"], &[output])], vec![integers("a", &[5, -6])])
        };
        let (nodes, stored) = of_integers("Neg", "i");
        assert_eq!(integral(nodes, stored, 13), [-5.0, 6.0]);
        let (nodes, stored) = of_integers("Abs", "i");
        assert_eq!(integral(nodes, stored, 13), [5.0, 6.0]);
        let (nodes, stored) = of_integers("Sqrt", "y");
        assert_eq!(refusal(nodes, stored, 13), "Sqrt n: its input holds integers");
    }

    #[test]
    fn elements_are_gathered_sliced_and_turned() {
        let matrix = || reals("a", &[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        let gather = node("Gather", "n", &["a", "k"], &["y"]).with("axis", Is::Integer(1));
        let stored = vec![matrix(), integers("k", &[-1, 0])];
        assert_eq!(folded(vec![gather.clone()], stored, 13), [2.0, 0.0, 5.0, 3.0]);
        let outside = vec![matrix(), integers("k", &[3])];
        assert_eq!(refusal(vec![gather], outside, 13), "Gather n: an index lies outside its input");
        let transpose = node("Transpose", "n", &["a"], &["y"]);
        assert_eq!(folded(vec![transpose], vec![matrix()], 13), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        let old = node("Slice", "n", &["a"], &["y"])
            .with("starts", Is::Integers(&[0, 1]))
            .with("ends", Is::Integers(&[1, 9]));
        assert_eq!(folded(vec![old], vec![matrix()], 9), [1.0, 2.0]);
        let new = node("Slice", "n", &["a", "s", "e", "k", "d"], &["y"]);
        let stored = vec![
            matrix(),
            integers("s", &[-1]),
            integers("e", &[i64::MIN]),
            integers("k", &[1]),
            integers("d", &[-2]),
        ];
        assert_eq!(folded(vec![new], stored, 13), [2.0, 0.0, 5.0, 3.0]);
    }

    #[test]
    fn axes_come_and_go_and_parts_are_joined() {
        let nodes = vec![
            node("Unsqueeze", "u", &["a", "one"], &["b"]),
            node("Concat", "c", &["b", "b"], &["d"]).with("axis", Is::Integer(1)),
            node("Squeeze", "s", &["b"], &["e"]),
            node("Shape", "n", &["d"], &["i"]),
        ];
        let stored = || vec![integers("a", &[5, 6]), integers("one", &[1])];
        assert_eq!(integral(nodes.clone(), stored(), 13), [2.0, 2.0]);
        let mut values = nodes;
        values[3] = node("Identity", "n", &["d"], &["i"]);
        assert_eq!(integral(values, stored(), 13), [5.0, 5.0, 6.0, 6.0]);
    }

    #[test]
    fn constants_are_made_of_attributes_and_shapes() {
        let made = |name, value| vec![node("Constant", "n", &[], &["y"]).with(name, value)];
        let tensor = reals("", &[2], &[1.0, 2.0]);
        assert_eq!(folded(made("value", Is::Tensor(tensor)), vec![], 13), [1.0, 2.0]);
        assert_eq!(folded(made("value_float", Is::Real(0.5)), vec![], 13), [0.5]);
        let filled = |stored: Vec<TensorProto>| {
            let node = node("ConstantOfShape", "n", &["s"], &["y"]);
            (vec![node.with("value", Is::Tensor(reals("", &[1], &[7.0])))], stored)
        };
        let (nodes, stored) = filled(vec![integers("s", &[1, 3])]);
        assert_eq!(folded(nodes, stored, 13), [7.0; 3]);
        let (nodes, stored) = filled(vec![integers("s", &[1 << 20, 1 << 20])]);
        assert!(refusal(nodes, stored, 13).contains("computes more than 512 MiB from constants"));
        let (nodes, stored) = filled(vec![integers("s", &[1 << 26])]);
        assert!(refusal(nodes, stored, 13).ends_with(
            "it computes with a constant that has more than 33554432 numbers along an axis"
        ));
        let (nodes, stored) = filled(vec![integers("s", &[i64::MAX, 0, i64::MAX])]);
        assert!(refusal(nodes, stored, 13).contains("is too large"));
    }

    #[test]
    fn shapes_of_computed_values_are_constants() {
        let nodes = vec![
            node("GlobalAveragePool", "p", &["x"], &["p"]),
            node("Shape", "n", &["p"], &["i"]).with("start", Is::Integer(1)),
        ];
        let network = {
            let mut nodes = nodes;
            nodes.push(node("Cast", "cast", &["i"], &["y"]).with("to", Is::Integer(1)));
            load_nodes(nodes, vec![], 15).unwrap().network
        };
        let Origin::Constant(tensor) = &network.value(network.outputs()[0]).origin else {
            panic!("it was not folded");
        };
        assert_eq!(tensor.values().unwrap(), [3.0, 1.0, 1.0]);
    }

    #[test]
    fn values_are_repeated_counted_and_chosen() {
        let list = |name, values: &[i64]| integers(name, values);
        let tile = vec![node("Tile", "n", &["a", "k"], &["i"])];
        assert_eq!(
            integral(tile.clone(), vec![list("a", &[1, 2]), list("k", &[2])], 13),
            [1.0, 2.0, 1.0, 2.0]
        );
        assert!(integral(tile, vec![list("a", &[1, 2]), list("k", &[0])], 13).is_empty());
        let expand = vec![node("Expand", "n", &["a", "k"], &["i"])];
        let stored = vec![list("a", &[1, 2]), list("k", &[2, 1])];
        assert_eq!(integral(expand, stored, 13), [1.0, 2.0, 1.0, 2.0]);
        let range = vec![
            node("Squeeze", "first", &["a"], &["from"]),
            node("Squeeze", "second", &["b"], &["to"]),
            node("Squeeze", "third", &["c"], &["by"]),
            node("Range", "n", &["from", "to", "by"], &["i"]),
        ];
        let limits = |limits: [i64; 3]| {
            ["a", "b", "c"]
                .into_iter()
                .zip(limits)
                .map(|(name, limit)| list(name, &[limit]))
                .collect()
        };
        assert_eq!(integral(range.clone(), limits([1, 6, 2]), 13), [1.0, 3.0, 5.0]);
        assert_eq!(integral(range.clone(), limits([1, -4, -2]), 13), [1.0, -1.0, -3.0]);
        assert!(integral(range.clone(), limits([1, 0, 1]), 13).is_empty());
        let mut range = range;
        range.push(node("Cast", "cast", &["i"], &["y"]).with("to", Is::Integer(1)));
        let endless = refusal(range.clone(), limits([1, 6, 0]), 13);
        assert_eq!(endless, "Range n: it has no end");
        let far = refusal(range, limits([0, i64::MAX, 1]), 13);
        assert!(far.contains("more than 33554432 numbers along an axis"), "{far}");
        let real = ["a", "b", "c"].into_iter().zip([0.5, 2.0, 0.5]);
        let stored = real.map(|(name, limit)| reals(name, &[], &[limit])).collect();
        let nodes = vec![node("Range", "n", &["a", "b", "c"], &["y"])];
        assert_eq!(folded(nodes, stored, 13), [0.5, 1.0, 1.5]);
        let nodes = vec![
            node("Equal", "same", &["a", "b"], &["c"]),
            node("Where", "n", &["c", "a", "d"], &["i"]),
        ];
        let stored = vec![list("a", &[1, 2, 3]), list("b", &[2]), list("d", &[7])];
        assert_eq!(integral(nodes, stored, 13), [7.0, 2.0, 7.0]);
    }

    #[test]
    fn quantized_weights_become_real() {
        let bytes = |name: &str, dims: &[i64], values: &[u8]| TensorProto {
            name: name.into(),
            data_type: 2,
            dims: dims.to_vec(),
            raw_data: values.to_vec().into(),
            ..TensorProto::default()
        };
        let node = node("DequantizeLinear", "n", &["a", "s", "z"], &["y"]);
        let weights = || bytes("a", &[2, 3], &[0, 1, 2, 128, 130, 255]);
        let one = vec![weights(), reals("s", &[], &[0.5]), bytes("z", &[], &[128])];
        assert_eq!(folded(vec![node.clone()], one, 13), [-64.0, -63.5, -63.0, 0.0, 1.0, 63.5]);
        let rows = node.clone().with("axis", Is::Integer(0));
        let stored = |count, scales: &[f32], zeros: &[u8]| {
            vec![weights(), reals("s", &[count], scales), bytes("z", &[count], zeros)]
        };
        let each = stored(2, &[1.0, 2.0], &[0, 128]);
        assert_eq!(folded(vec![rows], each, 13), [0.0, 1.0, 2.0, 0.0, 4.0, 254.0]);
        let wrong = refusal(vec![node], stored(2, &[1.0, 2.0], &[0, 0]), 13);
        assert_eq!(wrong, "DequantizeLinear n: it has 2 scales for 3 elements of axis 1");
    }

    #[test]
    fn what_cannot_be_evaluated_says_why() {
        let says = |operator: &str, stored: Vec<TensorProto>, words: &str| {
            let names = ["a", "b", "c"];
            let nodes = vec![node(operator, "n", &names[..stored.len()], &["y"])];
            let words = format!("{operator} n: {words}");
            assert!(refusal(nodes, stored, 13).ends_with(&words), "{words}");
        };
        let number = |name| reals(name, &[], &[1.0]);
        let pair = |name| reals(name, &[2], &[1.0, 2.0]);
        let whole = |name| integers(name, &[1, 2]);
        says(
            "Range",
            vec![pair("a"), number("b"), number("c")],
            "its limits are not one number each",
        );
        let times = integers("b", &[i64::MAX]);
        says("Tile", vec![integers("a", &[1, 2, 3]), times], "its output is too large");
        says("Equal", vec![whole("a"), pair("b")], "it mixes integers with real numbers");
        let thirds = reals("b", &[3], &[0.0; 3]);
        says("Equal", vec![pair("a"), thirds], "the shapes of its inputs do not broadcast");
        says("Where", vec![pair("a"), pair("b"), pair("c")], "its condition holds real numbers");
        says(
            "Where",
            vec![whole("a"), whole("b"), pair("c")],
            "it mixes integers with real numbers",
        );
        let quantized = |words, second, third| {
            says("DequantizeLinear", vec![whole("a"), second, third], words);
        };
        quantized("its zero point holds real numbers", number("b"), number("c"));
        quantized("its scale and zero point differ in shape", number("b"), whole("c"));
        says("DequantizeLinear", vec![pair("a"), number("b")], "its input holds real numbers");
        let blocks = reals("b", &[1, 2], &[1.0; 2]);
        let words = "it has a scale for every block of an axis";
        says("DequantizeLinear", vec![whole("a"), blocks], words);
    }
}
