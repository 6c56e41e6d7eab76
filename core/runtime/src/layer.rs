//! The heart: a layer knows how to go forward and how to be inverted.

use std::fmt::{self, Debug};

use crate::{Backend, LayerError, Region, Shape, Tensor, Window};

/// What a layer does, as composites and descriptions name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LayerKind {
    /// Sum of two or more values, broadcast.
    Addition,
    /// Average over windows.
    AveragePooling,
    /// Scale and shift by stored statistics.
    BatchNormalization,
    /// Limits on both sides, such as ReLU6.
    Clip,
    /// Values joined along an axis.
    Concatenation,
    /// Filters.
    Convolution,
    /// All axes but the batch joined into one.
    Flatten,
    /// Average over whole maps.
    GlobalAveragePooling,
    /// Fully connected.
    Linear,
    /// Product of two computed matrices.
    MatrixProduct,
    /// Maximum over windows, with switches.
    MaxPooling,
    /// Product of two values, broadcast.
    Multiplication,
    /// max(x, 0).
    Rectifier,
    /// Other axes, same values.
    Reshape,
    /// Local response normalization across channels.
    ResponseNormalization,
    /// Scores to probabilities.
    Softmax,
}

impl LayerKind {
    /// All kinds, alphabetical.
    pub const ALL: &'static [Self] = &[
        Self::Addition,
        Self::AveragePooling,
        Self::BatchNormalization,
        Self::Clip,
        Self::Concatenation,
        Self::Convolution,
        Self::Flatten,
        Self::GlobalAveragePooling,
        Self::Linear,
        Self::MatrixProduct,
        Self::MaxPooling,
        Self::Multiplication,
        Self::Rectifier,
        Self::Reshape,
        Self::ResponseNormalization,
        Self::Softmax,
    ];

    /// Returns the name in composites, descriptions and messages, in snake case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Addition => "addition",
            Self::AveragePooling => "average_pooling",
            Self::BatchNormalization => "batch_normalization",
            Self::Clip => "clip",
            Self::Concatenation => "concatenation",
            Self::Convolution => "convolution",
            Self::Flatten => "flatten",
            Self::GlobalAveragePooling => "global_average_pooling",
            Self::Linear => "linear",
            Self::MatrixProduct => "matrix_product",
            Self::MaxPooling => "max_pooling",
            Self::Multiplication => "multiplication",
            Self::Rectifier => "rectifier",
            Self::Reshape => "reshape",
            Self::ResponseNormalization => "response_normalization",
            Self::Softmax => "softmax",
        }
    }

    /// Finds the kind of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for LayerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a forward pass keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// The output only.
    #[default]
    Output,
    /// Also what [`LayerInversion::invert`] needs: cheap clones and switches.
    Inversion,
}

/// What a layer left behind on its way forward.
#[derive(Clone, Debug)]
pub struct Record {
    output: Tensor,
    input_shapes: Vec<Shape>,
    saved: Vec<Tensor>,
}

impl Record {
    /// Makes a record of an output and the shapes of the inputs it was computed from.
    pub fn new(output: Tensor, inputs: &[&Tensor]) -> Self {
        let input_shapes = inputs.iter().map(|input| input.shape().clone()).collect();
        Self { output, input_shapes, saved: Vec::new() }
    }

    /// Adds what the inversion needs. A tensor of the output's rank with as many rows as the batch
    /// belongs to the images one by one; any other is shared by all.
    #[must_use]
    pub fn saving(mut self, tensors: impl IntoIterator<Item = Tensor>) -> Self {
        self.saved.extend(tensors);
        self
    }

    /// Returns the output.
    pub fn output(&self) -> &Tensor {
        &self.output
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

    /// Returns a tensor that the forward pass saved.
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

    /// Exchanges the output, as an intervention does.
    #[must_use]
    pub fn with_output(mut self, output: Tensor) -> Self {
        self.output = output;
        self
    }

    /// Returns the record of the given images, any number of times each: several signals can then
    /// be carried back through one forward pass.
    ///
    /// # Errors
    /// Fails when a row does not exist.
    pub fn select(&self, backend: &dyn Backend, rows: &[usize]) -> Result<Self, LayerError> {
        let (rank, batch) = (self.output.shape().rank(), self.output.shape().batch());
        let saved = self
            .saved
            .iter()
            .map(|tensor| {
                if tensor.shape().rank() == rank && tensor.shape().batch() == batch {
                    backend.select(tensor, rows)
                } else {
                    Ok(tensor.clone())
                }
            })
            .collect::<Result<_, _>>()?;
        let input_shapes =
            self.input_shapes
                .iter()
                .map(|shape| {
                    if shape.batch() == batch {
                        shape.with_batch(rows.len())
                    } else {
                        shape.clone()
                    }
                })
                .collect();
        Ok(Self { output: backend.select(&self.output, rows)?, input_shapes, saved })
    }
}

/// Which input cells one output cell of a layer depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The cell at the same place.
    Pointwise,
    /// The cells of a window.
    Window(Window),
    /// Possibly all. Always a right answer.
    Global,
}

/// What one forward pass of a layer costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Multiply-adds.
    pub multiply_adds: u64,
    /// Bytes of inputs, outputs and weights.
    pub bytes: u64,
    /// Number of weights.
    pub parameters: u64,
}

/// One step of a network, with one output.
pub trait Layer: Debug + Send + Sync {
    /// Says what the layer does.
    fn kind(&self) -> LayerKind;

    /// Computes the shape of the output.
    ///
    /// # Errors
    /// Fails when the inputs do not fit the layer.
    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError>;

    /// Computes the output. The record holds what `keep` asks for.
    ///
    /// # Errors
    /// Fails when the inputs do not fit or the backend does.
    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        keep: Keep,
    ) -> Result<Record, LayerError>;

    /// Says which cells of an input one output cell depends on.
    fn reach(&self, input: usize) -> Reach;

    /// Computes the output on tiles whose halo, padding included, is already in `inputs`; `places`
    /// says where each lies in the whole map. The default refuses, and the caller goes on densely.
    ///
    /// # Errors
    /// Fails when the layer cannot work on tiles.
    fn forward_tiles(
        &self,
        _backend: &dyn Backend,
        _inputs: &[&Tensor],
        _places: &[Region],
    ) -> Result<Tensor, LayerError> {
        Err(LayerError::Unsupported { kind: self.kind(), what: "compute single tiles" })
    }

    /// Counts the work of one forward pass.
    fn work(&self, inputs: &[&Shape]) -> Work;

    /// Returns a parameter by its name, `weight` or `bias` among them.
    fn parameter(&self, _name: &str) -> Option<&Tensor> {
        None
    }
}

/// A layer that carries a signal from its output back to its inputs.
pub trait LayerInversion: Layer {
    /// Multiplies a signal with the transposed Jacobian at the recorded inputs: for a convolution
    /// that *is* filtering with the transposed filters, for max pooling unpooling by switches, for
    /// a rectifier gating. Zeiler & Fergus (2013), section 2.1.
    ///
    /// # Shapes
    /// `signal` has the output's shape; the result has one tensor per input, of that input's shape.
    ///
    /// # Errors
    /// Fails when the record lacks what the inversion needs or the backend fails.
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError>;
}
