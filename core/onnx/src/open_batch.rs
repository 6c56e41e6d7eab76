//! Constants that depend on how many images there are, which a file may leave open.
//!
//! A network is made as if there were one image, and runs for any number of them. What a file
//! computes from an open batch is therefore evaluated for two images too. Where that only puts a
//! second image behind the first, one image stands for all; anything else would be wrong for
//! every other number, and is refused.

use std::collections::BTreeMap;

use convscope_runtime::Tensor;

use crate::call::{Call, Known, Operand};
use crate::constant::Constant;
use crate::refusal::Refusal;

/// Operators that align the axes of their operands, so that a constant with a row per image lies
/// beside the images, alphabetical.
const ALIGNING: &[&str] = &["Add", "Concat", "Div", "Max", "Min", "Mul", "Pow", "Sub", "Sum"];

/// On what the values depend that are refused.
pub(crate) const ON_IMAGES: &str = "on how many images there are, which the file leaves open";

/// The constants that are others for two images than for one, as they are for two.
#[derive(Debug, Default)]
pub(crate) struct ForTwo<'m>(BTreeMap<&'m str, Constant>);

impl<'m> ForTwo<'m> {
    /// Says whether what a node makes of its operands may depend on the number of images.
    pub(crate) fn concerns(&self, operator: &str, operands: &[Option<Operand<'m>>]) -> bool {
        let measures = ["Shape", "Size"].contains(&operator);
        operands.iter().flatten().any(|operand| match operand.known {
            Known::Constant(_) => self.depends(operand.name),
            Known::Computed(_) | Known::ChannelsLast(_) => measures,
            Known::Switches(_) | Known::Lost => false,
        })
    }

    /// Says whether a constant depends on the number of images.
    pub(crate) fn depends(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Returns operands as they are for two images.
    pub(crate) fn operands(&self, operands: &[Option<Operand<'m>>]) -> Vec<Option<Operand<'m>>> {
        let mut operands = operands.to_vec();
        for operand in operands.iter_mut().flatten() {
            if let Some(two) = self.0.get(operand.name) {
                operand.known = Known::Constant(two.clone());
            }
        }
        operands
    }

    /// Notes what a constant is for two images, if that differs from what it is for one.
    pub(crate) fn note(&mut self, name: &'m str, one: &Constant, two: Constant) {
        if !is_same(one, &two) {
            self.0.insert(name, two);
        }
    }

    /// Checks that the constants which a node reads leave its layer the same for any number of
    /// images.
    ///
    /// # Errors
    /// Names the constant that does not.
    pub(crate) fn check(&self, call: &Call<'_, 'm>) -> Result<(), Refusal> {
        for (index, operand) in call.operands.iter().enumerate() {
            let Some(operand) = operand else { continue };
            let (Some(two), Known::Constant(one)) = (self.0.get(operand.name), &operand.known)
            else {
                continue;
            };
            let fits = match (one, two) {
                (Constant::Real(one), Constant::Real(two)) => {
                    ALIGNING.contains(&call.operator)
                        && has_images_of(call, one.shape().rank())
                        && repeats(one, two)?
                }
                (Constant::Integer(one), Constant::Integer(two)) => {
                    let target = match call.operator {
                        "Expand" => has_images_of(call, one.values.len()),
                        "Reshape" => true,
                        _ => false,
                    };
                    let more = matches!(
                        (&*one.values, &*two.values),
                        ([1, one @ ..], [2, two @ ..]) if one == two
                    );
                    target && index == 1 && more
                }
                _ => false,
            };
            if !fits {
                let name = operand.name;
                return Err(Refusal::Unsupported(format!("its input {name} depends {ON_IMAGES}")));
            }
        }
        Ok(())
    }
}

/// Says whether a node reads images that have a number of axes, the batch among them.
fn has_images_of(call: &Call<'_, '_>, rank: usize) -> bool {
    call.operands.iter().flatten().any(|operand| match operand.known {
        Known::Computed(id) | Known::ChannelsLast(id) => call.shape(id).rank() == rank,
        _ => false,
    })
}

/// Says whether the second tensor is the first twice, along the batch.
fn repeats(one: &Tensor, two: &Tensor) -> Result<bool, Refusal> {
    let [(1, one_behind), (2, two_behind)] = [one, two].map(|tensor| {
        let extents = tensor.shape().extents();
        extents.split_first().map_or((0, extents), |(&batch, behind)| (batch, behind))
    }) else {
        return Ok(false);
    };
    let (one, two) = (one.values()?, two.values()?);
    let (first, second) = two.split_at(two.len() / 2);
    Ok(one_behind == two_behind && is_equal(one, first) && is_equal(one, second))
}

fn is_same(one: &Constant, two: &Constant) -> bool {
    match (one, two) {
        (Constant::Integer(one), Constant::Integer(two)) => one == two,
        (Constant::Real(one), Constant::Real(two)) => {
            let values = (one.values(), two.values());
            one.shape() == two.shape() && matches!(values, (Ok(one), Ok(two)) if is_equal(one, two))
        }
        _ => false,
    }
}

/// Compares numbers bit by bit.
fn is_equal(one: &[f32], two: &[f32]) -> bool {
    one.len() == two.len() && one.iter().zip(two).all(|(a, b)| a.to_bits() == b.to_bits())
}

#[cfg(test)]
mod tests {
    use convscope_runtime::network::Origin;
    use convscope_runtime::{LayerKind, Network};

    use crate::proto::{GraphProto, NodeProto, TensorProto};
    use crate::testing::{
        Is, graph, integers, load, load_nodes, model, node, reals, refusal, value_info,
    };

    /// Makes the number of images, `n`, as exporters do.
    fn count() -> Vec<NodeProto> {
        vec![node("Shape", "", &["x"], &["shape"]), node("Gather", "", &["shape", "zero"], &["n"])]
    }

    fn stored(mut further: Vec<TensorProto>) -> Vec<TensorProto> {
        further.push(integers("zero", &[0]));
        further
    }

    fn with(mut nodes: Vec<NodeProto>) -> Vec<NodeProto> {
        let mut all = count();
        all.append(&mut nodes);
        all
    }

    fn kinds(network: &Network) -> Vec<LayerKind> {
        network.nodes().iter().map(|node| node.layer.kind()).collect()
    }

    #[test]
    fn a_constant_that_is_repeated_for_every_image_stands_for_all() {
        let nodes = with(vec![
            node("Concat", "", &["n", "one", "eight", "eight"], &["target"])
                .with("axis", Is::Integer(0)),
            node("Expand", "", &["row", "target"], &["rows"]),
            node("Add", "add", &["rows", "x"], &["y"]),
        ]);
        let further = vec![
            integers("one", &[1]),
            integers("eight", &[8]),
            reals("row", &[1, 1, 8, 1], &[0.5; 8]),
        ];
        let network = load_nodes(nodes, stored(further), 13).unwrap().network;
        assert_eq!(kinds(&network), [LayerKind::Addition]);
        let rows = network.find("rows").unwrap();
        assert_eq!(network.value(rows).shape.extents(), [1, 1, 8, 8]);
    }

    #[test]
    fn a_target_that_keeps_the_images_is_the_same_for_any_number() {
        for operator in ["Expand", "Reshape"] {
            let nodes = vec![
                node("Shape", "", &["x"], &["shape"]),
                node(operator, "n", &["x", "shape"], &["y"]),
            ];
            assert!(load_nodes(nodes, vec![], 13).is_ok(), "{operator}");
        }
    }

    #[test]
    fn numbers_that_change_with_the_images_are_refused() {
        let words = |nodes: Vec<NodeProto>, further| refusal(with(nodes), stored(further), 13);
        let real = || node("Cast", "", &["n"], &["real"]).with("to", Is::Integer(1));
        let depends = |text: String, start: &str| {
            let end = "depends on how many images there are, which the file leaves open";
            assert!(text.contains(start) && text.ends_with(end), "{text}");
        };
        let divided = vec![real(), node("Div", "mean", &["x", "real"], &["y"])];
        depends(words(divided, vec![]), "Div mean: its input real ");
        let sliced = vec![
            node("Unsqueeze", "", &["n", "zero"], &["more"]),
            node("Squeeze", "", &["more", "zero"], &["end"]),
            node("Slice", "cut", &["x", "zero", "end", "one"], &["y"]),
        ];
        depends(words(sliced, vec![integers("one", &[1])]), "Slice cut: its input end ");
        // The other way round: for two images, half of it would be left.
        let turned = vec![
            node("Div", "", &["eight", "n"], &["part"]),
            node("Concat", "", &["n", "part", "rest"], &["target"]).with("axis", Is::Integer(0)),
            node("Reshape", "turn", &["x", "target"], &["y"]),
        ];
        let further = vec![integers("eight", &[8]), integers("rest", &[-1])];
        depends(words(turned, further), "Reshape turn: its input target ");
        // Filters are no images, though there is one for each of them.
        let filters = vec![
            node("Concat", "", &["n", "rest"], &["target"]).with("axis", Is::Integer(0)),
            node("Expand", "", &["filter", "target"], &["filters"]),
            node("Conv", "conv", &["x", "filters"], &["y"]),
        ];
        let further = vec![integers("rest", &[3, 1, 1]), reals("filter", &[1, 3, 1, 1], &[1.0; 3])];
        depends(words(filters, further), "Conv conv: its input filters ");
        // One image has one place; the second would have another.
        let places = vec![
            node("Squeeze", "", &["n"], &["to"]),
            node("Range", "", &["from", "to", "by"], &["places"]),
            node("Cast", "", &["places"], &["real"]).with("to", Is::Integer(1)),
            node("Reshape", "", &["real", "column"], &["rows"]),
            node("Add", "add", &["x", "rows"], &["y"]),
        ];
        let mut by = integers("by", &[1]);
        let mut from = integers("from", &[0]);
        (by.dims, from.dims) = (vec![], vec![]);
        let further = vec![by, from, integers("column", &[-1, 1, 1, 1])];
        depends(words(places, further), "Add add: its input rows ");
    }

    #[test]
    fn what_only_one_image_allows_is_refused() {
        let nodes = with(vec![
            node("Reshape", "same", &["w", "n"], &["one"]),
            node("Add", "add", &["x", "one"], &["y"]),
        ]);
        let words = refusal(nodes, stored(vec![reals("w", &[1, 1], &[1.0])]), 13);
        let end = "Reshape same: its inputs depend on how many images there are, which the file \
                   leaves open, and fit one alone";
        assert!(words.ends_with(end), "{words}");
    }

    #[test]
    fn an_output_that_changes_with_the_images_is_refused() {
        let nodes = with(vec![node("Cast", "", &["n"], &["y"]).with("to", Is::Integer(1))]);
        assert_eq!(
            refusal(nodes, stored(vec![]), 13),
            "output y: it depends on how many images there are, which the file leaves open"
        );
    }

    /// The file is then one for eight images, and says what each of them gives among eight.
    #[test]
    fn a_batch_that_the_file_writes_down_is_a_number_like_others() {
        let nodes = with(vec![
            node("Cast", "", &["n"], &["real"]).with("to", Is::Integer(1)),
            node("Div", "mean", &["x", "real"], &["y"]),
        ]);
        let mut graph = GraphProto { initializer: stored(vec![]), ..graph(nodes, "x", "y") };
        graph.input = vec![value_info("x", &[8, 3, 8, 8])];
        let network = load(&model(graph)).unwrap().network;
        let Origin::Constant(eight) = &network.value(network.find("real").unwrap()).origin else {
            panic!("it was not folded");
        };
        assert_eq!(eight.values().unwrap(), [8.0]);
    }
}
