//! Which two layers run as one.

use std::collections::{BTreeMap, BTreeSet};

use super::{ForwardRequest, Intervention, Network, NodeId, ValueId};
use crate::Epilogue;

/// A layer that another computes in passing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Follower {
    pub(super) node: NodeId,
    pub(super) epilogue: Epilogue,
}

impl Network {
    /// Finds the layers that an epilogue of the layer before may replace: where nobody else wants
    /// the value between the two and nothing changes it. Results and records are the same to the
    /// last bit; only the time differs.
    pub(super) fn followers(
        &self,
        needed: &BTreeSet<NodeId>,
        uses: &BTreeMap<ValueId, usize>,
        request: &ForwardRequest<'_>,
    ) -> BTreeMap<NodeId, Follower> {
        let follows = |&id: &NodeId| {
            let node = self.node(id);
            let epilogue = node.layer.as_epilogue()?;
            let [between] = *node.inputs else { return None };
            let leader = self.maker(between)?;
            let untouched =
                |change: &Intervention| ![between, node.output].contains(&change.edit.target(self));
            let alone = uses.get(&between) == Some(&1);
            (alone && request.interventions.iter().all(untouched))
                .then_some((leader, Follower { node: id, epilogue }))
        };
        needed.iter().filter_map(follows).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Log, Spy, add, bits, convolution, value, with_image};
    use super::*;
    use crate::layer::testing::Numbers;
    use crate::layer::{Addition, Flatten, Linear, Rectifier};
    use crate::{Composite, CpuBackend, Edit, Keep, Tensor};

    /// A network in which a convolution, a sum and a fully connected layer each have a rectifier.
    fn network() -> Network {
        let (mut builder, image) = with_image([1, 2, 8, 8]);
        let conv = add(&mut builder, "conv", convolution(1, [3, 2, 3, 3], 1), &[image]);
        let relu1 = add(&mut builder, "relu1", Rectifier, &[conv]);
        let branch = add(&mut builder, "branch", convolution(4, [3, 3, 3, 3], 1), &[relu1]);
        let sum = add(&mut builder, "sum", Addition, &[branch, relu1, branch]);
        let relu2 = add(&mut builder, "relu2", Rectifier, &[sum]);
        let flat = add(&mut builder, "flat", Flatten, &[relu2]);
        let mut numbers = Numbers::new(2);
        let weight = numbers.tensor([4, 3 * 8 * 8]);
        let linear = Linear::new(weight, Some(numbers.tensor([4]))).unwrap();
        let hidden = add(&mut builder, "hidden", linear, &[flat]);
        let scores = add(&mut builder, "scores", Rectifier, &[hidden]);
        builder.finish(vec![scores])
    }

    /// The leaders of the layers that would not run on their own.
    fn leaders(
        network: &Network,
        captures: &[ValueId],
        request: &ForwardRequest<'_>,
    ) -> Vec<String> {
        let needed: BTreeSet<_> = (0..network.nodes.len()).map(NodeId).collect();
        let mut uses = BTreeMap::new();
        let read = network.nodes.iter().flat_map(|node| &node.inputs);
        for &id in read.chain(captures) {
            *uses.entry(id).or_insert(0) += 1;
        }
        let followers = network.followers(&needed, &uses, request);
        followers.keys().map(|&id| network.node(id).name.clone()).collect()
    }

    #[test]
    fn a_rectifier_joins_the_layer_before_unless_somebody_looks_between_the_two() {
        let network = network();
        for keep in [Keep::Output, Keep::Inversion] {
            let request = ForwardRequest { keep, ..ForwardRequest::default() };
            assert_eq!(leaders(&network, &[], &request), ["conv", "sum", "hidden"]);
            let captures = [value(&network, "conv")];
            assert_eq!(leaders(&network, &captures, &request), ["sum", "hidden"]);
        }
        let edit =
            Edit::Replace { value: value(&network, "hidden"), channels: vec![0], with: vec![1.0] };
        let interventions = [Intervention { row: 0, edit }];
        let request = ForwardRequest { interventions: &interventions, ..ForwardRequest::default() };
        assert_eq!(leaders(&network, &[], &request), ["conv", "sum"]);
    }

    #[test]
    fn whether_layers_join_changes_no_bit_forward_or_back() {
        let network = network();
        let backend = CpuBackend::new();
        let images = Numbers::new(3).tensor([2, 2, 8, 8]);
        let names = ["image", "conv", "relu1", "sum", "hidden", "scores"];
        let [image, conv, relu1, sum, hidden, scores] = names.map(|name| value(&network, name));
        let run = |captures: &[ValueId]| {
            let keep = Keep::Inversion;
            let request = ForwardRequest { captures, keep, interventions: &[] };
            let trace = network.forward(&backend, std::slice::from_ref(&images), &request).unwrap();
            let starts = [(scores, Tensor::filled([2, 4], 1.0))];
            let to = [image, conv, relu1, sum, hidden];
            let arrived =
                network.backward(&backend, &trace, &starts, &Composite::default(), &to).unwrap();
            let forward = [relu1, scores].map(|id| bits(trace.value(id).unwrap()));
            (forward, arrived.iter().map(bits).collect::<Vec<_>>())
        };
        let joined = run(&[relu1, scores]);
        assert!(joined.1[0].iter().any(|&signal| f32::from_bits(signal) != 0.0));
        assert_eq!(joined, run(&[conv, relu1, sum, hidden, scores]));
    }

    #[test]
    fn a_layer_without_an_epilogue_runs_before_its_rectifier() {
        let (mut builder, image) = with_image([1, 3]);
        let log = std::sync::Arc::new(Log::default());
        let spy = add(&mut builder, "spy", Spy(log.clone()), &[image]);
        let relu = add(&mut builder, "relu", Rectifier, &[spy]);
        let network = builder.finish(vec![relu]);
        let images = Tensor::new([1, 3], vec![-1.0, 0.0, 2.0]).unwrap();
        let request = ForwardRequest { captures: &[relu], ..ForwardRequest::default() };
        let trace = network.forward(&CpuBackend::new(), &[images], &request).unwrap();
        assert_eq!(log.runs(), 1);
        assert_eq!(
            bits(trace.value(relu).unwrap()),
            bits(&Tensor::new([1, 3], vec![0.0, 0.0, 2.0]).unwrap())
        );
    }
}
