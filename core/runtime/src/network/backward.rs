//! The way back: one sweep over the layers in reverse order.

use std::collections::BTreeMap;

use super::{Network, NetworkError, NodeId, Trace, ValueId};
use crate::{Backend, Binary, Composite, Tensor};

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
    /// Fails when a signal does not fit, the trace was made without [`Keep::Inversion`], or a layer
    /// fails.
    ///
    /// [`Keep::Inversion`]: crate::Keep::Inversion
    pub fn backward(
        &self,
        backend: &dyn Backend,
        trace: &Trace,
        starts: &[(ValueId, Tensor)],
        composite: &Composite,
        to: &[ValueId],
    ) -> Result<Vec<Tensor>, NetworkError> {
        let mut signals: BTreeMap<ValueId, Tensor> = BTreeMap::new();
        for (id, signal) in starts {
            let expected = self.value(*id).shape_for(trace.batch());
            if *signal.shape() != expected {
                return Err(NetworkError::Start {
                    name: self.name_of(*id).to_owned(),
                    expected,
                    actual: signal.shape().clone(),
                });
            }
            let signal = backend.upload(signal).map_err(|e| self.at(*id, e.into()))?;
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
            let record = trace
                .records
                .get(&NodeId(index))
                .ok_or_else(|| NetworkError::NotRecorded { name: node.name.clone() })?;
            let rule = composite.rule_for(&node.name, node.layer.kind());
            let carried = rule
                .carry_back(node.layer.as_ref(), backend, &signal, record)
                .map_err(|source| NetworkError::Layer { name: node.name.clone(), source })?;
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
                signal.map_or_else(zeros, Ok).map_err(|e| self.at(*id, e.into()))
            })
            .collect()
    }

    /// Says of every value whether it depends on one of `to`: only there must signals go.
    fn downstream_of(&self, to: &[ValueId]) -> Vec<bool> {
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
                backend.binary(Binary::Add, &earlier, &signal).map_err(|e| self.at(id, e.into()))?
            }
            None => signal,
        };
        signals.insert(id, total);
        Ok(())
    }
}
