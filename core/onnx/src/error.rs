//! What can go wrong while reading a model.

use std::fmt;
use std::io;
use std::path::PathBuf;

use convscope_runtime::NetworkError;
use thiserror::Error;

/// An error of reading an ONNX file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The path is a folder, a pipe or a device.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The bytes are not those of an ONNX file.
    #[error("the file is damaged or not ONNX: {reason}")]
    Damaged {
        /// What is wrong with them.
        reason: String,
    },
    /// The file would take too much memory.
    #[error("the file holds more than {limit} {what}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much of it is allowed.
        limit: u64,
    },
    /// The model needs an operator set that is not known here.
    #[error(
        "the model uses operator set {version}; 1 to 25 are supported: convert it with onnx.version_converter or export it anew"
    )]
    OperatorSet {
        /// Version of the default operator set.
        version: i64,
    },
    /// The model uses a part of ONNX that is not supported.
    #[error("the model {what}, which is not supported: {help}")]
    UnsupportedModel {
        /// What it does.
        what: &'static str,
        /// What can be done about it.
        help: &'static str,
    },
    /// Some nodes are not supported; all of them are listed.
    #[error("{0}")]
    UnsupportedNodes(UnsupportedNodes),
    /// Two nodes, inputs or initializers make a value of the same name.
    #[error("{node}: its output {value} is made elsewhere too")]
    Duplicate {
        /// The later maker.
        node: String,
        /// The value.
        value: String,
    },
    /// A node or the graph needs a value that nothing makes.
    #[error("{node}: nothing makes {value}, which it needs")]
    Missing {
        /// The node that needs the value.
        node: String,
        /// The value.
        value: String,
    },
    /// A node needs its own output.
    #[error("{node}: its input depends on its own output")]
    Cycle {
        /// A node on the cycle.
        node: String,
    },
    /// A node is not as the ONNX specification wants it.
    #[error("{operator} {node}: {reason}")]
    InvalidNode {
        /// Name of the node.
        node: String,
        /// Its operator.
        operator: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A stored tensor is not as it says.
    #[error("tensor {name}: {reason}")]
    Tensor {
        /// Name of the tensor.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The data of a tensor lie in another file that cannot be used.
    #[error("tensor {tensor}: its data in {location:?} cannot be used: {reason}")]
    ExternalData {
        /// Name of the tensor.
        tensor: String,
        /// The file as the model names it.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of weights does not fit the model, or is none.
    #[error("the weights in {} cannot be used: {reason}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An input of the model cannot be given a tensor of numbers.
    #[error("input {input}: {reason}")]
    InvalidInput {
        /// Name of the input.
        input: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An output of the model is not a tensor of numbers.
    #[error("output {output}: {reason}")]
    InvalidOutput {
        /// Name of the output.
        output: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The model leaves the size of an input open.
    #[error("input {input} has the shape {shape}: say which size to use, such as {example}")]
    OpenShape {
        /// Name of the input.
        input: String,
        /// Its shape as the model gives it.
        shape: String,
        /// A possible answer.
        example: String,
    },
    /// Shapes were given for another number of inputs than the model has.
    #[error("the model has {expected} inputs, but {actual} shapes were given")]
    ShapeCount {
        /// How many inputs there are.
        expected: usize,
        /// How many shapes were given.
        actual: usize,
    },
    /// Values were given for another number of inputs than the model has.
    #[error("the model takes {}: {} given", inputs(*expected), tensors(*actual))]
    InputCount {
        /// How many inputs there are.
        expected: usize,
        /// How many values were given.
        actual: usize,
    },
    /// No value or layer has this name.
    #[error("the model has no layer or value {name:?}{}", similar(nearest))]
    UnknownName {
        /// What was asked for.
        name: String,
        /// The most similar names, best first.
        nearest: Vec<String>,
    },
    /// The layers do not fit together.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

fn inputs(count: usize) -> String {
    match count {
        1 => "1 input".into(),
        count => format!("{count} inputs"),
    }
}

fn tensors(count: usize) -> String {
    match count {
        1 => "1 tensor was".into(),
        count => format!("{count} tensors were"),
    }
}

fn similar(nearest: &[String]) -> String {
    if nearest.is_empty() {
        String::new()
    } else {
        format!("; similar names: {}", nearest.join(", "))
    }
}

/// The nodes of a model that are not supported, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsupportedNodes(pub Vec<UnsupportedNode>);

/// A node that is not supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsupportedNode {
    /// Its operator, with the domain where that is not ONNX's own.
    pub operator: String,
    /// Its name.
    pub node: String,
    /// Why it is not supported.
    pub reason: String,
}

impl fmt::Display for UnsupportedNodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("one node is not supported:")?,
            count => write!(f, "{count} nodes are not supported:")?,
        }
        for UnsupportedNode { operator, node, reason } in &self.0 {
            write!(f, "\n  {operator} {node}: {reason}")?;
        }
        Ok(())
    }
}
