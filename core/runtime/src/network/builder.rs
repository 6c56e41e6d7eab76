//! How a network comes about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Extent, Network, NetworkError, Node, NodeId, Origin, Value, ValueId};
use crate::{LayerInversion, Shape, Tensor};

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
    use super::super::testing::{add, convolution, with_image};
    use super::*;
    use crate::layer::{Addition, MatrixProduct, Pairwise, Rectifier};

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
}
