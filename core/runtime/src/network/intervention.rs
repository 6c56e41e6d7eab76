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
    pub(super) fn target(&self, network: &Network) -> ValueId {
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
        backend.overwrite(&tensor, &patches).map_err(|e| self.at(id, e))
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
            .map_err(|e| self.at(self.node(id).output, e))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{add, bits, convolution, forked, node, row, value, with_image};
    use super::*;
    use crate::CpuBackend;
    use crate::layer::Rectifier;
    use crate::layer::testing::Numbers;

    fn run(network: &Network, images: &Tensor, captures: &[ValueId], changes: &[Edit]) -> Tensor {
        let on_image_one = |edit: &Edit| Intervention { row: 1, edit: edit.clone() };
        let interventions: Vec<Intervention> = changes.iter().map(on_image_one).collect();
        let request =
            ForwardRequest { captures, interventions: &interventions, keep: Keep::Output };
        let backend = CpuBackend::new();
        let trace = network.forward(&backend, std::slice::from_ref(images), &request).unwrap();
        trace.value(captures[0]).unwrap().clone()
    }

    #[test]
    fn an_occluded_image_is_the_image_with_the_rectangle_painted_over() {
        let network = forked();
        let images = Numbers::new(1).tensor([3, 2, 8, 8]);
        let (image, scores) = (value(&network, "image"), value(&network, "scores"));
        let region = Region { top: 6, left: -1, height: 4, width: 3 };
        let edit = Edit::Occlude { value: image, region, fill: vec![0.5, -0.25] };
        let occluded = run(&network, &images, &[scores], &[edit]);

        let mut values = images.values().unwrap().to_vec();
        for (channel, fill) in [0.5, -0.25].into_iter().enumerate() {
            for (y, x) in [(6, 0), (6, 1), (7, 0), (7, 1)] {
                values[((2 + channel) * 8 + y) * 8 + x] = fill;
            }
        }
        let painted = Tensor::new([3, 2, 8, 8], values).unwrap();
        assert_eq!(bits(&occluded), bits(&run(&network, &painted, &[scores], &[])));
        let plain = run(&network, &images, &[scores], &[]);
        for image in [0, 2] {
            assert_eq!(bits(&row(&occluded, image)), bits(&row(&plain, image)));
        }
        assert_ne!(bits(&row(&occluded, 1)), bits(&row(&plain, 1)));
    }

    #[test]
    fn a_channel_is_replaced_for_one_image() {
        let network = forked();
        let images = Numbers::new(1).tensor([2, 2, 8, 8]);
        let relu1 = value(&network, "relu1");
        let edit = Edit::Replace { value: relu1, channels: vec![2], with: vec![7.0] };
        let replaced = run(&network, &images, &[relu1], &[edit]);
        let plain = run(&network, &images, &[relu1], &[]);
        assert_eq!(bits(&row(&replaced, 0)), bits(&row(&plain, 0)));
        let [replaced, plain] = [replaced, plain].map(|maps| row(&maps, 1).to_host().unwrap());
        let cells = 2 * 64;
        assert_eq!(replaced.values().unwrap()[..cells], plain.values().unwrap()[..cells]);
        assert_eq!(replaced.values().unwrap()[cells..], [7.0; 64]);
    }

    #[test]
    fn a_bypassed_layer_hands_its_input_on_for_one_image() {
        let network = forked();
        let images = Numbers::new(1).tensor([2, 2, 8, 8]);
        let (conv2, relu1) = (value(&network, "conv2"), value(&network, "relu1"));
        let edit = Edit::Bypass { node: node(&network, "conv2") };
        let bypassed = run(&network, &images, &[conv2], &[edit]);
        let plain = run(&network, &images, &[conv2], &[]);
        assert_eq!(bits(&row(&bypassed, 0)), bits(&row(&plain, 0)));
        let input = run(&network, &images, &[relu1], &[]);
        assert_eq!(bits(&row(&bypassed, 1)), bits(&row(&input, 1)));
    }

    #[test]
    fn changes_between_a_convolution_and_its_rectifier_are_seen() {
        let (mut builder, image) = with_image([1, 2, 4, 4]);
        let conv = add(&mut builder, "conv", convolution(1, [2, 2, 3, 3], 1), &[image]);
        let relu = add(&mut builder, "relu", Rectifier, &[conv]);
        let network = builder.finish(vec![relu]);
        let images = Numbers::new(1).tensor([2, 2, 4, 4]);
        let edit = Edit::Replace { value: conv, channels: vec![0, 1], with: vec![-1.0, 4.0] };
        let replaced = row(&run(&network, &images, &[relu], &[edit]), 1).to_host().unwrap();
        assert_eq!(replaced.values().unwrap(), [[0.0; 16], [4.0; 16]].concat());
        let edit = Edit::Bypass { node: node(&network, "relu") };
        let raw = row(&run(&network, &images, &[relu], &[edit]), 1);
        assert_eq!(bits(&raw), bits(&row(&run(&network, &images, &[conv], &[]), 1)));
    }

    #[test]
    fn interventions_that_cannot_be_meant_are_refused() {
        let network = forked();
        let images = [Tensor::zeros([2, 2, 8, 8])];
        let message = |row: usize, edit: Edit, keep: Keep| {
            let interventions = &[Intervention { row, edit }];
            let captures = network.outputs();
            let request = ForwardRequest { captures, interventions, keep };
            let refused = network.forward(&CpuBackend::new(), &images, &request);
            refused.unwrap_err().to_string()
        };
        let bypass = |name| Edit::Bypass { node: node(&network, name) };
        let replace = |name, channel| Edit::Replace {
            value: value(&network, name),
            channels: vec![channel],
            with: vec![0.0],
        };
        assert_eq!(
            message(2, bypass("relu1"), Keep::Output),
            "cannot bypass the layer at relu1: there is no image 2 in a batch of 2"
        );
        assert_eq!(
            message(0, bypass("conv1"), Keep::Output),
            "cannot bypass the layer at conv1: it makes [1, 3, 8, 8] of [[1, 2, 8, 8]]"
        );
        assert_eq!(
            message(0, replace("factor", 0), Keep::Output),
            "cannot replace channels at factor: it is the same for every image"
        );
        assert_eq!(
            message(0, replace("relu1", 0), Keep::Inversion),
            "cannot replace channels at relu1: no signal can be carried back through a changed \
             forward pass"
        );
        assert_eq!(
            message(0, replace("relu1", 3), Keep::Output),
            "layer relu1: overwrite: expected more than 3 channels, got shape [2, 3, 8, 8]"
        );
        let region = Region::whole([2, 2]);
        let occlude = Edit::Occlude { value: value(&network, "image"), region, fill: vec![0.0; 3] };
        assert_eq!(
            message(0, occlude, Keep::Output),
            "layer image: overwrite: expected 2 values, or 8 for every cell, not 3, got shape [2, \
             2, 8, 8]"
        );
    }
}
