//! The session: one set of options, plugins, threads and memory for everything that is run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use convscope_abi::CsStatus;
use convscope_data::{Preprocessing, Preset};
use convscope_protocol::Findings;
use convscope_protocol::findings::Origin;
use convscope_runtime::{Backend, ConvolutionForms, CpuBackend, Isa};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::HostError;
use crate::arguments::{self, Argument, Parameters};
use crate::cache::{Cache, CacheOptions, CacheUse, Key, Parts, Recall};
use crate::control::Control;
use crate::engine::{Engine, Passes};
use crate::images::{ImageOptions, ImageSet};
use crate::memory::default_budget;
use crate::model::{Model, ModelOptions, Weights};
use crate::registry::{Analysis, Plugin, Registry};
use crate::seed;
use crate::serve::{Ending, Run};

/// How a session works.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// From which all seeds are derived.
    pub seed: u64,
    /// Number of threads; as many as there are processors when absent.
    pub threads: Option<usize>,
    /// Bytes that may be used; half of the free memory when absent.
    pub memory: Option<u64>,
    /// How pictures become the input of models, instead of their cards.
    pub preprocess: Option<Preset>,
    /// Which forms convolutions may take.
    pub convolutions: ConvolutionForms,
    /// How cases that cover a part of an image are computed.
    pub passes: Passes,
    /// Where results are kept for later runs; nowhere when absent.
    pub cache: Option<CacheOptions>,
}

/// One set of options, plugins, threads and memory for everything that is run.
#[derive(Debug)]
pub struct Session {
    options: SessionOptions,
    registry: Registry,
    backend: CpuBackend,
    /// The backend and what changes the bits of its results, in words.
    computed_by: String,
    pool: ThreadPool,
    memory: u64,
    cache: Option<Cache>,
}

impl Session {
    /// Starts a session.
    ///
    /// # Errors
    /// Fails when threads cannot be started, or `CONVSCOPE_ISA` names what this processor lacks.
    pub fn new(options: SessionOptions, registry: Registry) -> Result<Self, HostError> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(options.threads.unwrap_or(0))
            .thread_name(|index| format!("convscope-{index}"))
            .build()
            .map_err(HostError::Threads)?;
        let memory = options.memory.unwrap_or_else(default_budget);
        let backend = CpuBackend::with_isa(Isa::detect()?).with_forms(options.convolutions);
        let computed_by = match options.passes {
            Passes::Incremental => backend.name().to_owned(),
            Passes::Full => format!("{}, full passes", backend.name()),
        };
        // Whatever changes the bits of results belongs into `computing`, or caches would mix them up.
        let SessionOptions {
            seed: _,
            threads: _,
            memory: _,
            preprocess: _,
            convolutions,
            passes,
            cache: _,
        } = &options;
        let (name, isa) = (backend.name(), backend.isa().name());
        let computing = format!("{name} {isa} {convolutions:?} {passes:?}");
        let cache = options.cache.as_ref().map(|options| Cache::new(options, computing));
        Ok(Self { options, registry, backend, computed_by, pool, memory, cache })
    }

    /// Returns the plugins.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the seed from which all others are derived.
    pub fn seed(&self) -> u64 {
        self.options.seed
    }

    /// Returns the name of the backend, with the options that change the bits of its results.
    pub fn backend(&self) -> &str {
        &self.computed_by
    }

    /// Returns the name of the instruction set that the kernels use.
    pub fn instruction_set(&self) -> &'static str {
        self.backend.isa().name()
    }

    /// Counts the calls of kernels that the fast backend lacks and the plain one computed, by the
    /// kernel's name.
    pub fn conversions(&self) -> BTreeMap<&'static str, u64> {
        self.backend.conversions()
    }

    /// Returns the bytes that may be used.
    pub fn memory(&self) -> u64 {
        self.memory
    }

    /// Returns the number of threads.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Returns what was taken from the cache so far, where there is one.
    pub fn cache_use(&self) -> Option<CacheUse> {
        self.cache.as_ref().map(Cache::used)
    }

    /// Loads a model, its card and its labels.
    ///
    /// # Errors
    /// Fails when one of them cannot be read or does not fit the others.
    pub fn load_model(&self, path: &Path, options: &ModelOptions) -> Result<Arc<Model>, HostError> {
        let preset = self.options.preprocess;
        let model = Model::load(path, options, preset, Weights::Loaded)?;
        Ok(Arc::new(model.placed(&self.backend)?))
    }

    /// Loads all of a model but its weights: its layers, their names and shapes, its card and its
    /// labels. This takes a moment whatever the size of the file; the description has no hash.
    ///
    /// # Errors
    /// As [`load_model`](Self::load_model). Whatever computes with the model fails later.
    pub fn outline_model(
        &self,
        path: &Path,
        options: &ModelOptions,
    ) -> Result<Arc<Model>, HostError> {
        let preset = self.options.preprocess;
        Ok(Arc::new(Model::load(path, options, preset, Weights::Skipped)?))
    }

    /// Lists the images of files, folders, patterns, CSV lists and tensors. None is decoded yet.
    ///
    /// # Errors
    /// Fails when there are none, or something cannot be read.
    pub fn load_images(
        &self,
        sources: &[PathBuf],
        options: &ImageOptions,
    ) -> Result<Arc<ImageSet>, HostError> {
        Ok(Arc::new(ImageSet::load(sources, options)?))
    }

    /// Runs an analysis on a model.
    ///
    /// # Errors
    /// Fails when the analysis or a parameter is unknown or wrong, the user cancels, the analysis
    /// fails, or what it hands back does not fit together.
    pub fn run(
        &self,
        model: &Arc<Model>,
        analysis: &str,
        arguments: BTreeMap<String, Argument>,
        control: &dyn Control,
    ) -> Result<Findings, HostError> {
        model.check_complete()?;
        let (plugin, analysis) = self.registry.analysis(analysis)?;
        let name = plugin.full_name(analysis);
        let parameters =
            arguments::complete(model, &name, analysis.descriptor(), arguments, control)?;
        let origin = Origin {
            analysis: name.clone(),
            semantics: semantics(analysis),
            parameters: parameters.json.clone(),
            plugin_hash: plugin.descriptor().hash.clone(),
            model_hash: model.description().hash.clone(),
            images_hash: parameters.images_hash(control)?,
            seed: self.options.seed,
            backend: self.computed_by.clone(),
        };
        let known = match &self.cache {
            Some(cache) if analysis.descriptor().deterministic => {
                let key = results_key(cache, model, &origin, &parameters, control)?;
                key.map(|key| (cache, key))
            }
            _ => None,
        };
        if let Some((cache, key)) = &known
            && let Some(findings) = cache.load_findings(key, control)
        {
            return Ok(Findings { origin, ..findings });
        }
        let cancelled = || control.is_cancelled();
        let engine = self.engine(model, &cancelled);
        let recall = self.cache.as_ref().map(|cache| Recall::new(cache, control));
        let seed = self.options.seed;
        let run = Run::new(&name, engine, Arc::clone(model), parameters, control, seed);
        let run = run.recalling(recall.as_ref());
        let status = analysis.call(&run);
        let mut ending = run.end();
        let said = std::mem::take(&mut ending.said);
        let findings = outcome(plugin, &name, status, ending)?;
        if let Some(recall) = recall {
            recall.end();
        }
        if let Some((cache, key)) = &known {
            cache.save_findings(key, &findings, said, control);
        }
        Ok(Findings { origin, ..findings })
    }

    pub(crate) fn engine<'a>(
        &'a self,
        model: &'a Model,
        cancelled: &'a (dyn Fn() -> bool + Sync),
    ) -> Engine<'a> {
        Engine {
            network: model.network(),
            backend: &self.backend,
            pool: &self.pool,
            memory: self.memory,
            passes: self.options.passes,
            cancelled,
        }
    }
}

