//! The functions of a run that compute: tensors, the model's verbs, data sets.

use std::ops::Range;
use std::sync::Arc;

use convscope_abi::{CS_NONE, CsStatus, CsView};
use convscope_protocol::{Capture, Composite, Start, Values};

use super::images::ImageSet;
use super::network::Node;
use super::run::read;
use super::tensors::{Entry, Owner};
use super::{ColourOrder, Fault, Picked, Run, attribute, network, observe};

/// What receives consecutive rows of a verb: the first, how many, and their tensors.
pub(crate) type Receive<'a> = &'a mut dyn FnMut(u64, u64, &[u64]) -> CsStatus;

impl Run {
    pub(crate) fn create(&self, dtype: u32, shape: &[u64]) -> Result<u64, Fault> {
        let entry = Entry::zeros(dtype, shape)?;
        Ok(self.state().keep(entry))
    }

    pub(crate) fn map(&self, tensor: u64, mode: u32) -> Result<CsView, Fault> {
        self.state().tensor(tensor)?.map(mode)
    }

    pub(crate) fn unmap(&self, tensor: u64) -> Result<(), Fault> {
        self.state().tensor(tensor)?.unmap()
    }

    pub(crate) fn release(&self, tensor: u64) -> Result<(), Fault> {
        let mut state = self.state();
        let entry = state.tensor(tensor)?;
        if entry.owner == Owner::Sink || entry.mapped > 0 {
            return Err(Fault::invalid("a tensor that is mapped, or a sink's, is not released"));
        }
        state.tensors.remove(&tensor);
        Ok(())
    }

    /// Counts the channels of the network's input.
    fn channels(&self) -> usize {
        ColourOrder::channels(self.settings.network.colours)
    }

    pub(crate) fn current_model(&self) -> u64 {
        self.model
    }

    fn check_model(&self, model: u64) -> Result<(), Fault> {
        if model == self.model { Ok(()) } else { Err(Fault::bad_handle("model")) }
    }

    pub(crate) fn describe(&self, model: u64) -> Result<&str, Fault> {
        self.check_model(model)?;
        Ok(&self.description_json)
    }

    pub(crate) fn layer_parameter(
        &self,
        model: u64,
        layer: &str,
        name: &str,
    ) -> Result<u64, Fault> {
        self.check_model(model)?;
        let values = Values::from(network::parameter(layer, name, self.channels())?);
        Ok(self.state().keep(Entry::of(&values, Owner::Host)))
    }

    pub(crate) fn receptive_field(
        &self,
        model: u64,
        value: &str,
        position: Option<[u64; 2]>,
    ) -> Result<[i64; 4], Fault> {
        self.check_model(model)?;
        let node = Node::named(value)?;
        let [_, height, width] = node.extents();
        let place = match position {
            Some([row, column]) if row < height as u64 && column < width as u64 => {
                [row as usize, column as usize]
            }
            None if height * width == 1 => [0, 0],
            other => return Err(Fault::invalid(format!("`{value}` has no position {other:?}"))),
        };
        let field = node.field(place, self.settings.network.margin);
        Ok([field.top, field.left, field.height.cast_signed(), field.width.cast_signed()])
    }

    /// Finds the images of a call: exactly one of the two is given.
    pub(crate) fn pick(
        &self,
        dataset: u64,
        indices: Option<&[u64]>,
        tensor: u64,
    ) -> Result<Picked, Fault> {
        match (dataset, tensor) {
            (CS_NONE, CS_NONE) => Err(Fault::invalid("neither a data set nor a tensor is given")),
            (dataset, CS_NONE) => self.dataset(dataset)?.pick(indices),
            (CS_NONE, tensor) if indices.is_none() => {
                let values = self.state().tensor(tensor)?.numbers()?;
                Picked::of_tensor(values, self.channels())
            }
            _ => Err(Fault::invalid("both a tensor and a data set, or its indices, are given")),
        }
    }

    pub(crate) fn observe(
        &self,
        model: u64,
        images: &Picked,
        [cases, captures]: [&str; 2],
        receive: Receive<'_>,
    ) -> Result<(), Fault> {
        self.check_model(model)?;
        let captures = read::<Vec<Capture>>("captures", captures)?;
        let captures = captures
            .into_iter()
            .map(|capture| {
                let node = Node::named(&capture.value)?;
                observe::check_channels(node, &capture, images)?;
                Ok((node, capture))
            })
            .collect::<Result<Vec<_>, Fault>>()?;
        let cases = observe::cases(cases, images)?;
        let compute = |rows: Range<usize>| {
            observe::captured(images, &cases[rows], &captures, self.settings.network.margin)
        };
        self.hand_out(cases.len(), &compute, receive)
    }

