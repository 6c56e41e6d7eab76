//! What a plugin asks of a model.

use std::sync::Arc;

use convscope_abi::CsStatus;
use convscope_protocol::Values;
use convscope_protocol::attribute::{Composite, Start};
use convscope_protocol::observe::{Capture, Case};
use convscope_runtime::network::Field;
use convscope_runtime::{Network, Region, Tensor};
use serde::de::DeserializeOwned;

use super::handles::{Held, Slot};
use super::{Fault, Run};
use crate::engine::Engine;
use crate::observe::Cases;
use crate::observe::cached::Memo;
use crate::source::{Chosen, ImageSource, TensorImages};
use crate::tensors::{tensor_of, values_of};
use crate::{HostError, Model, attribute, observe, translate};

/// Images that a plugin names in a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Named<'a> {
    /// Items of a data set; all in order where no indices are given.
    Dataset { handle: u64, indices: Option<&'a [u64]> },
    /// A tensor `[n, c, h, w]` in network-input units.
    Tensor(u64),
}

/// A sink of the plugin's: first case, number of cases, tensors.
pub(super) type PluginSink<'a> = &'a mut dyn FnMut(u64, u64, &[u64]) -> CsStatus;

impl Run<'_> {
    pub(super) fn observe(
        &self,
        model: u64,
        images: Named<'_>,
        cases: &str,
        captures: &str,
        sink: PluginSink<'_>,
    ) -> Result<(), Fault> {
        let model = self.handles.model(model)?;
        let images = self.images(&model, images)?;
        let captures: Vec<Capture> = parse("captures", captures)?;
        let cases: Option<Vec<Case>> =
            if cases.is_empty() { None } else { Some(parse("cases", cases)?) };
        let cases = cases.as_deref().map_or(Cases::EachImage, Cases::Listed);
        let memo = self.recall.and_then(|recall| Memo::new(recall, &model));
        self.forward_to(&model, sink, |engine, deliver| {
            observe::cached::observe(engine, memo.as_ref(), &*images, cases, &captures, deliver)
        })
    }

    pub(super) fn attribute(
        &self,
        model: u64,
        images: Named<'_>,
        [starts, composite, to]: [&str; 3],
        sink: PluginSink<'_>,
    ) -> Result<(), Fault> {
        let model = self.handles.model(model)?;
        let images = self.images(&model, images)?;
        let starts: Vec<Start> = parse("starts", starts)?;
        let composite: Composite = parse("composite", composite)?;
        let to: Vec<String> = if to.is_empty() { Vec::new() } else { parse("to", to)? };
        self.forward_to(&model, sink, |engine, deliver| {
            attribute::attribute(engine, &*images, &starts, &composite, &to, deliver)
        })
    }

    /// Runs a verb whose results go to a sink of the plugin's as handles that die with the call. What
    /// it computes with stays, with the tensors of the run, within the session's memory.
    fn forward_to(
        &self,
        model: &Model,
        sink: PluginSink<'_>,
        verb: impl Fn(&Engine<'_>, observe::Sink<'_>) -> Result<(), HostError>,
    ) -> Result<(), Fault> {
        let mut stopped = None;
        let mut deliver = |first: usize, count: usize, arrays: Vec<Values>| {
            let tensors: Vec<u64> = arrays
                .into_iter()
                .map(|values| self.handles.hold(Held::Tensor(Slot::of_sink(values))))
                .collect();
            let status = sink(first as u64, count as u64, &tensors);
            for tensor in tensors {
                self.handles.take_back(tensor);
            }
            if status == CsStatus::OK {
                return Ok(());
            }
            stopped = Some(status);
            Err(HostError::Cancelled)
        };
        let outcome = self.handles.pass(|memory| {
            let engine = Engine { network: model.network(), memory, ..self.engine };
            let outcome = verb(&engine, &mut deliver);
            // What comes next may be other work, whose memory would come on top.
            engine.backend.free_idle();
            outcome
        });
        match stopped {
            Some(status) => Err(Fault::Stopped(status)),
            None => Ok(outcome?),
        }
    }

    fn images(&self, model: &Model, images: Named<'_>) -> Result<Arc<dyn ImageSource>, Fault> {
        match images {
            Named::Dataset { handle, indices } => {
                let dataset: Arc<dyn ImageSource> = self.handles.dataset(handle)?;
                let Some(indices) = indices else { return Ok(dataset) };
                let numbers = indices.iter().map(|&index| super::place(index)).collect();
                Ok(Arc::new(Chosen::new(dataset, numbers)?))
            }
            Named::Tensor(handle) => {
                let tensor = self.float_tensor(handle)?;
                Ok(Arc::new(TensorImages::new(tensor, model.image_shape()?)?))
            }
        }
    }

    fn float_tensor(&self, handle: u64) -> Result<Tensor, Fault> {
        match self.handles.values(handle)? {
            values @ Values::F32(_) => tensor_of(&values),
            Values::U32(_) | Values::U8(_) => None,
        }
        .ok_or_else(|| Fault::Invalid("images must be 32-bit floating-point numbers".to_owned()))
    }

    pub(super) fn layer_parameter(
        &self,
        model: u64,
        layer: &str,
        name: &str,
    ) -> Result<u64, Fault> {
        let model = self.handles.model(model)?;
        let network = model.network();
        let value = translate::value(network, layer)?;
        let tensor =
            network.maker(value).and_then(|node| network.node(node).layer.parameter(name).cloned());
        let tensor = tensor
            .ok_or_else(|| Fault::Invalid(format!("layer {layer} has no parameter {name}")))?;
        let values = values_of(&tensor)?;
        Ok(self.handles.hold(Held::Tensor(Slot::of_host(values))))
    }

    pub(super) fn receptive_field(
        &self,
        model: u64,
        value: &str,
        position: Option<[u64; 2]>,
    ) -> Result<[i64; 4], Fault> {
        let model = self.handles.model(model)?;
        Ok(field_of(model.network(), value, position)?)
    }
}

