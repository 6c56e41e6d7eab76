//! Which value of a model holds the scores.

use convscope_runtime::network::ValueId;
use convscope_runtime::{LayerKind, Network};

/// Finds the scores and the probabilities: what a softmax at the end reads and makes. Where there
/// is none, the first output holds the scores.
pub(crate) fn find(network: &Network, outputs: &[ValueId]) -> (ValueId, Option<ValueId>) {
    let first = outputs[0];
    if let Some(scores) = below_softmax(network, first) {
        return (scores, Some(first));
    }
    let of_first = |&&output: &&ValueId| below_softmax(network, output) == Some(first);
    (first, outputs.iter().find(of_first).copied())
}

/// Returns what a softmax reads that is followed by nothing but moves of shape.
fn below_softmax(network: &Network, output: ValueId) -> Option<ValueId> {
    let mut value = output;
    loop {
        let node = network.node(network.maker(value)?);
        let &input = node.inputs.first()?;
        match node.layer.kind() {
            LayerKind::Softmax => return Some(input),
            LayerKind::Flatten | LayerKind::Reshape => value = input,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{graph, load, load_nodes, model, node, value_info};

    #[test]
    fn scores_lie_below_a_final_softmax() {
        let nodes = vec![
            node("GlobalAveragePool", "pool", &["x"], &["logits"]),
            node("Softmax", "prob", &["logits"], &["p"]),
            node("Flatten", "flat", &["p"], &["y"]),
        ];
        let model = load_nodes(nodes, vec![], 12).unwrap();
        assert_eq!(model.scores, model.find("logits").unwrap());
        assert_eq!(model.probability, Some(model.find("y").unwrap()));
    }

    #[test]
    fn without_a_softmax_the_first_output_holds_the_scores() {
        let nodes = vec![node("Relu", "n", &["x"], &["y"])];
        let model = load_nodes(nodes, vec![], 13).unwrap();
        assert_eq!((model.scores, model.probability), (model.find("y").unwrap(), None));
    }

    #[test]
    fn probabilities_may_be_a_second_output() {
        let nodes =
            vec![node("Flatten", "n", &["x"], &["y"]), node("Softmax", "prob", &["y"], &["p"])];
        let mut graph = graph(nodes, "x", "y");
        graph.output.push(value_info("p", &[]));
        let model = load(&model(graph)).unwrap();
        assert_eq!(model.scores, model.find("y").unwrap());
        assert_eq!(model.probability, Some(model.find("p").unwrap()));
    }
}
