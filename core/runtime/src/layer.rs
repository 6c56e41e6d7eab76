//! The heart: a layer knows how to go forward and how to be inverted.

mod addition;
mod average_pooling;
mod batch_normalization;
mod clip;
mod concatenation;
mod convolution;
mod delta;
mod element_wise;
mod filters;
mod flatten;
mod global_average_pooling;
mod linear;
mod matrix_product;
mod max_pooling;
mod max_unpooling;
mod operand;
mod padding;
mod pairwise;
mod record;
mod rectifier;
mod reduced_axes;
mod reduction;
mod reshape;
mod response_normalization;
mod selection;
mod softmax;
mod standardization;
#[cfg(test)]
pub(crate) mod testing;
mod transposed_convolution;
mod transposition;

use std::fmt::{self, Debug};
use std::sync::Arc;

pub use addition::Addition;
pub use average_pooling::AveragePooling;
pub use batch_normalization::BatchNormalization;
pub use clip::Clip;
pub use concatenation::Concatenation;
pub use convolution::Convolution;
pub use delta::{DeltaForm, DeltaInput, DeltaOutput};
pub use element_wise::ElementWise;
pub use flatten::Flatten;
pub use global_average_pooling::GlobalAveragePooling;
pub use linear::Linear;
pub use matrix_product::MatrixProduct;
pub use max_pooling::MaxPooling;
pub use max_unpooling::{MaxUnpooling, Switches};
pub use padding::{Filling, PaddedAxis, Padding};
pub use pairwise::Pairwise;
pub use record::{Keep, Reads, Record};
pub use rectifier::Rectifier;
pub use reduced_axes::ReducedAxes;
pub use reduction::{Reducer, Reduction};
pub use reshape::Reshape;
pub use response_normalization::ResponseNormalization;
pub use selection::{Chosen, Selection};
pub use softmax::Softmax;
pub use standardization::Standardization;
pub use transposed_convolution::TransposedConvolution;
pub use transposition::Transposition;

use crate::{Backend, Canvas, Deltas, Epilogue, LayerError, Shape, Tensor, Window};

/// What a layer does, as composites and descriptions name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LayerKind {
    /// An activation function that is no rectifier, such as a sigmoid.
    Activation,
    /// Sum of two or more values, broadcast.
    Addition,
    /// Average over windows.
    AveragePooling,
    /// Scale and shift by stored statistics.
    BatchNormalization,
    /// Limits of which the lower is not 0; with a lower limit of 0 it is a rectifier.
    Clip,
    /// Values joined along an axis.
    Concatenation,
    /// Filters.
    Convolution,
    /// Quotient of two values, broadcast.
    Division,
    /// Another function of single elements, such as the square root.
    ElementWise,
    /// All axes but the batch joined into one.
    Flatten,
    /// Average over whole maps.
    GlobalAveragePooling,
    /// Fully connected.
    Linear,
    /// Scores to logarithms of probabilities.
    LogSoftmax,
    /// Product of two computed matrices.
    MatrixProduct,
    /// Maximum over windows, with switches.
    MaxPooling,
    /// Values put back where maxima stood.
    MaxUnpooling,
    /// The larger of two values, broadcast.
    Maximum,
    /// The smaller of two values, broadcast.
    Minimum,
    /// Product of two values, broadcast.
    Multiplication,
    /// Axes that are longer or shorter at their ends.
    Padding,
    /// Positive values as they are, others times a slope of their own.
    ParametricRectifier,
    /// One value to the power of another, broadcast.
    Power,
    /// max(x, 0), and what also limits it above, such as `ReLU6`.
    Rectifier,
    /// Sum, largest or smallest of whole axes.
    Reduction,
    /// Other axes, same values.
    Reshape,
    /// Local response normalization across channels.
    ResponseNormalization,
    /// Elements of axes, in any order and number: parts, steps and lookups.
    Selection,
    /// Scores to probabilities.
    Softmax,
    /// Zero mean and unit variance within each image: layer, instance and group normalization.
    Standardization,
    /// Difference of two values, broadcast.
    Subtraction,
    /// The adjoint of filters.
    TransposedConvolution,
    /// Axes in another order.
    Transposition,
}

