//! The way forward, with captures and interventions.

mod handing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::fusion::Follower;
use super::joining::Joints;
use super::{Extent, Intervention, Network, NetworkError, Node, NodeId, Origin, Trace, ValueId};
use crate::{Awake, Backend, Keep, LayerError, Record, Tensor};

/// What a forward pass is asked for.
#[derive(Clone, Debug, Default)]
pub struct ForwardRequest<'a> {
    /// The values wanted; layers that none of them needs do not run.
    pub captures: &'a [ValueId],
    /// What is changed on the way, in order. A value is written over after the layer that makes it
    /// was bypassed.
    pub interventions: &'a [Intervention],
    /// What every layer's record keeps. A changed forward pass keeps no records: layers do not know
    /// how to carry a signal back through a change.
    pub keep: Keep,
}

/// Says between layers whether to go on; its error stops a pass.
pub type GoOn<'a, E> = &'a (dyn Fn() -> Result<(), E> + Sync);

impl Network {
    /// Runs forward. All inputs have the same number of images.
    ///
    /// A value is dropped as soon as nobody needs it, unless it is captured or a record holds it.
    ///
    /// # Errors
    /// Fails when the inputs do not fit, an intervention does not fit, or a layer fails.
    pub fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[Tensor],
        request: &ForwardRequest<'_>,
    ) -> Result<Trace, NetworkError> {
        self.forward_watched(backend, inputs, request, &mut |_| Ok(()))
    }

    /// Runs [`forward`](Self::forward), and calls `watch` with every layer before it runs and with
    /// none when all have run. What a layer computes in passing for the next is a part of its time;
    /// a backend whose calls only enqueue has enqueued by then, not computed.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and when `watch` does, which stops the pass.
    pub fn forward_watched<E: From<NetworkError>>(
        &self,
        backend: &dyn Backend,
        inputs: &[Tensor],
        request: &ForwardRequest<'_>,
        watch: &mut dyn FnMut(Option<&Node>) -> Result<(), E>,
    ) -> Result<Trace, E> {
        let (mut pass, needed) = Pass::start(self, backend, request, inputs)?;
        for id in needed {
            watch(Some(self.node(id)))?;
            pass.step(id)?;
        }
        watch(None)?;
        // What is left was captured: everything else lost its last reader.
        let Pass { batch, live: values, records, .. } = pass;
        let is_shared = |id: &ValueId| self.value(*id).extent == Extent::Shared;
        let shared = values.keys().copied().filter(is_shared).collect();
        Ok(Trace { batch, values, shared, records: Arc::new(records), rows: None })
    }

    /// Runs forward from values for `batch` images that are given wherever they belong in the
    /// network. Layers that only those need do not run; every input that another needs must be among
    /// them. Asks `go_on` before every layer.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and when `go_on` does.
    pub(super) fn forward_from<E: From<NetworkError>>(
        &self,
        backend: &dyn Backend,
        batch: usize,
        given: Vec<(ValueId, Tensor)>,
        captures: &[ValueId],
        go_on: GoOn<'_, E>,
    ) -> Result<BTreeMap<ValueId, Tensor>, E> {
        let request = ForwardRequest { captures, ..ForwardRequest::default() };
        let (mut pass, needed) = Pass::with(self, backend, &request, batch, given)?;
        for id in needed {
            go_on()?;
            pass.step(id)?;
        }
        Ok(pass.live)
    }

    fn check_inputs(&self, inputs: &[Tensor]) -> Result<usize, NetworkError> {
        if inputs.len() != self.inputs.len() {
            let (expected, actual) = (self.inputs.len(), inputs.len());
            return Err(NetworkError::InputCount { expected, actual });
        }
        let batch = inputs.first().map_or(1, |input| input.shape().batch());
        for (&id, input) in self.inputs.iter().zip(inputs) {
            let value = self.value(id);
            if *input.shape() != value.shape.with_batch(batch) {
                return Err(NetworkError::InputShape {
                    name: value.name.clone(),
                    expected: value.shape.clone(),
                    actual: input.shape().clone(),
                });
            }
        }
        Ok(batch)
    }

    /// Lists the layers that the captures need where some values are given, in execution order.
    pub(super) fn needed(
        &self,
        captures: &[ValueId],
        is_given: impl Fn(ValueId) -> bool,
    ) -> BTreeSet<NodeId> {
        let maker = |&id: &ValueId| self.maker(id).filter(|_| !is_given(id));
        let mut needed = BTreeSet::new();
        let mut open: Vec<NodeId> = captures.iter().filter_map(maker).collect();
        while let Some(node) = open.pop() {
            if needed.insert(node) {
                open.extend(self.node(node).inputs.iter().filter_map(maker));
            }
        }
        needed
    }

    pub(super) fn at(&self, id: ValueId, source: impl Into<LayerError>) -> NetworkError {
        NetworkError::Layer { name: self.name_of(id).to_owned(), source: source.into() }
    }
}

