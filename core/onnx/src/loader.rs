//! From the nodes of a graph to the layers of a network.

use std::cell::RefCell;
use std::collections::BTreeMap;

use convscope_runtime::Network;
use convscope_runtime::network::ValueId;

use crate::attributes::Attributes;
use crate::call::{Call, Known, Operand, Workbench};
use crate::constant::Constant;
use crate::error::{UnsupportedNode, UnsupportedNodes};
use crate::graph::{Graph, GraphNode};
use crate::input::{Batch, Inputs};
use crate::layout::InputLayout;
use crate::limits::LAYERS;
use crate::names::Aliases;
use crate::open_batch::{ForTwo, ON_IMAGES};
use crate::proto::{AttributeProto, GraphProto, NodeProto, TensorProto};
use crate::refusal::Refusal;
use crate::{OnnxError, early_form, fold, operator, tensor};

/// Turns the nodes of a graph into layers.
pub(crate) struct Loader<'a, 'm> {
    graph: &'a Graph<'m>,
    outputs: Vec<&'m str>,
    bench: Workbench<'a>,
    stored: BTreeMap<&'m str, &'m TensorProto>,
    known: BTreeMap<&'m str, Known>,
    /// Nothing where the file writes down how many images it takes.
    for_two: Option<ForTwo<'m>>,
    aliases: Aliases<'m>,
    unsupported: Vec<UnsupportedNode>,
}

