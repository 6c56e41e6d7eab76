//! The way back: one sweep over the layers in reverse order.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{GoOn, Network, NetworkError, Node, NodeId, Trace, ValueId};
use crate::{Backend, Binary, Composite, LayerError, Reads, Record, Tensor};

/// What a way back starts with, how layers carry it, and where it goes.
#[derive(Clone, Copy, Debug)]
pub struct BackwardRequest<'a> {
    /// Signals, and the values at which they start.
    pub starts: &'a [(ValueId, Tensor)],
    /// The rules of the layers.
    pub composite: &'a Composite,
    /// The values to which signals are carried.
    pub to: &'a [ValueId],
}

impl Network {
    /// Carries signals back through a recorded forward pass by a composite of rules, and returns
    /// what arrives at the values `to`; zeros where nothing does.
    ///
    /// Signals are summed where a value has several consumers. Signals that start at one value add
    /// up.
    ///
    /// # Shapes
    /// A signal has the shape of its value for the trace's number of images.
    ///
    /// # Errors
    /// Fails when a signal does not fit, the composite names a layer that does not exist, the trace
    /// lacks a record whose values are read (see [`records_for`](Self::records_for)), or a layer
    /// fails.
    pub fn backward(
        &self,
        backend: &dyn Backend,
        trace: &Trace,
        starts: &[(ValueId, Tensor)],
        composite: &Composite,
        to: &[ValueId],
    ) -> Result<Vec<Tensor>, NetworkError> {
        let request = BackwardRequest { starts, composite, to };
        self.backward_while(backend, trace, request, &|| Ok(()))
    }

    /// Runs [`backward`](Self::backward), and asks `go_on` before every layer.
    ///
    /// # Errors
    /// As [`backward`](Self::backward), and when `go_on` does.
    pub fn backward_while<E: From<NetworkError>>(
        &self,
        backend: &dyn Backend,
        trace: &Trace,
        request: BackwardRequest<'_>,
        go_on: GoOn<'_, E>,
    ) -> Result<Vec<Tensor>, E> {
        let BackwardRequest { starts, composite, to } = request;
        if let Some(name) =
            composite.names().find(|name| self.nodes.iter().all(|n| n.name != *name))
        {
            return Err(NetworkError::UnknownLayer { name: name.to_owned() }.into());
        }
        let _awake = backend.keep_awake();
        let mut signals: BTreeMap<ValueId, Tensor> = BTreeMap::new();
        for (id, signal) in starts {
            let expected = self.value(*id).shape_for(trace.batch());
            if *signal.shape() != expected {
                return Err(NetworkError::Start {
                    name: self.name_of(*id).to_owned(),
                    expected,
                    actual: signal.shape().clone(),
                }
                .into());
            }
            let signal = backend.upload(signal).map_err(|e| self.at(*id, e))?;
            self.accumulate(backend, &mut signals, *id, signal)?;
        }
        let on_the_way = self.downstream_of(to);
        let mut arrived: BTreeMap<ValueId, Tensor> = BTreeMap::new();
        for index in (0..self.nodes.len()).rev() {
            let node = &self.nodes[index];
            let Some(signal) = signals.remove(&node.output) else { continue };
            if to.contains(&node.output) {
                arrived.insert(node.output, signal.clone());
            }
            if !node.inputs.iter().any(|&id| on_the_way[id.0]) {
                continue;
            }
            go_on()?;
            let rule = composite.rule_for(&node.name, node.layer.kind());
            let record = match rule.reads(node.layer.as_ref()) {
                Reads::Shapes => Cow::Owned(self.record_of_shapes(node, trace.batch())),
                Reads::Values => trace
                    .record(backend, NodeId(index))
                    .map_err(|source| self.at(node.output, source))?
                    .ok_or_else(|| NetworkError::NotRecorded { name: node.name.clone() })?,
            };
            let carried = rule
                .carry_back(node.layer.as_ref(), backend, &signal, &record)
                .map_err(|source| NetworkError::Layer { name: node.name.clone(), source })?;
            check_carried(node, &record, &carried)?;
            for (&id, part) in node.inputs.iter().zip(carried) {
                if on_the_way[id.0] {
                    self.accumulate(backend, &mut signals, id, part)?;
                }
            }
        }
        to.iter()
            .map(|id| {
                let signal = arrived.get(id).or_else(|| signals.get(id)).cloned();
                let zeros = || {
                    let shape = self.value(*id).shape_for(trace.batch());
                    backend.upload(&Tensor::zeros(shape))
                };
                Ok(signal.map_or_else(zeros, Ok).map_err(|e| self.at(*id, e))?)
            })
            .collect()
    }

    /// Says of every value whether it depends on one of `to`: only there must signals go.
    pub(super) fn downstream_of(&self, to: &[ValueId]) -> Vec<bool> {
        let mut depends = vec![false; self.values.len()];
        for id in to {
            depends[id.0] = true;
        }
        for node in &self.nodes {
            if node.inputs.iter().any(|id| depends[id.0]) {
                depends[node.output.0] = true;
            }
        }
        depends
    }