/// A forward pass under way.
struct Pass<'a> {
    network: &'a Network,
    backend: &'a dyn Backend,
    request: &'a ForwardRequest<'a>,
    batch: usize,
    /// How many readers of each value are still to come, captures among them.
    uses: BTreeMap<ValueId, usize>,
    /// The values that somebody still needs.
    live: BTreeMap<ValueId, Tensor>,
    followers: BTreeMap<NodeId, Follower>,
    /// Outputs of layers that the layer before computed in passing.
    ready: BTreeMap<NodeId, Tensor>,
    joints: Joints,
    records: BTreeMap<NodeId, Record>,
    /// Threads that wait for the next layer.
    _awake: Option<Awake>,
}

impl<'a> Pass<'a> {
    /// Makes everything ready for the layers that the captures need, which are listed in the order
    /// in which they run.
    fn start(
        network: &'a Network,
        backend: &'a dyn Backend,
        request: &'a ForwardRequest<'a>,
        inputs: &[Tensor],
    ) -> Result<(Self, BTreeSet<NodeId>), NetworkError> {
        let batch = network.check_inputs(inputs)?;
        network.check_interventions(request, batch)?;
        let given = network.inputs.iter().copied().zip(inputs.iter().cloned()).collect();
        Self::with(network, backend, request, batch, given)
    }

    /// The same from values wherever they belong.
    fn with(
        network: &'a Network,
        backend: &'a dyn Backend,
        request: &'a ForwardRequest<'a>,
        batch: usize,
        given: Vec<(ValueId, Tensor)>,
    ) -> Result<(Self, BTreeSet<NodeId>), NetworkError> {
        let is_given = |id| given.iter().any(|(value, _)| *value == id);
        let needed = network.needed(request.captures, is_given);
        let mut uses = BTreeMap::new();
        let readers = needed.iter().flat_map(|&node| &network.node(node).inputs);
        for &id in readers.chain(request.captures) {
            *uses.entry(id).or_insert(0) += 1;
        }
        let mut live = BTreeMap::new();
        let stored = uses.keys().filter_map(|&id| match &network.value(id).origin {
            Origin::Constant(tensor) => Some((id, tensor.clone())),
            Origin::Input | Origin::Layer(_) => None,
        });
        let stored: Vec<_> = stored.collect();
        let all = given.into_iter().chain(stored);
        for (id, tensor) in all.filter(|(id, _)| uses.contains_key(id)) {
            let tensor = backend.upload(&tensor).map_err(|e| network.at(id, e))?;
            live.insert(id, network.edited(backend, id, tensor, request.interventions)?);
        }
        let followers = network.followers(&needed, &uses, request);
        let joints = Joints::new(network, &needed, &uses, &followers, request);
        let pass = Self {
            network,
            backend,
            request,
            batch,
            uses,
            live,
            followers,
            ready: BTreeMap::new(),
            joints,
            records: BTreeMap::new(),
            _awake: backend.keep_awake(),
        };
        Ok((pass, needed))
    }

    /// Computes one layer, and drops what nobody needs any more.
    fn step(&mut self, id: NodeId) -> Result<(), NetworkError> {
        let node = self.network.node(id);
        if let Some(output) = self.computed(id, node)? {
            let interventions = self.request.interventions;
            let output = self.network.edited(self.backend, node.output, output, interventions)?;
            self.live.insert(node.output, output);
        }
        for &input in &node.inputs {
            self.forget(input, 1);
        }
        Ok(())
    }

    /// Drops a value when these were the last of its readers.
    fn forget(&mut self, id: ValueId, readers: usize) {
        if let Some(count) = self.uses.get_mut(&id) {
            *count = count.saturating_sub(readers);
            if *count == 0 {
                self.live.remove(&id);
            }
        }
    }

