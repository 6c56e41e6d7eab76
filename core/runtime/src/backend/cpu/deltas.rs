//! Incremental inference over blocks: changed cells of all cases side by side, 16 channels
//! innermost.

mod cases;
mod cells;
mod direct;
mod filters;
mod linear;
mod overlap;
mod pooling;
mod spans;

pub(super) use filters::DeltaFilters;

use super::CpuBackend;
use super::blocked::{Blocked, Maps, Operand};
use super::filters::Filters;
use crate::{
    Computed, ConvolutionGeometry, DeltaKernels, Deltas, Divisor, HostDeltas, Regions, Tensor,
    Window,
};

/// Returns the extents of the cells of regions.
fn row_of(channels: usize, cells: usize) -> Maps {
    Maps { batch: 1, channels, height: 1, width: cells }
}

/// Returns the cells of deltas in blocks, if they lie so.
fn blocks_of(deltas: &Deltas) -> Option<&Blocked> {
    let blocked = Blocked::behind(&deltas.cells)?;
    let Maps { batch, height, width, .. } = blocked.maps();
    ([batch, height, width] == [1, 1, deltas.regions.cells()]).then_some(blocked)
}

impl CpuBackend {
    /// Returns clean maps in blocks.
    fn clean<'a>(&self, maps: &'a Tensor, regions: &Regions) -> Option<Operand<'a>> {
        let [batch, _, height, width] = maps.shape().as_maps()?;
        let fits = batch == 1 && [height, width] == regions.size();
        if fits { Operand::of(&self.pool, "cut", maps).ok() } else { None }
    }
}

impl DeltaKernels for CpuBackend {
    fn cut(&self, clean: &Tensor, regions: &Regions) -> Computed {
        match self.clean(clean, regions) {
            Some(maps) => cells::cut(self, &maps, regions),
            None => HostDeltas.cut(clean, regions),
        }
    }

    fn cut_each(&self, maps: &Tensor, regions: &Regions) -> Computed {
        match Blocked::behind(maps) {
            Some(blocked) if fit(blocked, regions) => cells::cut_each(self, blocked, regions),
            _ => HostDeltas.cut_each(maps, regions),
        }
    }

    fn paste(&self, clean: &Tensor, deltas: &Deltas) -> Computed {
        match (blocks_of(deltas), self.clean(clean, &deltas.regions)) {
            (Some(changed), Some(clean)) if clean.maps().channels == changed.maps().channels => {
                cells::paste(self, &clean, &deltas.regions, changed)
            }
            _ => HostDeltas.paste(clean, deltas),
        }
    }

    fn within(&self, deltas: &Deltas, regions: &Regions) -> Computed<Deltas> {
        match blocks_of(deltas) {
            Some(changed) if deltas.regions != *regions => {
                let cells = cells::within(self, &deltas.regions, changed, regions)?;
                Ok(Deltas { regions: regions.clone(), cells })
            }
            _ => HostDeltas.within(deltas, regions),
        }
    }

    fn tiles(&self, deltas: &Deltas, corners: &[[isize; 2]], tile: [usize; 2]) -> Computed {
        match blocks_of(deltas) {
            Some(changed) => cells::tiles(self, &deltas.regions, changed, corners, tile),
            None => HostDeltas.tiles(deltas, corners, tile),
        }
    }

    fn rectified(&self, clean: &Tensor, deltas: &Deltas) -> Computed {
        match (blocks_of(deltas), self.clean(clean, &deltas.regions)) {
            (Some(changed), Some(clean)) if clean.maps().channels == changed.maps().channels => {
                cells::rectified(self, &clean, &deltas.regions, changed)
            }
            _ => HostDeltas.rectified(clean, deltas),
        }
    }

    fn convolved(
        &self,
        deltas: &Deltas,
        filters: &Tensor,
        geometry: &ConvolutionGeometry,
        output: &Regions,
    ) -> Option<Computed> {
        let changed = blocks_of(deltas)?;
        let form = Filters::of_deltas(self, filters, deltas, geometry)?;
        Some(form.and_then(|form| form.run(self, &deltas.regions, changed, output)))
    }

    fn max_pooled(
        &self,
        [clean, pooled]: [&Tensor; 2],
        deltas: &Deltas,
        window: &Window,
        output: &Regions,
    ) -> Option<Computed> {
        let changed = blocks_of(deltas)?;
        let clean = self.clean(clean, &deltas.regions)?;
        let pooled = self.clean(pooled, output)?;
        let clean = [&*clean, &*pooled];
        pooling::max_pooled(self, clean, &deltas.regions, changed, window, output)
    }

    fn average_pooled(
        &self,
        deltas: &Deltas,
        window: &Window,
        divisor: Divisor,
        output: &Regions,
    ) -> Option<Computed> {
        let changed = blocks_of(deltas)?;
        pooling::average_pooled(self, &deltas.regions, changed, window, divisor, output)
    }

    fn linear(&self, deltas: &[&Deltas], weight: &Tensor) -> Option<Computed> {
        let lists: Vec<linear::List<'_>> =
            deltas.iter().map(|deltas| (&deltas.regions, blocks_of(deltas))).collect();
        // Nothing lies in no blocks.
        let is_there =
            |(regions, changed): &linear::List<'_>| changed.is_some() || regions.cells() == 0;
        if lists.iter().all(is_there) { linear::linear(self, &lists, weight) } else { None }
    }

    fn sums(&self, deltas: &Deltas) -> Computed {
        match blocks_of(deltas) {
            Some(changed) => cells::sums(self, &deltas.regions, changed),
            None => HostDeltas.sums(deltas),
        }
    }
}

/// Says whether there is one map of the right size for each region.
fn fit(maps: &Blocked, regions: &Regions) -> bool {
    let Maps { batch, height, width, .. } = maps.maps();
    batch == regions.places().len() && [height, width] == regions.size()
}

#[cfg(test)]
mod tests;