    fn accumulate(
        &self,
        backend: &dyn Backend,
        signals: &mut BTreeMap<ValueId, Tensor>,
        id: ValueId,
        signal: Tensor,
    ) -> Result<(), NetworkError> {
        let total = match signals.remove(&id) {
            Some(earlier) => {
                backend.binary(Binary::Add, &earlier, &signal).map_err(|e| self.at(id, e))?
            }
            None => signal,
        };
        signals.insert(id, total);
        Ok(())
    }
}

/// A rule that loses a signal, or changes its shape, must not go unnoticed.
fn check_carried(node: &Node, record: &Record, carried: &[Tensor]) -> Result<(), NetworkError> {
    if carried.iter().map(Tensor::shape).eq(record.input_shapes()) {
        return Ok(());
    }
    let shapes: Vec<_> = carried.iter().map(Tensor::shape).collect();
    let expected = format!("signals of shapes {:?} for its inputs", record.input_shapes());
    let source = LayerError::invalid(node.layer.kind(), expected, format!("{shapes:?}"));
    Err(NetworkError::Layer { name: node.name.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{add, bits, forked, row, value, with_image};
    use super::*;
    use crate::layer::testing::Numbers;
    use crate::layer::{Addition, Rectifier};
    use crate::rule::{Guided, Rectify};
    use crate::{CpuBackend, ForwardRequest, Keep, LayerKind, Selector, Shape};

    fn trace(network: &Network, images: &Tensor, captures: &[ValueId]) -> Trace {
        let request = ForwardRequest { captures, interventions: &[], keep: Keep::Inversion };
        network.forward(&CpuBackend::new(), std::slice::from_ref(images), &request).unwrap()
    }

    fn on_rectifiers(rule: &'static dyn crate::rule::BackwardRule) -> Composite {
        Composite::default().with(Selector::Kind(LayerKind::Rectifier), rule)
    }

    #[test]
    fn signals_add_up_where_a_value_has_several_readers() {
        let (mut builder, image) = with_image([1, 2]);
        let relu = add(&mut builder, "relu", Rectifier, &[image]);
        let twice = add(&mut builder, "twice", Addition, &[relu, relu]);
        let sum = add(&mut builder, "sum", Addition, &[twice, image]);
        let network = builder.finish(vec![sum]);
        let images = Tensor::new([1, 2], vec![1.0, -1.0]).unwrap();
        let trace = trace(&network, &images, &[sum]);
        let starts = [(sum, Tensor::filled([1, 2], 1.0)), (sum, Tensor::filled([1, 2], 9.0))];
        let composite = Composite::default();
        let arrived = network
            .backward(&CpuBackend::new(), &trace, &starts, &composite, &[image, relu, sum])
            .unwrap();
        assert_eq!(arrived[0].values().unwrap(), [30.0, 10.0]);
        assert_eq!(arrived[1].values().unwrap(), [20.0, 20.0]);
        assert_eq!(arrived[2].values().unwrap(), [10.0, 10.0]);
    }

    #[test]
    fn zeros_are_returned_where_nothing_arrives() {
        let network = forked();
        let ids = ["second", "scores", "relu2", "image", "factor"].map(|n| value(&network, n));
        let [second, scores, relu2, image, factor] = ids;
        let trace = trace(&network, &Numbers::new(1).tensor([2, 2, 8, 8]), &[second, scores]);
        let starts = [(second, Tensor::filled([2, 1, 8, 8], 1.0))];
        let backend = CpuBackend::new();
        let composite = Composite::default();
        let arrived =
            network.backward(&backend, &trace, &starts, &composite, &[relu2, image, factor]);
        let arrived = arrived.unwrap();
        assert_eq!(*arrived[0].shape(), Shape::from([2, 3, 8, 8]));
        assert!(arrived[0].values().unwrap().iter().all(|&signal| signal == 0.0));
        assert!(arrived[1].values().unwrap().iter().any(|&signal| signal != 0.0));
        assert_eq!(*arrived[2].shape(), Shape::from([3, 1, 1]));
    }

    #[test]
    fn several_starts_are_the_sum_of_each_by_itself() {
        let network = forked();
        let [second, scores, image] = ["second", "scores", "image"].map(|n| value(&network, n));
        let trace = trace(&network, &Numbers::new(1).tensor([1, 2, 8, 8]), &[second, scores]);
        let starts = [
            (scores, Numbers::new(2).tensor([1, 4])),
            (second, Numbers::new(3).tensor([1, 1, 8, 8])),
        ];
        let backend = CpuBackend::new();
        let carried = |starts: &[(ValueId, Tensor)]| {
            let composite = Composite::default();
            network.backward(&backend, &trace, starts, &composite, &[image]).unwrap().remove(0)
        };
        let both = carried(&starts);
        let apart =
            backend.binary(Binary::Add, &carried(&starts[..1]), &carried(&starts[1..])).unwrap();
        for (a, b) in both.values().unwrap().iter().zip(apart.values().unwrap()) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    #[test]
    fn selected_rows_of_a_trace_carry_signals_as_each_image_by_itself() {
        let network = forked();
        let [scores, image] = ["scores", "image"].map(|name| value(&network, name));
        // Three images, and three channels in the constant factor.
        let images = Numbers::new(1).tensor([3, 2, 8, 8]);
        let backend = CpuBackend::new();
        let rows = [2, 0, 2, 1];
        let all = trace(&network, &images, &[scores]);
        let all =
            all.select(&backend, &[1, 2, 0]).unwrap().select(&backend, &[1, 2, 1, 0]).unwrap();
        let signals = Numbers::new(2).tensor([4, 4]);
        for composite in [Composite::default(), on_rectifiers(&Guided), on_rectifiers(&Rectify)] {
            let carried = |trace: &Trace, signal: Tensor| {
                let starts = [(scores, signal)];
                network.backward(&backend, trace, &starts, &composite, &[image]).unwrap().remove(0)
            };
            let together = carried(&all, signals.clone());
            for (place, &image) in rows.iter().enumerate() {
                let own = trace(&network, &row(&images, image), &[scores]);
                let alone = carried(&own, row(&signals, place));
                assert_eq!(bits(&row(&together, place)), bits(&alone));
            }
        }
    }

    #[test]
    fn signals_that_cannot_start_are_refused() {
        let network = forked();
        let [second, scores, image] = ["second", "scores", "image"].map(|n| value(&network, n));
        let images = Tensor::zeros([2, 2, 8, 8]);
        let message = |trace: &Trace, start: (ValueId, Tensor)| {
            let composite = Composite::default();
            let backend = CpuBackend::new();
            let refused = network.backward(&backend, trace, &[start], &composite, &[image]);
            refused.unwrap_err().to_string()
        };
        assert_eq!(
            message(&trace(&network, &images, &[scores]), (scores, Tensor::zeros([1, 4]))),
            "a signal of shape [1, 4] cannot start at scores, whose shape is [2, 4]"
        );
        assert_eq!(
            message(&trace(&network, &images, &[second]), (scores, Tensor::zeros([2, 4]))),
            "the forward pass kept no record of layer pool"
        );
        let request = ForwardRequest { captures: &[scores], ..ForwardRequest::default() };
        let plain = network.forward(&CpuBackend::new(), &[images], &request).unwrap();
        assert_eq!(
            message(&plain, (scores, Tensor::zeros([2, 4]))),
            "the forward pass kept no record of layer pool"
        );
    }

    /// A rule that loses the signals.
    #[derive(Debug)]
    struct Lossy;

    impl crate::rule::BackwardRule for Lossy {
        fn name(&self) -> &'static str {
            "lossy"
        }

        fn carry_back(
            &self,
            _layer: &dyn crate::LayerInversion,
            _backend: &dyn Backend,
            _signal: &Tensor,
            _record: &Record,
        ) -> Result<Vec<Tensor>, LayerError> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn a_composite_for_a_layer_that_does_not_exist_is_refused() {
        let network = forked();
        let [scores, image] = ["scores", "image"].map(|name| value(&network, name));
        let trace = trace(&network, &Tensor::zeros([1, 2, 8, 8]), &[scores]);
        let composite = Composite::default().with(Selector::Name("relu9".into()), &Rectify);
        let refused = network.backward(&CpuBackend::new(), &trace, &[], &composite, &[image]);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "a rule is for layer relu9, which the network does not have"
        );
    }

    #[test]
    fn a_rule_that_loses_signals_is_refused() {
        let (mut builder, image) = with_image([1, 2]);
        let relu = add(&mut builder, "relu", Rectifier, &[image]);
        let network = builder.finish(vec![relu]);
        let trace = trace(&network, &Tensor::zeros([1, 2]), &[relu]);
        let starts = [(relu, Tensor::zeros([1, 2]))];
        let composite = on_rectifiers(&Lossy);
        let refused = network.backward(&CpuBackend::new(), &trace, &starts, &composite, &[image]);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "layer relu: rectifier: expected signals of shapes [[1, 2]] for its inputs, got []"
        );
    }

    #[test]
    fn a_rule_that_does_not_fit_is_refused_by_the_name_of_its_layer() {
        let network = forked();
        let [scores, image] = ["scores", "image"].map(|name| value(&network, name));
        let trace = trace(&network, &Tensor::zeros([1, 2, 8, 8]), &[scores]);
        let composite = Composite::default().with(Selector::Name("conv1".into()), &Rectify);
        let starts = [(scores, Tensor::zeros([1, 4]))];
        let refused = network.backward(&CpuBackend::new(), &trace, &starts, &composite, &[image]);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "layer conv1: convolution cannot pass its signal on: its input has not the shape of \
             its output"
        );
    }
}
