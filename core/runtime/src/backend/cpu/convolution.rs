//! Which form a convolution takes, and how it runs.

use super::CpuBackend;
use super::blocked::{Blocked, Maps, Operand};
use super::direct::{Direct, Source};
use super::filters::Filters;
use super::micro::BLOCK;
use super::pixels::Pixels;
use crate::backend::filtering::Filtering;
use crate::backend::operand::require;
use crate::{Computed, ConvolutionGeometry, Epilogue, Tensor};

const KERNEL: &str = "convolution";

/// A convolution for maps of one size, in the form that suits it: a function of shapes and options
/// alone, so that a picture's bits depend neither on its batch nor on free memory.
#[derive(Debug)]
pub(super) enum Form {
    /// The micro-kernel over blocks.
    Blocks(Direct),
    /// The micro-kernel over padded pixels, for few channels.
    Pixels(Direct),
}

impl Form {
    /// Chooses the form and packs the filters for it.
    pub(super) fn new(backend: &CpuBackend, filtering: &Filtering, filters: &[f32]) -> Self {
        let channels = filtering.groups * filtering.channels;
        let direct = |source| Direct::new(backend.isa, &backend.pool, filtering, source, filters);
        if channels < BLOCK {
            Self::Pixels(direct(Source::Pixels))
        } else {
            Self::Blocks(direct(Source::Blocks))
        }
    }
}

/// Correlates maps with filters; see [`Backend::convolution`](crate::Backend::convolution).
pub(super) fn convolution(
    backend: &CpuBackend,
    input: &Tensor,
    filters: &Tensor,
    bias: Option<&Tensor>,
    geometry: &ConvolutionGeometry,
    epilogue: Epilogue,
) -> Computed {
    let filtering = Filtering::new(KERNEL, input.shape(), filters.shape(), geometry)?;
    let count = filtering.groups * filtering.filters;
    if let Some(bias) = bias {
        require(KERNEL, "a bias", bias.shape(), &[count])?;
    }
    let [rows, columns] = filtering.axes;
    let maps = Maps {
        batch: filtering.batch,
        channels: count,
        height: rows.outputs,
        width: columns.outputs,
    };
    let mut output = backend.room(KERNEL, maps)?;
    let mut padded_bias = backend.pool.zeros(maps.blocks() * BLOCK);
    if let Some(bias) = bias {
        padded_bias[..count].copy_from_slice(bias.values()?);
    }
    let form = Filters::form(backend, filters, &filtering)?;
    let batch = filtering.batch;
    match &*form {
        Form::Blocks(direct) => {
            let input = Operand::of(&backend.pool, KERNEL, input)?;
            direct.run(input.values(), batch, &padded_bias, epilogue, &mut output);
        }
        Form::Pixels(direct) => {
            // Image by image, so that it stays in the cache.
            let channels = filtering.groups * filtering.channels;
            let mut padded = backend.pool.zeros(direct.image());
            let source = Pixels::of(input)?;
            for (image, output) in output.chunks_mut(maps.image().max(1)).enumerate() {
                source.pad(image, filtering.axes, channels, &mut padded);
                direct.run(&padded, 1, &padded_bias, epilogue, output);
            }
        }
    }
    Ok(Blocked::new(maps, output).into_tensor())
}