    /// Returns the output of a layer; none where only that of its follower was computed.
    fn computed(&mut self, id: NodeId, node: &Node) -> Result<Option<Tensor>, NetworkError> {
        if let Some(output) = self.ready.remove(&id) {
            return Ok(Some(output));
        }
        let failed = |source: LayerError| self.network.at(node.output, source);
        if let Some(output) = self.joints.finish(self.network, id, &self.live) {
            return output.map(Some).map_err(failed);
        }
        if self.joints.hold(node.output) {
            return Ok(None);
        }
        let find = |id: &ValueId| {
            let name = || self.network.name_of(*id).to_owned();
            self.live.get(id).ok_or_else(|| NetworkError::NotRecorded { name: name() })
        };
        let operands = node.inputs.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let (network, backend, batch) = (self.network, self.backend, self.batch);
        if let Some(filled) = self.joints.fill(network, backend, batch, id, &operands) {
            return filled.map(|()| None).map_err(failed);
        }
        if let Some(&Follower { node: follower, epilogue }) = self.followers.get(&id)
            && let Some(fused) = node.layer.forward_with_epilogue(self.backend, &operands, epilogue)
        {
            let (output, record) = fused.map_err(failed)?;
            let following = self.network.node(follower).layer.record_as_epilogue(&output);
            self.keep(id, record);
            self.keep(follower, following);
            self.ready.insert(follower, output);
            return Ok(None);
        }
        let (output, record) =
            node.layer.forward(self.backend, &operands, self.request.keep).map_err(failed)?;
        let interventions = self.request.interventions;
        let output = self.network.bypassed(self.backend, id, &operands, output, interventions)?;
        self.keep(id, record);
        Ok(Some(output))
    }

