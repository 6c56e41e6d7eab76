//! What a compute backend must be able to do.

mod alone;
mod awake;
mod axis;
mod binary;
mod canvas;
pub mod cpu;
mod deltas;
mod filtering;
mod functions;
mod operand;
mod peaks;
pub mod plain;
mod settings;
mod transcendental;
mod unary;
mod units;

use std::fmt::Debug;

pub(crate) use alone::alone;
pub use awake::Awake;
pub use binary::{Binary, Side};
pub use canvas::Canvas;
pub use cpu::{ConvolutionForms, CpuBackend, Isa};
pub use deltas::{DeltaKernels, Deltas, HostDeltas, Regions};
pub use peaks::Peaks;
pub use plain::PlainBackend;
pub use settings::{
    ConvolutionGeometry, Divisor, Epilogue, Orientation, Overlap, Patch, ResponseNormalization,
};
pub use unary::Unary;

use crate::{BackendError, Shape, Tensor, Window};

/// The result of a kernel.
pub type Computed<T = Tensor> = Result<T, BackendError>;

/// A place where networks are computed.
///
/// Few kernels are required; the others have a default that is correct before it is fast. Calls
/// may only enqueue work: nothing need be finished before values are read. A backend that lacks
/// something says so with [`BackendError::Unsupported`]; nothing falls back silently.
///
/// Every kernel treats the images of a batch independently and in an order of operations that is
/// fixed by shapes alone: a picture's result has the same bits in any batch and with any number of
/// threads.
///
/// Operands must lie where [`Backend::upload`] puts them. Maps are
/// `[batch, channel, height, width]`.
pub trait Backend: Debug + Send + Sync {
    /// Returns the name that manifests record, such as `cpu`.
    fn name(&self) -> &str;

    /// Brings a host tensor to the backend's memory; a clone where that is the host.
    ///
    /// # Errors
    /// Fails when the device does.
    fn upload(&self, tensor: &Tensor) -> Computed;

    /// Brings the filters of a layer to the backend's memory for good, where it may also keep what
    /// it packs them into. Filters that are there already stay as they are.
    ///
    /// # Errors
    /// Fails when the device does.
    fn upload_filters(&self, filters: &Tensor) -> Computed {
        self.upload(filters)
    }

    /// Keeps the threads that compute from going to sleep until the result is dropped, for kernels
    /// that follow one another closely, such as those of a pass. Nothing else depends on it; by
    /// default no thread is kept awake.
    fn keep_awake(&self) -> Option<Awake> {
        None
    }

    /// Frees memory that only waits to be used again, when something else comes than what it was
    /// used for; by default there is none.
    fn free_idle(&self) {}

    /// Returns the kernels of incremental inference; by default those of the host.
    fn deltas(&self) -> &dyn DeltaKernels {
        &HostDeltas
    }

    /// Correlates maps with filters (the machine-learning convolution).
    ///
    /// # Shapes
    /// input `[n, c, h, w]`, filters `[m, c / groups, kh, kw]`, bias `[m]`; result `[n, m, oh, ow]`.
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn convolution(
        &self,
        input: &Tensor,
        filters: &Tensor,
        bias: Option<&Tensor>,
        geometry: &ConvolutionGeometry,
        epilogue: Epilogue,
    ) -> Computed;

    /// The adjoint of [`Backend::convolution`]: filters a signal with the transposed filters.
    ///
    /// # Shapes
    /// signal `[n, m, oh, ow]`; result `restored`, which is `[n, c, h, w]`.
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn transposed_convolution(
        &self,
        signal: &Tensor,
        filters: &Tensor,
        geometry: &ConvolutionGeometry,
        restored: &Shape,
    ) -> Computed;

    /// Takes the maximum of every window, padding excluded. Returns the maxima and the switches:
    /// for each the position `row · width + column` of the first maximum in row-major order.
    /// NaN counts as larger than any number.
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn max_pooling(
        &self,
        input: &Tensor,
        window: &Window,
        output: [usize; 2],
    ) -> Computed<(Tensor, Tensor)>;

