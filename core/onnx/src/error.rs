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
    ///
    /// Cure: Check the path, also for a missing folder in front of it, and that you may read the
    /// file (`ls -l`).
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The path is a folder, a pipe or a device.
    ///
    /// Cure: Give the `.onnx` file itself; from a folder nothing is chosen.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The bytes are not those of an ONNX file.
    ///
    /// Cure: Fetch or export the file again: a download that stopped, a pointer of Git LFS or a
    /// page of HTML in its place look like this. `onnx.checker.check_model` of Python says more.
    /// Other formats (`.pt`, `.h5`, `.tflite`) must be exported to ONNX first.
    #[error("the file is damaged or not ONNX: {reason}")]
    Damaged {
        /// What is wrong with them.
        reason: String,
    },
    /// The file would take too much memory.
    ///
    /// Cure: Export a smaller model: these limits are far above what classifiers of pictures need,
    /// and keep a hostile file from taking the memory. Weights kept beside the file (external data)
    /// do not count as bytes of the file; a graph with too many nodes or layers was usually
    /// unrolled by its exporter.
    #[error("the file holds more than {limit} {what}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much of it is allowed.
        limit: u64,
    },
    /// The model needs an operator set that is not known here.
    ///
    /// Cure: Export the model anew with one of these sets (`opset_version=17` of torch, `--opset`
    /// of tf2onnx), or convert it with `onnx.version_converter.convert_version`.
    #[error(
        "the model uses operator set {version}; 1 to 25 are supported: convert it with onnx.version_converter or export it anew"
    )]
    OperatorSet {
        /// Version of the default operator set.
        version: i64,
    },
    /// The model uses a part of ONNX that is not supported.
    ///
    /// Cure: The message ends with what helps: functions are inlined by
    /// `onnx.inliner.inline_local_functions`, sparse tensors have to be stored densely.
    #[error("the model {what}, which is not supported: {help}")]
    UnsupportedModel {
        /// What it does.
        what: &'static str,
        /// What can be done about it.
        help: &'static str,
    },
    /// Nodes are not supported; all of them are listed.
    ///
    /// Cure: Look at what the reason behind each node says. Where it names the operator, README
    /// lists those that are supported: export with other ones, or simplify the model (`onnxsim`),
    /// which folds what is constant. Where it names a form, such as training mode or windows over
    /// three axes, export without it. What mixes the pictures of a batch cannot be analysed picture
    /// by picture.
    #[error("{0}")]
    UnsupportedNodes(UnsupportedNodes),
    /// Two nodes, inputs or initializers make a value of the same name.
    ///
    /// Cure: Export the model anew: a name must be made once. A tool that joined or edited graphs
    /// has to rename one of the two.
    #[error("{node}: its output {value} is made elsewhere too")]
    Duplicate {
        /// The later maker.
        node: String,
        /// The value.
        value: String,
    },
    /// A node or the graph needs a value that nothing makes.
    ///
    /// Cure: Export the model anew: the file is not complete. A tool that cut a graph out of
    /// another has to make the value an input, or to keep the node that makes it.
    #[error("{node}: nothing makes {value}, which it needs")]
    Missing {
        /// The node that needs the value.
        node: String,
        /// The value.
        value: String,
    },
    /// A node needs its own output.
    ///
    /// Cure: Export the model anew: no order exists in which its nodes could run.
    #[error("{node}: its input depends on its own output")]
    Cycle {
        /// A node on the cycle.
        node: String,
    },
    /// A node is not as the ONNX specification wants it.
    ///
    /// Cure: Run `onnx.checker.check_model` with `full_check=True`, which usually finds the same,
    /// and export the model anew. If the checker finds nothing and another program runs the model,
    /// please report it.
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
    ///
    /// Cure: Export the model anew, or fetch the file again: what a tensor says of its type, shape
    /// and bytes must agree.
    #[error("tensor {name}: {reason}")]
    Tensor {
        /// Name of the tensor.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The data of a tensor lie in another file that cannot be used.
    ///
    /// Cure: Put the file of data beside the model, under the name it had when it was saved: models
    /// with external data consist of several files, which belong into one folder. Files outside
    /// that folder are never read.
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
    ///
    /// Cure: Give weights that were saved from this very model: names and shapes of all its weights
    /// must be the same, and no other may be there. Where an exporter has renamed them or folded a
    /// batch normalization into them, export the model with these weights instead.
    #[error("the weights in {} cannot be used: {reason}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An input of the model cannot be given a tensor of numbers.
    ///
    /// Cure: Look with `convscope inspect` at what the input is, and give a shape or tensors of
    /// that kind: the number of axes and all extents that the model fixes must be the same.
    #[error("input {input}: {reason}")]
    InvalidInput {
        /// Name of the input.
        input: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An output of the model is not a tensor of numbers.
    ///
    /// Cure: Export the model so that its outputs are real numbers: scores instead of the chosen
    /// class.
    #[error("output {output}: {reason}")]
    InvalidOutput {
        /// Name of the output.
        output: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The model leaves the size of an input open.
    ///
    /// Cure: Give the shape that the model was trained with: `--input 1,3,224,224`, or `input: [1,
    /// 3, 224, 224]` as an option of `load_model`.
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
    ///
    /// Cure: Give one shape, and only for a model with one input: `--input` says the shape of that.
    #[error("the model has {expected} inputs, but {actual} shapes were given")]
    ShapeCount {
        /// How many inputs there are.
        expected: usize,
        /// How many shapes were given.
        actual: usize,
    },
    /// Values were given for another number of inputs than the model has.
    ///
    /// Cure: Give a file for each input, in the order in which `convscope inspect --json` lists
    /// them: `--input a.npy b.npy`.
    #[error("the model takes {}: {} given", inputs(*expected), tensors(*actual))]
    InputCount {
        /// How many inputs there are.
        expected: usize,
        /// How many values were given.
        actual: usize,
    },
    /// No value or layer has this name.
    ///
    /// Cure: Take one of the similar names, or look at all of them with `convscope inspect`.
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
