//! Pictures whose channels come last in the file.

use std::collections::BTreeSet;

use convscope_runtime::Shape;

use crate::graph::Graph;
use crate::input::Input;
use crate::proto::NodeProto;

/// The order that puts channels that come last behind the batch.
pub(crate) const CHANNELS_FIRST: [usize; 4] = [0, 3, 1, 2];
/// The order that undoes it.
pub(crate) const CHANNELS_LAST: [usize; 4] = [0, 2, 3, 1];

/// Operators that exporters put between a picture and its transposition: the preparation of pixels.
const PREPARATION: &[&str] =
    &["Add", "Cast", "Clip", "Concat", "Div", "Identity", "Mul", "Pad", "Slice", "Split", "Sub"];

/// In which order a file takes the axes of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputLayout {
    /// As the network does.
    #[default]
    Same,
    /// `[batch, height, width, channel]`, where the network takes
    /// `[batch, channel, height, width]`.
    ChannelsLast,
}

impl InputLayout {
    /// Recognises a picture whose channels come last: four axes, one or three channels, and what
    /// reads it transposes it before anything looks at its maps.
    pub(crate) fn of(input: &Input<'_>, graph: &Graph<'_>) -> Self {
        if !matches!(input.shape.extents(), [_, _, _, 1 | 3]) {
            return Self::Same;
        }
        let mut pictures = BTreeSet::from([input.name]);
        for node in &graph.nodes {
            let proto = node.proto;
            if !proto.input.iter().any(|name| pictures.contains(name.as_str())) {
                continue;
            }
            if proto.op_type == "Transpose" {
                return if puts_channels_first(proto) { Self::ChannelsLast } else { Self::Same };
            }
            if PREPARATION.contains(&proto.op_type.as_str()) {
                pictures.extend(proto.output.iter().map(String::as_str));
            }
        }
        Self::Same
    }

    /// Returns the shape in the network of an input of a shape in the file.
    pub(crate) fn in_network(self, in_file: &Shape) -> Shape {
        self.ordered(in_file, CHANNELS_FIRST)
    }

    /// Returns the shape in the file of an input of a shape in the network.
    pub fn in_file(self, in_network: &Shape) -> Shape {
        self.ordered(in_network, CHANNELS_LAST)
    }

    /// Returns the order of axes that turns an input as the file takes it into one as the network
    /// takes it, where they differ.
    pub fn order(self) -> Option<[usize; 4]> {
        match self {
            Self::Same => None,
            Self::ChannelsLast => Some(CHANNELS_FIRST),
        }
    }

    fn ordered(self, shape: &Shape, order: [usize; 4]) -> Shape {
        match (self, shape.as_maps()) {
            (Self::ChannelsLast, Some(_)) => Shape::from(order.map(|axis| shape.extents()[axis])),
            _ => shape.clone(),
        }
    }
}

fn puts_channels_first(proto: &NodeProto) -> bool {
    let order = proto.attribute.iter().find(|attribute| attribute.name == "perm");
    order.is_some_and(|order| order.ints == CHANNELS_FIRST.map(|axis| axis.cast_signed() as i64))
}

#[cfg(test)]
mod tests {
    use convscope_runtime::{CpuBackend, ForwardRequest, Keep, LayerKind, Tensor};

    use super::*;
    use crate::proto::{GraphProto, TensorProto};
    use crate::testing::{Is, graph, integers, load, model, node, reals, value_info};
    use crate::{LoadedModel, OnnxError};

    fn transpose(from: &str, to: &str, order: &[i64]) -> NodeProto {
        node("Transpose", "turn", &[from], &[to]).with("perm", Is::Integers(order))
    }

    fn loaded(
        nodes: Vec<NodeProto>,
        stored: Vec<TensorProto>,
        shape: [i64; 4],
    ) -> Result<LoadedModel, OnnxError> {
        let graph = GraphProto { initializer: stored, ..graph(nodes, "x", "y") };
        load(&model(GraphProto { input: vec![value_info("x", &shape)], ..graph }))
    }

    fn convolution() -> (NodeProto, TensorProto) {
        let node = node("Conv", "conv", &["t", "w"], &["y"]);
        (node, reals("w", &[1, 3, 1, 1], &[1.0, 10.0, 100.0]))
    }