impl<'a, 'm: 'a> Loader<'a, 'm> {
    pub(crate) fn new(
        proto: &'m GraphProto,
        graph: &'a Graph<'m>,
        bench: Workbench<'a>,
        batch: Batch,
    ) -> Self {
        let stored = proto.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor));
        Self {
            graph,
            outputs: proto.output.iter().map(|output| output.name.as_str()).collect(),
            bench,
            stored: stored.collect(),
            known: BTreeMap::new(),
            for_two: (batch == Batch::Open).then(ForTwo::default),
            aliases: Aliases::default(),
            unsupported: Vec::new(),
        }
    }

    /// Makes the network. Returns its outputs too, and in which layout the file takes its inputs.
    ///
    /// # Errors
    /// Lists all nodes that are not supported, or stops at the first that is invalid.
    pub(crate) fn run(
        mut self,
        inputs: &Inputs<'m>,
    ) -> Result<(Network, Vec<ValueId>, Vec<InputLayout>), OnnxError> {
        let mut layouts = Vec::with_capacity(inputs.computed.len());
        for input in &inputs.computed {
            let layout = InputLayout::of(input, self.graph);
            let shape = layout.in_network(&input.shape);
            let id = self.bench.builder.input(input.name, shape)?;
            let known = match layout {
                InputLayout::Same => Known::Computed(id),
                InputLayout::ChannelsLast => Known::ChannelsLast(id),
            };
            self.known.insert(input.name, known);
            layouts.push(layout);
        }
        for (name, constant) in inputs.bound.values() {
            self.known.insert(name, Known::Constant(constant.clone()));
        }
        for node in &self.graph.nodes {
            if let Err(refusal) = self.convert(node) {
                self.demand_constants(node);
                self.note(node, refusal)?;
            }
            if self.bench.builder.len() > LAYERS {
                return Err(OnnxError::Limit { what: "layers", limit: LAYERS as u64 });
            }
        }
        if !self.unsupported.is_empty() {
            return Err(OnnxError::UnsupportedNodes(UnsupportedNodes(self.unsupported)));
        }
        let mut outputs = Vec::with_capacity(self.outputs.len());
        for name in self.outputs.clone() {
            outputs.push(match self.operand(name)?.known {
                Known::Computed(id) => id,
                Known::ChannelsLast(id) => self
                    .bench
                    .channels_last(name, id)
                    .map_err(|refusal| output_error(name, &refusal))?,
                Known::Constant(Constant::Real(_))
                    if self.for_two.as_ref().is_some_and(|for_two| for_two.depends(name)) =>
                {
                    let refusal = Refusal::Unsupported(format!("it depends {ON_IMAGES}"));
                    return Err(output_error(name, &refusal));
                }
                Known::Constant(Constant::Real(tensor)) => self
                    .bench
                    .place(name, tensor)
                    .map_err(|refusal| output_error(name, &refusal))?,
                Known::Switches(_) => {
                    let refusal = Refusal::unsupported("it holds the positions of maxima");
                    return Err(output_error(name, &refusal));
                }
                Known::Constant(Constant::Integer(_)) | Known::Lost => {
                    let refusal = Refusal::unsupported("it holds integers");
                    return Err(output_error(name, &refusal));
                }
            });
        }
        self.aliases.give(&mut self.bench.builder);
        Ok((self.bench.builder.finish(outputs.clone()), outputs, layouts))
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
        let Some(output) = proto.output.first().map(String::as_str) else {
            return Err(Refusal::invalid("it has no output"));
        };
        let attributes = Attributes::new(&proto.attribute)?;
        let operator = proto.op_type.as_str();
        let reads: Vec<ValueId> = operands.iter().flatten().filter_map(computed).collect();
        let further = proto.output.iter().skip(1).map(String::as_str);
        let further = further.map(|name| Some(name).filter(|name| self.graph.used.contains(name)));
        let for_two = self.for_two.as_ref().filter(|for_two| for_two.concerns(operator, &operands));
        let operands_for_two = for_two.map(|for_two| for_two.operands(&operands));
        let mut call = Call {
            operator,
            name: node.name,
            output,
            further: further.collect(),
            given: RefCell::default(),
            attributes,
            operands,
            bench: &mut self.bench,
        };
        early_form::modernize(operator, &mut call)?;
        let folded = fold::evaluate(operator, &call)?;
        if folded.is_none()
            && let Some(for_two) = for_two
        {
            for_two.check(&call)?;
        }
        let known = match (folded, operator::find(operator)) {
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
        let mut given = call.given.take();
        if let Some(used) = call.further.iter().flatten().find(|name| !given.contains_key(*name)) {
            let reason = format!("its further output {used} is used; it is not supported");
            return Err(Refusal::Unsupported(reason));
        }
        if let (Known::Constant(one), Some(operands)) = (&known, operands_for_two) {
            call.operands = operands;
            let two = folded_for_two(&mut call)?;
            if let Some(for_two) = &mut self.for_two {
                for_two.note(output, one, two);
            }
        }
        if let Known::Computed(id) = known {
            self.aliases.claim(node, output, id, &reads);
        }
        self.known.insert(output, known);
        for further in proto.output.iter().skip(1) {
            let Some(known) = given.remove(further.as_str()) else { continue };
            if let Known::Computed(id) = known {
                self.aliases.claim_further(further, id);
            }
            self.known.insert(further, known);
        }
        Ok(())
    }

    /// Notes that a node which was refused can be evaluated where all its operands are constant.
    fn demand_constants(&self, node: &GraphNode<'m>) {
        if fold::is_known(&node.proto.op_type) {
            let mut demanded = self.bench.demanded.borrow_mut();
            demanded.extend(node.proto.input.iter().cloned());
        }
    }

    /// Looks a value up; a stored tensor is read when it is first needed.
    fn operand(&mut self, name: &'m str) -> Result<Operand<'m>, OnnxError> {
        if let Some(known) = self.known.get(name) {
            return Ok(Operand { name, known: known.clone() });
        }
        let known = match self.stored.get(name) {
            Some(proto) => Known::Constant(tensor::initializer(proto, self.bench.store)?),
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

/// Evaluates a node for two images on the operands for two.
fn folded_for_two(call: &mut Call<'_, '_>) -> Result<Constant, Refusal> {
    let images = std::mem::replace(&mut call.bench.batch, 2);
    let folded = early_form::modernize(call.operator, call)
        .and_then(|()| fold::evaluate(call.operator, call));
    call.bench.batch = images;
    match folded {
        Ok(Some(two)) => Ok(two),
        Err(Refusal::Failed(error)) => Err(Refusal::Failed(error)),
        Ok(None) | Err(_) => {
            Err(Refusal::Unsupported(format!("its inputs depend {ON_IMAGES}, and fit one alone")))
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
        Known::Computed(id) | Known::ChannelsLast(id) => Some(id),
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
    use prost::bytes::Bytes;

    use super::*;
    use crate::testing::{Is, load_nodes, node, reals, refusal};

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
            node("ConstantOfShape", "fill", &["x"], &["f"]),
            branch,
            foreign,
            node("Sum", "all", &["b", "d", "e", "f"], &["y"]),
        ];
        assert_eq!(
            refusal(nodes, vec![], 13),
            "5 nodes are not supported:
  Einsum sum: the operator is not supported
  Concat batch: it joins along the batch
  ConstantOfShape fill: the operator is supported on constants only
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
    fn more_layers_than_anyone_can_be_told_of_are_refused() {
        let relu = |place: usize| {
            let name = |place: usize| match place {
                0 => "x".to_owned(),
                10_001 => "y".to_owned(),
                _ => format!("v{place}"),
            };
            node("Relu", "", &[&name(place)], &[&name(place + 1)])
        };
        let nodes = (0..10_001).map(relu).collect();
        assert_eq!(refusal(nodes, vec![], 13), "the file holds more than 10000 layers");
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
    fn a_step_before_the_last_takes_no_name_of_the_file() {
        let nodes = vec![
            node("Relu", "r", &["x"], &["y/flattened"]),
            node("Softmax", "n", &["y/flattened"], &["y"]),
        ];
        let network = load_nodes(nodes, vec![], 12).unwrap().network;
        assert!(network.find("y/flattened_").is_some());
        let nodes =
            vec![node("Relu", "y/flattened", &["x"], &["r"]), node("Softmax", "n", &["r"], &["y"])];
        let network = load_nodes(nodes, vec![], 12).unwrap().network;
        let names: Vec<&str> = network.nodes().iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names[..2], ["y/flattened", "y/flattened_"]);
    }
}
