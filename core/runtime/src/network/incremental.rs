//! Incremental inference: what a change of a rectangle changes, and nothing else.
//!
//! The clean image runs once. For every case only the cells that can see its rectangle are computed
//! again, as changed minus clean values ([`Deltas`]), from layer to layer until one reads whole maps:
//! from there on everything is computed as usual, for many cases at once. Results are those of a
//! full pass up to rounding.

mod local;
mod plan;

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{ForwardRequest, GoOn, Intervention, Network, NetworkError, ValueId};
use crate::backend::alone;
use crate::{Backend, BackendError, Edit, Keep, Region, Shape, Tensor};
use local::Found;
use plan::Plan;

/// Cases whose changed cells are computed together: enough to read the filters seldom, few enough
/// to stay in the caches.
const TOGETHER: usize = 16;
/// Cases that share a pass over fully connected layers, whose weights come from memory.
const HEAD: usize = 512;

/// A value that is wanted of every case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The value, which belongs to the images one by one.
    pub value: ValueId,
    /// Its channels; `None` for all.
    pub channels: Option<Vec<usize>>,
}

/// A rectangle of the changed value, and what is written over it.
#[derive(Clone, Debug)]
pub struct Cover {
    /// The rectangle; what hangs over the border is ignored.
    pub region: Region,
    /// One number per channel, or one per channel and cell.
    pub fill: Vec<f32>,
}

/// Bytes that incremental inference takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncrementalCosts {
    /// For the clean image, whatever the number of cases.
    pub clean: u64,
    /// For the changed cells of every case that is under way.
    pub local: u64,
    /// For every case that is computed at once.
    pub kept: u64,
}

/// One clean image, and how to compute what changes of it.
#[derive(Debug)]
pub struct Incremental<'a> {
    network: &'a Network,
    backend: &'a dyn Backend,
    changed: ValueId,
    wanted: &'a [Wanted],
    plan: Plan,
    /// The clean inputs of the network, and the clean values that the plan reads.
    inputs: Vec<Tensor>,
    clean: BTreeMap<ValueId, Tensor>,
}

impl Network {
    /// Runs a clean image, and prepares for cases in which rectangles of one value change. Asks
    /// `go_on` before every layer.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), when that value has no maps, and when `go_on` fails.
    pub fn incremental<'a, E: From<NetworkError>>(
        &'a self,
        backend: &'a dyn Backend,
        inputs: &[Tensor],
        changed: ValueId,
        wanted: &'a [Wanted],
        go_on: GoOn<'_, E>,
    ) -> Result<Incremental<'a>, E> {
        let shape = &self.value(changed).shape;
        if shape.as_maps().is_none() {
            let (kernel, expected, actual) = ("cut", "maps".to_owned(), shape.clone());
            let source = BackendError::Incompatible { kernel, expected, actual };
            return Err(self.at(changed, source).into());
        }
        let plan = Plan::new(self, changed, wanted);
        let captures: Vec<ValueId> = plan.clean.iter().copied().collect();
        let request = ForwardRequest { captures: &captures, ..ForwardRequest::default() };
        let trace = self.forward_watched(backend, inputs, &request, &mut |_| go_on())?;
        let clean = captures.iter().filter_map(|&id| Some((id, trace.value(id)?.clone())));
        let clean = clean.collect();
        let (network, inputs) = (self, inputs.to_vec());
        Ok(Incremental { network, backend, changed, wanted, plan, inputs, clean })
    }
}

