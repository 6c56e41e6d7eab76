//! Which form a convolution or its adjoint takes, and how it runs.

use std::sync::Arc;

use super::CpuBackend;
use super::blocked::{Blocked, Maps, Operand, clear_lanes_between};
use super::buffer::Buffer;
use super::cost;
use super::direct::{Direct, Images, Source};
use super::filters::Filters;
use super::groups::Groups;
use super::image_head::ImageHead;
use super::lanewise::Lanewise;
use super::micro::BLOCK;
use super::pixels::Pixels;
use super::scattered::Scattered;
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
    let (form, filtering, setting) = prepared(backend, input, filters, bias, geometry, epilogue)?;
    form.run(backend, input, &filtering, &setting)
}

/// Finds the form of a convolution and what it runs with.
pub(super) fn prepared<'a>(
    backend: &CpuBackend,
    input: &Tensor,
    filters: &Tensor,
    bias: Option<&'a Tensor>,
    geometry: &ConvolutionGeometry,
    epilogue: Epilogue,
) -> Computed<(Arc<Form>, Filtering, Setting<'a>)> {
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
    Ok((form, filtering, Setting { kernel: KERNEL, bias, epilogue, maps }))
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
    /// For signals that are zero nearly everywhere.
    scattered: Option<Scattered>,
}

/// How the sums are made.
#[derive(Debug)]
enum Method {
    /// Taps as lanes, for an adjoint that makes few channels.
    Image(ImageHead),
    /// Lane by lane, for narrow groups.
    Lanes(Lanewise),
    /// By the micro-kernel.
    Products(Products),
}

/// What the micro-kernel multiplies.
#[derive(Debug)]
enum Products {
    /// Blocks of channels.
    Blocks { inputs: Groups, blocks: Blocks },
    /// Padded pixels, for few channels.
    Pixels(Box<Direct>),
}

/// How blocks are cut.
#[derive(Debug)]
enum Blocks {
    /// Not at all; once for every phase of an adjoint.
    Phases(Vec<Direct>),
    /// Into Winograd's tiles.
    Tiles(Box<Tiled>),
}

/// Where maps go.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// From the first block of the first image on.
    pub values: &'a mut [f32],
    /// Numbers from one image to the next.
    pub pitch: usize,
}

