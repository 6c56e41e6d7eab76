//! Which form a convolution or its adjoint takes, and how it runs.

use super::CpuBackend;
use super::blocked::{Blocked, Maps, Operand};
use super::buffer::Buffer;
use super::cost;
use super::direct::{Direct, Images, Source};
use super::filters::Filters;
use super::groups::Groups;
use super::image_head::ImageHead;
use super::lanewise::Lanewise;
use super::micro::BLOCK;
use super::pixels::Pixels;
use super::stencil::Stencil;
use super::support::Support;
use super::tiled::Tiled;
use super::transposed::phases;
use super::weights::{Direction, Weights};
use crate::backend::filtering::Filtering;
use crate::backend::operand::{require, zeros};
use crate::{Computed, ConvolutionGeometry, Epilogue, Tensor};

const KERNEL: &str = "convolution";

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
    let channels = filtering.groups * filtering.filters;
    if let Some(bias) = bias {
        require(KERNEL, "a bias", bias.shape(), &[channels])?;
    }
    let [rows, columns] = filtering.axes;
    let maps =
        Maps { batch: filtering.batch, channels, height: rows.outputs, width: columns.outputs };
    let form = Filters::form(backend, Direction::Forward, filters, &filtering)?;
    let bias = bias.map(Tensor::values).transpose()?;
    form.run(backend, input, &filtering, &Setting { kernel: KERNEL, bias, epilogue, maps })
}

/// A convolution or its adjoint for maps of one size, in the form that suits it: a function of
/// shapes and options alone, so that a picture's bits depend neither on its batch nor on free
/// memory.
#[derive(Debug)]
pub(super) struct Form {
    direction: Direction,
    /// Of the maps that are made.
    outputs: Groups,
    method: Method,
}

/// How the products are made.
#[derive(Debug)]
enum Method {
    /// The micro-kernel over blocks; once for every phase of an adjoint.
    Blocks { inputs: Groups, phases: Vec<Direct> },
    /// Taps as lanes, for an adjoint that makes few channels.
    Image(ImageHead),
    /// Lane by lane, for narrow groups.
    Lanes(Lanewise),
    /// The micro-kernel over padded pixels, for few channels.
    Pixels(Box<Direct>),
    /// Winograd's tiles over blocks.
    Tiles { inputs: Groups, tiled: Box<Tiled> },
}

/// What a form runs with.
#[derive(Debug)]
pub(super) struct Setting<'a> {
    /// The kernel's name.
    pub kernel: &'static str,
    /// What is added, one number for every channel that is made.
    pub bias: Option<&'a [f32]>,
    /// What is done to the sums.
    pub epilogue: Epilogue,
    /// The maps that are made.
    pub maps: Maps,
}

