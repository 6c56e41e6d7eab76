//! Changes of a few cases, carried from layer to layer.

use std::collections::BTreeMap;

use super::super::{Extent, NetworkError, Node, ValueId};
use super::plan::{Step, Way, is_the_same_everywhere};
use super::{Cover, Incremental, Wanted};
use crate::host::PlacedPatch;
use crate::layer::{DeltaInput, DeltaOutput};
use crate::{Binary, Deltas, Epilogue, Keep, LayerError, Patch, Reach, Region, Regions, Tensor};

/// What the changes of a few cases came to.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Whole values, one row for each case.
    pub whole: BTreeMap<ValueId, Tensor>,
    /// Changes that are read later.
    pub kept: BTreeMap<ValueId, Deltas>,
    /// Values wanted by their place in the list.
    pub wanted: BTreeMap<usize, Tensor>,
}

impl Incremental<'_> {
    /// Carries the changes of some cases as far as they are local.
    pub(super) fn local(&self, covers: &[Cover]) -> Result<Found, NetworkError> {
        let mut found = Found::default();
        let mut uses = self.plan.uses.clone();
        let mut live = BTreeMap::new();
        live.insert(self.changed, self.entered(covers)?);
        self.pass_on(self.changed, &mut live, &mut uses, &mut found)?;
        for step in &self.plan.steps {
            let node = self.network.node(step.node);
            let at = |e| self.network.at(node.output, e);
            if step.way == Way::Whole {
                let deltas = live.get(&node.inputs[0]).ok_or_else(|| self.missing(node.output))?;
                let whole = node.layer.forward_whole_deltas(self.backend, &[deltas]).map_err(at)?;
                let whole = self.changed_as_a_whole(node.output, &whole)?;
                found.whole.insert(node.output, whole);
            } else {
                let deltas = self.carried(*step, node, &live).map_err(at)?;
                live.insert(node.output, deltas);
                self.pass_on(node.output, &mut live, &mut uses, &mut found)?;
            }
            for &input in &node.inputs {
                forget(input, 1, &mut live, &mut uses);
            }
        }
        Ok(found)
    }

    /// Returns what the covers change of the value that they cover.
    fn entered(&self, covers: &[Cover]) -> Result<Deltas, NetworkError> {
        let at = |e| self.network.at(self.changed, e);
        let clean = self.clean(self.changed)?.to_host().map_err(at)?;
        let [_, channels, height, width] =
            clean.shape().as_maps().ok_or_else(|| self.missing(self.changed))?;
        let regions = Regions::new([height, width], covers.iter().map(|cover| cover.region));
        let (before, all) = (clean.values().map_err(at)?, regions.cells());
        let mut cells = vec![0.0; channels * all];
        for (cover, (start, place)) in covers.iter().zip(regions.each()) {
            let Cover { region, fill } = cover;
            let patch =
                Patch { row: 0, channels: None, region: Some(*region), values: fill.clone() };
            let patch = PlacedPatch::new(&patch, clean.shape()).map_err(at)?;
            let [top, left] = [place.top, place.left].map(isize::cast_unsigned);
            patch.for_each(|channel, [row, column], value| {
                let cell = start + (row - top) * place.width + column - left;
                let clean = before[(channel * height + row) * width + column];
                cells[channel * all + cell] = value - clean;
            });
        }
        let cells = Tensor::new([1, channels, 1, all], cells).map_err(at)?;
        Ok(Deltas { regions, cells: self.backend.upload(&cells).map_err(at)? })
    }

    /// Hands changes to whoever reads them after the steps.
    fn pass_on(
        &self,
        id: ValueId,
        live: &mut BTreeMap<ValueId, Deltas>,
        uses: &mut BTreeMap<ValueId, usize>,
        found: &mut Found,
    ) -> Result<(), NetworkError> {
        let Some(deltas) = live.get(&id) else { return Ok(()) };
        let at = |e| self.network.at(id, e);
        let mut readers = 0;
        if self.plan.pasted.contains(&id) {
            let whole = self.backend.deltas().paste(self.clean(id)?, deltas).map_err(at)?;
            found.whole.insert(id, whole);
            readers += 1;
        }
        for (index, wanted) in self.wanted.iter().enumerate().filter(|(_, w)| w.value == id) {
            found.wanted.insert(index, self.pasted_channels(wanted, deltas)?);
            readers += 1;
        }
        let heads = self.plan.heads.iter().filter(|head| head.maps == id).count();
        if heads > 0 {
            found.kept.insert(id, deltas.clone());
            readers += heads;
        }
        forget(id, readers, live, uses);
        Ok(())
    }

    /// Makes whole maps of the wanted channels.
    fn pasted_channels(&self, wanted: &Wanted, deltas: &Deltas) -> Result<Tensor, NetworkError> {
        let clean = self.channels_of(wanted, self.clean(wanted.value)?)?;
        let cells = self.channels_of(wanted, &deltas.cells)?;
        let deltas = Deltas { regions: deltas.regions.clone(), cells };
        let pasted = self.backend.deltas().paste(&clean, &deltas);
        pasted.map_err(|e| self.network.at(wanted.value, e))
    }

    /// Carries changes through one layer.
    fn carried(
        &self,
        step: Step,
        node: &Node,
        live: &BTreeMap<ValueId, Deltas>,
    ) -> Result<Deltas, LayerError> {
        let shape = self.shape(node.output);
        let [_, channels, height, width] = shape
            .as_maps()
            .ok_or_else(|| LayerError::invalid(node.layer.kind(), "maps", "none"))?;
        let inputs = node.inputs.iter().filter_map(|id| Some((*id, live.get(id)?.regions.clone())));
        let regions = regions_behind(node, &inputs.collect(), [height, width]);
        let cells = if regions.cells() == 0 {
            Tensor::zeros([1, channels, 1, 0])
        } else {
            match step.way {
                Way::Deltas => self.by_deltas(node, live, &regions, channels)?,
                Way::Cells => self.by_cells(node, live, &regions)?,
                Way::Maps | Way::Whole => self.by_maps(node, live, &regions)?,
            }
        };
        Ok(Deltas { regions, cells: self.backend.upload(&cells)? })
    }

    fn by_deltas(
        &self,
        node: &Node,
        live: &BTreeMap<ValueId, Deltas>,
        regions: &Regions,
        channels: usize,
    ) -> Result<Tensor, LayerError> {
        let input = |id: &ValueId| {
            let channels = self.shape(*id).extents().get(1).copied().unwrap_or(0);
            live.get(id).map_or(DeltaInput::Same { channels }, |deltas| DeltaInput::Changed {
                deltas,
                clean: self.clean.get(id),
            })
        };
        let inputs: Vec<DeltaInput<'_>> = node.inputs.iter().map(input).collect();
        let output = DeltaOutput { regions, channels, clean: self.clean.get(&node.output) };
        node.layer.forward_deltas(self.backend, &inputs, &output)
    }

    /// Computes changed cells from changed cells.
    fn by_cells(
        &self,
        node: &Node,
        live: &BTreeMap<ValueId, Deltas>,
        regions: &Regions,
    ) -> Result<Tensor, LayerError> {
        let kernels = self.backend.deltas();
        let input = |id: &ValueId| {
            let Some(clean) = self.clean.get(id) else { return Ok(None) };
            if !live.contains_key(id) && is_the_same_everywhere(self.shape(*id)) {
                return Ok(Some(clean.clone()));
            }
            let cells = self.backend.upload(&kernels.cut(clean, regions)?)?;
            let Some(deltas) = live.get(id) else { return Ok(Some(cells)) };
            let deltas = kernels.within(deltas, regions)?.cells;
            Ok::<_, LayerError>(Some(self.backend.addition(&cells, &deltas, Epilogue::None)?))
        };
        let inputs = node.inputs.iter().map(input).collect::<Result<Vec<_>, _>>()?;
        let operands: Vec<&Tensor> = inputs.iter().flatten().collect();
        let (changed, _) = node.layer.forward(self.backend, &operands, Keep::Output)?;
        self.minus_clean(node, &changed, regions)
    }

    /// Computes changed cells from whole maps.
    fn by_maps(
        &self,
        node: &Node,
        live: &BTreeMap<ValueId, Deltas>,
        regions: &Regions,
    ) -> Result<Tensor, LayerError> {
        let kernels = self.backend.deltas();
        let cases = regions.places().len();
        let input = |id: &ValueId| {
            let Some(clean) = self.clean.get(id) else { return Ok(None) };
            let whole = match live.get(id) {
                Some(deltas) => self.backend.upload(&kernels.paste(clean, deltas)?)?,
                None if self.network.value(*id).extent == Extent::Shared => clean.clone(),
                None => self.backend.select(clean, &vec![0; cases])?,
            };
            Ok::<_, LayerError>(Some(whole))
        };
        let inputs = node.inputs.iter().map(input).collect::<Result<Vec<_>, _>>()?;
        let operands: Vec<&Tensor> = inputs.iter().flatten().collect();
        let (whole, _) = node.layer.forward(self.backend, &operands, Keep::Output)?;
        let changed = self.backend.upload(&kernels.cut_each(&whole, regions)?)?;
        self.minus_clean(node, &changed, regions)
    }

    fn minus_clean(
        &self,
        node: &Node,
        changed: &Tensor,
        regions: &Regions,
    ) -> Result<Tensor, LayerError> {
        let Some(clean) = self.clean.get(&node.output) else {
            return Err(LayerError::invalid(node.layer.kind(), "clean maps", "none"));
        };
        let before = self.backend.upload(&self.backend.deltas().cut(clean, regions)?)?;
        Ok(self.backend.binary(Binary::Subtract, changed, &before)?)
    }
}