    /// Puts each value back where its maximum stood, and zero elsewhere. Zeiler & Fergus (2013),
    /// section 2.1.
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn unpooling(
        &self,
        signal: &Tensor,
        switches: &Tensor,
        restored: &Shape,
        overlap: Overlap,
    ) -> Computed;

    /// The adjoint of [`Backend::unpooling`]: takes what lies at every switch; with
    /// [`Overlap::Overwrite`] zero for a value that a later one replaced.
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn unpooling_adjoint(&self, signal: &Tensor, switches: &Tensor, overlap: Overlap) -> Computed {
        let [signal, switches] = [signal.to_host()?, switches.to_host()?];
        self.upload(&crate::host::unpooling_adjoint(&signal, &switches, overlap)?)
    }

    /// Averages every window.
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn average_pooling(
        &self,
        input: &Tensor,
        window: &Window,
        output: [usize; 2],
        divisor: Divisor,
    ) -> Computed;

    /// The adjoint of [`Backend::average_pooling`].
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn average_unpooling(
        &self,
        signal: &Tensor,
        window: &Window,
        restored: &Shape,
        divisor: Divisor,
    ) -> Computed;

    /// Multiplies matrices over the last two axes; leading axes broadcast as in ONNX `MatMul`.
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn matrix_product(
        &self,
        a: &Tensor,
        a_orientation: Orientation,
        b: &Tensor,
        b_orientation: Orientation,
    ) -> Computed;

    /// Multiplies features with the transposed weights of a fully connected layer.
    ///
    /// # Shapes
    /// input `[.., in]`, weight `[out, in]`, bias `[out]`; result `[.., out]`.
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn linear(
        &self,
        input: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        epilogue: Epilogue,
    ) -> Computed {
        let transposed = Orientation::Transposed;
        let mut output = self.matrix_product(input, Orientation::Plain, weight, transposed)?;
        if let Some(bias) = bias {
            operand::require("linear", "a bias", bias.shape(), &[weight.shape().batch()])?;
            output = self.binary(Binary::Add, &output, bias)?;
        }
        finished(self, output, epilogue)
    }

    /// Applies a function to every element.
    ///
    /// # Errors
    /// Fails when the device does.
    fn unary(&self, function: Unary, input: &Tensor) -> Computed;

    /// Multiplies a signal with the derivative of a function at every element of `input`. Where no
    /// signal arrives none is passed on, even where the derivative is infinite.
    ///
    /// # Errors
    /// Fails when the shapes differ.
    fn unary_adjoint(&self, function: Unary, signal: &Tensor, input: &Tensor) -> Computed;

    /// Adds two values element by element, broadcasting both, and applies an epilogue.
    ///
    /// # Errors
    /// Fails when the shapes do not broadcast.
    fn addition(&self, a: &Tensor, b: &Tensor, epilogue: Epilogue) -> Computed {
        finished(self, self.binary(Binary::Add, a, b)?, epilogue)
    }

    /// Applies a function to every pair of elements, broadcasting both operands.
    ///
    /// # Errors
    /// Fails when the shapes do not broadcast.
    fn binary(&self, function: Binary, a: &Tensor, b: &Tensor) -> Computed;

    /// Multiplies a signal with the partial derivative of a function, with respect to one of its
    /// operands, at every pair of elements. Where no signal arrives none is passed on.
    ///
    /// # Shapes
    /// `signal` and the result have the shape to which the operands broadcast.
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn binary_adjoint(
        &self,
        function: Binary,
        side: Side,
        signal: &Tensor,
        operands: [&Tensor; 2],
    ) -> Computed;

    /// Sums over `axes`, which stay with extent 1. The order of summation depends on shape alone.
    ///
    /// # Errors
    /// Fails when an axis does not exist.
    fn sum(&self, input: &Tensor, axes: &[usize]) -> Computed;

