//! Small models for tests.

use std::path::Path;

use prost::Message as _;

use crate::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto, attribute_type, data_type,
};
use crate::{LoadOptions, LoadedModel, OnnxError};

/// Makes a node.
pub(crate) fn node(operator: &str, name: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    NodeProto {
        op_type: operator.into(),
        name: name.into(),
        input: owned(inputs),
        output: owned(outputs),
        ..NodeProto::default()
    }
}

/// A value of an attribute.
#[allow(clippy::large_enum_variant, reason = "tests make a handful, and write them often")]
pub(crate) enum Is<'a> {
    Integer(i64),
    Integers(&'a [i64]),
    Real(f32),
    Text(&'a str),
    Tensor(TensorProto),
}

impl NodeProto {
    /// Adds an attribute.
    pub(crate) fn with(mut self, name: &str, value: Is<'_>) -> Self {
        let mut attribute = AttributeProto { name: name.into(), ..AttributeProto::default() };
        attribute.r#type = match value {
            Is::Integer(integer) => {
                attribute.i = integer;
                attribute_type::INT
            }
            Is::Integers(integers) => {
                attribute.ints = integers.to_vec();
                attribute_type::INTS
            }
            Is::Real(real) => {
                attribute.f = real;
                attribute_type::FLOAT
            }
            Is::Text(text) => {
                attribute.s = text.as_bytes().to_vec().into();
                attribute_type::STRING
            }
            Is::Tensor(tensor) => {
                attribute.t = Some(Box::new(tensor));
                attribute_type::TENSOR
            }
        };
        self.attribute.push(attribute);
        self
    }

    /// Adds an entry of metadata.
    pub(crate) fn with_metadata(mut self, key: &str, value: &str) -> Self {
        let (key, value) = (key.into(), value.into());
        self.metadata_props.push(StringStringEntryProto { key, value });
        self
    }
}

/// Makes a tensor of real numbers.
pub(crate) fn reals(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: data_type::FLOAT,
        raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>().into(),
        ..TensorProto::default()
    }
}

/// Makes a tensor `w` of raw bytes.
pub(crate) fn stored(kind: i32, raw: &[u8], dims: &[i64]) -> TensorProto {
    TensorProto {
        name: "w".into(),
        data_type: kind,
        dims: dims.to_vec(),
        raw_data: raw.to_vec().into(),
        ..TensorProto::default()
    }
}

/// Makes a list of integers.
pub(crate) fn integers(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: vec![values.len().cast_signed() as i64],
        data_type: data_type::INT64,
        int64_data: values.to_vec(),
        ..TensorProto::default()
    }
}

/// Describes an input or output; −1 leaves an extent open.
pub(crate) fn value_info(name: &str, extents: &[i64]) -> ValueInfoProto {
    let dim = |&extent: &i64| match extent {
        -1 => DimensionProto { dim_value: None, dim_param: Some("n".into()) },
        extent => DimensionProto { dim_value: Some(extent), dim_param: None },
    };
    let shape = Some(TensorShapeProto { dim: extents.iter().map(dim).collect() });
    let tensor_type = Some(TensorTypeProto { elem_type: data_type::FLOAT, shape });
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type }) }
}

/// Makes a graph of one input of shape [n, 3, 8, 8] and one output.
pub(crate) fn graph(nodes: Vec<NodeProto>, input: &str, output: &str) -> GraphProto {
    GraphProto {
        node: nodes,
        input: vec![value_info(input, &[-1, 3, 8, 8])],
        output: vec![value_info(output, &[])],
        ..GraphProto::default()
    }
}

/// Makes a model of operator set 13.
pub(crate) fn model(graph: GraphProto) -> ModelProto {
    model_of(graph, 13)
}

/// Makes a model of another operator set.
pub(crate) fn model_of(graph: GraphProto, version: i64) -> ModelProto {
    ModelProto {
        ir_version: 8,
        producer_name: "test".into(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version }],
        ..ModelProto::default()
    }
}

/// Loads a model.
pub(crate) fn load(model: &ModelProto) -> Result<LoadedModel, OnnxError> {
    crate::load_bytes(model.encode_to_vec(), Path::new("."), &LoadOptions::default())
}

/// Loads a chain of nodes from `x` [n, 3, 8, 8] to `y` with stored tensors.
pub(crate) fn load_nodes(
    nodes: Vec<NodeProto>,
    stored: Vec<TensorProto>,
    version: i64,
) -> Result<LoadedModel, OnnxError> {
    let graph = GraphProto { initializer: stored, ..graph(nodes, "x", "y") };
    load(&model_of(graph, version))
}

/// Returns the shape of `y` in a chain that must load.
pub(crate) fn shape_of(
    nodes: Vec<NodeProto>,
    stored: Vec<TensorProto>,
    version: i64,
) -> Vec<usize> {
    let network = load_nodes(nodes, stored, version).unwrap().network;
    network.value(network.outputs()[0]).shape.extents().to_vec()
}

/// Returns the message with which a chain is refused.
pub(crate) fn refusal(nodes: Vec<NodeProto>, stored: Vec<TensorProto>, version: i64) -> String {
    load_nodes(nodes, stored, version).unwrap_err().to_string()
}