impl LayerKind {
    /// All kinds, alphabetical.
    pub const ALL: &'static [Self] = &[
        Self::Activation,
        Self::Addition,
        Self::AveragePooling,
        Self::BatchNormalization,
        Self::Clip,
        Self::Concatenation,
        Self::Convolution,
        Self::Division,
        Self::ElementWise,
        Self::Flatten,
        Self::GlobalAveragePooling,
        Self::Linear,
        Self::LogSoftmax,
        Self::MatrixProduct,
        Self::MaxPooling,
        Self::MaxUnpooling,
        Self::Maximum,
        Self::Minimum,
        Self::Multiplication,
        Self::Padding,
        Self::ParametricRectifier,
        Self::Power,
        Self::Rectifier,
        Self::Reduction,
        Self::Reshape,
        Self::ResponseNormalization,
        Self::Selection,
        Self::Softmax,
        Self::Standardization,
        Self::Subtraction,
        Self::TransposedConvolution,
        Self::Transposition,
    ];

    /// Returns the name in composites, descriptions and messages, in snake case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Activation => "activation",
            Self::Addition => "addition",
            Self::AveragePooling => "average_pooling",
            Self::BatchNormalization => "batch_normalization",
            Self::Clip => "clip",
            Self::Concatenation => "concatenation",
            Self::Convolution => "convolution",
            Self::Division => "division",
            Self::ElementWise => "element_wise",
            Self::Flatten => "flatten",
            Self::GlobalAveragePooling => "global_average_pooling",
            Self::Linear => "linear",
            Self::LogSoftmax => "log_softmax",
            Self::MatrixProduct => "matrix_product",
            Self::MaxPooling => "max_pooling",
            Self::MaxUnpooling => "max_unpooling",
            Self::Maximum => "maximum",
            Self::Minimum => "minimum",
            Self::Multiplication => "multiplication",
            Self::Padding => "padding",
            Self::ParametricRectifier => "parametric_rectifier",
            Self::Power => "power",
            Self::Rectifier => "rectifier",
            Self::Reduction => "reduction",
            Self::Reshape => "reshape",
            Self::ResponseNormalization => "response_normalization",
            Self::Selection => "selection",
            Self::Softmax => "softmax",
            Self::Standardization => "standardization",
            Self::Subtraction => "subtraction",
            Self::TransposedConvolution => "transposed_convolution",
            Self::Transposition => "transposition",
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

/// Which input cells one output cell of a layer depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The element at the same place, and nothing else.
    Pointwise,
    /// Elements along one axis; along all the others the place is the same.
    Along(usize),
    /// The cells whose window over the output holds the output cell, of all channels: the reach of
    /// what spreads cells over windows.
    Spread(Window),
    /// The cells of a window, of all channels.
    Window(Window),
    /// The same element: axis `i` of the output is axis `order[i]` of the input.
    Transposed([usize; 4]),
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

impl Work {
    /// Adds up the bytes around a number of multiply-adds; all numbers take four.
    fn count(inputs: &[&Shape], output: &Shape, multiply_adds: usize, parameters: usize) -> Self {
        let moved = inputs.iter().chain([&output]).map(|shape| shape.volume());
        let numbers = moved.fold(parameters, usize::saturating_add) as u64;
        Self {
            multiply_adds: multiply_adds as u64,
            bytes: numbers.saturating_mul(4),
            parameters: parameters as u64,
        }
    }

    /// Counts the work of a layer that multiplies `cells` numbers with the filters of a weight, of
    /// which axis 0 lists them; nothing for inputs that do not fit.
    fn with_weights(
        inputs: &[&Shape],
        output: Result<Shape, LayerError>,
        weight: &Tensor,
        bias: Option<&Tensor>,
        cells: impl FnOnce(&Shape) -> usize,
    ) -> Self {
        output.map_or_else(
            |_| Self::default(),
            |output| {
                let weights = weight.shape().volume();
                let biases = bias.map_or(0, |bias| bias.shape().volume());
                let taps = weights / weight.shape().batch();
                let multiply_adds = cells(&output).saturating_mul(taps);
                Self::count(inputs, &output, multiply_adds, weights + biases)
            },
        )
    }
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

