//! Changes on the way forward.

use super::{Extent, ForwardRequest, Network, NetworkError, NodeId, ValueId};
use crate::{Backend, Keep, Patch, Region, Tensor};

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

    /// Says what is done, in words.
    fn verb(&self) -> &'static str {
        match self {
            Self::Occlude { .. } => "occlude",
            Self::Replace { .. } => "replace channels",
            Self::Bypass { .. } => "bypass the layer",
        }
    }

    /// Returns what is written over the value, if anything is.
    fn patch(&self, row: usize) -> Option<Patch> {
        match self {
            Self::Occlude { region, fill, .. } => {
                Some(Patch { row, channels: None, region: Some(*region), values: fill.clone() })
            }
            Self::Replace { channels, with, .. } => Some(Patch {
                row,
                channels: Some(channels.clone()),
                region: None,
                values: with.clone(),
            }),
            Self::Bypass { .. } => None,
        }
    }
}

impl Network {
    /// Refuses interventions that could not be carried out as they are meant.
    pub(super) fn check_interventions(
        &self,
        request: &ForwardRequest<'_>,
        batch: usize,
    ) -> Result<(), NetworkError> {
        for Intervention { row, edit } in request.interventions {
            let target = edit.target(self);
            let refused = |reason: String| NetworkError::Intervention {
                what: edit.verb(),
                name: self.name_of(target).to_owned(),
                reason,
            };
            if request.keep == Keep::Inversion {
                let reason = "no signal can be carried back through a changed forward pass";
                return Err(refused(reason.to_owned()));
            }
            if self.value(target).extent == Extent::Shared {
                return Err(refused("it is the same for every image".to_owned()));
            }
            if *row >= batch {
                return Err(refused(format!("there is no image {row} in a batch of {batch}")));
            }
            if let Edit::Bypass { node } = edit {
                let node = self.node(*node);
                let shapes: Vec<_> = node.inputs.iter().map(|&id| &self.value(id).shape).collect();
                let output = &self.value(node.output).shape;
                if shapes.first() != Some(&output) {
                    let reason = format!("it makes {output} of {shapes:?}");
                    return Err(refused(reason));
                }
            }
        }
        Ok(())
    }

    /// Writes the interventions on a value over it.
    pub(super) fn edited(
        &self,
        backend: &dyn Backend,
        id: ValueId,
        tensor: Tensor,
        interventions: &[Intervention],
    ) -> Result<Tensor, NetworkError> {
        let patches: Vec<Patch> = interventions
            .iter()
            .filter(|change| change.edit.target(self) == id)
            .filter_map(|change| change.edit.patch(change.row))
            .collect();
        if patches.is_empty() {
            return Ok(tensor);
        }
        backend.overwrite(&tensor, &patches).map_err(|e| self.at(id, e.into()))
    }

    /// Returns a layer's output with its first input in its place for the images that bypass it.
    pub(super) fn bypassed(
        &self,
        backend: &dyn Backend,
        id: NodeId,
        operands: &[&Tensor],
        output: Tensor,
        interventions: &[Intervention],
    ) -> Result<Tensor, NetworkError> {
        let bypasses =
            |change: &&Intervention| matches!(change.edit, Edit::Bypass { node } if node == id);
        let batch = output.shape().batch();
        let mut rows: Vec<usize> = (0..batch).collect();
        let mut input = None;
        for change in interventions.iter().filter(bypasses) {
            rows[change.row] = batch + change.row;
            input = operands.first();
        }
        let Some(input) = input else { return Ok(output) };
        // Output rows first, input rows behind them: one selection takes each image's own.
        backend
            .concatenation(&[&output, input], 0)
            .and_then(|both| backend.select(&both, &rows))
            .map_err(|e| self.at(self.node(id).output, e.into()))
    }
}