    /// Takes the largest element over `axes`, which stay with extent 1.
    ///
    /// # Errors
    /// Fails when an axis does not exist.
    fn maximum(&self, input: &Tensor, axes: &[usize]) -> Computed;

    /// Makes maps of this shape that kernels fill part by part, each of as many channels as `parts`
    /// says; none where this backend would rather join them afterwards.
    ///
    /// # Errors
    /// Fails when there is no room.
    fn canvas(&self, _shape: &Shape, _parts: &[usize]) -> Computed<Option<Box<dyn Canvas>>> {
        Ok(None)
    }

    /// Finds the strongest cell of every map, and counts the cells above zero. Of equal cells the
    /// first in row-major order is taken; NaN counts as larger than any number.
    ///
    /// # Shapes
    /// input `[n, c, h, w]`, or features `[n, c]` as maps of one cell; results `[n, c]`, which may
    /// lie on the host.
    ///
    /// # Errors
    /// Fails when a map has no cell.
    fn peaks(&self, input: &Tensor) -> Computed<Peaks> {
        peaks::peaks(&input.to_host()?)
    }

    /// Joins tensors along an axis.
    ///
    /// # Errors
    /// Fails when the other axes differ.
    fn concatenation(&self, inputs: &[&Tensor], axis: usize) -> Computed;

    /// Cuts `start..start + length` out of an axis.
    ///
    /// # Errors
    /// Fails when the range leaves the axis.
    fn slice(&self, input: &Tensor, axis: usize, start: usize, length: usize) -> Computed;

    /// Normalizes responses across channels.
    ///
    /// # Errors
    /// Fails when the input has no maps.
    fn response_normalization(&self, input: &Tensor, form: &ResponseNormalization) -> Computed;

    /// Multiplies a signal with the exact transposed Jacobian of
    /// [`Backend::response_normalization`] at `input`.
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn response_normalization_adjoint(
        &self,
        signal: &Tensor,
        input: &Tensor,
        form: &ResponseNormalization,
    ) -> Computed;

    /// Brings the elements of all axes from `axis` on to zero mean and unit variance together:
    /// `(x − mean) / √(variance + epsilon)`. Returns the result and the factors
    /// `1 / √(variance + epsilon)`, whose extent on these axes is 1.
    ///
    /// # Errors
    /// Fails when the axis does not exist.
    fn standardization(
        &self,
        input: &Tensor,
        axis: usize,
        epsilon: f32,
    ) -> Computed<(Tensor, Tensor)>;

    /// Multiplies a signal with the transposed Jacobian of [`Backend::standardization`], given its
    /// two results.
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn standardization_adjoint(
        &self,
        signal: &Tensor,
        standardized: &Tensor,
        factors: &Tensor,
        axis: usize,
    ) -> Computed;

    /// Scales and shifts every channel of maps (or of `[n, c]` features).
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn affine(&self, input: &Tensor, scale: &Tensor, shift: Option<&Tensor>) -> Computed {
        let mut extents = vec![1; input.shape().rank().saturating_sub(1)];
        if let Some(channels) = extents.first_mut() {
            *channels = scale.shape().volume();
        }
        let per_channel = |tensor: &Tensor| self.reshape(tensor, &Shape::new(&extents));
        let scaled = self.binary(Binary::Multiply, input, &per_channel(scale)?)?;
        match shift {
            Some(shift) => self.binary(Binary::Add, &scaled, &per_channel(shift)?),
            None => Ok(scaled),
        }
    }

    /// Turns scores along an axis into probabilities.
    ///
    /// # Errors
    /// Fails when the axis does not exist.
    fn softmax(&self, input: &Tensor, axis: usize) -> Computed {
        let largest = self.maximum(input, &[axis])?;
        let shifted = self.binary(Binary::Subtract, input, &largest)?;
        let exponentials = self.unary(Unary::Exponential, &shifted)?;
        let total = self.sum(&exponentials, &[axis])?;
        self.binary(Binary::Divide, &exponentials, &total)
    }