/// Returns the key of what an analysis finds; nothing where not all that decides it is known.
fn results_key(
    cache: &Cache,
    model: &Model,
    origin: &Origin,
    parameters: &Parameters,
    control: &dyn Control,
) -> Result<Option<Key>, HostError> {
    let Some(base) = cache.of_model(model, control) else { return Ok(None) };
    let preprocessing = model.preprocessing().map(Preprocessing::hash).transpose()?;
    let parts = base
        .with("findings")
        .with(&origin.analysis)
        .with(&origin.plugin_hash)
        .with(&origin.images_hash)
        .with(origin.seed.to_le_bytes())
        .with(seed::canonical(&parameters.json))
        .with(model.json())
        .with(preprocessing.map_or_else(String::new, |hash| hash.to_string()));
    Ok(Some(parameters.words_of_images().fold(parts, Parts::with).key()))
}

/// Turns the status of a run into its findings or the reason why there are none.
fn outcome(
    plugin: &Plugin,
    analysis: &str,
    status: CsStatus,
    ending: Ending,
) -> Result<Findings, HostError> {
    let misbehaved = |what: String| HostError::Misbehaved { analysis: analysis.to_owned(), what };
    let file = plugin.path().display();
    if let Some(panicked @ HostError::Panicked { .. }) = ending.cause {
        return Err(panicked);
    }
    match status {
        CsStatus::OK => ending.results.finish(analysis),
        // However the plugin put it into words: it stopped because the user wanted it to.
        CsStatus(1..=5) if ending.told_to_stop => Err(HostError::Cancelled),
        CsStatus::CANCELLED => {
            Err(misbehaved(format!("{file} stopped as if cancelled, but nobody did")))
        }
        CsStatus::PANICKED => {
            let words = ending.stated.unwrap_or_else(|| "without words".to_owned());
            Err(misbehaved(format!("{file} panicked: {words}")))
        }
        CsStatus(1..=5) => {
            let message = ending
                .stated
                .unwrap_or_else(|| format!("failed with status {} and no words", status.0));
            // The host's own error says more than the words into which the plugin put it.
            let cause = ending.cause.filter(|cause| message.contains(&cause.to_string()));
            let analysis = analysis.to_owned();
            Err(HostError::Analysis { analysis, message, cause: cause.map(Box::new) })
        }
        CsStatus(other) => Err(misbehaved(format!("{file} returned {other}, which is no status"))),
    }
}

/// Returns the first paragraph of an analysis' description.
fn semantics(analysis: &Analysis) -> String {
    let doc = analysis.descriptor().doc.trim();
    let paragraph = doc.split("\n\n").next().unwrap_or_default();
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
