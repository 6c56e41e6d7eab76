//! Networks: layers joined by values, every one addressable by the name the user knows.

mod backward;
mod builder;
mod field;
mod forward;
mod fusion;
mod incremental;
mod intervention;
mod joining;
mod records;
#[cfg(test)]
mod testing;
mod trace;

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

pub use backward::BackwardRequest;
pub use builder::NetworkBuilder;
pub use field::Field;
pub use forward::{ForwardRequest, GoOn};
pub use incremental::{Cover, Incremental, IncrementalCosts, Wanted};
pub use intervention::{Edit, Intervention};
pub use trace::Trace;

use crate::{Backend, LayerError, LayerInversion, Shape, Tensor};

/// A value of a network: an input, a constant, or the output of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(usize);

/// A layer within a network; ids count in execution order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(usize);

/// Where a value comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Given from outside.
    Input,
    /// Stored in the model, and the same for every image.
    Constant(Tensor),
    /// Computed by a layer.
    Layer(NodeId),
}

/// A value and what is known of it before running.
#[derive(Clone, Debug)]
pub struct Value {
    /// Its name in the model.
    pub name: String,
    /// Its shape for a batch of one image.
    pub shape: Shape,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether it belongs to the images one by one, or is the same for all.
    pub extent: Extent,
}

/// Whether a value belongs to the images one by one. What is computed of constants alone is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Axis 0 is the batch.
    PerImage,
    /// The same for every image.
    Shared,
}

impl Value {
    /// Returns the shape for a number of images.
    pub fn shape_for(&self, images: usize) -> Shape {
        match self.extent {
            Extent::PerImage => self.shape.with_batch(images),
            Extent::Shared => self.shape.clone(),
        }
    }
}

/// A layer and the values it joins.
#[derive(Clone, Debug)]
pub struct Node {
    /// The name the user knows.
    pub name: String,
    /// What it computes.
    pub layer: Arc<dyn LayerInversion>,
    /// What it reads, in order.
    pub inputs: Vec<ValueId>,
    /// What it makes.
    pub output: ValueId,
}

/// An error of running a network, forward or backward.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A layer failed.
    #[error("layer {name}: {source}")]
    Layer {
        /// Name of the layer, or of the input or constant.
        name: String,
        /// What failed.
        source: LayerError,
    },
    /// The number of inputs given is not the network's.
    ///
    /// Cure: Give one tensor per input, in the order of `Network::inputs`.
    #[error("the network has {expected} inputs, got {actual}")]
    InputCount {
        /// How many there are.
        expected: usize,
        /// How many were given.
        actual: usize,
    },
    /// A network is built for one image at a time; the runs choose their batch.
    ///
    /// Cure: Build the network for one image, with a first extent of 1; each run chooses its batch.
    #[error("input {name}: expected shape [1, ...], for one image, got {shape}")]
    InputBatch {
        /// Name of the input.
        name: String,
        /// Its shape.
        shape: Shape,
    },
    /// A layer does not treat the images of a batch one by one.
    ///
    /// Cure: Export the model so that axis 0 stays the batch: it may not be reshaped away,
    /// transposed, reduced or normalized over. Where the file fixes a batch, export it with a batch
    /// of 1 or an open one.
    #[error(
        "layer {name} mixes the images of a batch: it makes {one} of one image, but not {count} \
         times that of {count} images"
    )]
    MixedImages {
        /// Name of the layer.
        name: String,
        /// Its output's shape for one image.
        one: Shape,
        /// A number of images that does not work.
        count: usize,
    },
    /// An input has another shape than the network's.
    ///
    /// Cure: Give tensors of that shape; only the first extent, the number of images, is free.
    /// Pictures get there by a model card or `--preprocess`.
    #[error("input {name}: expected shape {expected} for any batch, got {actual}")]
    InputShape {
        /// Name of the input.
        name: String,
        /// Its shape for one image.
        expected: Shape,
        /// What was given.
        actual: Shape,
    },
    /// Two values or layers that are different claim one name.
    ///
    /// Cure: Rename one of the two: every layer and value is found by its name.
    #[error("two values are called {name}")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A signal starts at a value that the forward pass did not record, or with another shape.
    ///
    /// Cure: Start with a signal of the value's own shape, at a value of this forward pass.
    #[error("a signal of shape {actual} cannot start at {name}, whose shape is {expected}")]
    Start {
        /// Name of the value.
        name: String,
        /// Its shape in the forward pass.
        expected: Shape,
        /// Shape of the signal.
        actual: Shape,
    },
    /// A rule of a composite is for a layer that does not exist.
    ///
    /// Cure: Mend the name in the composite; `convscope inspect` shows all layers.
    #[error("a rule is for layer {name}, which the network does not have")]
    UnknownLayer {
        /// The name.
        name: String,
    },
    /// The forward pass did not record what the way back needs.
    ///
    /// Cure: In code: run forward with `Keep::Inversion`, and keep what is asked for later. Users
    /// cannot cause this; please report it.
    #[error("the forward pass kept no record of layer {name}")]
    NotRecorded {
        /// Name of the layer.
        name: String,
    },
    /// An intervention does not fit.
    ///
    /// Cure: Change a value that depends on the picture, in an image that the batch has, and bypass
    /// only layers whose input has the shape of their output; no signal goes back through a changed
    /// pass.
    #[error("cannot {what} at {name}: {reason}")]
    Intervention {
        /// What was to be done.
        what: &'static str,
        /// Where.
        name: String,
        /// Why not.
        reason: String,
    },
}