impl Incremental<'_> {
    /// How many cases to [`run`](Self::run) at once: more make nothing faster.
    pub const ENOUGH: usize = HEAD;

    /// How many cases each thread carries on together: more make nothing faster.
    pub const TOGETHER: usize = TOGETHER;

    /// Computes cases on the threads of the current pool: for every wanted value its rows, one for
    /// each case. Every thread carries `together` of them on at a time, and asks `go_on` before, as
    /// is done before every layer that all of them share.
    ///
    /// What a case gives does not depend on the others. A case in which something is not finite is
    /// computed in full, since differences of infinities say nothing.
    ///
    /// # Errors
    /// Fails when a cover does not fit, a layer fails, or `go_on` does.
    pub fn run<E: From<NetworkError> + Send>(
        &self,
        covers: &[Cover],
        together: usize,
        go_on: GoOn<'_, E>,
    ) -> Result<Vec<Tensor>, E> {
        let groups: Vec<&[Cover]> = covers.chunks(together.max(1)).collect();
        let local = |covers: &[Cover]| {
            go_on()?;
            Ok(self.local(covers)?)
        };
        let found: Vec<Found> = if rayon::current_num_threads() == 1 {
            groups.iter().map(|covers| local(covers)).collect::<Result<_, E>>()?
        } else {
            let groups = groups.par_iter().with_max_len(1);
            groups.map(|covers| alone(|| local(covers))).collect::<Result<_, E>>()?
        };
        let results = self.finish(covers.len(), &found, go_on)?;
        self.in_full_where_not_finite(covers, results, go_on)
    }

    /// Estimates the bytes that cases take in which these rectangles change.
    pub fn costs(&self, places: impl IntoIterator<Item = Region>) -> IncrementalCosts {
        let bytes = |shape: &Shape| (shape.volume() as u64).saturating_mul(4);
        let clean = self.clean.values().map(|value| bytes(value.shape())).sum();
        let [local, kept] = self.plan.costs(self.network, self.changed, self.wanted, places);
        IncrementalCosts { clean, local, kept }
    }

    /// Goes on from where whole values are needed.
    fn finish<E: From<NetworkError>>(
        &self,
        cases: usize,
        found: &[Found],
        go_on: GoOn<'_, E>,
    ) -> Result<Vec<Tensor>, E> {
        let mut given: BTreeMap<ValueId, Tensor> = BTreeMap::new();
        for &id in found.first().map_or(&BTreeMap::new(), |first| &first.whole).keys() {
            given.insert(id, self.joined(id, found.iter().filter_map(|part| part.whole.get(&id)))?);
        }
        for head in &self.plan.heads {
            go_on()?;
            let node = self.network.node(head.node);
            let deltas: Vec<_> =
                found.iter().filter_map(|part| part.kept.get(&head.maps)).collect();
            let product = node.layer.forward_whole_deltas(self.backend, &deltas);
            let product = product.map_err(|e| self.network.at(node.output, e))?;
            given.insert(node.output, self.changed_as_a_whole(node.output, &product)?);
        }
        for &id in &self.plan.same {
            let clean = self.clean(id)?;
            let rows = self.backend.select(clean, &vec![0; cases]);
            given.insert(id, rows.map_err(|e| self.network.at(id, e))?);
        }
        let is_local = |wanted: &&Wanted| self.plan.is_local(wanted.value);
        let rest: Vec<ValueId> =
            self.wanted.iter().filter(|wanted| !is_local(wanted)).map(|w| w.value).collect();
        let given: Vec<(ValueId, Tensor)> = given.into_iter().collect();
        let rest = self.network.forward_from(self.backend, cases, given, &rest, go_on)?;
        let of_wanted = |(index, wanted): (usize, &Wanted)| {
            if is_local(&wanted) {
                let parts = found.iter().filter_map(|part| part.wanted.get(&index));
                return Ok(self.joined(wanted.value, parts)?);
            }
            let value = rest.get(&wanted.value).ok_or_else(|| self.missing(wanted.value))?;
            Ok(self.channels_of(wanted, value)?)
        };
        self.wanted.iter().enumerate().map(of_wanted).collect()
    }

    /// Computes cases anew, in full, of which a wanted number is not finite.
    fn in_full_where_not_finite<E: From<NetworkError>>(
        &self,
        covers: &[Cover],
        mut results: Vec<Tensor>,
        go_on: GoOn<'_, E>,
    ) -> Result<Vec<Tensor>, E> {
        let mut unsound = vec![false; covers.len()];
        for (result, wanted) in results.iter_mut().zip(self.wanted) {
            let at = |e| self.network.at(wanted.value, e);
            *result = result.to_host().map_err(at)?;
            let each = (result.shape().volume() / covers.len().max(1)).max(1);
            let rows = result.values().map_err(at)?.chunks(each);
            for (unsound, row) in unsound.iter_mut().zip(rows) {
                *unsound |= row.iter().any(|value| !value.is_finite());
            }
        }
        for (case, cover) in covers.iter().enumerate().filter(|(case, _)| unsound[*case]) {
            let full = self.in_full(cover, go_on)?;
            for ((result, full), wanted) in results.iter_mut().zip(full).zip(self.wanted) {
                let mut rows: Vec<usize> = (0..covers.len()).collect();
                rows[case] = covers.len();
                let replaced = self
                    .backend
                    .concatenation(&[result, &full], 0)
                    .and_then(|both| self.backend.select(&both, &rows));
                *result = replaced.map_err(|e| self.network.at(wanted.value, e))?;
            }
        }
        Ok(results)
    }

    /// Computes one case in full.
    fn in_full<E: From<NetworkError>>(
        &self,
        cover: &Cover,
        go_on: GoOn<'_, E>,
    ) -> Result<Vec<Tensor>, E> {
        let Cover { region, fill } = cover.clone();
        let edit = Edit::Occlude { value: self.changed, region, fill };
        let captures: Vec<ValueId> = self.wanted.iter().map(|wanted| wanted.value).collect();
        let interventions = &[Intervention { row: 0, edit }];
        let request = ForwardRequest { captures: &captures, interventions, keep: Keep::Output };
        let (network, inputs) = (self.network, &self.inputs);
        let trace = network.forward_watched(self.backend, inputs, &request, &mut |_| go_on())?;
        let of_wanted = |wanted: &Wanted| {
            let value = trace.value(wanted.value).ok_or_else(|| self.missing(wanted.value))?;
            let chosen = self.channels_of(wanted, value)?;
            Ok(chosen.to_host().map_err(|e| self.network.at(wanted.value, e))?)
        };
        self.wanted.iter().map(of_wanted).collect()
    }

    /// Joins the rows of several groups of cases.
    fn joined<'t>(
        &self,
        id: ValueId,
        parts: impl Iterator<Item = &'t Tensor>,
    ) -> Result<Tensor, NetworkError> {
        let parts: Vec<&Tensor> = parts.collect();
        match *parts {
            [part] => Ok(part.clone()),
            _ => self.backend.concatenation(&parts, 0).map_err(|e| self.network.at(id, e)),
        }
    }

    /// Adds the clean value of which every case changes the whole.
    fn changed_as_a_whole(&self, id: ValueId, delta: &Tensor) -> Result<Tensor, NetworkError> {
        let added = self.backend.addition(delta, self.clean(id)?, crate::Epilogue::None);
        added.map_err(|e| self.network.at(id, e))
    }

    /// Returns the wanted channels of a value.
    fn channels_of(&self, wanted: &Wanted, value: &Tensor) -> Result<Tensor, NetworkError> {
        let Some(channels) = &wanted.channels else { return Ok(value.clone()) };
        let sources: Vec<Option<usize>> = channels.iter().copied().map(Some).collect();
        let chosen = self.backend.gather(value, 1, &sources, 0.0);
        chosen.map_err(|e| self.network.at(wanted.value, e))
    }

    fn clean(&self, id: ValueId) -> Result<&Tensor, NetworkError> {
        self.clean.get(&id).ok_or_else(|| self.missing(id))
    }

    fn missing(&self, id: ValueId) -> NetworkError {
        NetworkError::NotRecorded { name: self.network.name_of(id).to_owned() }
    }

    fn shape(&self, id: ValueId) -> &Shape {
        &self.network.value(id).shape
    }
}
