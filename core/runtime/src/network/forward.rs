//! The way forward, with captures and interventions.

use std::collections::{BTreeMap, BTreeSet};

use super::{Network, NetworkError, NodeId, Origin, ValueId};
use crate::{Backend, Keep, LayerError, Patch, Record, Region, Shape, Tensor};

/// A change to one image of the batch on its way forward.
#[derive(Clone, Debug)]
pub struct Intervention {
    /// The image within the batch.
    pub row: usize,
    /// The change.
    pub edit: Edit,
}

/// What is changed.
#[derive(Clone, Debug)]
pub enum Edit {
    /// Writes over a rectangle of a value.
    Occlude {
        /// The value, such as the network's input.
        value: ValueId,
        /// The rectangle; what hangs over the border is ignored.
        region: Region,
        /// One number per channel, or one per channel and cell.
        fill: Vec<f32>,
    },
    /// Writes over whole channels of a value.
    Replace {
        /// The value.
        value: ValueId,
        /// The channels.
        channels: Vec<usize>,
        /// One number per channel of `channels`, or one per such channel and cell.
        with: Vec<f32>,
    },
    /// Hands a layer's first input on as its output.
    Bypass {
        /// The layer.
        node: NodeId,
    },
}

impl Edit {
    /// Returns the value that is changed.
    fn target(&self, network: &Network) -> ValueId {
        match *self {
            Self::Occlude { value, .. } | Self::Replace { value, .. } => value,
            Self::Bypass { node } => network.node(node).output,
        }
    }
}

/// What a forward pass is asked for.
#[derive(Clone, Debug, Default)]
pub struct ForwardRequest<'a> {
    /// The values wanted; layers that none of them needs do not run.
    pub captures: &'a [ValueId],
    /// What is changed on the way, in order.
    pub interventions: &'a [Intervention],
    /// What every layer's record keeps.
    pub keep: Keep,
}

/// What a forward pass left behind.
#[derive(Clone, Debug)]
pub struct Trace {
    batch: usize,
    values: BTreeMap<ValueId, Tensor>,
    pub(super) records: BTreeMap<NodeId, Record>,
}

impl Trace {
    /// Returns the number of images.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Returns a captured value; with [`Keep::Inversion`] every computed one.
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
            .map(|(&id, value)| Ok((id, backend.select(value, rows)?)))
            .collect::<Result<_, LayerError>>()?;
        Ok(Self { batch: rows.len(), values, records })
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
        let needed = self.needed(request.captures);
        let mut uses = self.count_uses(&needed, request.captures);
        let mut live: BTreeMap<ValueId, Tensor> = BTreeMap::new();
        for (&id, tensor) in self.inputs.iter().zip(inputs) {
            let tensor = backend.upload(tensor).map_err(|e| self.at(id, e.into()))?;
            live.insert(id, self.edited(backend, id, tensor, request.interventions)?);
        }
        let mut records = BTreeMap::new();
        for &node_id in &needed {
            let node = self.node(node_id);
            let failed = |source| NetworkError::Layer { name: node.name.clone(), source };
            let mut operands = Vec::with_capacity(node.inputs.len());
            for &id in &node.inputs {
                operands.push(self.operand(id, &live, backend)?);
            }
            let operands: Vec<&Tensor> = operands.iter().collect();
            let record = node.layer.forward(backend, &operands, request.keep).map_err(failed)?;
            let bypassed =
                self.bypassed(backend, node_id, &operands, &record, request.interventions)?;
            let output = self.edited(backend, node.output, bypassed, request.interventions)?;
            for &id in &node.inputs {
                release(id, &mut uses, &mut live);
            }
            live.insert(node.output, output.clone());
            if request.keep == Keep::Inversion {
                records.insert(node_id, record.with_output(output));
            }
        }
        let captured = |id: &ValueId| request.captures.contains(id);
        let mut values = live;
        if request.keep == Keep::Output {
            values.retain(|id, _| captured(id));
        }
        for &id in request.captures {
            if let Origin::Constant(tensor) = &self.value(id).origin {
                values.insert(id, tensor.clone());
            }
        }
        for (node, record) in &records {
            values.entry(self.node(*node).output).or_insert_with(|| record.output().clone());
        }
        Ok(Trace { batch, values, records })
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

    fn operand(
        &self,
        id: ValueId,
        live: &BTreeMap<ValueId, Tensor>,
        backend: &dyn Backend,
    ) -> Result<Tensor, NetworkError> {
        if let Origin::Constant(tensor) = &self.value(id).origin {
            return backend.upload(tensor).map_err(|e| self.at(id, e.into()));
        }
        live.get(&id)
            .cloned()
            .ok_or_else(|| NetworkError::NotRecorded { name: self.name_of(id).to_owned() })
    }

    /// Writes the interventions on a value over it.
    fn edited(
        &self,
        backend: &dyn Backend,
        id: ValueId,
        tensor: Tensor,
        interventions: &[Intervention],
    ) -> Result<Tensor, NetworkError> {
        let patches: Vec<Patch> = interventions
            .iter()
            .filter(|change| change.edit.target(self) == id)
            .filter_map(|change| match &change.edit {
                Edit::Occlude { region, fill, .. } => Some(Patch {
                    row: change.row,
                    channels: None,
                    region: Some(*region),
                    values: fill.clone(),
                }),
                Edit::Replace { channels, with, .. } => Some(Patch {
                    row: change.row,
                    channels: Some(channels.clone()),
                    region: None,
                    values: with.clone(),
                }),
                Edit::Bypass { .. } => None,
            })
            .collect();
        if patches.is_empty() {
            return Ok(tensor);
        }
        backend.overwrite(&tensor, &patches).map_err(|e| self.at(id, e.into()))
    }

    /// Returns a layer's output with its input in its place for the images that bypass it.
    fn bypassed(
        &self,
        backend: &dyn Backend,
        id: NodeId,
        operands: &[&Tensor],
        record: &Record,
        interventions: &[Intervention],
    ) -> Result<Tensor, NetworkError> {
        let bypasses = |edit: &Edit| matches!(edit, Edit::Bypass { node } if *node == id);
        let mut rows: Vec<usize> = (0..record.output().shape().batch()).collect();
        let batch = rows.len();
        let mut any = false;
        for change in interventions.iter().filter(|change| bypasses(&change.edit)) {
            if let Some(row) = rows.get_mut(change.row) {
                *row = batch + change.row;
                any = true;
            }
        }
        if !any {
            return Ok(record.output().clone());
        }
        let shapes: Vec<&Shape> = operands.iter().map(|operand| operand.shape()).collect();
        let (Some(first), true) =
            (operands.first(), shapes.first() == Some(&record.output().shape()))
        else {
            return Err(NetworkError::Intervention {
                what: "bypass the layer",
                name: self.node(id).name.clone(),
                reason: format!("its input {shapes:?} has not the shape of its output"),
            });
        };
        // Output rows first, input rows behind them: one selection takes each image's own.
        let both = backend
            .concatenation(&[record.output(), first], 0)
            .map_err(|e| self.at(self.node(id).output, e.into()))?;
        backend.select(&both, &rows).map_err(|e| self.at(self.node(id).output, e.into()))
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
