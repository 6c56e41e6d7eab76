//! From any bytes to the file of a small graph with plausible nodes.

use arbitrary::{Result, Unstructured};
use prost::Message;

/// Operators with what they take: names of attributes that they may have. Those that no converter
/// knows are refused by name, which is an answer too.
const OPERATORS: &[&str] = &[
    "Abs",
    "Add",
    "And",
    "ArgMax",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Celu",
    "Ceil",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "DepthToSpace",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "Gather",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Greater",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "InstanceNormalization",
    "LRN",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "Log",
    "LogSoftmax",
    "MatMul",
    "Max",
    "MaxPool",
    "MaxUnpool",
    "Min",
    "Mish",
    "Mul",
    "Neg",
    "Not",
    "PRelu",
    "Pad",
    "Pow",
    "Range",
    "Reciprocal",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Selu",
    "Shape",
    "Sigmoid",
    "Size",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "SpaceToDepth",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Tanh",
    "Tile",
    "Transpose",
    "Unsqueeze",
    "Where",
];

const INTEGER: &[&str] = &[
    "axis",
    "keepdims",
    "group",
    "ceil_mode",
    "count_include_pad",
    "transA",
    "transB",
    "to",
    "allowzero",
    "size",
    "num_outputs",
    "storage_order",
    "noop_with_empty_axes",
    "training_mode",
    "spatial",
    "blocksize",
    "start",
    "end",
];

const INTEGERS: &[&str] = &[
    "kernel_shape",
    "strides",
    "pads",
    "dilations",
    "axes",
    "perm",
    "starts",
    "ends",
    "split",
    "output_padding",
    "output_shape",
    "shape",
];

const REAL: &[&str] =
    &["alpha", "beta", "epsilon", "ratio", "min", "max", "bias", "value", "gamma", "momentum"];

const WORDS: &[(&str, &[&str])] = &[
    ("auto_pad", &["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"]),
    ("mode", &["constant", "edge", "reflect", "wrap", "DCR", "CRD"]),
    ("approximate", &["none", "tanh"]),
];

/// Makes the file of a model from any bytes.
pub fn file(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut choose = Unstructured::new(bytes);
    let rank = choose.int_in_range(1..=5)?;
    let mut extents = vec![1];
    for _ in 1..rank {
        extents.push(choose.int_in_range(1..=9)?);
    }
    let mut graph = Graph { input: vec![value("x", &extents)], ..Graph::default() };
    let mut values = vec!["x".to_owned()];
    let nodes = choose.int_in_range(1..=6)?;
    for index in 0..nodes {
        let mut node = Node {
            op_type: (*choose.choose(OPERATORS)?).to_owned(),
            name: format!("n{index}"),
            ..Node::default()
        };
        for operand in 0..choose.int_in_range(1..=4)? {
            // The first operand is mostly computed, the others mostly stored.
            let computed = choose.ratio(if operand == 0 { 7 } else { 2 }, 8)?;
            let name = if computed {
                choose.choose(&values)?.clone()
            } else if choose.ratio(1, 8)? {
                String::new()
            } else {
                let name = format!("w{index}_{operand}");
                graph.initializer.push(stored(&mut choose, &name)?);
                name
            };
            node.input.push(name);
        }
        for output in 0..if choose.ratio(1, 6)? { choose.int_in_range(1..=3)? } else { 1 } {
            let name = format!("v{index}_{output}");
            node.output.push(name.clone());
            values.push(name);
        }
        for _ in 0..choose.int_in_range(0..=6)? {
            let attribute = attribute(&mut choose)?;
            if node.attribute.iter().all(|other| other.name != attribute.name) {
                node.attribute.push(attribute);
            }
        }
        graph.node.push(node);
    }
    let last = values.last().cloned().unwrap_or_default();
    graph.output.push(value(&last, &[]));
    let opset_import = vec![OperatorSet { version: choose.int_in_range(7..=25)? }];
    Ok(Model { ir_version: 8, graph: Some(graph), opset_import }.encode_to_vec())
}

