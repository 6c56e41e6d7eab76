//! The fast CPU backend: maps in blocks of 16 channels, one micro-kernel, and what is made of it.
//!
//! Values of a network stay in blocks from layer to layer; they are laid out row by row only when
//! somebody reads them. What has no kernel here runs on the plain backend, values converted on the
//! way there and back; [`CpuBackend::conversions`] counts that.

#![allow(
    clippy::inline_always,
    reason = "kernels must be inlined into what carries the instruction set"
)]

mod affine;
mod average_pooling;
mod blocked;
mod broadcast;
mod buffer;
mod canvas;
mod channels;
mod conversions;
mod convolution;
mod cost;
mod deltas;
mod direct;
mod element_wise;
mod entries;
mod filters;
mod groups;
mod image_head;
mod isa;
mod lanes;
mod lanewise;
mod linear;
mod max_pooling;
mod micro;
mod movement;
mod peaks;
mod pixels;
mod reduction;
mod registers;
mod response_normalization;
mod rows;
mod scattered;
mod simd;
mod stencil;
mod strips;
mod support;
mod switches;
mod tasks;
#[cfg(test)]
mod testing;
mod tiled;
mod transposed;
mod unpooling;
mod weights;
mod windows;
mod winograd;

pub use cost::ConvolutionForms;
pub use isa::Isa;

use std::collections::BTreeMap;

use blocked::{Blocked, Maps};
use buffer::{Buffer, Pool};
use canvas::BlockedCanvas;
use conversions::Conversions;
use filters::Filters;
use switches::Switches;

use crate::backend::operand::incompatible;
use crate::{
    Awake, Backend, Binary, Canvas, Computed, ConvolutionGeometry, DeltaKernels, Divisor, Epilogue,
    Orientation, Overlap, Patch, Peaks, PlainBackend, ResponseNormalization, Shape, Side, Tensor,
    Unary, Window,
};

/// Computes on the host with the best instruction set, on the threads of the current rayon pool.
#[derive(Clone, Debug)]
pub struct CpuBackend {
    isa: Isa,
    forms: ConvolutionForms,
    pool: Pool,
    bytes: Pool<u8>,
    plain: PlainBackend,
    conversions: Conversions,
}

impl Default for CpuBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl CpuBackend {
    /// Makes the backend for the best instruction set of this processor.
    pub fn new() -> Self {
        Self::with_isa(Isa::best())
    }

    /// Makes the backend for an instruction set, or for the best that this processor has.
    pub fn with_isa(isa: Isa) -> Self {
        Self {
            isa: isa.min(Isa::best()),
            forms: ConvolutionForms::Any,
            pool: Pool::default(),
            bytes: Pool::default(),
            plain: PlainBackend::new(),
            conversions: Conversions::default(),
        }
    }

    /// Lets convolutions take these forms only. Filters keep the form that they ran in first.
    #[must_use]
    pub fn with_forms(self, forms: ConvolutionForms) -> Self {
        Self { forms, ..self }
    }

    /// Returns the instruction set.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Counts the calls of kernels that ran on the plain backend, by the kernel's name.
    pub fn conversions(&self) -> BTreeMap<&'static str, u64> {
        self.conversions.counts()
    }

    /// Lends room for a result.
    fn room(&self, kernel: &'static str, maps: Maps) -> Computed<Buffer> {
        let extents = [maps.batch, maps.blocks(), maps.height, maps.width, micro::BLOCK];
        let length = extents.into_iter().try_fold(1_usize, usize::checked_mul);
        match length {
            Some(length) if length < isize::MAX as usize / size_of::<f32>() - 64 => {
                Ok(self.pool.take(length))
            }
            _ => Err(incompatible(kernel, "a result that fits the address space", &maps.shape())),
        }
    }
}

