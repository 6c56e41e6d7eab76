//! Filters for changed cells, and the choice of how they are multiplied.

use super::direct::DeltaDirect;
use super::overlap::DeltaWinograd;
use super::row_of;
use crate::backend::cpu::CpuBackend;
use crate::backend::cpu::blocked::{Blocked, clear_lanes};
use crate::backend::cpu::convolution::Form as WholeForm;
use crate::backend::cpu::cost::ConvolutionForms;
use crate::backend::cpu::micro::BLOCK;
use crate::backend::cpu::stencil::Stencil;
use crate::backend::cpu::weights::{Direction, Weights};
use crate::backend::cpu::winograd::Winograd;
use crate::backend::filtering::Filtering;
use crate::{Computed, Regions, Tensor};

/// Filters packed for changed cells: a function of the layer's shapes and of options.
#[derive(Debug)]
pub(in crate::backend::cpu) struct DeltaFilters {
    /// Channels that are made.
    channels: usize,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Direct(Box<DeltaDirect>),
    Winograd(Box<DeltaWinograd>),
}

impl DeltaFilters {
    /// Says whether filters can be packed.
    pub(in crate::backend::cpu) fn suits(filtering: &Filtering) -> bool {
        filtering.channels >= BLOCK
    }

    /// Packs filters; `whole` is their form for whole maps, which shares what it has.
    pub(in crate::backend::cpu) fn new(
        backend: &CpuBackend,
        filtering: &Filtering,
        filters: &Tensor,
        whole: &WholeForm,
    ) -> Computed<Self> {
        let weights = Weights::new(Direction::Forward, filtering, filters.values()?);
        let is_whole = filtering.groups == 1;
        let stencils = filtering.axes.each_ref().map(Stencil::of);
        let is_tiled =
            is_whole && backend.forms == ConvolutionForms::Any && Winograd::fits(&stencils);
        let form = if is_tiled {
            Form::Winograd(Box::new(DeltaWinograd::new(backend, stencils, &weights, whole)?))
        } else {
            Form::Direct(Box::new(DeltaDirect::new(backend, stencils, filtering, &weights)))
        };
        Ok(Self { channels: filtering.groups * filtering.filters, form })
    }

    /// Multiplies changed cells; the regions of `output` hold every output that sees one.
    pub(in crate::backend::cpu) fn run(
        &self,
        backend: &CpuBackend,
        regions: &Regions,
        changed: &Blocked,
        output: &Regions,
    ) -> Computed {
        let maps = row_of(self.channels, output.cells());
        let mut sums = backend.room("convolution", maps)?;
        match &self.form {
            Form::Direct(direct) => direct.run(regions, changed, output, &mut sums),
            Form::Winograd(winograd) => winograd.run(regions, changed, output, &mut sums),
        }
        clear_lanes(&mut sums, maps);
        Ok(Blocked::new(maps, sums).into_tensor())
    }
}