    /// Computes the output, and the record of what `keep` asks for.
    ///
    /// # Errors
    /// Fails when the inputs do not fit or the backend does.
    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        keep: Keep,
    ) -> Result<(Tensor, Record), LayerError>;

    /// Computes the output with an epilogue applied, in one go, and the layer's own record. `None`
    /// where the layer has no kernel for that, or where its record holds values that are never
    /// there then; the caller runs the two layers one by one.
    fn forward_with_epilogue(
        &self,
        _backend: &dyn Backend,
        _inputs: &[&Tensor],
        _epilogue: Epilogue,
    ) -> Option<Result<(Tensor, Record), LayerError>> {
        None
    }

    /// Computes the output with an epilogue applied into the channels of a canvas from `first` on.
    /// `None` where the layer has no kernel for that; the caller runs it alone.
    fn forward_into(
        &self,
        _backend: &dyn Backend,
        _inputs: &[&Tensor],
        _epilogue: Epilogue,
        _canvas: &mut dyn Canvas,
        _first: usize,
    ) -> Option<Result<(), LayerError>> {
        None
    }

    /// Says whether the output is the inputs side by side, channel after channel.
    fn joins_channels(&self) -> bool {
        false
    }

    /// Says which epilogue does the same as this layer, if one does.
    fn as_epilogue(&self) -> Option<Epilogue> {
        None
    }

    /// Makes the record of a layer that an epilogue did the work of, from its output.
    fn record_as_epilogue(&self, output: &Tensor) -> Record {
        Record::new(output, &[output])
    }

    /// Says which cells of an input one output cell depends on.
    fn reach(&self, input: usize) -> Reach;

    /// Says what [`forward_deltas`](Self::forward_deltas) needs, if the layer has a form of that.
    fn delta_form(&self) -> DeltaForm {
        DeltaForm::Values
    }

    /// Carries changes of the inputs on: returns changed minus clean output for the cells of
    /// `output`, `[1, c, 1, n]`.
    ///
    /// # Errors
    /// Fails when the layer has no form of that, or the backend fails.
    fn forward_deltas(
        &self,
        _backend: &dyn Backend,
        _inputs: &[DeltaInput<'_>],
        _output: &DeltaOutput<'_>,
    ) -> Result<Tensor, LayerError> {
        Err(LayerError::Unsupported { kind: self.kind(), what: "carry single cells on" })
    }

    /// Carries changes of the input's maps (flattened ones, where the layer reads features) on to an
    /// output without maps: changed minus clean output, the cases of all lists one after another.
    ///
    /// # Errors
    /// Fails when the layer's form is not [`DeltaForm::Whole`], or the backend fails.
    fn forward_whole_deltas(
        &self,
        _backend: &dyn Backend,
        _deltas: &[&Deltas],
    ) -> Result<Tensor, LayerError> {
        Err(LayerError::Unsupported { kind: self.kind(), what: "carry single cells on" })
    }

    /// Counts the work of one forward pass; nothing for inputs that do not fit.
    fn work(&self, inputs: &[&Shape]) -> Work;

    /// Returns the same layer with its filters where the backend computes, if it has any.
    ///
    /// # Errors
    /// Fails when the device does.
    fn placed(
        &self,
        _backend: &dyn Backend,
    ) -> Result<Option<Arc<dyn LayerInversion>>, LayerError> {
        Ok(None)
    }

    /// Returns a parameter by its name, `weight` or `bias` among them. One that was placed on a
    /// device must be read back for its values.
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

    /// Says what [`invert`](Self::invert) reads of the record. The default is everything.
    fn reads(&self) -> Reads {
        Reads::Values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CpuBackend, Regions};

    #[test]
    fn every_kind_is_found_by_its_own_name() {
        for &kind in LayerKind::ALL {
            assert_eq!(LayerKind::of_name(kind.name()), Some(kind));
        }
        assert!(LayerKind::ALL.is_sorted_by_key(|kind| kind.name()));
        assert_eq!(LayerKind::of_name("relu"), None);
    }

    #[test]
    fn a_layer_that_cannot_carry_changes_on_says_so() {
        let backend = CpuBackend::new();
        let (regions, clean) = (&Regions::new([1, 1], []), None);
        let output = DeltaOutput { regions, channels: 1, clean };
        for refused in [
            Flatten.forward_deltas(&backend, &[], &output),
            Flatten.forward_whole_deltas(&backend, &[]),
        ] {
            assert_eq!(refused.unwrap_err().to_string(), "flatten cannot carry single cells on");
        }
    }
}