    #[test]
    fn a_transposed_picture_becomes_an_input_with_channels_first() {
        let (conv, weight) = convolution();
        let nodes = vec![transpose("x", "t", &[0, 3, 1, 2]), conv];
        let model = loaded(nodes, vec![weight], [-1, 4, 5, 3]).unwrap();
        let network = &model.network;
        assert_eq!(model.input_layouts, [InputLayout::ChannelsLast]);
        assert_eq!(network.nodes().len(), 1);
        let input = network.inputs()[0];
        assert_eq!(network.value(input).shape.extents(), [1, 3, 4, 5]);
        assert_eq!(
            InputLayout::ChannelsLast.in_file(&network.value(input).shape).extents(),
            [1, 4, 5, 3]
        );
        for name in ["x", "turn", "t"] {
            assert_eq!(model.find(name).unwrap(), input, "{name}");
        }
    }

    #[test]
    fn what_prepares_pixels_before_the_transposition_sees_channels_last() {
        let (conv, weight) = convolution();
        let nodes = vec![
            node("Sub", "mean", &["x", "m"], &["c"]),
            transpose("c", "t", &[0, 3, 1, 2]),
            conv,
            node("Shape", "ignored", &["x"], &["s"]),
        ];
        let stored = vec![weight, reals("m", &[3], &[1.0, 2.0, 3.0])];
        let model = loaded(nodes, stored, [1, 1, 2, 3]).unwrap();
        let network = &model.network;
        let kinds: Vec<LayerKind> = network.nodes().iter().map(|n| n.layer.kind()).collect();
        let turned = LayerKind::Transposition;
        assert_eq!(kinds, [turned, LayerKind::Subtraction, turned, LayerKind::Convolution]);
        assert_eq!(network.nodes()[0].name, "x/channels_last");
        let captures = network.outputs();
        let request = ForwardRequest { captures, interventions: &[], keep: Keep::Output };
        let picture = Tensor::new([1, 3, 1, 2], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let trace = network.forward(&CpuBackend::new(), &[picture], &request).unwrap();
        let output =
            trace.value(captures[0]).unwrap().to_host().unwrap().values().unwrap().to_vec();
        assert_eq!(output, [0.0 + 10.0 + 200.0, 1.0 + 20.0 + 300.0]);
    }

    #[test]
    fn the_shape_of_such_a_picture_is_that_of_the_file() {
        let nodes = vec![
            transpose("x", "t", &[0, 3, 1, 2]),
            node("Shape", "shape", &["x"], &["s"]),
            node("Gather", "height", &["s", "one"], &["h"]),
            node("Concat", "target", &["zero", "h", "rest"], &["target"])
                .with("axis", Is::Integer(0)),
            node("Reshape", "n", &["t", "target"], &["y"]),
        ];
        let stored = vec![integers("one", &[1]), integers("zero", &[0]), integers("rest", &[-1])];
        let network = loaded(nodes, stored, [-1, 4, 5, 3]).unwrap().network;
        assert_eq!(network.value(network.outputs()[0]).shape.extents(), [1, 4, 15]);
        assert_eq!(network.nodes().len(), 1);
    }

    #[test]
    fn other_pictures_stay_as_the_file_has_them() {
        let same = |order: &[i64], shape| {
            let model = loaded(vec![transpose("x", "y", order)], vec![], shape).unwrap();
            (model.input_layouts[0], model.network.nodes().len())
        };
        assert_eq!(same(&[0, 3, 1, 2], [1, 4, 5, 7]), (InputLayout::Same, 1));
        assert_eq!(same(&[0, 2, 3, 1], [1, 3, 5, 3]), (InputLayout::Same, 1));
        let (conv, weight) = convolution();
        let conv = NodeProto { input: vec!["x".into(), "w".into()], ..conv };
        let model = loaded(vec![conv], vec![weight], [1, 3, 5, 3]).unwrap();
        assert_eq!(model.input_layouts, [InputLayout::Same]);
        // A picture that is handed out is handed out as the file has it.
        let handed_out = vec![
            transpose("x", "t", &[0, 3, 1, 2]),
            node("Identity", "same", &["x"], &["i"]),
            transpose("i", "j", &[0, 3, 1, 2]),
            node("Add", "n", &["t", "j"], &["y"]),
        ];
        let network = loaded(handed_out, vec![], [1, 4, 5, 3]).unwrap().network;
        let last = network.find("same").unwrap();
        assert_eq!(network.value(last).shape.extents(), [1, 4, 5, 3]);
    }
}