    /// Multiplies a signal with the transposed Jacobian of [`Backend::softmax`] at its `output`.
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn softmax_adjoint(&self, signal: &Tensor, output: &Tensor, axis: usize) -> Computed {
        let weighted = self.binary(Binary::Multiply, signal, output)?;
        let total = self.sum(&weighted, &[axis])?;
        let centred = self.binary(Binary::Subtract, signal, &total)?;
        self.binary(Binary::Multiply, &centred, output)
    }

    /// Turns scores along an axis into the logarithms of probabilities.
    ///
    /// # Errors
    /// Fails when the axis does not exist.
    fn log_softmax(&self, input: &Tensor, axis: usize) -> Computed {
        let largest = self.maximum(input, &[axis])?;
        let shifted = self.binary(Binary::Subtract, input, &largest)?;
        let exponentials = self.unary(Unary::Exponential, &shifted)?;
        let total = self.sum(&exponentials, &[axis])?;
        self.binary(Binary::Subtract, &shifted, &self.unary(Unary::Logarithm, &total)?)
    }

    /// Multiplies a signal with the transposed Jacobian of [`Backend::log_softmax`] at its `output`.
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn log_softmax_adjoint(&self, signal: &Tensor, output: &Tensor, axis: usize) -> Computed {
        let total = self.sum(signal, &[axis])?;
        let probabilities = self.unary(Unary::Exponential, output)?;
        let spread = self.binary(Binary::Multiply, &probabilities, &total)?;
        self.binary(Binary::Subtract, signal, &spread)
    }

    /// Returns the same values in the same row-major order with another shape.
    ///
    /// # Errors
    /// Fails when the volumes differ.
    fn reshape(&self, input: &Tensor, shape: &Shape) -> Computed {
        self.upload(&input.to_host()?.with_shape(shape.clone())?)
    }

    /// Takes elements along an axis, any number of times each, in the order of `sources`; `fill`
    /// stands where a source is `None`.
    ///
    /// # Errors
    /// Fails when a source lies outside the axis.
    fn gather(
        &self,
        input: &Tensor,
        axis: usize,
        sources: &[Option<usize>],
        fill: f32,
    ) -> Computed {
        self.upload(&crate::host::gather(&input.to_host()?, axis, sources, fill)?)
    }

    /// The adjoint of [`Backend::gather`]: adds every element up where it was taken from, in an
    /// axis of `extent`.
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn scatter(
        &self,
        signal: &Tensor,
        axis: usize,
        sources: &[Option<usize>],
        extent: usize,
    ) -> Computed {
        self.upload(&crate::host::scatter(&signal.to_host()?, axis, sources, extent)?)
    }

    /// Puts the axes into another order: axis `i` of the result is axis `order[i]` of the input.
    ///
    /// # Errors
    /// Fails when `order` does not hold every axis once.
    fn transposition(&self, input: &Tensor, order: &[usize]) -> Computed {
        self.upload(&crate::host::transposition(&input.to_host()?, order)?)
    }

    /// Picks rows of axis 0, any number of times each.
    ///
    /// # Errors
    /// Fails when a row does not exist.
    fn select(&self, input: &Tensor, rows: &[usize]) -> Computed {
        self.upload(&crate::host::select(&input.to_host()?, rows)?)
    }

    /// Writes patches over parts of single images.
    ///
    /// # Errors
    /// Fails when a patch does not fit.
    fn overwrite(&self, input: &Tensor, patches: &[Patch]) -> Computed {
        self.upload(&crate::host::overwrite(&input.to_host()?, patches)?)
    }
}

/// Applies an epilogue to what a kernel without one has stored.
fn finished(backend: &(impl Backend + ?Sized), result: Tensor, epilogue: Epilogue) -> Computed {
    match epilogue {
        Epilogue::None => Ok(result),
        Epilogue::Rectify => backend.unary(Unary::Rectify, &result),
    }
}
