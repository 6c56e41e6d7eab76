//! The way forward, with captures and interventions.

use std::collections::{BTreeMap, BTreeSet};

use super::{Extent, Intervention, Network, NetworkError, Node, NodeId, Origin, ValueId};
use crate::{Backend, Keep, LayerError, Record, Tensor};

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

/// What a forward pass left behind.
#[derive(Clone, Debug)]
pub struct Trace {
    batch: usize,
    values: BTreeMap<ValueId, Tensor>,
    /// Those of `values` that are the same for every image.
    shared: BTreeSet<ValueId>,
    pub(super) records: BTreeMap<NodeId, Record>,
}

impl Trace {
    /// Returns the number of images.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Returns a captured value.
    pub fn value(&self, id: ValueId) -> Option<&Tensor> {
        self.values.get(&id)
    }

    /// Returns the trace of the given images, any number of times each, so that several signals
    /// share one forward pass.
    ///
    /// # Errors
    /// Fails when a row does not exist.
    pub fn select(&self, backend: &dyn Backend, rows: &[usize]) -> Result<Self, LayerError> {
        let records = self
            .records
            .iter()
            .map(|(&node, record)| Ok((node, record.select(backend, rows)?)))
            .collect::<Result<_, LayerError>>()?;
        let values = self
            .values
            .iter()
            .map(|(&id, value)| {
                let shared = self.shared.contains(&id);
                Ok((id, if shared { value.clone() } else { backend.select(value, rows)? }))
            })
            .collect::<Result<_, LayerError>>()?;
        Ok(Self { batch: rows.len(), values, shared: self.shared.clone(), records })
    }
}

impl Network {
    /// Runs forward. All inputs have the same number of images.
    ///
    /// A value is dropped as soon as nobody needs it, unless it is captured or records are kept.
    ///
    /// # Errors
    /// Fails when the inputs do not fit, an intervention does not fit, or a layer fails.
    pub fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[Tensor],
        request: &ForwardRequest<'_>,
    ) -> Result<Trace, NetworkError> {
        let batch = self.check_inputs(inputs)?;
        self.check_interventions(request, batch)?;
        let needed = self.needed(request.captures);
        let mut uses = self.count_uses(&needed, request.captures);
        let mut live: BTreeMap<ValueId, Tensor> = BTreeMap::new();
        for (&id, tensor) in self.inputs.iter().zip(inputs) {
            if uses.contains_key(&id) {
                let tensor = backend.upload(tensor).map_err(|e| self.at(id, e.into()))?;
                live.insert(id, self.edited(backend, id, tensor, request.interventions)?);
            }
        }
        for &id in uses.keys() {
            if let Origin::Constant(tensor) = &self.value(id).origin {
                live.insert(id, backend.upload(tensor).map_err(|e| self.at(id, e.into()))?);
            }
        }
        let mut records = BTreeMap::new();
        for &node_id in &needed {
            let node = self.node(node_id);
            let operands = self.operands(node, &live)?;
            let (output, record) = node
                .layer
                .forward(backend, &operands, request.keep)
                .map_err(|source| NetworkError::Layer { name: node.name.clone(), source })?;
            let output =
                self.bypassed(backend, node_id, &operands, output, request.interventions)?;
            let output = self.edited(backend, node.output, output, request.interventions)?;
            for &id in &node.inputs {
                release(id, &mut uses, &mut live);
            }
            live.insert(node.output, output);
            if request.keep == Keep::Inversion {
                let shared = (0..node.inputs.len())
                    .filter(|&index| self.value(node.inputs[index]).extent == Extent::Shared);
                records.insert(node_id, record.sharing(shared));
            }
        }
        // What is left is what was captured: everything else lost its last reader.
        let is_shared = |id: &ValueId| self.value(*id).extent == Extent::Shared;
        let shared = live.keys().copied().filter(is_shared).collect();
        Ok(Trace { batch, values: live, shared, records })
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

    /// Lists the layers that the captures need, in execution order.
    fn needed(&self, captures: &[ValueId]) -> BTreeSet<NodeId> {
        let mut needed = BTreeSet::new();
        let mut open: Vec<NodeId> = captures.iter().filter_map(|&id| self.maker(id)).collect();
        while let Some(node) = open.pop() {
            if needed.insert(node) {
                open.extend(self.node(node).inputs.iter().filter_map(|&id| self.maker(id)));
            }
        }
        needed
    }

    fn count_uses(
        &self,
        needed: &BTreeSet<NodeId>,
        captures: &[ValueId],
    ) -> BTreeMap<ValueId, usize> {
        let mut uses = BTreeMap::new();
        let readers = needed.iter().flat_map(|&node| &self.node(node).inputs);
        for &id in readers.chain(captures) {
            *uses.entry(id).or_insert(0) += 1;
        }
        uses
    }

    fn operands<'a>(
        &self,
        node: &Node,
        live: &'a BTreeMap<ValueId, Tensor>,
    ) -> Result<Vec<&'a Tensor>, NetworkError> {
        let find = |id: &ValueId| {
            let name = || self.name_of(*id).to_owned();
            live.get(id).ok_or_else(|| NetworkError::NotRecorded { name: name() })
        };
        node.inputs.iter().map(find).collect()
    }

    pub(super) fn at(&self, id: ValueId, source: LayerError) -> NetworkError {
        NetworkError::Layer { name: self.name_of(id).to_owned(), source }
    }
}

/// Counts one use of a value down and drops it when it was the last.
fn release(id: ValueId, uses: &mut BTreeMap<ValueId, usize>, live: &mut BTreeMap<ValueId, Tensor>) {
    if let Some(count) = uses.get_mut(&id) {
        *count -= 1;
        if *count == 0 {
            live.remove(&id);
        }
    }
}
