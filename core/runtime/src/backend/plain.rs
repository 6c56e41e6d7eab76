//! The plain backend: row-major tensors on the host, threads, and the crate `gemm` for
//! products. It is the reference for every other backend.
//!
//! Work is cut into units by shapes alone (an image, a group, some rows), each unit is computed by
//! one thread in one order, and units share no result. So the bits of a picture's result depend
//! neither on its batch nor on the number of threads.

mod average_pooling;
mod convolution;
mod depthwise;
mod elementwise;
mod gemm_call;
mod lines;
mod matrix;
mod max_pooling;
mod movement;
mod panel;
mod reduction;
mod response_normalization;
mod scratch;
mod standardization;
mod transposed_convolution;

use scratch::ScratchPool;

use crate::{
    Awake, Backend, BackendError, Binary, Computed, ConvolutionGeometry, Divisor, Epilogue,
    Orientation, Overlap, ResponseNormalization, Shape, Side, Tensor, Unary, Window,
};

/// Computes on the host, on the threads of the current rayon pool.
#[derive(Clone, Debug, Default)]
pub struct PlainBackend {
    scratch: ScratchPool,
}

impl PlainBackend {
    /// Makes the backend.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Backend for PlainBackend {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn upload(&self, tensor: &Tensor) -> Computed {
        match tensor.device() {
            Some(_) => Err(BackendError::NotOnHost),
            None => Ok(tensor.clone()),
        }
    }

    fn keep_awake(&self) -> Option<Awake> {
        Awake::of_pool()
    }

    fn convolution(
        &self,
        input: &Tensor,
        filters: &Tensor,
        bias: Option<&Tensor>,
        geometry: &ConvolutionGeometry,
        epilogue: Epilogue,
    ) -> Computed {
        convolution::convolution(&self.scratch, input, filters, bias, geometry, epilogue)
    }

    fn transposed_convolution(
        &self,
        signal: &Tensor,
        filters: &Tensor,
        geometry: &ConvolutionGeometry,
        restored: &Shape,
    ) -> Computed {
        transposed_convolution::transposed_convolution(
            &self.scratch,
            signal,
            filters,
            geometry,
            restored,
        )
    }

    fn max_pooling(
        &self,
        input: &Tensor,
        window: &Window,
        output: [usize; 2],
    ) -> Computed<(Tensor, Tensor)> {
        max_pooling::max_pooling(input, window, output)
    }

    fn unpooling(
        &self,
        signal: &Tensor,
        switches: &Tensor,
        restored: &Shape,
        overlap: Overlap,
    ) -> Computed {
        max_pooling::unpooling(signal, switches, restored, overlap)
    }

    fn average_pooling(
        &self,
        input: &Tensor,
        window: &Window,
        output: [usize; 2],
        divisor: Divisor,
    ) -> Computed {
        average_pooling::average_pooling(input, window, output, divisor)
    }

    fn average_unpooling(
        &self,
        signal: &Tensor,
        window: &Window,
        restored: &Shape,
        divisor: Divisor,
    ) -> Computed {
        average_pooling::average_unpooling(signal, window, restored, divisor)
    }

    fn matrix_product(
        &self,
        a: &Tensor,
        a_orientation: Orientation,
        b: &Tensor,
        b_orientation: Orientation,
    ) -> Computed {
        matrix::matrix_product(a, a_orientation, b, b_orientation)
    }

    fn unary(&self, function: Unary, input: &Tensor) -> Computed {
        elementwise::unary(function, input)
    }

    fn unary_adjoint(&self, function: Unary, signal: &Tensor, input: &Tensor) -> Computed {
        elementwise::unary_adjoint(function, signal, input)
    }

    fn binary(&self, function: Binary, a: &Tensor, b: &Tensor) -> Computed {
        elementwise::binary(function, a, b)
    }

    fn binary_adjoint(
        &self,
        function: Binary,
        side: Side,
        signal: &Tensor,
        operands: [&Tensor; 2],
    ) -> Computed {
        elementwise::binary_adjoint(function, side, signal, operands)
    }

    fn sum(&self, input: &Tensor, axes: &[usize]) -> Computed {
        reduction::sum(input, axes)
    }

    fn maximum(&self, input: &Tensor, axes: &[usize]) -> Computed {
        reduction::maximum(input, axes)
    }

    fn concatenation(&self, inputs: &[&Tensor], axis: usize) -> Computed {
        movement::concatenation(inputs, axis)
    }

    fn slice(&self, input: &Tensor, axis: usize, start: usize, length: usize) -> Computed {
        movement::slice(input, axis, start, length)
    }

    fn response_normalization(&self, input: &Tensor, form: &ResponseNormalization) -> Computed {
        response_normalization::response_normalization(input, form)
    }

    fn response_normalization_adjoint(
        &self,
        signal: &Tensor,
        input: &Tensor,
        form: &ResponseNormalization,
    ) -> Computed {
        response_normalization::response_normalization_adjoint(signal, input, form)
    }

    fn affine(&self, input: &Tensor, scale: &Tensor, shift: Option<&Tensor>) -> Computed {
        elementwise::affine(input, scale, shift)
    }

    fn standardization(
        &self,
        input: &Tensor,
        axis: usize,
        epsilon: f32,
    ) -> Computed<(Tensor, Tensor)> {
        standardization::standardization(input, axis, epsilon)
    }

    fn standardization_adjoint(
        &self,
        signal: &Tensor,
        standardized: &Tensor,
        factors: &Tensor,
        axis: usize,
    ) -> Computed {
        standardization::standardization_adjoint(signal, standardized, factors, axis)
    }
}
