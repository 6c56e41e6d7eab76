//! What scripts ask for, and from whom: the program implements [`Workbench`] with its host.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use convscope_protocol::schema::{ParameterError, Role};
use convscope_protocol::{Array, Findings, ModelDescription, PluginDescriptor};
use serde_json::Value;

use crate::{Reach, kind};

/// What a running script needs from the program around it.
///
/// Calls come from the one thread that runs the script. Whatever takes long looks at the same
/// cancel flag as [`Workbench::is_cancelled`] and fails with [`Failure::cancelled`].
pub trait Workbench: Send + Sync {
    /// Describes every loaded plugin; asked once, before the script starts.
    fn plugins(&self) -> Vec<PluginDescriptor>;

    /// Returns the names of the presets of preprocessing.
    fn presets(&self) -> Vec<String>;

    /// Reads what a model consists of, to check names in a script before it runs.
    ///
    /// # Errors
    ///
    /// Says why the file cannot be used, as [`Workbench::load_model`] would.
    fn outline(
        &self,
        path: &Path,
        options: &ModelOptions,
    ) -> Result<Arc<dyn ModelOutline>, Failure>;

    /// Checks that absolute paths (files, folders, globs, lists) stand for images, without reading
    /// those.
    ///
    /// # Errors
    ///
    /// Says which source cannot be used, and why, as [`Workbench::load_images`] would.
    fn check_images(&self, sources: &[PathBuf], options: &ImageOptions) -> Result<(), Failure>;

    /// Loads a model from an absolute path.
    ///
    /// Files that the model leads to, such as its card and its labels, must pass [`Reach::check`] of
    /// the options before they are read.
    ///
    /// # Errors
    ///
    /// Says why the file cannot be used.
    fn load_model(
        &self,
        path: &Path,
        options: &ModelOptions,
    ) -> Result<Arc<dyn ScriptModel>, Failure>;

    /// Finds the images that absolute paths (files, folders, globs, lists) stand for.
    ///
    /// Folders, globs, lists and links lead to files that the script did not name: every file must
    /// pass [`Reach::check`] of the options before it is read.
    ///
    /// # Errors
    ///
    /// Says which source cannot be used, and why.
    fn load_images(
        &self,
        sources: &[PathBuf],
        options: &ImageOptions,
    ) -> Result<Arc<dyn ScriptImages>, Failure>;

    /// Shows what the script is doing.
    fn progress(&self, text: &str);

    /// Shows a line that the script prints as its result.
    fn print(&self, text: &str);

    /// Shows a line that the script's author wants to see while writing it.
    fn debug(&self, text: &str);

    /// Returns whether the user wants to stop.
    fn is_cancelled(&self) -> bool;
}

/// What a model consists of.
pub trait ModelOutline {
    /// Describes the model.
    fn description(&self) -> &ModelDescription;

    /// Checks a value that stands for a layer or a class of the model; `path` says in messages which
    /// value it is.
    ///
    /// # Errors
    ///
    /// Says what is wrong, and what was probably meant.
    fn check(&self, role: Role, path: &str, value: &Value) -> Result<(), ParameterError>;
}

/// A loaded model, as scripts see it.
pub trait ScriptModel: Send + Sync {
    /// Describes the model.
    fn description(&self) -> &ModelDescription;

    /// Classifies images: for each, its most probable classes, the best first.
    ///
    /// # Errors
    ///
    /// Says why the model cannot do that.
    fn predict(
        &self,
        images: &Arc<dyn ScriptImages>,
        top: usize,
    ) -> Result<Vec<Prediction>, Failure>;

    /// Runs an analysis, named `plugin/analysis`, with parameters by name.
    ///
    /// # Errors
    ///
    /// A failure that one parameter is to blame for carries its name as [`Failure::key`].
    fn run(
        &self,
        analysis: &str,
        arguments: BTreeMap<String, Argument>,
    ) -> Result<Findings, Failure>;
}

/// A set of images, as scripts see it.
///
/// A model gets back the very values that [`Workbench::load_images`] handed out: the program turns
/// the `Arc` into an `Arc<dyn Any + Send + Sync>` and downcasts it to its own type.
pub trait ScriptImages: Any + Send + Sync {
    /// Returns how many there are.
    fn len(&self) -> usize;

    /// Returns whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the name of each, in order.
    fn names(&self) -> Vec<String>;
}

/// Options of `load_model`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelOptions {
    /// A preset of preprocessing, instead of the model's card.
    pub preprocess: Option<String>,
    /// Shape of the input, for models that leave it open.
    pub input: Option<Vec<usize>>,
    /// Absolute path of the class names.
    pub labels: Option<PathBuf>,
    /// What may be read.
    pub reach: Arc<Reach>,
    /// Absolute path of a safetensors file with other weights than the model's.
    pub weights: Option<PathBuf>,
}

/// Options of `load_images`.
#[derive(Clone, Debug)]
pub struct ImageOptions {
    /// How many to use at most.
    pub limit: Option<usize>,
    /// Class of every image, a name or a number; before the limit is applied.
    pub labels: Option<Vec<String>>,
    /// What may be read.
    pub reach: Arc<Reach>,
}

/// The most probable classes of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Name of the image.
    pub name: String,
    /// Number, name and probability of each class, the best first.
    pub classes: Vec<(usize, String, f32)>,
}

/// The value of one parameter of an analysis.
#[derive(Clone)]
pub enum Argument {
    /// Numbers, words, lists and maps of those.
    Json(Value),
    /// A set of images.
    Images(Arc<dyn ScriptImages>),
    /// Numbers that another analysis computed.
    Tensor(Arc<Array>),
    /// A list that holds images or tensors.
    List(Vec<Argument>),
}

impl std::fmt::Debug for Argument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Json(value) => write!(f, "{value}"),
            Self::Images(images) => write!(f, "{} images", images.len()),
            Self::Tensor(array) => write!(f, "tensor {} {:?}", array.name, array.values.shape()),
            Self::List(items) => f.debug_list().entries(items).finish(),
        }
    }
}

/// Why something a script asked for did not work.
///
/// Scripts catch it as the map `#{ kind, message, key, help }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, in snake case, for programs: one of [`kind`], or the workbench's own.
    pub kind: String,
    /// What went wrong, for people; no capital at the start, no full stop at the end.
    pub message: String,
    /// The parameter or option that is to blame.
    pub key: Option<String>,
    /// What to do.
    pub help: Option<String>,
}

impl Failure {
    /// Makes a failure that says what went wrong.
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), message: message.into(), key: None, help: None }
    }

    /// Makes the failure of work that the user stopped. No script can catch it.
    pub fn cancelled() -> Self {
        Self::new(kind::CANCELLED, "stopped")
    }

    /// Blames a parameter or option.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