/// Returns `[top, left, height, width]` of the receptive field of a unit, in pixels of the input.
fn field_of(
    network: &Network,
    name: &str,
    position: Option<[u64; 2]>,
) -> Result<[i64; 4], HostError> {
    let value = translate::value(network, name)?;
    let input = crate::engine::image_input(network)?;
    let shape = &network.value(value).shape;
    let wrong = |reason: String| HostError::Unit {
        value: name.to_owned(),
        shape: shape.to_string(),
        reason,
    };
    let [_, _, height, width] = observe::maps_of(shape, name)?;
    let [row, column] = match position {
        Some(position) => position.map(super::place),
        None if [height, width] == [1, 1] => [0, 0],
        None => return Err(wrong("a unit of a map needs a position".to_owned())),
    };
    if row >= height || column >= width {
        return Err(wrong(format!("there is no position [{row}, {column}]")));
    }
    let unit = Region { top: row.cast_signed(), left: column.cast_signed(), height: 1, width: 1 };
    let signed = |extent: usize| i64::try_from(extent).unwrap_or(i64::MAX);
    let whole = network.value(input).shape.as_maps();
    Ok(match (network.receptive_field(value, unit, input), whole) {
        (Field::Region(field), _) => {
            [field.top as i64, field.left as i64, signed(field.height), signed(field.width)]
        }
        (Field::Whole, Some([_, _, height, width])) => [0, 0, signed(height), signed(width)],
        (Field::Whole, None) | (Field::Nothing, _) => [0; 4],
    })
}

fn parse<T: DeserializeOwned>(what: &str, json: &str) -> Result<T, Fault> {
    serde_json::from_str(json).map_err(|error| Fault::Invalid(format!("{what}: {error}")))
}
