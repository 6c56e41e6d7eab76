//! From a file to a network.

use std::collections::BTreeMap;
use std::path::Path;

use convscope_runtime::network::ValueId;
use convscope_runtime::{Network, Tensor};

use crate::attributes::Attributes;
use crate::call::{Call, Known, Operand, Workbench};
use crate::constant::Constant;
use crate::error::{UnsupportedNode, UnsupportedNodes};
use crate::external::External;
use crate::graph::{Graph, GraphNode};
use crate::input::{self, Input};
use crate::limits::Message;
use crate::names::Aliases;
use crate::proto::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};
use crate::refusal::Refusal;
use crate::{OnnxError, fold, graph, names, operator, reader, scores, tensor};

/// What a caller may decide about a model.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The shape of every input, batch included, in the order of the model's inputs; empty for the
    /// shapes that the file states.
    pub input_shapes: Vec<Vec<usize>>,
}

/// A model, ready to run.
#[derive(Debug)]
pub struct LoadedModel {
    /// Its layers.
    pub network: Network,
    /// The scores: what a final softmax reads, or the first output where there is none.
    pub scores: ValueId,
    /// The value that holds probabilities, if the model computes them itself.
    pub probability: Option<ValueId>,
    /// Name and version of the program that wrote the file.
    pub producer: String,
    /// Version of the default operator set.
    pub opset: i64,
}

impl LoadedModel {
    /// Finds a value by any of its names.
    ///
    /// # Errors
    /// Fails for an unknown name; the error lists the most similar ones.
    pub fn find(&self, name: &str) -> Result<ValueId, OnnxError> {
        self.network.find(name).ok_or_else(|| OnnxError::UnknownName {
            name: name.to_owned(),
            nearest: names::nearest(self.network.names(), name),
        })
    }
}

/// Loads a model from a file.
///
/// # Errors
/// Fails when the file cannot be read, is damaged, passes a limit, or needs what is not supported;
/// unsupported nodes are listed all at once.
pub fn load(path: &Path, options: &LoadOptions) -> Result<LoadedModel, OnnxError> {
    load_bytes(reader::read(path)?, path.parent().unwrap_or(Path::new("")), options)
}

/// Loads a model from the bytes of a file that stands in `folder`, where data outside the file are
/// looked for.
///
/// # Errors
/// As [`load`].
pub fn load_bytes(
    bytes: Vec<u8>,
    folder: &Path,
    options: &LoadOptions,
) -> Result<LoadedModel, OnnxError> {
    let model: ModelProto = reader::decode(bytes, Message::Model)?;
    let operator_set = operator_set(&model)?;
    let Some(graph) = &model.graph else {
        return Err(OnnxError::Damaged { reason: "it holds no graph".into() });
    };
    if graph.output.is_empty() {
        return Err(OnnxError::Damaged { reason: "its graph has no outputs".into() });
    }
    if !model.functions.is_empty() {
        return Err(OnnxError::UnsupportedModel {
            what: "defines operators of its own (local functions)",
            help: "inline them with onnx.inliner.inline_local_functions",
        });
    }
    if !graph.sparse_initializer.is_empty() {
        return Err(OnnxError::UnsupportedModel {
            what: "stores sparse tensors",
            help: "store them densely",
        });
    }
    let inputs = input::of(graph, &options.input_shapes)?;
    let external = External::inside(folder);
    let resolved = graph::resolve(graph)?;
    let batch = inputs.first().map_or(1, |input| input.batch);
    let bench = Workbench::new(operator_set, batch, &external, &resolved.values);
    let (network, outputs) = Loader::new(graph, &resolved, bench).run(&inputs)?;
    let (scores, probability) = scores::find(&network, &outputs);
    let producer = format!("{} {}", model.producer_name, model.producer_version);
    let producer = producer.trim().to_owned();
    Ok(LoadedModel { network, scores, probability, producer, opset: operator_set })
}