impl Place<'_> {
    /// Sets lanes beyond the channels to zero: infinity times their filters, which are zero, is NaN.
    fn clear(&mut self, maps: Maps) {
        clear_lanes_between(self.values, maps, self.pitch);
    }

    /// Copies maps.
    pub(super) fn copy(&mut self, from: &Blocked) {
        let length = from.maps().image();
        let images = from.values().chunks(length.max(1));
        for (to, from) in self.values.chunks_mut(self.pitch.max(1)).zip(images) {
            to[..length].copy_from_slice(from);
        }
    }
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
                let tiled = Tiled::new(backend.isa, &backend.pool, stencils, size, filters);
                return Ok(Products::Blocks { inputs, blocks: Blocks::Tiles(Box::new(tiled)) });
            }
            let weights = weights.for_cells();
            let phases = phases.into_iter();
            let phases = phases.map(|stencils| direct(stencils, Source::Blocks, &weights));
            let blocks = Blocks::Phases(phases.collect());
            Ok(Products::Blocks { inputs: weights.inputs, blocks })
        };
        let axes = filtering.axes.each_ref();
        let is_grouped = filtering.groups > 1;
        let mut scattered = None;
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
            Direction::Transposed => {
                let phases = phases(filtering);
                if Scattered::suits(filtering) {
                    let other = cost::whole(&phases, &weights, backend.forms);
                    let (isa, pool) = (backend.isa, &backend.pool);
                    scattered = Some(Scattered::new(isa, pool, filtering, filters, other));
                }
                Method::Products(blocks(phases)?)
            }
            Direction::Forward if (1..BLOCK).contains(&filtering.channels) && !is_grouped => {
                let stencils = axes.map(Stencil::padded);
                let direct = direct(stencils, Source::Pixels, &weights.for_pixels());
                Method::Products(Products::Pixels(Box::new(direct)))
            }
            Direction::Forward => Method::Products(blocks(vec![axes.map(Stencil::of)])?),
        };
        Ok(Self { direction, outputs: weights.outputs, method, scattered })
    }

    /// Returns the convolution in tiles, where the form is that.
    pub(super) fn tiled(&self) -> Option<&Tiled> {
        match &self.method {
            Method::Products(Products::Blocks { blocks: Blocks::Tiles(tiled), .. }) => Some(tiled),
            _ => None,
        }
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
        let Setting { kernel, maps, .. } = *setting;
        let pool = &backend.pool;
        match &self.method {
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
            Method::Products(products) => {
                let lanes = Maps { channels: self.outputs.lanes(), ..maps };
                let mut output = backend.room(kernel, lanes)?;
                let mut place = Place { values: &mut output, pitch: lanes.image() };
                self.multiply(products, backend, input, filtering, setting, &mut place)?;
                if self.outputs.are_together() {
                    place.clear(maps);
                } else {
                    let apart = output;
                    output = backend.room(kernel, maps)?;
                    self.outputs.join(&apart, maps, &mut output);
                }
                Ok(Blocked::new(maps, output).into_tensor())
            }
        }
    }

    /// Computes maps where others lie beside them.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub(super) fn run_into(
        &self,
        backend: &CpuBackend,
        input: &Tensor,
        filtering: &Filtering,
        setting: &Setting<'_>,
        mut place: Place<'_>,
    ) -> Computed<()> {
        match &self.method {
            Method::Products(products) if self.outputs.are_together() => {
                self.multiply(products, backend, input, filtering, setting, &mut place)?;
                place.clear(setting.maps);
                Ok(())
            }
            _ => {
                let made = self.run(backend, input, filtering, setting)?;
                place.copy(&*Operand::of(&backend.pool, setting.kernel, &made)?);
                Ok(())
            }
        }
    }

    /// Makes the lanes of maps, those of groups apart, by the micro-kernel.
    fn multiply(
        &self,
        products: &Products,
        backend: &CpuBackend,
        input: &Tensor,
        filtering: &Filtering,
        setting: &Setting<'_>,
        place: &mut Place<'_>,
    ) -> Computed<()> {
        let Setting { kernel, bias, epilogue, .. } = *setting;
        let Place { values: output, pitch } = place;
        let pitch = *pitch;
        let pool = &backend.pool;
        let bias = &*self.bias(backend, bias);
        match products {
            Products::Pixels(direct) => {
                // Image by image, so that it stays in the cache.
                let mut values = pool.zeros(direct.image());
                let source = Pixels::of(input)?;
                let supports = &[direct.whole()];
                for (image, output) in output.chunks_mut(pitch.max(1)).enumerate() {
                    source.pad(image, filtering.axes, filtering.channels, &mut values);
                    let values = &values;
                    direct.run(&Images { values, supports, bias, epilogue, pitch }, output);
                }
            }
            Products::Blocks { inputs, blocks } => {
                let input = Operand::of(pool, kernel, input)?;
                let (values, supports) = (input.values(), self.supports(&input));
                let apart =
                    (!inputs.are_together()).then(|| inputs.part(pool, input.maps(), values));
                let values = apart.as_deref().unwrap_or(values);
                let images = Images { values, supports: &supports, bias, epilogue, pitch };
                let dense = |images: &Images<'_>, output: &mut [f32]| match blocks {
                    Blocks::Phases(phases) => {
                        for phase in phases {
                            phase.run(images, output);
                        }
                        Ok(())
                    }
                    Blocks::Tiles(tiled) => tiled.run(images, output),
                };
                match &self.scattered {
                    Some(scattered) => scattered.run(&images, output, dense)?,
                    None => dense(&images, output)?,
                }
            }
        }
        Ok(())
    }

    /// Returns what is to be looked at of every image: all, unless it is a signal on its way back.
    fn supports(&self, input: &Blocked) -> Vec<Support> {
        let maps = input.maps();
        match self.direction {
            Direction::Forward => vec![Support::whole([maps.height, maps.width]); maps.batch],
            Direction::Transposed => Support::of(maps, input.values()),
        }
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
