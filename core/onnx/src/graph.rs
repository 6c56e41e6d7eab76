//! From lists of nodes to an order in which every node finds what it needs.

use std::collections::{BTreeMap, BTreeSet};

use crate::OnnxError;
use crate::proto::{GraphProto, NodeProto};
use crate::tensor;

/// A graph whose names are resolved.
#[derive(Debug)]
pub(crate) struct Graph<'m> {
    /// The nodes that the outputs need, in an order in which they can run.
    pub(crate) nodes: Vec<GraphNode<'m>>,
    /// All names of values and of nodes.
    pub(crate) names: BTreeSet<&'m str>,
    /// The values that some node reads or the graph hands out.
    pub(crate) used: BTreeSet<&'m str>,
}

/// A node with a name of its own.
#[derive(Debug)]
pub(crate) struct GraphNode<'m> {
    pub(crate) name: &'m str,
    pub(crate) proto: &'m NodeProto,
}

/// Resolves names, sorts, and drops nodes that no output needs.
///
/// # Errors
/// Fails when a value is made twice or never, or needs itself.
pub(crate) fn resolve(graph: &GraphProto) -> Result<Graph<'_>, OnnxError> {
    tensor::refuse_duplicates(&graph.initializer)?;
    let stored = graph.initializer.iter().map(|tensor| tensor.name.as_str());
    let mut values: BTreeSet<&str> = stored.collect();
    let mut inputs = BTreeSet::new();
    for input in &graph.input {
        // Files before IR version 4 list initializers among the inputs.
        values.insert(&input.name);
        if input.name.is_empty() || !inputs.insert(input.name.as_str()) {
            let (node, value) = ("the graph's inputs".into(), input.name.clone());
            return Err(OnnxError::Duplicate { node, value });
        }
    }
    let mut makers = BTreeMap::new();
    for (index, node) in graph.node.iter().enumerate() {
        for output in named(&node.output) {
            if !values.insert(output) {
                let (node, value) = (label(node, index), output.to_owned());
                return Err(OnnxError::Duplicate { node, value });
            }
            makers.insert(output, index);
        }
    }
    for (index, node) in graph.node.iter().enumerate() {
        if let Some(value) = named(&node.input).find(|value| !values.contains(value)) {
            let (node, value) = (label(node, index), value.to_owned());
            return Err(OnnxError::Missing { node, value });
        }
    }
    let outputs = graph.output.iter().map(|output| output.name.as_str());
    if let Some(value) = outputs.clone().find(|value| !values.contains(value)) {
        let (node, value) = ("the graph's outputs".into(), value.to_owned());
        return Err(OnnxError::Missing { node, value });
    }
    let order = sort(&graph.node, &makers)?;
    let needed = needed(&graph.node, &makers, outputs.clone());
    let sorted: Vec<&NodeProto> =
        order.into_iter().filter(|&i| needed[i]).map(|i| &graph.node[i]).collect();
    let mut used: BTreeSet<&str> = outputs.collect();
    used.extend(sorted.iter().flat_map(|node| named(&node.input)));
    let nodes = name_apart(&sorted, &values);
    let mut names = values;
    names.extend(nodes.iter().map(|node| node.name));
    Ok(Graph { nodes, names, used })
}

/// Lists the names in a list; an empty one stands for an operand that is left out.
fn named(names: &[String]) -> impl Iterator<Item = &str> {
    names.iter().map(String::as_str).filter(|name| !name.is_empty())
}

/// Names a node in a message.
fn label(node: &NodeProto, index: usize) -> String {
    let name = if node.name.is_empty() { named(&node.output).next() } else { Some(&*node.name) };
    match name {
        Some(name) => format!("{} {name}", node.op_type),
        None => format!("{} (node number {index})", node.op_type),
    }
}

/// Gives every node a name that finds it and nothing else: its own, or that of its first output
/// where it has none, another node has it too, or it is the name of another value.
fn name_apart<'m>(nodes: &[&'m NodeProto], values: &BTreeSet<&str>) -> Vec<GraphNode<'m>> {
    let mut taken = BTreeSet::new();
    let name_of = |proto: &'m NodeProto| {
        let own = proto.name.as_str();
        let of_another = values.contains(own) && !proto.output.iter().any(|name| name == own);
        if own.is_empty() || of_another || !taken.insert(own) {
            named(&proto.output).next().unwrap_or(own)
        } else {
            own
        }
    };
    let names: Vec<&str> = nodes.iter().copied().map(name_of).collect();
    names.into_iter().zip(nodes).map(|(name, &proto)| GraphNode { name, proto }).collect()
}

