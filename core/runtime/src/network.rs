//! Networks: layers joined by values, every one addressable by the name the user knows.

mod backward;
mod field;
mod forward;
mod fusion;
mod intervention;
#[cfg(test)]
mod testing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use thiserror::Error;

pub use field::Field;
pub use forward::{ForwardRequest, Trace};
pub use intervention::{Edit, Intervention};

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

/// Builds a network layer by layer, so that execution order and shapes are right by construction.
#[derive(Debug, Default)]
pub struct NetworkBuilder {
    nodes: Vec<Node>,
    values: Vec<Value>,
    inputs: Vec<ValueId>,
    names: BTreeMap<String, ValueId>,
    taken: BTreeSet<String>,
}

impl NetworkBuilder {
    /// Returns the number of layers so far.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Says whether there is no layer yet.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Adds an input of the given shape for a batch of one image.
    ///
    /// # Errors
    /// Fails when the name is taken or the shape is not that of one image.
    pub fn input(&mut self, name: &str, shape: Shape) -> Result<ValueId, NetworkError> {
        if shape.rank() == 0 || shape.batch() != 1 {
            return Err(NetworkError::InputBatch { name: name.to_owned(), shape });
        }
        let id = self.add_value(name, shape, Origin::Input, Extent::PerImage)?;
        self.inputs.push(id);
        Ok(id)
    }

    /// Adds a stored value.
    ///
    /// # Errors
    /// Fails when the name is taken.
    pub fn constant(&mut self, name: &str, tensor: Tensor) -> Result<ValueId, NetworkError> {
        let shape = tensor.shape().clone();
        self.add_value(name, shape, Origin::Constant(tensor), Extent::Shared)
    }

    /// Adds a layer called `name` that reads `inputs` and makes the value `output`. A layer and
    /// its output may bear the same name.
    ///
    /// # Errors
    /// Fails when the output's name is taken, the inputs do not fit, or the layer would mix the
    /// images of a batch.
    pub fn layer(
        &mut self,
        name: &str,
        layer: Arc<dyn LayerInversion>,
        inputs: &[ValueId],
        output: &str,
    ) -> Result<ValueId, NetworkError> {
        let failed = |source| NetworkError::Layer { name: name.to_owned(), source };
        let shapes: Vec<&Shape> = inputs.iter().map(|id| &self.values[id.0].shape).collect();
        let shape = layer.output_shape(&shapes).map_err(failed)?;
        let per_image = |id: &ValueId| self.values[id.0].extent == Extent::PerImage;
        let extent = if inputs.iter().any(per_image) { Extent::PerImage } else { Extent::Shared };
        if extent == Extent::PerImage {
            self.check_images_apart(name, layer.as_ref(), inputs, &shape)?;
        }
        let origin = Origin::Layer(NodeId(self.nodes.len()));
        let id = self.add_value(output, shape, origin, extent)?;
        self.nodes.push(Node { name: name.to_owned(), layer, inputs: inputs.to_vec(), output: id });
        self.names.entry(name.to_owned()).or_insert(id);
        Ok(id)
    }

    /// Lets a value be found by a further name. An earlier owner of the name keeps it.
    pub fn alias(&mut self, name: &str, value: ValueId) {
        self.names.entry(name.to_owned()).or_insert(value);
    }

    /// Returns the shape of a value for a batch of one image.
    pub fn shape(&self, value: ValueId) -> &Shape {
        &self.values[value.0].shape
    }

    /// Ends the building.
    pub fn finish(self, outputs: Vec<ValueId>) -> Network {
        let Self { nodes, values, inputs, names, taken: _ } = self;
        Network { nodes, values, inputs, outputs, names }
    }

