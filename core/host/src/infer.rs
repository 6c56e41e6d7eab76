//! Raw tensors in, raw tensors out.

use convscope_runtime::network::{Extent, ForwardRequest, Node, ValueId};
use convscope_runtime::{Backend, Keep, Shape, Tensor};

use crate::control::Control;
use crate::memory::{Cost, bytes_of, items_at_once};
use crate::{HostError, Model, Session, source, translate};

impl Session {
    /// Runs a model forward on raw tensors, one per input of its network in order and in the layout
    /// of the file, and returns the values of the given names; its outputs where none is given.
    ///
    /// # Errors
    /// Fails when the tensors do not fit the model, a name is unknown, or the network fails.
    pub fn infer(
        &self,
        model: &Model,
        inputs: &[Tensor],
        captures: &[String],
        control: &dyn Control,
    ) -> Result<Vec<(String, Tensor)>, HostError> {
        self.infer_watched(model, inputs, captures, control, &mut |_| ())
    }

    /// Runs [`infer`](Self::infer), and calls `watch` with the name of every layer before it runs
    /// and with none when all have run: once per batch that memory allows.
    ///
    /// # Errors
    /// As [`infer`](Self::infer).
    pub fn infer_watched(
        &self,
        model: &Model,
        inputs: &[Tensor],
        captures: &[String],
        control: &dyn Control,
        watch: &mut (dyn FnMut(Option<&str>) + Send),
    ) -> Result<Vec<(String, Tensor)>, HostError> {
        model.check_complete()?;
        let network = model.network();
        let wanted: Vec<(String, ValueId)> = if captures.is_empty() {
            let named = |id: &ValueId| (network.value(*id).name.clone(), *id);
            network.outputs().iter().map(named).collect()
        } else {
            let named = |name: &String| Ok((name.clone(), translate::value(network, name)?));
            captures.iter().map(named).collect::<Result<_, HostError>>()?
        };
        let ids: Vec<ValueId> = wanted.iter().map(|(_, id)| *id).collect();
        let cancelled = || control.is_cancelled();
        let engine = self.engine(model, &cancelled);
        let batch = check(model, inputs)?;
        let kept: u64 = ids.iter().map(|&id| bytes_of(&network.value(id).shape)).sum();
        let each = Cost::of(network, &ids).forward.saturating_add(2 * kept);
        let at_once = items_at_once("one image", each, engine.memory, engine.threads())?;
        let mut parts: Vec<Vec<Tensor>> = vec![Vec::new(); ids.len()];
        let rows: Vec<usize> = (0..batch).collect();
        for (done, chunk) in rows.chunks(at_once).enumerate() {
            engine.check_cancelled()?;
            let inputs =
                inputs
                    .iter()
                    .map(|input| {
                        if chunk.len() == batch { Ok(input.clone()) } else { rows_of(input, chunk) }
                    })
                    .collect::<Result<Vec<_>, _>>()?;
            let inputs = turned(model, &inputs, engine.backend)?;
            let request = ForwardRequest { captures: &ids, interventions: &[], keep: Keep::Output };
            let trace = engine.compute(|| {
                let mut watch = |node: Option<&Node>| {
                    engine.check_cancelled()?;
                    watch(node.map(|node| node.name.as_str()));
                    Ok::<_, HostError>(())
                };
                network.forward_watched(engine.backend, &inputs, &request, &mut watch)
            })?;
            for (id, parts) in ids.iter().zip(&mut parts) {
                if let Some(value) = trace.value(*id) {
                    parts.push(value.to_host()?);
                }
            }
            control.progress(((done + 1) * at_once).min(batch) as f64 / batch as f64, "running");
        }
        for (id, parts) in ids.iter().zip(&mut parts) {
            // What is the same for every image is there once, not once per batch.
            if network.value(*id).extent == Extent::Shared {
                parts.truncate(1);
            }
        }
        let joined = parts.iter().map(|parts| joined(parts)).collect::<Result<Vec<_>, _>>()?;
        Ok(wanted.into_iter().map(|(name, _)| name).zip(joined).collect())
    }
}

/// Brings inputs from the layout of the file into that of the network.
fn turned(
    model: &Model,
    inputs: &[Tensor],
    backend: &dyn Backend,
) -> Result<Vec<Tensor>, HostError> {
    let turn = |(index, input): (usize, &Tensor)| match model.input_layout(index).order() {
        Some(order) => backend.transposition(input, &order),
        None => Ok(input.clone()),
    };
    Ok(inputs.iter().enumerate().map(turn).collect::<Result<_, _>>()?)
}

/// Checks the inputs and returns their number of images.
fn check(model: &Model, inputs: &[Tensor]) -> Result<usize, HostError> {
    let network = model.network();
    let wrong = |what: String, reason: String| HostError::Images { what, reason };
    if inputs.len() != network.inputs().len() {
        let reason = match inputs.len() {
            1 => "1 tensor was given".to_owned(),
            given => format!("{given} tensors were given"),
        };
        let what = match network.inputs().len() {
            1 => "the model takes 1 input".to_owned(),
            taken => format!("the model takes {taken} inputs"),
        };
        return Err(wrong(what, reason));
    }
    // A model all of whose inputs are bound has one result.
    let batch = inputs.first().map_or(1, |input| input.shape().batch());
    for (index, (&id, input)) in network.inputs().iter().zip(inputs).enumerate() {
        let value = network.value(id);
        let shape = model.input_layout(index).in_file(&value.shape);
        if *input.shape() != shape.with_batch(batch) || batch == 0 {
            return Err(wrong(
                format!("input {}", value.name),
                format!("the model takes {shape} for one image, got {}", input.shape()),
            ));
        }
    }
    Ok(batch)
}

fn rows_of(tensor: &Tensor, rows: &[usize]) -> Result<Tensor, HostError> {
    let mut values = Vec::new();
    for &row in rows {
        values.extend_from_slice(source::row(tensor, row)?);
    }
    Ok(Tensor::new(tensor.shape().with_batch(rows.len()), values)?)
}

/// Puts batches one behind the other.
fn joined(parts: &[Tensor]) -> Result<Tensor, HostError> {
    if let [one] = parts {
        return Ok(one.clone());
    }
    let mut values = Vec::new();
    let mut shape = Shape::from([0]);
    let mut batch = 0;
    for part in parts {
        batch += part.shape().batch();
        shape = part.shape().with_batch(batch);
        values.extend_from_slice(part.values()?);
    }
    Ok(Tensor::new(shape, values)?)
}
