//! One run under the fake host: everything behind its table, without pointers.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use convscope_abi::{
    CS_EMIT_ARRAY, CS_EMIT_FIGURE, CS_EMIT_NOTE, CS_EMIT_SCALAR, CS_EMIT_TABLE, CS_LOG_DEBUG,
    CS_LOG_INFO, CS_LOG_WARNING, CS_NONE, CS_PARAM_DATASET, CsStatus,
};
use convscope_protocol::array::ArrayMeta;
use convscope_protocol::{Array, Figure, Findings, Table};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::images::ImageSet;
use super::tensors::{Entry, Owner};
use super::{FakeError, Heard, Network, parameters};
use crate::LogLevel;

/// Why a function of the host's failed.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) status: CsStatus,
    pub(crate) message: String,
}

impl Fault {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self { status: CsStatus::INVALID, message: message.into() }
    }

    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self { status: CsStatus::UNSUPPORTED, message: message.into() }
    }

    /// Something in the fake host itself does not fit.
    pub(super) fn broken(error: impl Display) -> Self {
        Self { status: CsStatus::FAILED, message: error.to_string() }
    }

    pub(super) fn bad_handle(kind: &str) -> Self {
        let message = format!("the handle is stale, forged, or of something other than a {kind}");
        Self { status: CsStatus::BAD_HANDLE, message }
    }

    pub(super) fn cancelled() -> Self {
        Self { status: CsStatus::CANCELLED, message: "cancelled".into() }
    }
}

/// What a run is made of.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) analysis: String,
    pub(super) seed: u64,
    pub(super) cancel_after: Option<usize>,
    pub(super) rows_per_batch: usize,
    pub(super) needs_backward: bool,
    pub(super) parameters: Map<String, Value>,
    pub(super) images: Vec<ImageSet>,
    pub(super) network: Network,
}

/// One run under the fake host.
#[derive(Debug)]
pub(crate) struct Run {
    pub(super) settings: Settings,
    parameters_json: String,
    pub(super) description_json: String,
    pub(super) model: u64,
    /// Handles of the data sets among the parameters.
    datasets: Vec<u64>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    last_handle: u64,
    pub(super) tensors: BTreeMap<u64, Entry>,
    pub(super) datasets: BTreeMap<u64, Arc<ImageSet>>,
    findings: Findings,
    pub(super) heard: Heard,
    error: String,
    /// Whether the plugin was told that the user wants to stop.
    was_told: bool,
    misbehaved: Option<String>,
}

impl State {
    pub(super) fn next_handle(&mut self) -> u64 {
        self.last_handle += 1;
        self.last_handle
    }

    pub(super) fn keep(&mut self, tensor: Entry) -> u64 {
        let handle = self.next_handle();
        self.tensors.insert(handle, tensor);
        handle
    }

    pub(super) fn tensor(&mut self, handle: u64) -> Result<&mut Entry, Fault> {
        self.tensors.get_mut(&handle).ok_or_else(|| Fault::bad_handle("tensor"))
    }

    pub(super) fn blame(&mut self, what: impl Into<String>) {
        self.misbehaved.get_or_insert(what.into());
    }
}

impl Run {
    pub(super) fn new(settings: Settings) -> Self {
        let mut state = State::default();
        let model = state.next_handle();
        let mut datasets = Vec::new();
        for images in &settings.images {
            let handle = state.next_handle();
            state.datasets.insert(handle, Arc::new(images.clone()));
            datasets.push(handle);
        }
        let parameters_json = Value::Object(settings.parameters.clone()).to_string();
        let description = serde_json::to_string(&settings.network.description());
        Self {
            parameters_json,
            description_json: description.unwrap_or_default(),
            settings,
            model,
            datasets,
            state: Mutex::new(state),
        }
    }

    /// Judges how the run ended.
    pub(super) fn finish(self, status: CsStatus) -> (Result<Findings, FakeError>, Heard) {
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if state.tensors.values().any(|tensor| tensor.mapped > 0) {
            state.blame("a tensor is still mapped");
        }
        if state.was_told && status != CsStatus::CANCELLED {
            state.blame(format!(
                "it was told to stop and returned status {} instead of CANCELLED",
                status.0
            ));
        }
        if status != CsStatus::OK && state.error.is_empty() {
            state.blame(format!("it returned status {} without saying why", status.0));
        }
        let outcome = match state.misbehaved {
            Some(how) => Err(FakeError::Misbehaved(how)),
            None if status == CsStatus::OK => Ok(state.findings),
            None => Err(FakeError::Analysis { status, message: state.error }),
        };
        (outcome, state.heard)
    }