    pub(crate) fn attribute(
        &self,
        model: u64,
        images: &Picked,
        [starts, composite, to]: [&str; 3],
        receive: Receive<'_>,
    ) -> Result<(), Fault> {
        self.check_model(model)?;
        if !self.settings.needs_backward {
            return Err(Fault::invalid("the analysis does not say that it needs backward passes"));
        }
        let starts = read::<Vec<Start>>("starts", starts)?;
        let composite = read::<Composite>("composite", composite)?;
        attribute::check_composite(&composite)?;
        self.state().heard.composites.push(composite.clone());
        let to = if to.is_empty() {
            vec![Node::Input]
        } else {
            let names = read::<Vec<String>>("to", to)?;
            names.iter().map(|name| Node::named(name)).collect::<Result<Vec<_>, Fault>>()?
        };
        let compute =
            |rows: Range<usize>| attribute::attributed(images, &starts[rows], &composite, &to);
        self.hand_out(starts.len(), &compute, receive)
    }

    /// Computes some rows at a time and hands them to the sink.
    fn hand_out(
        &self,
        count: usize,
        compute: &dyn Fn(Range<usize>) -> Result<Vec<Values>, Fault>,
        receive: Receive<'_>,
    ) -> Result<(), Fault> {
        let mut first = 0;
        while first < count {
            self.stop_if_cancelled()?;
            let rows = first..count.min(first + self.settings.rows_per_batch);
            let len = rows.len();
            let tensors = compute(rows)?;
            let handles: Vec<u64> = {
                let mut state = self.state();
                tensors.iter().map(|values| state.keep(Entry::of(values, Owner::Sink))).collect()
            };
            // The lock is free here: the sink may call the host.
            let status = receive(first as u64, len as u64, &handles);
            let mut state = self.state();
            for handle in handles {
                if state.tensors.remove(&handle).is_some_and(|entry| entry.mapped > 0) {
                    state.blame("a sink left a tensor mapped");
                }
            }
            match status {
                CsStatus::OK => {}
                CsStatus::CANCELLED => return Err(Fault::cancelled()),
                status => return Err(Fault { status, message: "the sink failed".into() }),
            }
            first += len;
        }
        Ok(())
    }

    fn dataset(&self, dataset: u64) -> Result<Arc<ImageSet>, Fault> {
        let found = self.state().datasets.get(&dataset).cloned();
        found.ok_or_else(|| Fault::bad_handle("data set"))
    }

    pub(crate) fn dataset_len(&self, dataset: u64) -> Result<u64, Fault> {
        Ok(self.dataset(dataset)?.len() as u64)
    }

    pub(crate) fn item(&self, dataset: u64, index: u64) -> Result<String, Fault> {
        let item = self.dataset(dataset)?.item(index)?;
        serde_json::to_string(&item).map_err(Fault::broken)
    }

    pub(crate) fn item_input(&self, dataset: u64, index: u64) -> Result<u64, Fault> {
        let values = Values::from(self.dataset(dataset)?.input(index)?);
        Ok(self.state().keep(Entry::of(&values, Owner::Host)))
    }

    pub(crate) fn pixels(&self, dataset: u64, index: u64) -> Result<u64, Fault> {
        let values =
            Values::from(self.dataset(dataset)?.pixels(index, self.settings.network.colours)?);
        Ok(self.state().keep(Entry::of(&values, Owner::Host)))
    }

    pub(crate) fn dataset_of(&self, tensor: u64) -> Result<u64, Fault> {
        let mut state = self.state();
        let images = ImageSet::of_plugin(state.tensor(tensor)?.numbers()?, self.channels())?;
        let handle = state.next_handle();
        state.datasets.insert(handle, Arc::new(images));
        Ok(handle)
    }
}

#[cfg(test)]
mod tests {
    use convscope_abi::{CS_EMIT_ARRAY, CS_F32, CS_READ, CS_WRITE};
    use serde_json::Map;

    use super::super::Network;
    use super::super::run::Settings;
    use super::*;

    fn run() -> Run {
        Run::new(Settings {
            analysis: "test".into(),
            seed: 0,
            cancel_after: None,
            rows_per_batch: 1,
            needs_backward: false,
            parameters: Map::new(),
            images: vec![ImageSet::tensors(ndarray::ArrayD::zeros(vec![1, 2, 6, 6]))],
            network: Network::default(),
        })
    }

    fn refused<T>(outcome: Result<T, Fault>) -> (CsStatus, String) {
        match outcome {
            Ok(_) => panic!("it was accepted"),
            Err(fault) => (fault.status, fault.message),
        }
    }