/// Drops changes when these were the last of their readers.
fn forget(
    id: ValueId,
    readers: usize,
    live: &mut BTreeMap<ValueId, Deltas>,
    uses: &mut BTreeMap<ValueId, usize>,
) {
    if let Some(count) = uses.get_mut(&id) {
        *count = count.saturating_sub(readers);
        if *count == 0 {
            live.remove(&id);
        }
    }
}

/// Returns the cells of a layer's output that see a changed one.
pub(super) fn regions_behind(
    node: &Node,
    live: &BTreeMap<ValueId, Regions>,
    size: [usize; 2],
) -> Regions {
    let mut places: Vec<Region> = Vec::new();
    for (index, id) in node.inputs.iter().enumerate() {
        let Some(regions) = live.get(id) else { continue };
        let reach = node.layer.reach(index);
        let behind = |&place: &Region| match reach {
            Reach::Window(window) => window.holding(place).unwrap_or(EMPTY).clipped(size),
            _ => place,
        };
        let these = regions.places().iter().map(behind);
        if places.is_empty() {
            places = these.collect();
        } else {
            for (place, other) in places.iter_mut().zip(these) {
                *place = union(*place, other);
            }
        }
    }
    Regions::new(size, places)
}

const EMPTY: Region = Region { top: 0, left: 0, height: 0, width: 0 };

/// Returns the smallest region that holds both, of which either may be empty.
fn union(a: Region, b: Region) -> Region {
    let is_empty = |region: Region| region.height == 0 || region.width == 0;
    match (is_empty(a), is_empty(b)) {
        (true, _) => b,
        (_, true) => a,
        _ => a.union(b),
    }
}