impl Backend for CpuBackend {
    fn name(&self) -> &'static str {
        match self.forms {
            ConvolutionForms::Any => "cpu",
            ConvolutionForms::Direct => "cpu, exact convolution",
        }
    }

    fn upload(&self, tensor: &Tensor) -> Computed {
        if Blocked::behind(tensor).is_some() || Filters::behind(tensor).is_some() {
            return Ok(tensor.clone());
        }
        self.plain.upload(tensor)
    }

    fn upload_filters(&self, filters: &Tensor) -> Computed {
        if Filters::behind(filters).is_some() {
            return Ok(filters.clone());
        }
        Filters::place(filters)
    }

    fn free_idle(&self) {
        self.pool.clear();
        self.bytes.clear();
    }

    fn keep_awake(&self) -> Option<Awake> {
        Awake::of_pool()
    }

    fn deltas(&self) -> &dyn DeltaKernels {
        self
    }

    fn convolution(
        &self,
        input: &Tensor,
        filters: &Tensor,
        bias: Option<&Tensor>,
        geometry: &ConvolutionGeometry,
        epilogue: Epilogue,
    ) -> Computed {
        convolution::convolution(self, input, filters, bias, geometry, epilogue)
    }

    fn transposed_convolution(
        &self,
        signal: &Tensor,
        filters: &Tensor,
        geometry: &ConvolutionGeometry,
        restored: &Shape,
    ) -> Computed {
        transposed::transposed_convolution(self, signal, filters, geometry, restored)
    }

    fn max_pooling(
        &self,
        input: &Tensor,
        window: &Window,
        output: [usize; 2],
    ) -> Computed<(Tensor, Tensor)> {
        if let Some(blocked) = Blocked::behind(input).filter(|_| max_pooling::has_kernel(window)) {
            return max_pooling::max_pooling(self, blocked, window, output);
        }
        self.plainly("max_pooling", &[input], |plain, operands| {
            plain.max_pooling(operands[0], window, output)
        })
    }

    fn unpooling(
        &self,
        signal: &Tensor,
        switches: &Tensor,
        restored: &Shape,
        overlap: Overlap,
    ) -> Computed {
        let in_blocks = Switches::behind(switches);
        if let Some(switches) = in_blocks.filter(|switches| switches.lie_on(restored)) {
            return unpooling::unpooling(self, signal, switches, restored, overlap);
        }
        self.plainly("unpooling", &[signal, switches], |plain, operands| {
            plain.unpooling(operands[0], operands[1], restored, overlap)
        })
    }

    fn unpooling_adjoint(&self, signal: &Tensor, switches: &Tensor, overlap: Overlap) -> Computed {
        let in_blocks = Switches::behind(switches);
        if let Some(switches) = in_blocks.filter(|switches| switches.lie_on(signal.shape())) {
            return unpooling::unpooling_adjoint(self, signal, switches, overlap);
        }
        self.plainly("unpooling_adjoint", &[signal, switches], |plain, operands| {
            plain.unpooling_adjoint(operands[0], operands[1], overlap)
        })
    }

    fn average_pooling(
        &self,
        input: &Tensor,
        window: &Window,
        output: [usize; 2],
        divisor: Divisor,
    ) -> Computed {
        if let Some(blocked) = Blocked::behind(input) {
            return average_pooling::average_pooling(self, blocked, window, output, divisor);
        }
        self.plainly("average_pooling", &[input], |plain, operands| {
            plain.average_pooling(operands[0], window, output, divisor)
        })
    }

    fn average_unpooling(
        &self,
        signal: &Tensor,
        window: &Window,
        restored: &Shape,
        divisor: Divisor,
    ) -> Computed {
        if let Some(blocked) = Blocked::behind(signal) {
            return average_pooling::average_unpooling(self, blocked, window, restored, divisor);
        }
        self.plainly("average_unpooling", &[signal], |plain, operands| {
            plain.average_unpooling(operands[0], window, restored, divisor)
        })
    }

    fn matrix_product(
        &self,
        a: &Tensor,
        a_orientation: Orientation,
        b: &Tensor,
        b_orientation: Orientation,
    ) -> Computed {
        if a_orientation == Orientation::Plain
            && let Some(product) = linear::matrix_product(self, a, b, b_orientation)
        {
            return product;
        }
        self.plainly("matrix_product", &[a, b], |plain, operands| {
            plain.matrix_product(operands[0], a_orientation, operands[1], b_orientation)
        })
    }

    fn linear(
        &self,
        input: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        epilogue: Epilogue,
    ) -> Computed {
        linear::linear(self, input, weight, bias, epilogue).unwrap_or_else(|| {
            self.plainly("linear", &[input], |plain, operands| {
                plain.linear(operands[0], weight, bias, epilogue)
            })
        })
    }

    fn unary(&self, function: Unary, input: &Tensor) -> Computed {
        if let Some(blocked) = Blocked::behind(input) {
            return element_wise::unary(self, function, blocked);
        }
        self.plainly("unary", &[input], |plain, operands| plain.unary(function, operands[0]))
    }

    fn unary_adjoint(&self, function: Unary, signal: &Tensor, input: &Tensor) -> Computed {
        if [signal, input].into_iter().any(|operand| Blocked::behind(operand).is_some()) {
            return element_wise::unary_adjoint(self, function, signal, input);
        }
        self.plainly("unary_adjoint", &[signal, input], |plain, operands| {
            plain.unary_adjoint(function, operands[0], operands[1])
        })
    }

    fn addition(&self, a: &Tensor, b: &Tensor, epilogue: Epilogue) -> Computed {
        element_wise::addition(self, a, b, epilogue).unwrap_or_else(|| {
            self.plainly("addition", &[a, b], |plain, operands| {
                plain.addition(operands[0], operands[1], epilogue)
            })
        })
    }

    fn binary(&self, function: Binary, a: &Tensor, b: &Tensor) -> Computed {
        if let Some(output) = element_wise::binary(self, function, a, b) {
            return output;
        }
        self.plainly("binary", &[a, b], |plain, operands| {
            plain.binary(function, operands[0], operands[1])
        })
    }

    fn binary_adjoint(
        &self,
        function: Binary,
        side: Side,
        signal: &Tensor,
        operands: [&Tensor; 2],
    ) -> Computed {
        let adjoint = element_wise::binary_adjoint(self, function, side, signal, operands);
        if let Some(output) = adjoint {
            return output;
        }
        self.plainly("binary_adjoint", &[signal, operands[0], operands[1]], |plain, operands| {
            plain.binary_adjoint(function, side, operands[0], [operands[1], operands[2]])
        })
    }

    fn sum(&self, input: &Tensor, axes: &[usize]) -> Computed {
        if let Some(blocked) = Blocked::behind(input).filter(|_| reduction::has_kernel(axes)) {
            let sums = reduction::sum(self, blocked);
            return reduction::and_batch(sums, axes, |sums| self.plain.sum(sums, &[0]));
        }
        self.plainly("sum", &[input], |plain, operands| plain.sum(operands[0], axes))
    }

    fn maximum(&self, input: &Tensor, axes: &[usize]) -> Computed {
        if let Some(blocked) = Blocked::behind(input).filter(|_| reduction::has_kernel(axes)) {
            let maxima = reduction::maximum(self, blocked);
            return reduction::and_batch(maxima, axes, |maxima| self.plain.maximum(maxima, &[0]));
        }
        self.plainly("maximum", &[input], |plain, operands| plain.maximum(operands[0], axes))
    }

    fn canvas(&self, shape: &Shape, parts: &[usize]) -> Computed<Option<Box<dyn Canvas>>> {
        let canvas = BlockedCanvas::new(self, shape, parts)?;
        Ok(canvas.map(|canvas| Box::new(canvas) as Box<dyn Canvas>))
    }

    fn peaks(&self, input: &Tensor) -> Computed<Peaks> {
        peaks::peaks(self, input)
    }

    fn concatenation(&self, inputs: &[&Tensor], axis: usize) -> Computed {
        let joined = if axis == 1 { channels::concatenation(self, inputs) } else { None };
        if let Some(output) = joined {
            return output;
        }
        self.plainly("concatenation", inputs, |plain, operands| plain.concatenation(operands, axis))
    }

    fn slice(&self, input: &Tensor, axis: usize, start: usize, length: usize) -> Computed {
        if let Some(blocked) = Blocked::behind(input)
            && let Some(end) = start.checked_add(length)
            && input.shape().extents().get(axis).is_some_and(|&extent| end <= extent)
        {
            match axis {
                0 => return self.select(input, &(start..end).collect::<Vec<_>>()),
                1 => return channels::slice(self, blocked, start, length),
                _ => {}
            }
        }
        self.plainly("slice", &[input], |plain, operands| {
            plain.slice(operands[0], axis, start, length)
        })
    }

    fn response_normalization(&self, input: &Tensor, form: &ResponseNormalization) -> Computed {
        if let Some(blocked) = Blocked::behind(input) {
            return response_normalization::response_normalization(self, blocked, form);
        }
        self.plainly("response_normalization", &[input], |plain, operands| {
            plain.response_normalization(operands[0], form)
        })
    }

    fn response_normalization_adjoint(
        &self,
        signal: &Tensor,
        input: &Tensor,
        form: &ResponseNormalization,
    ) -> Computed {
        if [signal, input].into_iter().any(|operand| Blocked::behind(operand).is_some()) {
            return response_normalization::response_normalization_adjoint(
                self, signal, input, form,
            );
        }
        self.plainly("response_normalization_adjoint", &[signal, input], |plain, operands| {
            plain.response_normalization_adjoint(operands[0], operands[1], form)
        })
    }

    fn affine(&self, input: &Tensor, scale: &Tensor, shift: Option<&Tensor>) -> Computed {
        if let Some(blocked) = Blocked::behind(input) {
            return affine::affine(self, blocked, scale, shift);
        }
        self.plainly("affine", &[input], |plain, operands| plain.affine(operands[0], scale, shift))
    }

    fn standardization(
        &self,
        input: &Tensor,
        axis: usize,
        epsilon: f32,
    ) -> Computed<(Tensor, Tensor)> {
        self.plainly("standardization", &[input], |plain, operands| {
            plain.standardization(operands[0], axis, epsilon)
        })
    }

    fn standardization_adjoint(
        &self,
        signal: &Tensor,
        standardized: &Tensor,
        factors: &Tensor,
        axis: usize,
    ) -> Computed {
        self.plainly(
            "standardization_adjoint",
            &[signal, standardized, factors],
            |plain, operands| {
                plain.standardization_adjoint(operands[0], operands[1], operands[2], axis)
            },
        )
    }

    fn gather(
        &self,
        input: &Tensor,
        axis: usize,
        sources: &[Option<usize>],
        fill: f32,
    ) -> Computed {
        self.plainly("gather", &[input], |plain, operands| {
            plain.gather(operands[0], axis, sources, fill)
        })
    }

    fn scatter(
        &self,
        signal: &Tensor,
        axis: usize,
        sources: &[Option<usize>],
        extent: usize,
    ) -> Computed {
        self.plainly("scatter", &[signal], |plain, operands| {
            plain.scatter(operands[0], axis, sources, extent)
        })
    }

    fn transposition(&self, input: &Tensor, order: &[usize]) -> Computed {
        self.plainly("transposition", &[input], |plain, operands| {
            plain.transposition(operands[0], order)
        })
    }

    fn select(&self, input: &Tensor, rows: &[usize]) -> Computed {
        if let Some(output) = movement::select(self, input, rows) {
            return output;
        }
        self.plainly("select", &[input], |plain, operands| plain.select(operands[0], rows))
    }

    fn overwrite(&self, input: &Tensor, patches: &[Patch]) -> Computed {
        if let Some(blocked) = Blocked::behind(input) {
            return movement::overwrite(self, blocked, patches);
        }
        self.plainly("overwrite", &[input], |plain, operands| plain.overwrite(operands[0], patches))
    }
}
