//! Serves one run of an analysis: everything that a plugin asks the host for.
//!
//! [`table`] is the C side; all else here is safe.

mod allowance;
mod fault;
mod handles;
mod results;
pub(crate) mod table;
mod verbs;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use convscope_abi::{
    CS_LOG_DEBUG, CS_LOG_WARNING, CS_NONE, CS_PARAM_DATASET, CS_PARAM_MODEL, CS_PARAM_TENSOR,
    CsStatus,
};
use serde_json::Value;

pub(crate) use fault::Fault;
use handles::{Handles, Held, Slot};
use results::Results;

use crate::arguments::{Given, Parameters};
use crate::cache::{MOST_LINES, Recall};
use crate::control::{Control, LogLevel};
use crate::engine::Engine;
use crate::images::{Dataset, ImageSet};
use crate::tensors::tensor_of;
use crate::{HostError, Model, seed};

/// What the host knows about one run of an analysis.
pub(crate) struct Run<'s> {
    analysis: String,
    engine: Engine<'s>,
    model: Arc<Model>,
    control: &'s dyn Control,
    seed: u64,
    parameters: Parameters,
    json: String,
    handles: Handles,
    /// Handles that were given out before for the same thing: the same one is given again.
    given: Mutex<BTreeMap<(String, u64), u64>>,
    results: Mutex<Results>,
    recall: Option<&'s Recall<'s>>,
    /// Lines of the log that the user reads.
    said: Mutex<Vec<(LogLevel, String)>>,
    words: Mutex<HashMap<ThreadId, Words>>,
    stated: Mutex<Option<String>>,
    cause: Mutex<Option<HostError>>,
    /// Whether the plugin was told that the user wants to stop.
    told_to_stop: AtomicBool,
}

/// Texts that a thread of the plugin may read until its next call.
#[derive(Debug, Default)]
struct Words {
    error: Box<str>,
    item: Box<str>,
}

/// How a run ended: what was found and said on the way, what the plugin said, the last error of the host's, and whether
/// the plugin was told to stop.
pub(crate) struct Ending {
    pub(crate) results: Results,
    pub(crate) said: Vec<(LogLevel, String)>,
    pub(crate) stated: Option<String>,
    pub(crate) cause: Option<HostError>,
    pub(crate) told_to_stop: bool,
}

impl<'s> Run<'s> {
    /// Prepares a run.
    pub(crate) fn new(
        analysis: &str,
        engine: Engine<'s>,
        model: Arc<Model>,
        parameters: Parameters,
        control: &'s dyn Control,
        seed: u64,
    ) -> Self {
        let json = Value::Object(parameters.json.clone()).to_string();
        Self {
            analysis: analysis.to_owned(),
            engine,
            model,
            control,
            seed,
            parameters,
            json,
            handles: Handles::new(engine.memory),
            given: Mutex::default(),
            results: Mutex::default(),
            recall: None,
            said: Mutex::default(),
            words: Mutex::default(),
            stated: Mutex::default(),
            cause: Mutex::default(),
            told_to_stop: AtomicBool::new(false),
        }
    }

    /// Lets the run find what earlier ones computed.
    pub(crate) fn recalling(self, recall: Option<&'s Recall<'s>>) -> Self {
        Self { recall, ..self }
    }

    /// Ends the run. Every handle dies here.
    pub(crate) fn end(self) -> Ending {
        Ending {
            results: self.results.into_inner().unwrap_or_else(PoisonError::into_inner),
            said: self.said.into_inner().unwrap_or_else(PoisonError::into_inner),
            stated: self.stated.into_inner().unwrap_or_else(PoisonError::into_inner),
            cause: self.cause.into_inner().unwrap_or_else(PoisonError::into_inner),
            told_to_stop: self.told_to_stop.into_inner(),
        }
    }

    fn log(&self, level: u32, text: &str) {
        let level = match level {
            CS_LOG_WARNING => LogLevel::Warning,
            CS_LOG_DEBUG => LogLevel::Debug,
            _ => LogLevel::Info,
        };
        let text = format!("{}: {text}", self.analysis);
        self.control.log(level, &text);
        let mut said = locked(&self.said);
        if level < LogLevel::Debug && said.len() <= MOST_LINES {
            said.push((level, text));
        }
    }

    fn progress(&self, fraction: f64, text: &str) -> Result<(), Fault> {
        let fraction = if fraction.is_nan() { 0.0 } else { fraction.clamp(0.0, 1.0) };
        self.control.progress(fraction, text);
        if self.control.is_cancelled() { Err(HostError::Cancelled.into()) } else { Ok(()) }
    }

    fn is_cancelled(&self) -> bool {
        let cancelled = self.control.is_cancelled();
        if cancelled {
            self.told_to_stop.store(true, Ordering::Relaxed);
        }
        cancelled
    }

    fn rng_seed(&self, stream: u64) -> u64 {
        seed::derive(self.seed, &self.analysis, &self.parameters.json, stream)
    }

    fn set_error(&self, text: &str) {
        *locked(&self.stated) = Some(text.to_owned());
    }

    /// Remembers why a call on this thread failed, and says it as a status.
    fn failed(&self, fault: Fault) -> CsStatus {
        let status = fault.status();
        let text = fault.to_string().into_boxed_str();
        locked(&self.words).entry(std::thread::current().id()).or_default().error = text;
        match fault {
            Fault::Host(HostError::Cancelled) => self.told_to_stop.store(true, Ordering::Relaxed),
            Fault::Host(error) => *locked(&self.cause) = Some(error),
            Fault::Panicked(message) => {
                let analysis = self.analysis.clone();
                *locked(&self.cause) = Some(HostError::Panicked { analysis, message });
            }
            _ => {}
        }
        status
    }

