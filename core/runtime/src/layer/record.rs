//! What a layer leaves behind for its inversion.

use crate::{Backend, LayerError, LayerKind, Shape, Tensor};

/// What a forward pass keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// The captured values only.
    #[default]
    Output,
    /// Also what [`LayerInversion::invert`](crate::LayerInversion::invert) needs: cheap clones and
    /// switches.
    Inversion,
}

/// What the way back reads of a layer's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// The shapes alone: the layer need not have run.
    Shapes,
    /// Also values: inputs, or what was saved.
    Values,
}

/// What a layer left behind on its way forward.
///
/// Of the output only the shape is held, so that a value lives no longer than somebody needs it.
#[derive(Clone, Debug)]
pub struct Record {
    output_shape: Shape,
    input_shapes: Vec<Shape>,
    inputs: Vec<Tensor>,
    saved: Vec<Tensor>,
    shared: Vec<usize>,
}

impl Record {
    /// Makes a record of the shapes of an output and of the inputs it was computed from.
    pub fn new(output: &Tensor, inputs: &[&Tensor]) -> Self {
        let input_shapes = inputs.iter().map(|input| input.shape().clone()).collect();
        Self::of_shapes(output.shape().clone(), input_shapes)
    }

    /// Makes the record of a layer that did not run, of shapes alone.
    pub fn of_shapes(output_shape: Shape, input_shapes: Vec<Shape>) -> Self {
        Self {
            output_shape,
            input_shapes,
            inputs: Vec::new(),
            saved: Vec::new(),
            shared: Vec::new(),
        }
    }

    /// Adds results that the inversion needs. Axis 0 of each is the batch.
    #[must_use]
    pub fn saving(mut self, results: impl IntoIterator<Item = Tensor>) -> Self {
        self.saved.extend(results);
        self
    }

    /// Adds all the inputs, for an inversion that needs their values.
    #[must_use]
    pub fn saving_inputs(mut self, inputs: &[&Tensor]) -> Self {
        self.inputs = inputs.iter().map(|&input| input.clone()).collect();
        self
    }

    /// Says which inputs are the same for every image: weights and other constants.
    #[must_use]
    pub fn sharing(mut self, inputs: impl IntoIterator<Item = usize>) -> Self {
        self.shared.extend(inputs);
        self
    }

    /// Returns the shape of the output.
    pub fn output_shape(&self) -> &Shape {
        &self.output_shape
    }

    /// Returns the shapes of the inputs.
    pub fn input_shapes(&self) -> &[Shape] {
        &self.input_shapes
    }

    /// Returns the shape of the first input.
    ///
    /// # Errors
    /// Fails for a layer without inputs.
    pub fn input_shape(&self, kind: LayerKind) -> Result<&Shape, LayerError> {
        self.input_shapes.first().ok_or(LayerError::IncompleteRecord { kind, missing: "an input" })
    }

    /// Returns the values of an input.
    ///
    /// # Errors
    /// Fails when the forward pass kept outputs only.
    pub fn input(&self, index: usize, kind: LayerKind) -> Result<&Tensor, LayerError> {
        let missing = "its inputs";
        self.inputs.get(index).ok_or(LayerError::IncompleteRecord { kind, missing })
    }

    /// Returns a result that the forward pass saved.
    ///
    /// # Errors
    /// Fails when the forward pass kept outputs only.
    pub fn saved(
        &self,
        index: usize,
        kind: LayerKind,
        missing: &'static str,
    ) -> Result<&Tensor, LayerError> {
        self.saved.get(index).ok_or(LayerError::IncompleteRecord { kind, missing })
    }

    /// Returns the record of the given images, any number of times each: several signals can then
    /// be carried back through one forward pass.
    ///
    /// # Errors
    /// Fails when a row does not exist.
    pub fn select(&self, backend: &dyn Backend, rows: &[usize]) -> Result<Self, LayerError> {
        let mut selected = self.clone();
        let is_shared = |index: &usize| self.shared.contains(index);
        if !self.input_shapes.is_empty() && (0..self.input_shapes.len()).all(|i| is_shared(&i)) {
            return Ok(selected);
        }
        selected.output_shape = self.output_shape.with_batch(rows.len());
        for result in &mut selected.saved {
            *result = backend.select(result, rows)?;
        }
        for (index, shape) in selected.input_shapes.iter_mut().enumerate() {
            if is_shared(&index) {
                continue;
            }
            *shape = shape.with_batch(rows.len());
            if let Some(input) = selected.inputs.get_mut(index) {
                *input = backend.select(input, rows)?;
            }
        }
        Ok(selected)
    }
}
