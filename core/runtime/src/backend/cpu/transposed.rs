//! The adjoint of convolution.
//!
//! With a stride of `s` the cells of its result fall into `s · s` phases; the cells of one phase
//! see the same taps of the filters, at steps of one cell of the signal. Each phase is a direct
//! convolution that writes every `s`-th cell, and no product is made that is not needed.

use super::CpuBackend;
use super::blocked::Maps;
use super::convolution::Setting;
use super::filters::Filters;
use super::stencil::Stencil;
use super::weights::Direction;
use crate::backend::filtering::Filtering;
use crate::backend::operand::require;
use crate::{Computed, ConvolutionGeometry, Epilogue, Shape, Tensor};

const KERNEL: &str = "transposed_convolution";

/// Filters a signal with the transposed filters; see
/// [`Backend::transposed_convolution`](crate::Backend::transposed_convolution).
pub(super) fn transposed_convolution(
    backend: &CpuBackend,
    signal: &Tensor,
    filters: &Tensor,
    geometry: &ConvolutionGeometry,
    restored: &Shape,
) -> Computed {
    let filtering = Filtering::new(KERNEL, restored, filters.shape(), geometry)?;
    require(KERNEL, "a signal", signal.shape(), filtering.output_shape().extents())?;
    let [rows, columns] = filtering.axes;
    let maps = Maps {
        batch: filtering.batch,
        channels: filtering.groups * filtering.channels,
        height: rows.size,
        width: columns.size,
    };
    let form = Filters::form(backend, Direction::Transposed, filters, &filtering)?;
    let setting = Setting { kernel: KERNEL, bias: None, epilogue: Epilogue::None, maps };
    form.run(backend, signal, &filtering, &setting)
}

/// Lists the stencils of the phases.
pub(super) fn phases(filtering: &Filtering) -> Vec<[Stencil; 2]> {
    let [rows, columns] = filtering.axes.each_ref().map(Stencil::adjoint);
    let pairs = rows.iter().flat_map(|row| columns.iter().map(move |column| [row, column]));
    pairs.map(|pair| pair.map(Stencil::clone)).collect()
}