    /// Keeps a record if records are asked for.
    fn keep(&mut self, id: NodeId, record: Record) {
        if self.request.keep == Keep::Inversion {
            let node = self.network.node(id);
            let is_shared =
                |&index: &usize| self.network.value(node.inputs[index]).extent == Extent::Shared;
            let shared = (0..node.inputs.len()).filter(is_shared);
            self.records.insert(id, record.sharing(shared));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::testing::{Log, Spy, add, bits, convolution, forked, row, value, with_image};
    use super::*;
    use crate::layer::testing::Numbers;
    use crate::layer::{Addition, Rectifier};
    use crate::{CpuBackend, Shape};

    fn run(network: &Network, inputs: &[Tensor], captures: &[ValueId], keep: Keep) -> Trace {
        let request = ForwardRequest { captures, keep, interventions: &[] };
        network.forward(&CpuBackend::new(), inputs, &request).unwrap()
    }

    #[test]
    fn a_trace_holds_what_was_captured_and_nothing_else() {
        let network = forked();
        let images = Numbers::new(1).tensor([2, 2, 8, 8]);
        let captures = ["image", "relu1", "factor", "scores"].map(|name| value(&network, name));
        for keep in [Keep::Output, Keep::Inversion] {
            let trace = run(&network, std::slice::from_ref(&images), &captures, keep);
            assert_eq!(trace.batch(), 2);
            assert_eq!(bits(trace.value(captures[0]).unwrap()), bits(&images));
            assert_eq!(*trace.value(captures[2]).unwrap().shape(), Shape::from([3, 1, 1]));
            assert_eq!(*trace.value(captures[3]).unwrap().shape(), Shape::from([2, 4]));
            assert!(trace.value(value(&network, "conv1")).is_none());
            assert_eq!(trace.values.len(), 4);
        }
    }

    #[test]
    fn layers_that_no_capture_needs_do_not_run() {
        let (mut builder, image) = with_image([1, 2]);
        let log = Arc::new(Log::default());
        let first = add(&mut builder, "first", Spy(log.clone()), &[image]);
        let second = add(&mut builder, "second", Spy(log.clone()), &[first]);
        let aside = add(&mut builder, "aside", Spy(log.clone()), &[first]);
        let network = builder.finish(vec![second, aside]);
        run(&network, &[Tensor::zeros([1, 2])], &[first], Keep::Output);
        assert_eq!(log.runs(), 1);
        run(&network, &[Tensor::zeros([1, 2])], &[aside], Keep::Output);
        assert_eq!(log.runs(), 3);
        run(&network, &[Tensor::zeros([1, 2])], &[], Keep::Inversion);
        assert_eq!(log.runs(), 3);
    }

    #[test]
    fn layers_are_watched_in_the_order_in_which_they_run() {
        let network = forked();
        let images = [Numbers::new(1).tensor([1, 2, 8, 8])];
        let captures = [value(&network, "relu1")];
        let request = ForwardRequest { captures: &captures, ..ForwardRequest::default() };
        let mut seen = Vec::new();
        let mut watch = |node: Option<&Node>| {
            seen.push(node.map(|node| node.name.clone()));
            Ok::<_, NetworkError>(())
        };
        network.forward_watched(&CpuBackend::new(), &images, &request, &mut watch).unwrap();
        assert_eq!(seen, [Some("conv1".to_owned()), Some("relu1".to_owned()), None]);
    }

    #[test]
    fn values_are_dropped_after_their_last_reader() {
        let (mut builder, image) = with_image([1, 2]);
        let log = Arc::new(Log::default());
        let mut last = image;
        for name in ["a", "b", "c", "d", "e"] {
            last = add(&mut builder, name, Spy(log.clone()), &[last]);
        }
        let network = builder.finish(vec![last]);
        for keep in [Keep::Output, Keep::Inversion] {
            run(&network, &[Tensor::zeros([1, 2])], &[last], keep);
            // Each layer finds its own input alive, and that alone.
            assert_eq!(log.most_alive(), 1);
        }
        let captures = [value(&network, "a"), value(&network, "b"), last];
        run(&network, &[Tensor::zeros([1, 2])], &captures, Keep::Output);
        assert_eq!(log.most_alive(), 3);
    }

    #[test]
    fn a_network_may_have_several_inputs_and_outputs() {
        let mut builder = crate::NetworkBuilder::default();
        let a = builder.input("a", Shape::from([1, 2])).unwrap();
        let b = builder.input("b", Shape::from([1, 2])).unwrap();
        let sum = add(&mut builder, "sum", Addition, &[a, b]);
        let relu = add(&mut builder, "relu", Rectifier, &[b]);
        let network = builder.finish(vec![sum, relu]);
        let inputs = [
            Tensor::new([1, 2], vec![1.0, 2.0]).unwrap(),
            Tensor::new([1, 2], vec![-5.0, 3.0]).unwrap(),
        ];
        let trace = run(&network, &inputs, network.outputs(), Keep::Output);
        assert_eq!(trace.value(sum).unwrap().values().unwrap(), [-4.0, 5.0]);
        assert_eq!(trace.value(relu).unwrap().values().unwrap(), [0.0, 3.0]);
    }

    #[test]
    fn inputs_that_do_not_fit_are_refused() {
        let network = forked();
        let message = |inputs: &[Tensor]| {
            let refused = network.forward(&CpuBackend::new(), inputs, &ForwardRequest::default());
            refused.unwrap_err().to_string()
        };
        assert_eq!(message(&[]), "the network has 1 inputs, got 0");
        assert_eq!(
            message(&[Tensor::zeros([1, 3, 8, 8])]),
            "input image: expected shape [1, 2, 8, 8] for any batch, got [1, 3, 8, 8]"
        );
    }

    #[test]
    fn a_rectifier_computed_in_passing_has_the_same_bits() {
        let (mut builder, image) = with_image([1, 2, 8, 8]);
        let conv = add(&mut builder, "conv", convolution(1, [5, 2, 3, 3], 1), &[image]);
        let relu = add(&mut builder, "relu", Rectifier, &[conv]);
        let network = builder.finish(vec![relu]);
        let images = [Numbers::new(1).tensor([2, 2, 8, 8])];
        let fused = run(&network, &images, &[relu], Keep::Output);
        let captured = run(&network, &images, &[conv, relu], Keep::Output);
        let recorded = run(&network, &images, &[relu], Keep::Inversion);
        assert_eq!(bits(fused.value(relu).unwrap()), bits(captured.value(relu).unwrap()));
        assert_eq!(bits(fused.value(relu).unwrap()), bits(recorded.value(relu).unwrap()));
        let raw = captured.value(conv).unwrap().to_host().unwrap();
        assert!(raw.values().unwrap().iter().any(|&value| value < 0.0));
    }

    #[test]
    fn an_image_has_the_same_bits_in_any_batch() {
        let network = forked();
        let images = Numbers::new(1).tensor([8, 2, 8, 8]);
        let captures = network.outputs();
        let all = run(&network, std::slice::from_ref(&images), captures, Keep::Output);
        for image in [0, 3, 7] {
            let alone = run(&network, &[row(&images, image)], captures, Keep::Output);
            for &id in captures {
                let expected = row(all.value(id).unwrap(), image);
                assert_eq!(bits(alone.value(id).unwrap()), bits(&expected));
            }
        }
    }

    #[test]
    fn selecting_leaves_shared_values_alone() {
        let network = forked();
        let images = Numbers::new(1).tensor([3, 2, 8, 8]);
        let captures = ["factor", "scores"].map(|name| value(&network, name));
        let trace = run(&network, &[images], &captures, Keep::Output);
        let selected = trace.select(&CpuBackend::new(), &[2, 0]).unwrap();
        assert_eq!(selected.batch(), 2);
        assert_eq!(*selected.value(captures[0]).unwrap().shape(), Shape::from([3, 1, 1]));
        let scores = trace.value(captures[1]).unwrap();
        assert_eq!(bits(&row(selected.value(captures[1]).unwrap(), 0)), bits(&row(scores, 2)));
        assert!(trace.select(&CpuBackend::new(), &[3]).is_err());
    }
}