    /// Refuses a layer whose output does not grow with the batch. Two numbers of images are tried,
    /// since an extent may happen to equal one of them.
    fn check_images_apart(
        &self,
        name: &str,
        layer: &dyn LayerInversion,
        inputs: &[ValueId],
        one: &Shape,
    ) -> Result<(), NetworkError> {
        for count in [2, 3] {
            let shapes: Vec<Shape> =
                inputs.iter().map(|id| self.values[id.0].shape_for(count)).collect();
            let shapes: Vec<&Shape> = shapes.iter().collect();
            let fits = layer.output_shape(&shapes).is_ok_and(|many| many == one.with_batch(count));
            if !fits || one.batch() != 1 {
                let (name, one) = (name.to_owned(), one.clone());
                return Err(NetworkError::MixedImages { name, one, count });
            }
        }
        Ok(())
    }

    fn add_value(
        &mut self,
        name: &str,
        shape: Shape,
        origin: Origin,
        extent: Extent,
    ) -> Result<ValueId, NetworkError> {
        let id = ValueId(self.values.len());
        if !self.taken.insert(name.to_owned()) {
            return Err(NetworkError::DuplicateName { name: name.to_owned() });
        }
        self.names.insert(name.to_owned(), id);
        self.values.push(Value { name: name.to_owned(), shape, origin, extent });
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{add, convolution, forked, with_image};
    use super::*;
    use crate::LayerKind;
    use crate::layer::{Addition, MatrixProduct, Pairwise, Rectifier};

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
    fn a_name_belongs_to_one_value() {
        let (mut builder, image) = with_image([1, 3]);
        let taken = builder.layer("relu1", Arc::new(Rectifier), &[image], "image").unwrap_err();
        assert_eq!(taken.to_string(), "two values are called image");
    }

    #[test]
    fn an_input_is_that_of_one_image() {
        let mut builder = NetworkBuilder::default();
        let refused = builder.input("image", Shape::from([8, 3])).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "input image: expected shape [1, ...], for one image, got [8, 3]"
        );
        assert!(builder.input("image", Shape::from([])).is_err());
    }

    #[test]
    fn a_layer_whose_inputs_do_not_fit_is_refused_by_name() {
        let (mut builder, image) = with_image([1, 3, 8, 8]);
        let layer = Arc::new(convolution(1, [4, 2, 3, 3], 1));
        let refused = builder.layer("conv1", layer, &[image], "conv1").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "layer conv1: convolution: expected 2 channels, got shape [1, 3, 8, 8]"
        );
    }

    #[test]
    fn a_layer_that_mixes_images_is_refused() {
        let (mut builder, image) = with_image([1, 3, 2, 2]);
        let batches = builder.constant("batches", Tensor::zeros([4, 3, 2, 2])).unwrap();
        let refused = builder.layer("sum", Arc::new(Addition), &[image, batches], "sum");
        assert_eq!(
            refused.unwrap_err().to_string(),
            "layer sum mixes the images of a batch: it makes [4, 3, 2, 2] of one image, but not 2 \
             times that of 2 images"
        );
        // Features whose batch would be aligned with the rows of a map: with two images and two
        // rows the shapes alone would not tell.
        let features = builder.input("features", Shape::from([1, 2])).unwrap();
        let refused =
            builder.layer("mul", Arc::new(Pairwise::MULTIPLICATION), &[image, features], "mul");
        assert!(refused.unwrap_err().to_string().starts_with("layer mul mixes the images"));
        let matrix = builder.input("matrix", Shape::from([1, 1, 1])).unwrap();
        let refused = builder.layer("product", Arc::new(MatrixProduct), &[matrix, features], "p");
        assert!(refused.unwrap_err().to_string().starts_with("layer product mixes the images"));
    }

    #[test]
    fn what_is_computed_of_constants_is_the_same_for_every_image() {
        let (mut builder, image) = with_image([1, 3]);
        let bias = builder.constant("bias", Tensor::zeros([2, 3])).unwrap();
        let rectified = add(&mut builder, "rectified", Rectifier, &[bias]);
        let network = builder.finish(vec![image, rectified]);
        assert_eq!(network.value(rectified).extent, Extent::Shared);
        assert_eq!(network.value(rectified).shape_for(7), Shape::from([2, 3]));
        assert_eq!(network.value(image).shape_for(7), Shape::from([7, 3]));
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