/// Sorts nodes so that each follows its inputs; a file that is sorted keeps its order.
fn sort(nodes: &[NodeProto], makers: &BTreeMap<&str, usize>) -> Result<Vec<usize>, OnnxError> {
    let sources = |node: &NodeProto| -> BTreeSet<usize> {
        named(&node.input).filter_map(|value| makers.get(value).copied()).collect()
    };
    let mut waiting: Vec<BTreeSet<usize>> = nodes.iter().map(sources).collect();
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (index, sources) in waiting.iter().enumerate() {
        for &source in sources {
            readers[source].push(index);
        }
    }
    let mut ready: BTreeSet<usize> =
        (0..nodes.len()).filter(|&index| waiting[index].is_empty()).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(index) = ready.pop_first() {
        order.push(index);
        for &reader in &readers[index] {
            waiting[reader].remove(&index);
            if waiting[reader].is_empty() {
                ready.insert(reader);
            }
        }
    }
    // Every node left waits for another one that is left: going back long enough ends on a cycle.
    let Some(mut at) = waiting.iter().position(|sources| !sources.is_empty()) else {
        return Ok(order);
    };
    for _ in 0..nodes.len() {
        at = waiting[at].first().copied().unwrap_or(at);
    }
    Err(OnnxError::Cycle { node: label(&nodes[at], at) })
}

/// Says of every node whether an output depends on it.
fn needed<'m>(
    nodes: &'m [NodeProto],
    makers: &BTreeMap<&str, usize>,
    outputs: impl Iterator<Item = &'m str>,
) -> Vec<bool> {
    let mut needed = vec![false; nodes.len()];
    let mut open: Vec<usize> = outputs.filter_map(|value| makers.get(value).copied()).collect();
    while let Some(index) = open.pop() {
        if !needed[index] {
            needed[index] = true;
            let sources = named(&nodes[index].input);
            open.extend(sources.filter_map(|value| makers.get(value).copied()));
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{graph, node};

    fn names(graph: &GraphProto) -> Vec<&str> {
        resolve(graph).unwrap().nodes.iter().map(|node| node.name).collect()
    }

    #[test]
    fn nodes_are_sorted_and_a_sorted_file_keeps_its_order() {
        let [a, b, c] = [
            node("Relu", "a", &["x"], &["va"]),
            node("Relu", "b", &["va"], &["vb"]),
            node("Relu", "c", &["vb"], &["y"]),
        ];
        let sorted = graph(vec![a.clone(), b.clone(), c.clone()], "x", "y");
        assert_eq!(names(&sorted), ["a", "b", "c"]);
        assert_eq!(names(&graph(vec![c, a, b], "x", "y")), ["a", "b", "c"]);
    }

    #[test]
    fn nodes_that_no_output_needs_are_dropped() {
        let dead = node("Relu", "dead", &["x"], &["nobody"]);
        let live = node("Relu", "live", &["x"], &["y"]);
        assert_eq!(names(&graph(vec![dead, live], "x", "y")), ["live"]);
    }

    #[test]
    fn names_find_one_node_each() {
        let nodes = vec![
            node("Relu", "twin", &["x"], &["a"]),
            node("Relu", "twin", &["a"], &["b"]),
            node("Relu", "a", &["b"], &["c"]),
            node("Relu", "", &["c"], &["y"]),
        ];
        assert_eq!(names(&graph(nodes, "x", "y")), ["twin", "b", "c", "y"]);
    }

    #[test]
    fn a_value_made_twice_is_refused() {
        let nodes = vec![node("Relu", "a", &["x"], &["y"]), node("Relu", "b", &["x"], &["y"])];
        let error = resolve(&graph(nodes, "x", "y")).unwrap_err();
        assert_eq!(error.to_string(), "Relu b: its output y is made elsewhere too");
    }

    #[test]
    fn a_value_nobody_makes_is_refused() {
        let error = resolve(&graph(vec![node("Relu", "", &["z"], &["y"])], "x", "y")).unwrap_err();
        assert_eq!(error.to_string(), "Relu y: nothing makes z, which it needs");
        let error = resolve(&graph(Vec::new(), "x", "y")).unwrap_err();
        assert_eq!(error.to_string(), "the graph's outputs: nothing makes y, which it needs");
    }

    #[test]
    fn a_cycle_is_named_by_a_node_on_it() {
        let nodes = vec![
            node("Relu", "behind", &["b"], &["y"]),
            node("Add", "first", &["x", "b"], &["a"]),
            node("Relu", "second", &["a"], &["b"]),
        ];
        let error = resolve(&graph(nodes, "x", "y")).unwrap_err().to_string();
        assert!(error.contains("first") || error.contains("second"), "{error}");
        assert!(error.ends_with("its input depends on its own output"));
    }
}
