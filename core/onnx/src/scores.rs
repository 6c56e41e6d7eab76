//! Which value of a model holds the scores.

use convscope_runtime::network::ValueId;
use convscope_runtime::{LayerKind, Network};

/// Finds the scores and the probabilities: what a softmax at the end reads and makes. Where there
/// is none, the first output holds the scores. Scores lie below a logarithm of probabilities too,
/// which are none themselves.
pub(crate) fn find(network: &Network, outputs: &[ValueId]) -> (ValueId, Option<ValueId>) {
    let first = outputs[0];
    let scores = below(LayerKind::LogSoftmax, network, first).unwrap_or(first);
    if let Some(scores) = below(LayerKind::Softmax, network, first) {
        return (scores, Some(first));
    }
    let is_below = |value| value == Some(first) || value == Some(scores);
    let of_scores = |&&output: &&ValueId| is_below(below(LayerKind::Softmax, network, output));
    (scores, outputs.iter().find(of_scores).copied())
}

/// Returns what a layer of a kind reads that is followed by nothing but moves of shape.
fn below(kind: LayerKind, network: &Network, output: ValueId) -> Option<ValueId> {
    let mut value = output;
    loop {
        let node = network.node(network.maker(value)?);
        let &input = node.inputs.first()?;
        match node.layer.kind() {
            found if found == kind => return Some(input),
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
    fn logarithms_of_probabilities_are_neither_scores_nor_probabilities() {
        let nodes = vec![
            node("Flatten", "flat", &["x"], &["logits"]),
            node("LogSoftmax", "n", &["logits"], &["y"]),
        ];
        let model = load_nodes(nodes, vec![], 13).unwrap();
        assert_eq!((model.scores, model.probability), (model.find("logits").unwrap(), None));
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
