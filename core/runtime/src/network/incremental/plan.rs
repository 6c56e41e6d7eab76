//! What is computed as changes, and where whole values begin.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Extent, Network, NodeId, ValueId};
use super::Wanted;
use super::local::regions_behind;
use crate::layer::DeltaForm;
use crate::{LayerKind, Reach, Region, Regions, Shape};

/// How a layer carries changes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// In the form that it has for changes.
    Deltas,
    /// From the changed cells of its inputs, as if they were maps.
    Cells,
    /// From whole maps.
    Maps,
    /// To an output that changes as a whole.
    Whole,
}

/// One layer on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub node: NodeId,
    pub way: Way,
}

/// A layer that reads flattened maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub node: NodeId,
    pub maps: ValueId,
}

/// What has become of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It stayed as it was.
    Same,
    /// A rectangle of its maps changed.
    Local,
    /// The same, and its maps are flattened.
    Flat(ValueId),
    /// It is computed as a whole.
    Whole,
}

/// How cases are computed. It depends on the network alone.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Layers that carry changes on, in order.
    pub steps: Vec<Step>,
    /// How many of them, or of what comes after, read each value.
    pub uses: BTreeMap<ValueId, usize>,
    /// Maps that are made whole after the steps.
    pub pasted: BTreeSet<ValueId>,
    /// Fully connected layers after the steps.
    pub heads: Vec<Head>,
    /// Values that did not change and that layers after the steps read.
    pub same: BTreeSet<ValueId>,
    /// Clean values that are read.
    pub clean: BTreeSet<ValueId>,
    local: BTreeSet<ValueId>,
}

impl Plan {
    /// Plans for changes of a value that has maps.
    pub(super) fn new(network: &Network, changed: ValueId, wanted: &[Wanted]) -> Self {
        let captures: Vec<ValueId> = wanted.iter().map(|wanted| wanted.value).collect();
        let mut states = vec![State::Same; network.values.len()];
        states[changed.0] = State::Local;
        let mut plan = Self::default();
        plan.local.insert(changed);
        plan.clean.insert(changed);
        for id in network.needed(&captures, |id| id == changed) {
            let state = plan.add(network, id, &states);
            states[network.node(id).output.0] = state;
        }
        for &id in &captures {
            match states[id.0] {
                State::Local => plan.read_clean(id),
                State::Flat(maps) => plan.paste(maps),
                State::Same => plan.read_same(network, id),
                State::Whole => {}
            }
        }
        plan.uses = plan.count_uses(network, wanted);
        plan
    }

    /// Says whether only a rectangle of a value changes.
    pub(super) fn is_local(&self, id: ValueId) -> bool {
        self.local.contains(&id)
    }

    /// Plans for a layer, and returns what becomes of its output.
    fn add(&mut self, network: &Network, id: NodeId, states: &[State]) -> State {
        let node = network.node(id);
        let of_inputs = || node.inputs.iter().map(|id| (*id, states[id.0]));
        if of_inputs().all(|(_, state)| state == State::Same) {
            return State::Same;
        }
        let form = node.layer.delta_form();
        if let [(_, State::Flat(maps))] = *of_inputs().collect::<Vec<_>>()
            && form == DeltaForm::Whole
        {
            self.heads.push(Head { node: id, maps });
            self.clean.insert(node.output);
            return State::Whole;
        }
        let is_local = of_inputs().all(|(_, state)| matches!(state, State::Same | State::Local));
        let output = &network.value(node.output).shape;
        if let [(maps, State::Local)] = *of_inputs().collect::<Vec<_>>() {
            if is_flattened(node.layer.kind(), &network.value(maps).shape, output) {
                return State::Flat(maps);
            }
            if form == DeltaForm::Whole {
                self.steps.push(Step { node: id, way: Way::Whole });
                self.clean.insert(node.output);
                return State::Whole;
            }
        }
        let way = if is_local { way(network, id, form, states) } else { None };
        let Some(way) = way else {
            for (input, state) in of_inputs() {
                match state {
                    State::Local => self.paste(input),
                    State::Flat(maps) => self.paste(maps),
                    State::Same => self.read_same(network, input),
                    State::Whole => {}
                }
            }
            return State::Whole;
        };
        self.steps.push(Step { node: id, way });
        self.local.insert(node.output);
        let reads = match way {
            Way::Deltas => match form {
                DeltaForm::CleanInput => [true, false],
                DeltaForm::CleanBoth => [true, true],
                DeltaForm::Linear | DeltaForm::Values | DeltaForm::Whole => [false, false],
            },
            Way::Cells | Way::Maps | Way::Whole => [true, true],
        };
        if reads[0] {
            for (input, _) in of_inputs() {
                self.read_clean(input);
            }
        }
        if reads[1] {
            self.read_clean(node.output);
        }
        State::Local
    }

    fn read_clean(&mut self, id: ValueId) {
        self.clean.insert(id);
    }

    fn paste(&mut self, maps: ValueId) {
        self.pasted.insert(maps);
        self.clean.insert(maps);
    }

    /// Lets layers after the steps read a value that did not change.
    fn read_same(&mut self, network: &Network, id: ValueId) {
        if network.value(id).extent == Extent::PerImage {
            self.same.insert(id);
            self.clean.insert(id);
        }
    }