/// Reads a tensor from a file that holds one ONNX `TensorProto`.
///
/// # Errors
/// Fails when the file cannot be read, is damaged or holds another type.
pub fn read_tensor(path: &Path) -> Result<Tensor, OnnxError> {
    let proto: TensorProto = reader::decode(reader::read(path)?, Message::Tensor)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    match tensor::read(&proto, &External::inside(folder))? {
        Constant::Real(tensor) => Ok(tensor),
        Constant::Integer(list) => {
            let values = list.values.iter().map(|&value| value as f32).collect();
            Tensor::new(list.shape, values)
                .map_err(|error| OnnxError::Tensor { name: proto.name, reason: error.to_string() })
        }
    }
}

/// Returns the version of the default operator set.
fn operator_set(model: &ModelProto) -> Result<i64, OnnxError> {
    let default = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    let mut versions = model.opset_import.iter().filter(|set| default(&set.domain));
    // Files before IR version 3 do not state one, which means 1.
    let version = versions.next().map_or(1, |set| set.version);
    if (7..=25).contains(&version) { Ok(version) } else { Err(OnnxError::OperatorSet { version }) }
}

/// Turns the nodes of a graph into layers.
struct Loader<'a, 'm> {
    graph: &'a Graph<'m>,
    outputs: Vec<&'m str>,
    bench: Workbench<'a>,
    stored: BTreeMap<&'m str, &'m TensorProto>,
    known: BTreeMap<&'m str, Known>,
    aliases: Aliases<'m>,
    unsupported: Vec<UnsupportedNode>,
}