    /// Looks at the last error of this thread.
    fn with_last_error<T>(&self, look: impl FnOnce(&str) -> T) -> T {
        let words = locked(&self.words);
        look(words.get(&std::thread::current().id()).map_or("", |words| &words.error))
    }

    fn parameter(&self, key: &str) -> Result<&Value, Fault> {
        match self.parameters.json.get(key) {
            Some(Value::Null) | None => {
                Err(Fault::Invalid(format!("parameter `{key}` was not given")))
            }
            Some(value) => Ok(value),
        }
    }

    fn typed<'v, T>(
        &'v self,
        key: &str,
        what: &str,
        read: impl FnOnce(&'v Value) -> Option<T>,
    ) -> Result<T, Fault> {
        let value = self.parameter(key)?;
        read(value).ok_or_else(|| Fault::Invalid(format!("parameter `{key}` is not {what}")))
    }

    fn parameter_count(&self, key: &str) -> u64 {
        match self.parameters.json.get(key) {
            None | Some(Value::Null) => 0,
            Some(Value::Array(items)) => items.len() as u64,
            Some(_) => 1,
        }
    }

    fn parameter_handle(&self, key: &str, index: u64, kind: u32) -> Result<u64, Fault> {
        if kind == CS_PARAM_MODEL {
            return Err(Fault::Unsupported("models as parameters".to_owned()));
        }
        let known = self.parameters.handles.get(key);
        let given = usize::try_from(index).ok().and_then(|index| known?.get(index));
        let held = match (given, kind) {
            (Some(Given::Dataset(dataset)), CS_PARAM_DATASET) => Held::Dataset(Arc::clone(dataset)),
            (Some(Given::Tensor(values)), CS_PARAM_TENSOR) => {
                Held::Tensor(Slot::of_host(values.clone()))
            }
            (Some(_), _) => return Err(Fault::WrongParameter(key.to_owned())),
            (None, _) => {
                return Err(Fault::Invalid(format!("parameter `{key}` has no handle {index}")));
            }
        };
        Ok(self.once(key, index, held))
    }

    /// Returns the handle that was given out for a thing before, or a new one.
    fn once(&self, key: &str, index: u64, held: Held) -> u64 {
        let mut given = locked(&self.given);
        *given.entry((key.to_owned(), index)).or_insert_with(|| self.handles.hold(held))
    }

    fn current_model(&self) -> u64 {
        // No parameter has an empty key.
        self.once("", 0, Held::Model(Arc::clone(&self.model)))
    }

    fn item(&self, dataset: u64, index: u64) -> Result<String, Fault> {
        let dataset = self.handles.dataset(dataset)?;
        self.engine.check_cancelled()?;
        let item = self.engine.compute(|| dataset.item(place(index)))?;
        serde_json::to_string(&item).map_err(|error| Fault::Invalid(error.to_string()))
    }

    fn item_input(&self, dataset: u64, index: u64) -> Result<u64, Fault> {
        let dataset = self.handles.dataset(dataset)?;
        self.engine.check_cancelled()?;
        let tensor = self.engine.compute(|| dataset.image(place(index)))?;
        self.handles.lend(crate::tensors::values_of(&tensor)?)
    }

    fn pixels(&self, dataset: u64, index: u64) -> Result<u64, Fault> {
        let dataset = self.handles.dataset(dataset)?;
        self.engine.check_cancelled()?;
        match self.engine.compute(|| dataset.pixels(place(index)))? {
            Some(values) => self.handles.lend(values),
            None => Err(Fault::Unsupported("pixels of a raw tensor".to_owned())),
        }
    }

    fn dataset_of(&self, tensor: u64) -> Result<u64, Fault> {
        let values = self.handles.values(tensor)?;
        let tensor = tensor_of(&values)
            .ok_or_else(|| Fault::Invalid("images cannot be made of bytes".to_owned()))?;
        let images = Arc::new(ImageSet::of_tensor(&tensor)?);
        let dataset = Dataset::new(images, Arc::clone(&self.model))?;
        Ok(self.handles.hold(Held::Dataset(Arc::new(dataset))))
    }

    fn create(&self, dtype: u32, shape: &[u64]) -> Result<u64, Fault> {
        self.handles.create(dtype, shape)
    }

    fn emit(&self, kind: u32, name: &str, meta: &str, tensor: u64) -> Result<(), Fault> {
        let values = if tensor == CS_NONE { None } else { Some(self.handles.take(tensor)?) };
        locked(&self.results).add(kind, name, meta, values)
    }

    /// Keeps a text for this thread until its next call, and looks at it.
    fn keep_item<T>(&self, text: String, look: impl FnOnce(&str) -> T) -> T {
        let mut words = locked(&self.words);
        let words = words.entry(std::thread::current().id()).or_default();
        words.item = text.into_boxed_str();
        look(&words.item)
    }
}

/// An index from outside; one that does not fit cannot exist either.
fn place(index: u64) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// Locks; a panic of another thread, which was caught, has left nothing half done here.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Plugins may call from any thread.
const _: () = {
    const fn shared<T: Sync>() {}
    shared::<Run<'static>>();
};