    #[cfg(test)]
    pub(super) fn datasets(&self) -> &[u64] {
        &self.datasets
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn log(&self, level: u32, line: &str) {
        let mut state = self.state();
        let level = match level {
            CS_LOG_WARNING => LogLevel::Warning,
            CS_LOG_INFO => LogLevel::Info,
            CS_LOG_DEBUG => LogLevel::Debug,
            other => return state.blame(format!("it logged at level {other}")),
        };
        state.heard.log.push((level, line.to_owned()));
    }

    pub(crate) fn progress(&self, fraction: f64, line: &str) -> Result<(), Fault> {
        let mut state = self.state();
        if !(0.0..=1.0).contains(&fraction) {
            state.blame(format!("it reported {fraction} as progress"));
        }
        state.heard.progress.push((fraction, line.to_owned()));
        drop(state);
        self.stop_if_cancelled()
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        let calls = self.state().heard.progress.len();
        self.settings.cancel_after.is_some_and(|after| calls > after)
    }

    pub(super) fn stop_if_cancelled(&self) -> Result<(), Fault> {
        if self.is_cancelled() {
            self.state().was_told = true;
            return Err(Fault::cancelled());
        }
        Ok(())
    }

    /// Derives a seed: FNV-1a over everything it depends on.
    pub(crate) fn rng_seed(&self, stream: u64) -> u64 {
        let Settings { seed, analysis, .. } = &self.settings;
        let text = format!("{seed}/{analysis}/{}/{stream}", self.parameters_json);
        text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    pub(crate) fn set_error(&self, reason: &str) {
        reason.clone_into(&mut self.state().error);
    }

    pub(crate) fn parameters_json(&self) -> &str {
        &self.parameters_json
    }

    /// Finds a parameter at the top level.
    pub(crate) fn parameter(&self, key: &str) -> Result<&Value, Fault> {
        let found = self.settings.parameters.get(key);
        found.ok_or_else(|| Fault::invalid(format!("there is no parameter `{key}`")))
    }

    pub(crate) fn parameter_count(&self, key: &str) -> u64 {
        match self.settings.parameters.get(key) {
            None | Some(Value::Null) => 0,
            Some(Value::Array(items)) => items.len() as u64,
            Some(_) => 1,
        }
    }

    pub(crate) fn parameter_handle(&self, key: &str, index: u64, kind: u32) -> Result<u64, Fault> {
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        let value = match self.parameter(key)? {
            Value::Array(items) => items.get(place),
            single if place == 0 => Some(single),
            _ => None,
        };
        let value = value.ok_or_else(|| Fault::invalid(format!("`{key}` has no value {index}")))?;
        let dataset = value.get(parameters::DATASET).and_then(Value::as_u64);
        let handle = dataset.and_then(|number| self.datasets.get(number as usize));
        match handle {
            Some(handle) if kind == CS_PARAM_DATASET => Ok(*handle),
            _ => Err(Fault::bad_handle("parameter of that kind")),
        }
    }

    /// Takes a result, as the real host does.
    pub(crate) fn emit(&self, kind: u32, name: &str, meta: &str, tensor: u64) -> Result<(), Fault> {
        let mut state = self.state();
        if (kind == CS_EMIT_ARRAY) != (tensor != CS_NONE) {
            return Err(Fault::invalid("an array needs a tensor, everything else takes none"));
        }
        let refuse = |error: convscope_protocol::FindingsError| Fault::invalid(error.to_string());
        match kind {
            CS_EMIT_ARRAY => {
                let meta = read::<ArrayMeta>("array", meta)?;
                let entry = state.tensor(tensor)?;
                if entry.owner != Owner::Plugin || entry.mapped > 0 {
                    return Err(Fault::invalid(
                        "only a tensor that the plugin made and has unmapped can be emitted",
                    ));
                }
                let Some(entry) = state.tensors.remove(&tensor) else {
                    return Err(Fault::bad_handle("tensor"));
                };
                let (name, values) = (name.to_owned(), entry.into_values()?);
                state.findings.add_array(Array { name, meta, values }).map_err(refuse)
            }
            CS_EMIT_TABLE => {
                let table = read::<Table>("table", meta)?;
                check_name(name, &table.name)?;
                state.findings.add_table(table).map_err(refuse)
            }
            CS_EMIT_FIGURE => {
                let figure = read::<Figure>("figure", meta)?;
                check_name(name, &figure.name)?;
                state.findings.add_figure(figure).map_err(refuse)
            }
            CS_EMIT_SCALAR => {
                state.findings.add_scalar(name, read("scalar", meta)?).map_err(refuse)
            }
            CS_EMIT_NOTE => state.findings.add_note(read("note", meta)?).map_err(refuse),
            other => Err(Fault::invalid(format!("no kind {other} of result"))),
        }
    }
}

pub(super) fn read<T: DeserializeOwned>(what: &str, json: &str) -> Result<T, Fault> {
    serde_json::from_str(json).map_err(|error| Fault::invalid(format!("{what}: {error}")))
}

/// Refuses a result that is emitted under another name than its own.
fn check_name(name: &str, own: &str) -> Result<(), Fault> {
    if own == name {
        return Ok(());
    }
    Err(Fault::invalid(format!("`{own}` is emitted under the name `{name}`")))
}