/// A small number, seldom a large one.
fn number(choose: &mut Unstructured<'_>) -> Result<i64> {
    if choose.ratio(1, 24)? { choose.arbitrary() } else { choose.int_in_range(-3..=7) }
}

fn numbers(choose: &mut Unstructured<'_>) -> Result<Vec<i64>> {
    let count = choose.int_in_range(0..=6)?;
    (0..count).map(|_| number(choose)).collect()
}

fn stored(choose: &mut Unstructured<'_>, name: &str) -> Result<Tensor> {
    let rank = choose.int_in_range(0..=4)?;
    let mut dims = Vec::new();
    for _ in 0..rank {
        dims.push(choose.int_in_range(1..=5)?);
    }
    let volume = dims.iter().product::<i64>();
    let mut tensor = Tensor { dims, name: name.to_owned(), ..Tensor::default() };
    if choose.ratio(1, 2)? {
        tensor.data_type = 1;
        let step: u8 = choose.arbitrary()?;
        tensor.float_data =
            (0..volume).map(|i| (i * i64::from(step) % 17) as f32 / 8.0 - 1.0).collect();
    } else if choose.ratio(3, 4)? {
        tensor.data_type = 7;
        tensor.int64_data = (0..volume).map(|_| number(choose)).collect::<Result<_>>()?;
    } else {
        tensor.data_type = *choose.choose(&[2, 3, 6, 9])?;
        tensor.int32_data =
            (0..volume).map(|_| Ok(number(choose)? as i32)).collect::<Result<_>>()?;
    }
    Ok(tensor)
}

fn attribute(choose: &mut Unstructured<'_>) -> Result<Attribute> {
    let mut attribute = Attribute::default();
    match choose.int_in_range(0..=7)? {
        0..=2 => {
            (attribute.name, attribute.r#type) = ((*choose.choose(INTEGER)?).to_owned(), 2);
            attribute.i = number(choose)?;
        }
        3..=5 => {
            (attribute.name, attribute.r#type) = ((*choose.choose(INTEGERS)?).to_owned(), 7);
            attribute.ints = numbers(choose)?;
        }
        6 => {
            (attribute.name, attribute.r#type) = ((*choose.choose(REAL)?).to_owned(), 1);
            attribute.f = f32::from(choose.arbitrary::<i8>()?) / 16.0;
        }
        _ => {
            let (name, words) = choose.choose(WORDS)?;
            (attribute.name, attribute.r#type) = ((*name).to_owned(), 3);
            attribute.s = choose.choose(words)?.as_bytes().to_vec();
        }
    }
    Ok(attribute)
}

fn value(name: &str, extents: &[i64]) -> ValueInfo {
    let dim = extents.iter().map(|&extent| Dimension { dim_value: extent }).collect();
    let tensor_type = TensorType { elem_type: 1, shape: Some(TensorShape { dim }) };
    ValueInfo { name: name.to_owned(), r#type: Some(Type { tensor_type: Some(tensor_type) }) }
}

// The messages of an ONNX file, as far as they are written here; tags are those of `onnx.proto`.

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    opset_import: Vec<OperatorSet>,
}

#[derive(Clone, PartialEq, Message)]
struct OperatorSet {
    #[prost(int64, tag = "2")]
    version: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<ValueInfo>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(float, tag = "2")]
    f: f32,
    #[prost(int64, tag = "3")]
    i: i64,
    #[prost(bytes = "vec", tag = "4")]
    s: Vec<u8>,
    #[prost(int64, repeated, tag = "8")]
    ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    r#type: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(float, repeated, tag = "4")]
    float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    int32_data: Vec<i32>,
    #[prost(int64, repeated, tag = "7")]
    int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct ValueInfo {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    r#type: Option<Type>,
}

#[derive(Clone, PartialEq, Message)]
struct Type {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorType>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorType {
    #[prost(int32, tag = "1")]
    elem_type: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<TensorShape>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorShape {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
struct Dimension {
    #[prost(int64, tag = "1")]
    dim_value: i64,
}
