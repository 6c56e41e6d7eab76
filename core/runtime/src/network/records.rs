//! Which records a way back reads, and the layers that must run for them.

use std::sync::Arc;

use super::{Network, Node, Trace, ValueId};
use crate::{Composite, Reads, Record};

impl Network {
    /// Lists the values to capture in a forward pass so that its trace has every record whose values
    /// are read when signals go from `starts` to `to` by a composite of rules. Layers behind them
    /// need not run: a deconvnet reads switches, but not what the fully connected layers behind the
    /// last pooling made.
    pub fn records_for(
        &self,
        starts: &[ValueId],
        composite: &Composite,
        to: &[ValueId],
    ) -> Vec<ValueId> {
        let on_the_way = self.downstream_of(to);
        let mut has_signal = vec![false; self.values.len()];
        for id in starts {
            has_signal[id.0] = true;
        }
        // What layers listed so far, or layers that they need, read.
        let mut is_made = vec![false; self.values.len()];
        let mut captures = Vec::new();
        for node in self.nodes.iter().rev() {
            let rule = composite.rule_for(&node.name, node.layer.kind());
            let carries =
                has_signal[node.output.0] && node.inputs.iter().any(|id| on_the_way[id.0]);
            let is_read = carries && rule.reads(node.layer.as_ref()) == Reads::Values;
            if is_read && !is_made[node.output.0] {
                captures.push(node.output);
            }
            for id in &node.inputs {
                has_signal[id.0] |= carries && on_the_way[id.0];
                is_made[id.0] |= is_read || is_made[node.output.0];
            }
        }
        captures.reverse();
        captures
    }

    /// Drops the records of a trace whose values are not read by any way back by a composite of
    /// rules; a deconvnet reads none of what rectifiers made. Traces selected of it before keep them.
    pub fn drop_unread(&self, trace: &mut Trace, composite: &Composite) {
        let Some(records) = Arc::get_mut(&mut trace.records) else { return };
        records.retain(|&id, _| {
            let node = self.node(id);
            let rule = composite.rule_for(&node.name, node.layer.kind());
            rule.reads(node.layer.as_ref()) == Reads::Values
        });
    }

    /// Makes the record of a layer that no values are read of.
    pub(super) fn record_of_shapes(&self, node: &Node, images: usize) -> Record {
        let shape = |id: &ValueId| self.value(*id).shape_for(images);
        Record::of_shapes(shape(&node.output), node.inputs.iter().map(shape).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bits, forked, value};
    use super::*;
    use crate::layer::testing::Numbers;
    use crate::rule::{Guided, Rectify};
    use crate::{CpuBackend, ForwardRequest, Keep, LayerKind, Selector, Tensor};

    fn names(network: &Network, ids: &[ValueId]) -> Vec<String> {
        ids.iter().map(|&id| network.name_of(id).to_owned()).collect()
    }

    fn composites() -> [Composite; 3] {
        let on = |rule| Composite::default().with(Selector::Kind(LayerKind::Rectifier), rule);
        [Composite::default(), on(&Guided), on(&Rectify)]
    }

    #[test]
    fn layers_behind_the_last_record_that_is_read_need_not_run() {
        let network = forked();
        let [second, scores, image] = ["second", "scores", "image"].map(|n| value(&network, n));
        for composite in composites() {
            assert_eq!(
                names(&network, &network.records_for(&[scores], &composite, &[image])),
                ["pool"]
            );
        }
        let [gradient, _, deconvnet] = composites();
        let captures = network.records_for(&[second], &gradient, &[image]);
        assert_eq!(names(&network, &captures), ["relu1"]);
        assert!(network.records_for(&[second], &deconvnet, &[image]).is_empty());
        assert!(network.records_for(&[scores], &gradient, &[scores]).is_empty());
        let captures = network.records_for(&[second, scores], &gradient, &[image]);
        assert_eq!(names(&network, &captures), ["pool"]);
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Records {
        All,
        Read,
    }

    #[test]
    fn signals_go_back_by_these_records_as_by_all() {
        let network = forked();
        let [second, scores, image] = ["second", "scores", "image"].map(|n| value(&network, n));
        let images = Numbers::new(1).tensor([3, 2, 8, 8]);
        let backend = CpuBackend::new();
        let starts = [
            (scores, Numbers::new(2).tensor([2, 4])),
            (second, Numbers::new(3).tensor([2, 1, 8, 8])),
        ];
        let carried = |captures: &[ValueId],
                       starts: &[(ValueId, Tensor)],
                       rules: &Composite,
                       records: Records| {
            let request = ForwardRequest { captures, interventions: &[], keep: Keep::Inversion };
            let images = std::slice::from_ref(&images);
            let mut trace = network.forward(&backend, images, &request).unwrap();
            if records == Records::Read {
                let all = trace.records.len();
                network.drop_unread(&mut trace, rules);
                assert!(all == 0 || trace.records.len() < all);
            }
            let trace = trace.select(&backend, &[2, 0]).unwrap();
            bits(&network.backward(&backend, &trace, starts, rules, &[image]).unwrap()[0])
        };
        for composite in composites() {
            for starts in [&starts[..], &starts[..1], &starts[1..]] {
                let ids: Vec<ValueId> = starts.iter().map(|start| start.0).collect();
                let captures = network.records_for(&ids, &composite, &[image]);
                let all = carried(&[scores, second], starts, &composite, Records::All);
                for records in [Records::All, Records::Read] {
                    assert_eq!(carried(&captures, starts, &composite, records), all);
                }
            }
        }
    }
}