impl Form {
    /// Chooses the form and packs the filters for it.
    pub(super) fn new(
        backend: &CpuBackend,
        direction: Direction,
        filtering: &Filtering,
        filters: &Tensor,
    ) -> Computed<Self> {
        let weights = Weights::new(direction, filtering, filters.values()?);
        let direct = |stencils, source, weights: &Weights<'_>| {
            Direct::new(backend.isa, &backend.pool, stencils, source, weights)
        };
        let blocks = |phases: Vec<[Stencil; 2]>| {
            if let [stencils] = &phases[..]
                && let Some(size) = cost::winograd(stencils, &weights, backend.forms)
            {
                let (inputs, stencils) = (weights.inputs, stencils.clone());
                let filters = (direction, filtering, filters);
                let tiled = Tiled::new(backend.isa, &backend.pool, stencils, size, filters)?;
                return Ok(Method::Tiles { inputs, tiled: Box::new(tiled) });
            }
            let weights = weights.for_cells();
            let phases = phases.into_iter();
            let phases = phases.map(|stencils| direct(stencils, Source::Blocks, &weights));
            Ok(Method::Blocks { inputs: weights.inputs, phases: phases.collect() })
        };
        let axes = filtering.axes.each_ref();
        let is_grouped = filtering.groups > 1;
        let method = match direction {
            _ if Lanewise::suits(&weights) => {
                let phases = match direction {
                    Direction::Forward => vec![axes.map(Stencil::of)],
                    Direction::Transposed => phases(filtering),
                };
                let kernel = axes.map(|axis| axis.kernel);
                Method::Lanes(Lanewise::new(backend.isa, &backend.pool, phases, kernel, &weights))
            }
            Direction::Transposed if ImageHead::suits(filtering) => {
                Method::Image(ImageHead::new(backend.isa, &backend.pool, filtering, &weights))
            }
            Direction::Transposed => blocks(phases(filtering))?,
            Direction::Forward if (1..BLOCK).contains(&filtering.channels) && !is_grouped => {
                let stencils = axes.map(Stencil::padded);
                Method::Pixels(Box::new(direct(stencils, Source::Pixels, &weights.for_pixels())))
            }
            Direction::Forward => blocks(vec![axes.map(Stencil::of)])?,
        };
        Ok(Self { direction, outputs: weights.outputs, method })
    }

    /// Computes maps.
    ///
    /// # Errors
    /// Fails when the maps lie on another device, or the result is too large for the memory.
    pub(super) fn run(
        &self,
        backend: &CpuBackend,
        input: &Tensor,
        filtering: &Filtering,
        setting: &Setting<'_>,
    ) -> Computed {
        let Setting { kernel, epilogue, maps, .. } = *setting;
        let pool = &backend.pool;
        match &self.method {
            Method::Blocks { inputs, phases } => {
                self.blocks(backend, input, *inputs, setting, |images, output| {
                    for phase in phases {
                        phase.run(images, output);
                    }
                    Ok(())
                })
            }
            Method::Image(head) => {
                let signal = Operand::of(pool, kernel, input)?;
                let mut images = zeros(kernel, &maps.shape())?;
                head.run(pool, signal.values(), &self.supports(&signal), &mut images);
                Tensor::new(maps.shape(), images)
            }
            Method::Lanes(lanes) => {
                let input = Operand::of(pool, kernel, input)?;
                let mut output = backend.room(kernel, maps)?;
                lanes.run(pool, &input, setting, &mut output);
                Ok(Blocked::new(maps, output).into_tensor())
            }
            Method::Pixels(direct) => self.compute(backend, setting, |bias, output| {
                // Image by image, so that it stays in the cache.
                let mut padded = pool.zeros(direct.image());
                let source = Pixels::of(input)?;
                let length = Maps { channels: self.outputs.lanes(), ..maps }.image().max(1);
                let supports = &[direct.whole()];
                for (image, output) in output.chunks_mut(length).enumerate() {
                    source.pad(image, filtering.axes, filtering.channels, &mut padded);
                    direct.run(&Images { values: &padded, supports, bias, epilogue }, output);
                }
                Ok(())
            }),
            Method::Tiles { inputs, tiled } => {
                self.blocks(backend, input, *inputs, setting, |images, output| {
                    tiled.run(images, output)
                })
            }
        }
    }

    /// Makes maps in blocks of maps in blocks, whose groups are moved apart for that.
    fn blocks(
        &self,
        backend: &CpuBackend,
        input: &Tensor,
        inputs: Groups,
        setting: &Setting<'_>,
        compute: impl FnOnce(&Images<'_>, &mut [f32]) -> Computed<()>,
    ) -> Computed {
        let Setting { kernel, epilogue, .. } = *setting;
        let pool = &backend.pool;
        self.compute(backend, setting, |bias, output| {
            let input = Operand::of(pool, kernel, input)?;
            let (values, supports) = (input.values(), self.supports(&input));
            let apart = (!inputs.are_together()).then(|| inputs.part(pool, input.maps(), values));
            let values = apart.as_deref().unwrap_or(values);
            compute(&Images { values, supports: &supports, bias, epilogue }, output)
        })
    }

    /// Returns what is to be looked at of every image: all, unless it is a signal on its way back.
    fn supports(&self, input: &Blocked) -> Vec<Support> {
        let maps = input.maps();
        match self.direction {
            Direction::Forward => vec![Support::whole([maps.height, maps.width]); maps.batch],
            Direction::Transposed => Support::of(maps, input.values()),
        }
    }

    /// Makes maps in blocks; `compute` is given the bias of every lane, and fills the lanes.
    fn compute(
        &self,
        backend: &CpuBackend,
        setting: &Setting<'_>,
        compute: impl FnOnce(&[f32], &mut [f32]) -> Computed<()>,
    ) -> Computed {
        let Setting { kernel, bias, maps, .. } = *setting;
        let lanes = Maps { channels: self.outputs.lanes(), ..maps };
        let mut output = backend.room(kernel, lanes)?;
        compute(&self.bias(backend, bias), &mut output)?;
        if !self.outputs.are_together() {
            let apart = output;
            output = backend.room(kernel, maps)?;
            self.outputs.join(&apart, maps, &mut output);
        }
        Ok(Blocked::new(maps, output).into_tensor())
    }

    /// Returns a number for every lane of the outputs.
    fn bias(&self, backend: &CpuBackend, bias: Option<&[f32]>) -> Buffer {
        let mut lanes = backend.pool.zeros(self.outputs.lanes());
        if let Some(bias) = bias {
            for (lane, value) in lanes.iter_mut().enumerate() {
                *value = self.outputs.channel(lane).map_or(0.0, |channel| bias[channel]);
            }
        }
        lanes
    }
}

#[cfg(test)]
mod tests;