    #[test]
    fn stale_forged_and_foreign_handles_are_a_status() {
        let run = run();
        let tensor = run.create(CS_F32, &[2]).unwrap();
        run.release(tensor).unwrap();
        let foreign = run.current_model();
        for handle in [tensor, foreign, 0, u64::MAX] {
            assert_eq!(refused(run.map(handle, CS_READ)).0, CsStatus::BAD_HANDLE);
            assert_eq!(refused(run.release(handle)).0, CsStatus::BAD_HANDLE);
        }
        assert_eq!(
            refused(run.dataset_len(foreign)).1,
            "the handle is stale, forged, or of something other than a data set"
        );
        assert_eq!(refused(run.describe(tensor)).0, CsStatus::BAD_HANDLE);
    }

    #[test]
    fn only_own_tensors_that_are_not_mapped_are_written_or_emitted() {
        let run = run();
        let tensor = run.create(CS_F32, &[2]).unwrap();
        run.map(tensor, CS_WRITE).unwrap();
        assert_eq!(
            refused(run.map(tensor, CS_WRITE)).1,
            "only a tensor that the plugin made and has not mapped can be written to"
        );
        let meta = r#"{"axes":[{"name":"step"}]}"#;
        assert_eq!(
            refused(run.emit(CS_EMIT_ARRAY, "a", meta, tensor)).1,
            "only a tensor that the plugin made and has unmapped can be emitted"
        );
        assert_eq!(
            refused(run.release(tensor)).1,
            "a tensor that is mapped, or a sink's, is not released"
        );
        run.unmap(tensor).unwrap();
        assert_eq!(refused(run.unmap(tensor)).1, "the tensor is not mapped");
        run.emit(CS_EMIT_ARRAY, "a", meta, tensor).unwrap();
        assert_eq!(refused(run.map(tensor, CS_READ)).0, CsStatus::BAD_HANDLE);
        let weight = run.layer_parameter(run.current_model(), "conv", "bias").unwrap();
        assert_eq!(refused(run.map(weight, CS_WRITE)).0, CsStatus::INVALID);
        assert_eq!(refused(run.map(weight, 3)).1, "no mode 3 of mapping");
    }

    #[test]
    fn tensors_have_a_known_type_few_axes_and_a_bounded_size() {
        let run = run();
        assert_eq!(refused(run.create(9, &[2])).1, "no element type 9");
        assert_eq!(refused(run.create(CS_F32, &[1; 9])).1, "a tensor of 9 axes");
        assert_eq!(
            refused(run.create(CS_F32, &[u64::MAX, 2])).1,
            format!("a tensor of shape [{}, 2] is too large", u64::MAX)
        );
    }

    #[test]
    fn images_come_from_one_source() {
        let run = run();
        let dataset = run.datasets()[0];
        let tensor = run.create(CS_F32, &[1, 2, 6, 6]).unwrap();
        assert_eq!(run.pick(CS_NONE, None, tensor).unwrap().len(), 1);
        assert_eq!(
            refused(run.pick(CS_NONE, None, CS_NONE)).1,
            "neither a data set nor a tensor is given"
        );
        assert_eq!(
            refused(run.pick(dataset, None, tensor)).1,
            "both a tensor and a data set, or its indices, are given"
        );
        assert_eq!(refused(run.pick(dataset, Some(&[1]), CS_NONE)).1, "image 1 of 1 images");
    }

    #[test]
    fn backward_passes_must_be_declared() {
        let run = run();
        let images = run.pick(run.datasets()[0], None, CS_NONE).unwrap();
        let texts = ["[]", r#"{"rules":[]}"#, ""];
        let outcome =
            run.attribute(run.current_model(), &images, texts, &mut |_, _, _| CsStatus::OK);
        assert_eq!(refused(outcome).1, "the analysis does not say that it needs backward passes");
    }

    #[test]
    fn a_tensor_left_mapped_by_a_sink_is_blamed_on_the_plugin() {
        let run = run();
        let images = run.pick(run.datasets()[0], None, CS_NONE).unwrap();
        let captures = r#"[{"value":"conv","reduction":{"kind":"none"}}]"#;
        let mut sink = |_: u64, _: u64, tensors: &[u64]| {
            run.map(tensors[0], CS_READ).unwrap();
            CsStatus::OK
        };
        run.observe(run.current_model(), &images, ["", captures], &mut sink).unwrap();
        let (outcome, _) = run.finish(CsStatus::OK);
        assert_eq!(
            outcome.unwrap_err().to_string(),
            "the plugin broke the interface: a sink left a tensor mapped"
        );
    }
}