impl<'a, 'm: 'a> Loader<'a, 'm> {
    fn new(proto: &'m GraphProto, graph: &'a Graph<'m>, bench: Workbench<'a>) -> Self {
        let stored = proto.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor));
        Self {
            graph,
            outputs: proto.output.iter().map(|output| output.name.as_str()).collect(),
            bench,
            stored: stored.collect(),
            known: BTreeMap::new(),
            aliases: Aliases::default(),
            unsupported: Vec::new(),
        }
    }

    fn run(mut self, inputs: &[Input<'m>]) -> Result<(Network, Vec<ValueId>), OnnxError> {
        for input in inputs {
            let id = self.bench.builder.input(input.name, input.shape.clone())?;
            self.known.insert(input.name, Known::Computed(id));
        }
        for node in &self.graph.nodes {
            if let Err(refusal) = self.convert(node) {
                self.note(node, refusal)?;
            }
        }
        if !self.unsupported.is_empty() {
            return Err(OnnxError::UnsupportedNodes(UnsupportedNodes(self.unsupported)));
        }
        let mut outputs = Vec::with_capacity(self.outputs.len());
        for name in self.outputs.clone() {
            outputs.push(match self.operand(name)?.known {
                Known::Computed(id) => id,
                Known::Constant(Constant::Real(tensor)) => self
                    .bench
                    .place(name, tensor)
                    .map_err(|refusal| output_error(name, &refusal))?,
                Known::Constant(Constant::Integer(_)) | Known::Lost => {
                    let refusal = Refusal::unsupported("it holds integers");
                    return Err(output_error(name, &refusal));
                }
            });
        }
        self.aliases.give(&mut self.bench.builder);
        Ok((self.bench.builder.finish(outputs.clone()), outputs))
    }

    /// Turns a node into layers or into constants.
    fn convert(&mut self, node: &GraphNode<'m>) -> Result<(), Refusal> {
        let proto = node.proto;
        check_supported(proto)?;
        let mut operands = Vec::with_capacity(proto.input.len());
        for name in &proto.input {
            operands.push(if name.is_empty() { None } else { Some(self.operand(name)?) });
        }
        while operands.last().is_some_and(Option::is_none) {
            operands.pop();
        }
        let lost = |operand: &Operand<'_>| matches!(operand.known, Known::Lost);
        if operands.iter().flatten().any(lost) {
            // What is wrong before this node is told; of it, no more can be known.
            self.lose(node);
            return Ok(());
        }
        let further = proto.output.iter().skip(1).map(String::as_str);
        if let Some(used) = further.clone().find(|name| self.graph.used.contains(name)) {
            let reason = format!("its further output {used} is used; only the first is supported");
            return Err(Refusal::Unsupported(reason));
        }
        let Some(output) = proto.output.first().map(String::as_str) else {
            return Err(Refusal::invalid("it has no output"));
        };
        let attributes = Attributes::new(&proto.attribute)?;
        let operator = proto.op_type.as_str();
        let reads: Vec<ValueId> = operands.iter().flatten().filter_map(computed).collect();
        let mut call =
            Call { name: node.name, output, attributes, operands, bench: &mut self.bench };
        let known = match (fold::evaluate(operator, &call)?, operator::find(operator)) {
            (Some(constant), _) => Known::Constant(constant),
            (None, Some(convert)) => Known::Computed(convert(&mut call)?),
            (None, None) => {
                return Err(Refusal::unsupported("the operator is supported on constants only"));
            }
        };
        if let Some(unread) = call.attributes.unread() {
            let reason = format!("its attribute {unread} is not supported");
            return Err(Refusal::Unsupported(reason));
        }
        if let Known::Computed(id) = known {
            self.aliases.claim(node, output, id, &reads);
        }
        self.known.insert(output, known);
        Ok(())
    }

    /// Looks a value up; a stored tensor is read when it is first needed.
    fn operand(&mut self, name: &'m str) -> Result<Operand<'m>, OnnxError> {
        if let Some(known) = self.known.get(name) {
            return Ok(Operand { name, known: known.clone() });
        }
        let known = match self.stored.get(name) {
            Some(proto) => Known::Constant(tensor::read(proto, self.bench.external)?),
            // A further output of a node that is supported: the reader is never asked for it.
            None => Known::Lost,
        };
        self.known.insert(name, known.clone());
        Ok(Operand { name, known })
    }

    /// Lists a node that is not supported, or stops at one that is invalid.
    fn note(&mut self, node: &GraphNode<'m>, refusal: Refusal) -> Result<(), OnnxError> {
        let proto = node.proto;
        let operator = match proto.domain.as_str() {
            "" | "ai.onnx" => proto.op_type.clone(),
            domain => format!("{domain}.{}", proto.op_type),
        };
        let node_name = node.name.to_owned();
        match refusal {
            Refusal::Unsupported(reason) => {
                self.unsupported.push(UnsupportedNode { operator, node: node_name, reason });
                self.lose(node);
                Ok(())
            }
            Refusal::Invalid(reason) => {
                Err(OnnxError::InvalidNode { node: node_name, operator, reason })
            }
            Refusal::Failed(error) => Err(error),
        }
    }

    fn lose(&mut self, node: &GraphNode<'m>) {
        for output in &node.proto.output {
            self.known.insert(output, Known::Lost);
        }
    }
}

/// Refuses what can be refused without knowing the operands.
fn check_supported(proto: &NodeProto) -> Result<(), Refusal> {
    if !proto.domain.is_empty() && proto.domain != "ai.onnx" {
        return Err(Refusal::unsupported("the operator is not one of ONNX's own"));
    }
    let nested = |attribute: &AttributeProto| attribute.g.is_some() || !attribute.graphs.is_empty();
    if proto.attribute.iter().any(nested) {
        return Err(Refusal::unsupported("it holds a nested graph"));
    }
    let operator = proto.op_type.as_str();
    if operator::find(operator).is_none() && !fold::is_known(operator) {
        return Err(Refusal::unsupported("the operator is not supported"));
    }
    Ok(())
}

fn computed(operand: &Operand<'_>) -> Option<ValueId> {
    match operand.known {
        Known::Computed(id) => Some(id),
        _ => None,
    }
}

fn output_error(name: &str, refusal: &Refusal) -> OnnxError {
    let reason = match refusal {
        Refusal::Unsupported(reason) | Refusal::Invalid(reason) => reason.clone(),
        Refusal::Failed(error) => error.to_string(),
    };
    OnnxError::InvalidOutput { output: name.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use prost::Message as _;
    use prost::bytes::Bytes;

    use super::*;
    use crate::proto::OperatorSetIdProto;
    use crate::testing::{
        Is, graph, integers, load, load_nodes, model, model_of, node, reals, refusal, value_info,
    };

    fn relu() -> GraphProto {
        graph(vec![node("Relu", "n", &["x"], &["y"])], "x", "y")
    }

    #[test]
    fn a_model_says_who_made_it_and_for_which_operator_set() {
        let model = load(&ModelProto { producer_version: "2".into(), ..model(relu()) }).unwrap();
        assert_eq!((model.producer.as_str(), model.opset), ("test 2", 13));
    }

    #[test]
    fn other_operator_sets_are_refused() {
        for version in [6, 26] {
            let error = load(&model_of(relu(), version)).unwrap_err().to_string();
            let start = format!("the model uses operator set {version}; 7 to 25 are supported");
            assert!(error.starts_with(&start), "{error}");
        }
        let domain = "ai.onnx.ml".into();
        let opset_import = vec![OperatorSetIdProto { domain, version: 13 }];
        let error = load(&ModelProto { opset_import, ..model(relu()) }).unwrap_err();
        assert!(matches!(error, OnnxError::OperatorSet { version: 1 }), "{error}");
    }

    #[test]
    fn a_model_without_graph_or_outputs_is_damaged() {
        let error = load(&ModelProto { graph: None, ..model(relu()) }).unwrap_err();
        assert_eq!(error.to_string(), "the file is damaged or not ONNX: it holds no graph");
        let error = load(&model(GraphProto { output: vec![], ..relu() })).unwrap_err();
        assert_eq!(error.to_string(), "the file is damaged or not ONNX: its graph has no outputs");
    }

    #[test]
    fn local_functions_and_sparse_tensors_are_refused() {
        let functions = vec![Bytes::from_static(b"")];
        let error = load(&ModelProto { functions, ..model(relu()) }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the model defines operators of its own (local functions), which is not supported: \
             inline them with onnx.inliner.inline_local_functions"
        );
        let sparse_initializer = vec![Bytes::from_static(b"")];
        let error = load(&model(GraphProto { sparse_initializer, ..relu() })).unwrap_err();
        assert!(error.to_string().starts_with("the model stores sparse tensors, which is not"));
    }

    #[test]
    fn all_unsupported_nodes_are_listed_at_once() {
        let mut branch = node("If", "branch", &["x"], &["c"]);
        branch.attribute.push(AttributeProto {
            name: "then_branch".into(),
            g: Some(Bytes::new()),
            ..AttributeProto::default()
        });
        let mut foreign = node("FusedConv", "", &["c"], &["d"]);
        foreign.domain = "com.microsoft".into();
        let nodes = vec![
            node("Einsum", "sum", &["x"], &["a"]),
            node("Relu", "fine", &["a"], &["b"]),
            node("Concat", "batch", &["x", "x"], &["e"]).with("axis", Is::Integer(0)),
            node("Transpose", "turn", &["x"], &["f"]),
            branch,
            foreign,
            node("Sum", "all", &["b", "d", "e", "f"], &["y"]),
        ];
        assert_eq!(
            refusal(nodes, vec![], 13),
            "5 nodes are not supported:
  Einsum sum: the operator is not supported
  Concat batch: it joins along the batch
  Transpose turn: the operator is supported on constants only
  If branch: it holds a nested graph
  com.microsoft.FusedConv d: the operator is not one of ONNX's own"
        );
    }

    #[test]
    fn nodes_that_no_output_needs_may_be_unsupported() {
        let nodes = vec![node("Einsum", "dead", &["x"], &["a"]), node("Relu", "n", &["x"], &["y"])];
        assert_eq!(load_nodes(nodes, vec![], 13).unwrap().network.nodes().len(), 1);
    }

    #[test]
    fn an_attribute_that_nobody_reads_is_refused() {
        let nodes = vec![node("Relu", "n", &["x"], &["y"]).with("leak", Is::Real(0.1))];
        assert!(
            refusal(nodes, vec![], 13).ends_with("Relu n: its attribute leak is not supported")
        );
    }

    #[test]
    fn attributes_of_the_wrong_type_or_twice_are_invalid() {
        let concat = node("Concat", "n", &["x", "x"], &["y"]).with("axis", Is::Real(1.0));
        assert_eq!(
            refusal(vec![concat.clone()], vec![], 13),
            "Concat n: its attribute axis has the wrong type"
        );
        let twice = concat.with("axis", Is::Integer(1));
        assert_eq!(refusal(vec![twice], vec![], 13), "Concat n: its attribute axis is there twice");
    }

    #[test]
    fn outputs_must_hold_real_numbers() {
        let nodes = vec![node("Shape", "n", &["x"], &["y"])];
        assert_eq!(refusal(nodes, vec![], 13), "output y: it holds integers");
    }

    #[test]
    fn layers_that_do_not_fit_say_where() {
        let nodes = vec![node("Conv", "n", &["x", "w"], &["y"])];
        let stored = vec![reals("w", &[1, 4, 1, 1], &[1.0; 4])];
        let refusal = refusal(nodes, stored, 13);
        assert_eq!(refusal, "Conv n: convolution: expected 4 channels, got shape [1, 3, 8, 8]");
    }

    #[test]
    fn a_file_of_one_batch_runs_for_any() {
        let nodes = vec![
            node("Reshape", "flat", &["x", "s"], &["f"]),
            node("Gemm", "n", &["f", "w"], &["y"]),
        ];
        let stored = vec![integers("s", &[4, 12]), reals("w", &[12, 1], &[1.0; 12])];
        let mut graph = GraphProto { initializer: stored, ..graph(nodes, "x", "y") };
        graph.input = vec![value_info("x", &[4, 3, 2, 2])];
        let network = load(&model(graph)).unwrap().network;
        assert_eq!(network.value(network.inputs()[0]).shape.extents(), [1, 3, 2, 2]);
        assert_eq!(network.value(network.outputs()[0]).shape.extents(), [1, 1]);
    }

    #[test]
    fn weights_beside_the_file_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = [1.0_f32, 2.0, 3.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        fs::write(folder.path().join("weights.bin"), bytes).unwrap();
        let mut weight = reals("w", &[1, 3, 1, 1], &[]);
        weight.data_location = 1;
        weight.external_data = vec![crate::proto::StringStringEntryProto {
            key: "location".into(),
            value: "weights.bin".into(),
        }];
        let nodes = vec![node("Conv", "n", &["x", "w"], &["y"])];
        let graph = GraphProto { initializer: vec![weight], ..graph(nodes, "x", "y") };
        let path = folder.path().join("model.onnx");
        fs::write(&path, model(graph).encode_to_vec()).unwrap();
        let network = super::load(&path, &LoadOptions::default()).unwrap().network;
        let weight = network.nodes()[0].layer.parameter("weight").unwrap();
        assert_eq!(weight.values().unwrap(), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_tensor_file_is_read_as_real_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("input_0.pb");
        fs::write(&path, integers("i", &[1, 255]).encode_to_vec()).unwrap();
        assert_eq!(read_tensor(&path).unwrap().values().unwrap(), [1.0, 255.0]);
        fs::write(&path, reals("r", &[2, 1], &[0.5, -1.0]).encode_to_vec()).unwrap();
        let tensor = read_tensor(&path).unwrap();
        assert_eq!(tensor.shape().extents(), [2, 1]);
        assert_eq!(tensor.values().unwrap(), [0.5, -1.0]);
    }

    #[test]
    fn names_that_a_network_cannot_hold_are_reported_as_such() {
        // The step before the last layer of an old softmax must not take a name of the file.
        let nodes = vec![
            node("Relu", "r", &["x"], &["y/flattened"]),
            node("Softmax", "n", &["y/flattened"], &["y"]),
        ];
        let network = load_nodes(nodes, vec![], 12).unwrap().network;
        assert!(network.find("y/flattened_").is_some());
    }
}
