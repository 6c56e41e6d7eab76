//! What scripts ask for, answered by the host.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use convscope_data::{Labels, Preset};
use convscope_host::{Argument, Control, HostError, ImageSet, Model, ModelOptions, Session};
use convscope_protocol::{Findings, ModelDescription, ParameterError, PluginDescriptor, Role};
use convscope_report::Ingredient;
use convscope_script as script;
use serde_json::Value;

use crate::console::{self, Console};

/// The host, as scripts see it. Remembers what was loaded, for the manifest.
pub(crate) struct Workbench {
    session: Arc<Session>,
    console: Arc<Console>,
    loaded: Arc<Mutex<Loaded>>,
}

/// What a script loaded, in order, each once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loaded {
    /// Models with their hashes.
    pub(crate) models: Vec<Ingredient>,
    /// Image sets with their hashes.
    pub(crate) images: Vec<Ingredient>,
}

impl Workbench {
    /// Answers with a session.
    pub(crate) fn new(session: Arc<Session>, console: Arc<Console>) -> Self {
        Self { session, console, loaded: Arc::default() }
    }

    /// Returns what was loaded so far.
    pub(crate) fn loaded(&self) -> Loaded {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl script::Workbench for Workbench {
    fn plugins(&self) -> Vec<PluginDescriptor> {
        let plugins = self.session.registry().plugins();
        plugins.iter().map(|plugin| plugin.descriptor().clone()).collect()
    }

    fn presets(&self) -> Vec<String> {
        Preset::ALL.iter().map(ToString::to_string).collect()
    }

    fn outline(
        &self,
        path: &Path,
        options: &script::ModelOptions,
    ) -> Result<Arc<dyn script::ModelOutline>, script::Failure> {
        let given = model_options(path, options)?;
        let model = self.session.outline_model(path, &given).map_err(|error| failure(&error))?;
        Ok(Arc::new(Outline(model)))
    }

    fn check_images(
        &self,
        sources: &[PathBuf],
        options: &script::ImageOptions,
    ) -> Result<(), script::Failure> {
        // Tensors are read as a whole: that is left to the call.
        let is_tensor = |path: &&PathBuf| {
            path.extension().is_some_and(|extension| {
                extension.eq_ignore_ascii_case("npy") || extension.eq_ignore_ascii_case("pb")
            })
        };
        let sources: Vec<PathBuf> =
            sources.iter().filter(|path| !is_tensor(path)).cloned().collect();
        self.list(&sources, options).map(|_| ())
    }

    fn load_model(
        &self,
        path: &Path,
        options: &script::ModelOptions,
    ) -> Result<Arc<dyn script::ScriptModel>, script::Failure> {
        let given = model_options(path, options)?;
        let model = self.session.load_model(path, &given).map_err(|error| failure(&error))?;
        let description = model.description();
        let ingredient = model_ingredient(description);
        remember(&mut self.lock().models, ingredient);
        let (session, console) = (Arc::clone(&self.session), Arc::clone(&self.console));
        Ok(Arc::new(LoadedModel { model, session, console }))
    }

    fn load_images(
        &self,
        sources: &[PathBuf],
        options: &script::ImageOptions,
    ) -> Result<Arc<dyn script::ScriptImages>, script::Failure> {
        let set = self.list(sources, options)?;
        let hash = set.hash(&*self.console).map_err(|error| failure(&error))?.to_owned();
        let name = sources.iter().find_map(|source| source.file_name());
        let name = name.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        remember(&mut self.lock().images, Ingredient { name, hash, preprocessing: None });
        Ok(Arc::new(LoadedImages(set)))
    }

    fn progress(&self, text: &str) {
        self.console.note(text);
    }

    fn print(&self, text: &str) {
        self.console.result(text);
    }

    fn debug(&self, text: &str) {
        self.console.note(text);
    }

    fn is_cancelled(&self) -> bool {
        self.console.is_cancelled()
    }
}

impl Workbench {
    fn list(
        &self,
        sources: &[PathBuf],
        options: &script::ImageOptions,
    ) -> Result<Arc<ImageSet>, script::Failure> {
        let given =
            convscope_host::ImageOptions { limit: options.limit, labels: options.labels.clone() };
        let set = self.session.load_images(sources, &given).map_err(|error| failure(&error))?;
        for entry in set.entries() {
            options.reach.check(entry.path())?;
        }
        Ok(set)
    }

    fn lock(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Turns the options of a model into the host's.
fn model_options(
    path: &Path,
    options: &script::ModelOptions,
) -> Result<ModelOptions, script::Failure> {
    let preprocess = match &options.preprocess {
        Some(name) => Some(name.parse::<Preset>().map_err(|error| {
            script::Failure::new(script::kind::INVALID_PARAMETER, error.to_string())
                .with_key("preprocess")
        })?),
        None => None,
    };
    check_card(path, &options.reach)?;
    Ok(ModelOptions {
        input: options.input.clone(),
        preprocess,
        labels: options.labels.clone(),
        weights: options.weights.clone(),
        ..ModelOptions::default()
    })
}

/// Checks that the card of a model, and the labels that the card names, may be read.
fn check_card(model: &Path, reach: &script::Reach) -> Result<(), script::Failure> {
    for file in convscope_data::card_files(model) {
        reach.check(&file)?;
    }
    // A card that cannot be read is the model's failure, which says more.
    let card = convscope_data::card_of(model, None).ok().flatten();
    match card.and_then(|card| card.labels) {
        Some(Labels::File(labels)) => reach.check(&labels).map(|_| ()),
        Some(Labels::Names(_)) | None => Ok(()),
    }
}

/// Says what a model is, for the manifest.
pub(crate) fn model_ingredient(description: &ModelDescription) -> Ingredient {
    Ingredient {
        name: description.name.clone(),
        hash: description.hash.clone(),
        preprocessing: description.preprocessing_source.clone(),
    }
}

fn remember(list: &mut Vec<Ingredient>, ingredient: Ingredient) {
    if !list.contains(&ingredient) {
        list.push(ingredient);
    }
}

/// What is known of a model before a script runs.
struct Outline(Arc<Model>);

impl script::ModelOutline for Outline {
    fn description(&self) -> &ModelDescription {
        self.0.description()
    }

    fn check(&self, role: Role, path: &str, value: &Value) -> Result<(), ParameterError> {
        self.0.check(role, path, value)
    }
}

/// A model, as scripts see it.
struct LoadedModel {
    model: Arc<Model>,
    session: Arc<Session>,
    console: Arc<Console>,
}

impl script::ScriptModel for LoadedModel {
    fn description(&self) -> &ModelDescription {
        self.model.description()
    }

    fn predict(
        &self,
        images: &Arc<dyn script::ScriptImages>,
        top: usize,
    ) -> Result<Vec<script::Prediction>, script::Failure> {
        let control: &dyn Control = self.console.as_ref();
        let predictions = self.session.predict(&self.model, &set_of(images)?, top, control);
        self.console.clear();
        let predictions = predictions.map_err(|error| failure(&error))?;
        let turned = |prediction: convscope_host::Prediction| script::Prediction {
            name: prediction.name,
            classes: prediction.classes,
        };
        Ok(predictions.into_iter().map(turned).collect())
    }

    fn run(
        &self,
        analysis: &str,
        arguments: BTreeMap<String, script::Argument>,
    ) -> Result<Findings, script::Failure> {
        let arguments = arguments
            .into_iter()
            .map(|(key, argument)| Ok((key, argument_of(argument)?)))
            .collect::<Result<_, script::Failure>>()?;
        let control = console::Named::new(&self.console, analysis);
        let findings = self.session.run(&self.model, analysis, arguments, &control);
        self.console.clear();
        findings.map_err(|error| failure(&error))
    }
}

/// A set of images, as scripts see it.
struct LoadedImages(Arc<ImageSet>);

impl script::ScriptImages for LoadedImages {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn names(&self) -> Vec<String> {
        self.0.entries().iter().map(convscope_data::Entry::name).collect()
    }
}

fn set_of(images: &Arc<dyn script::ScriptImages>) -> Result<Arc<ImageSet>, script::Failure> {
    let any: Arc<dyn Any + Send + Sync> = Arc::<dyn script::ScriptImages>::clone(images);
    match any.downcast::<LoadedImages>() {
        Ok(images) => Ok(Arc::clone(&images.0)),
        Err(_) => Err(script::Failure::new(
            script::kind::INVALID_IMAGES,
            "these images are from elsewhere",
        )),
    }
}

fn argument_of(argument: script::Argument) -> Result<Argument, script::Failure> {
    Ok(match argument {
        script::Argument::Json(value) => Argument::Json(value),
        script::Argument::Images(images) => Argument::Images(set_of(&images)?),
        script::Argument::Tensor(array) => Argument::Tensor((*array).clone()),
        script::Argument::List(items) => {
            Argument::List(items.into_iter().map(argument_of).collect::<Result<_, _>>()?)
        }
    })
}

/// Turns an error of the host into what scripts can catch.
fn failure(error: &HostError) -> script::Failure {
    if matches!(error, HostError::Cancelled) {
        return script::Failure::cancelled();
    }
    script::Failure {
        kind: error.kind().to_owned(),
        message: error.to_string(),
        key: error.key().map(str::to_owned),
        help: error.help(),
    }
}