/// A graph of layers in execution order.
#[derive(Clone, Debug)]
pub struct Network {
    nodes: Vec<Node>,
    values: Vec<Value>,
    inputs: Vec<ValueId>,
    outputs: Vec<ValueId>,
    names: BTreeMap<String, ValueId>,
}

impl Network {
    /// Returns the layers in execution order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Returns a layer.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// Returns a value.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0]
    }

    /// Returns the inputs, in the model's order.
    pub fn inputs(&self) -> &[ValueId] {
        &self.inputs
    }

    /// Returns the outputs, in the model's order.
    pub fn outputs(&self) -> &[ValueId] {
        &self.outputs
    }

    /// Returns the network with its filters where the backend computes: what it packs them into is
    /// then made once.
    ///
    /// # Errors
    /// Fails when the device does.
    pub fn placed(mut self, backend: &dyn Backend) -> Result<Self, NetworkError> {
        for node in &mut self.nodes {
            let failed = |source| NetworkError::Layer { name: node.name.clone(), source };
            if let Some(placed) = node.layer.placed(backend).map_err(failed)? {
                node.layer = placed;
            }
        }
        Ok(self)
    }

    /// Finds a value by its own name, the name of the layer that makes it, or an alias.
    pub fn find(&self, name: &str) -> Option<ValueId> {
        self.names.get(name).copied()
    }

    /// Lists every name that [`Network::find`] knows, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// Returns the layer that makes a value, if one does.
    pub fn maker(&self, value: ValueId) -> Option<NodeId> {
        match self.value(value).origin {
            Origin::Layer(node) => Some(node),
            Origin::Input | Origin::Constant(_) => None,
        }
    }

    /// Returns the name by which the user knows a value: that of the layer that makes it.
    pub fn name_of(&self, value: ValueId) -> &str {
        match self.maker(value) {
            Some(node) => &self.node(node).name,
            None => &self.value(value).name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{forked, with_image};
    use super::*;
    use crate::LayerKind;
    use crate::layer::Rectifier;

    #[test]
    fn values_are_found_by_their_names_those_of_their_layers_and_aliases() {
        let (mut builder, image) = with_image([1, 3]);
        let relu = builder.layer("relu1", Arc::new(Rectifier), &[image], "relu1_out").unwrap();
        builder.alias("drop1", relu);
        builder.alias("image", relu);
        let network = builder.finish(vec![relu]);
        for name in ["relu1", "relu1_out", "drop1"] {
            assert_eq!(network.find(name), Some(relu));
        }
        assert_eq!(network.find("image"), Some(image));
        assert_eq!(network.find("conv1"), None);
        let names: Vec<&str> = network.names().collect();
        assert_eq!(names, ["drop1", "image", "relu1", "relu1_out"]);
        assert_eq!((network.name_of(relu), network.name_of(image)), ("relu1", "image"));
        assert_eq!(network.node(network.maker(relu).unwrap()).layer.kind(), LayerKind::Rectifier);
        assert_eq!((network.inputs(), network.outputs()), (&[image][..], &[relu][..]));
    }

    #[test]
    fn layers_count_in_execution_order() {
        let network = forked();
        for node in network.nodes() {
            for &input in &node.inputs {
                assert!(input < node.output);
            }
        }
    }
}