    /// Estimates the bytes of the largest case: of its changed cells at the worst moment, and of what
    /// is kept of it for the layers after the steps and beyond.
    pub(super) fn costs(
        &self,
        network: &Network,
        changed: ValueId,
        wanted: &[Wanted],
        places: impl IntoIterator<Item = Region>,
    ) -> [u64; 2] {
        let Some([_, _, height, width]) = network.value(changed).shape.as_maps() else {
            return [0; 2];
        };
        let mut live = BTreeMap::from([(changed, Regions::new([height, width], places))]);
        let (mut local, mut kept) = (0, 0);
        let bytes = |cells: usize| (cells as u64).saturating_mul(4);
        for step in self.steps.iter().filter(|step| step.way != Way::Whole) {
            let node = network.node(step.node);
            let Some([_, channels, height, width]) = network.value(node.output).shape.as_maps()
            else {
                continue;
            };
            let regions = regions_behind(node, &live, [height, width]);
            let largest = regions.places().iter().map(|place| place.height * place.width).max();
            let cells = bytes(largest.unwrap_or(0).saturating_mul(channels));
            let whole = bytes(channels * height * width);
            // What comes in, what goes out, and what is laid out between them.
            local = local.max(4 * cells + if step.way == Way::Maps { 3 * whole } else { 0 });
            if self.heads.iter().any(|head| head.maps == node.output) {
                kept += 2 * cells;
            }
            live.insert(node.output, regions);
        }
        let volume = |id: ValueId| bytes(network.value(id).shape.volume());
        let whole = self.pasted.iter().chain(&self.same).map(|&id| volume(id)).sum::<u64>();
        // The layers after the steps hold a few values at a time.
        let local_values = |id: &ValueId| self.is_local(*id);
        let after = network.nodes().iter().map(|node| node.output).filter(|id| !local_values(id));
        let after = 3 * after.map(volume).max().unwrap_or(0);
        let wanted = wanted.iter().map(|wanted| {
            let all = network.value(wanted.value).shape.extents().get(1).copied().unwrap_or(1);
            let some = wanted.channels.as_ref().map_or(all, Vec::len);
            3 * volume(wanted.value) / (all.max(1) as u64) * some as u64
        });
        kept += whole + after + wanted.sum::<u64>();
        [local, kept]
    }

    fn count_uses(&self, network: &Network, wanted: &[Wanted]) -> BTreeMap<ValueId, usize> {
        let mut uses = BTreeMap::new();
        let steps = self.steps.iter().flat_map(|step| &network.node(step.node).inputs);
        let heads = self.heads.iter().map(|head| &head.maps);
        let wanted = wanted.iter().map(|wanted| &wanted.value);
        for &id in steps.chain(&self.pasted).chain(heads).chain(wanted) {
            if self.is_local(id) {
                *uses.entry(id).or_insert(0) += 1;
            }
        }
        uses
    }
}

/// Says whether a layer makes features of maps, and changes nothing else.
fn is_flattened(kind: LayerKind, maps: &Shape, features: &Shape) -> bool {
    matches!(kind, LayerKind::Flatten | LayerKind::Reshape)
        && maps.rank() == 4
        && features.rank() == 2
        && features.volume() == maps.volume()
}

/// Chooses how a layer carries changes on from cell to cell; none where it cannot.
fn way(network: &Network, id: NodeId, form: DeltaForm, states: &[State]) -> Option<Way> {
    let node = network.node(id);
    let [_, channels, rows, columns] = network.value(node.output).shape.as_maps()?;
    let (mut is_by_cells, mut is_broadcast) = (true, false);
    for (index, input) in node.inputs.iter().enumerate() {
        let value = network.value(*input);
        let is_same_map =
            value.shape.as_maps().is_some_and(|[_, _, h, w]| [h, w] == [rows, columns]);
        match (states[input.0], node.layer.reach(index)) {
            (State::Local, Reach::Pointwise) if is_same_map => {
                // One channel for many: a delta by itself does not say for how many.
                is_broadcast |= value.shape.as_maps().is_some_and(|maps| maps[1] != channels);
            }
            (State::Local, Reach::Along(1)) if is_same_map => {}
            (State::Local, Reach::Window(_)) => is_by_cells = false,
            (State::Local, _) => return None,
            (_, Reach::Pointwise | Reach::Along(1)) => {
                is_by_cells &= is_same_map || is_the_same_everywhere(&value.shape);
            }
            _ => is_by_cells = false,
        }
    }
    let form = if is_broadcast { DeltaForm::Values } else { form };
    Some(match form {
        DeltaForm::Values if is_by_cells => Way::Cells,
        DeltaForm::Values | DeltaForm::Whole => Way::Maps,
        DeltaForm::Linear | DeltaForm::CleanInput | DeltaForm::CleanBoth => Way::Deltas,
    })
}

/// Says whether a value that is broadcast over maps is the same for all cells of one.
pub(super) fn is_the_same_everywhere(shape: &Shape) -> bool {
    shape.extents().iter().rev().take(2).all(|&extent| extent == 1)
}
