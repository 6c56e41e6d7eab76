//! Maps that kernels fill side by side.

use crate::{Computed, ConvolutionGeometry, Epilogue, Tensor};

/// Maps that kernels fill part by part, so that joining them along their channels copies nothing.
/// Every channel must be filled before the maps are taken.
pub trait Canvas {
    /// Computes [`Backend::convolution`](crate::Backend::convolution) into the channels from `first`
    /// on.
    ///
    /// # Errors
    /// Fails when the shapes do not fit, or the channels are none of the parts that the canvas was
    /// made for.
    fn convolution(
        &mut self,
        first: usize,
        input: &Tensor,
        filters: &Tensor,
        bias: Option<&Tensor>,
        geometry: &ConvolutionGeometry,
        epilogue: Epilogue,
    ) -> Computed<()>;

    /// Copies maps into the channels from `first` on.
    ///
    /// # Errors
    /// As [`convolution`](Self::convolution).
    fn copy(&mut self, first: usize, maps: &Tensor) -> Computed<()>;

    /// Returns the maps.
    fn finish(self: Box<Self>) -> Tensor;
}
