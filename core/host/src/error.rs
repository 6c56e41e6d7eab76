//! What can go wrong in a session.

use std::path::{Path, PathBuf};

use convscope_data::DataError;
use convscope_onnx::OnnxError;
use convscope_protocol::schema::ParameterError;
use convscope_protocol::suggest::did_you_mean;
use convscope_runtime::{BackendError, LayerError, NetworkError};
use thiserror::Error;

/// An error of working with models and running analyses.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HostError {
    /// No plugin offers an analysis of this name.
    #[error("there is no analysis `{name}`")]
    UnknownAnalysis {
        /// What was asked for.
        name: String,
        /// Names that look like it.
        nearest: Vec<String>,
        /// Where plugins were looked for, when none at all was found.
        searched: Vec<PathBuf>,
    },
    /// Several plugins offer an analysis of this short name.
    #[error("`{name}` is offered by {}", plugins.join(" and "))]
    AmbiguousAnalysis {
        /// What was asked for.
        name: String,
        /// The full names.
        plugins: Vec<String>,
    },
    /// Parameters that do not fit the analysis.
    #[error("{}: {}", short(analysis), join(errors))]
    Parameters {
        /// Full name of the analysis.
        analysis: String,
        /// Everything that is wrong.
        errors: Vec<ParameterError>,
    },
    /// A name that is no layer or value of the model.
    #[error("the model has no layer `{name}`")]
    UnknownLayer {
        /// What was asked for.
        name: String,
        /// Names that look like it.
        nearest: Vec<String>,
    },
    /// A unit that a value does not have.
    ///
    /// Cure: Give a channel and a position that the shape has, counted from 0: `[channel, height,
    /// width]` is the order of its numbers. `convscope inspect` shows the shape of each layer.
    #[error("{value} has shape {shape}: {reason}")]
    Unit {
        /// Name of the value.
        value: String,
        /// Its shape for one image.
        shape: String,
        /// What does not fit.
        reason: String,
    },
    /// A case, an intervention, a capture or a start that does not fit.
    ///
    /// Cure: For users: choose a layer that depends on the picture. For authors of plugins: number
    /// images, units and captures as the interface says.
    #[error("{what}: {reason}")]
    Request {
        /// What was asked for, such as `case 3`.
        what: String,
        /// What does not fit.
        reason: String,
    },
    /// A value holds NaN, which no reduction may hide.
    ///
    /// Cure: A model in 16-bit floating point that overflows, weights that have diverged, or
    /// pictures prepared with a standard deviation of nearly 0 do this.
    #[error("{value} of case {case} holds NaN")]
    NotANumber {
        /// Name of the value.
        value: String,
        /// Number of the case.
        case: usize,
    },
    /// A rule or kind of layer that composites do not know.
    #[error("there is no {what} `{name}`")]
    UnknownRule {
        /// `rule` or `kind of layer`.
        what: &'static str,
        /// What was asked for.
        name: String,
        /// Those that exist.
        known: Vec<String>,
    },
    /// The model says nothing about how pictures become its input.
    #[error("nothing says how pictures become the input of {}", model.display())]
    NoCard {
        /// The model's file.
        model: PathBuf,
        /// Where the card would be.
        card: PathBuf,
    },
    /// The model card names a value that the model does not have.
    ///
    /// Cure: Correct `scores` of the card: it names the value that holds one score per class. What
    /// follows the message is the error of that name.
    #[error("model card {}: scores: {source}", card.display())]
    Card {
        /// The card.
        card: PathBuf,
        /// What is wrong.
        source: Box<HostError>,
    },
    /// The labels do not fit the model.
    ///
    /// Cure: A model with 1001 classes has one for the background, which must have a line too.
    #[error("{} has {count} labels, but the model has {classes} classes", path.display())]
    LabelCount {
        /// The file of labels.
        path: PathBuf,
        /// How many it has.
        count: usize,
        /// How many classes the model has.
        classes: usize,
    },
    /// Something of the model that is needed is not there.
    ///
    /// Cure: Use a model with one input for pictures and one score per class. Where it has several
    /// outputs, `scores` in its card chooses.
    #[error("{}: {reason}", model.display())]
    Model {
        /// The model's file.
        model: PathBuf,
        /// What is missing or unsuitable.
        reason: String,
    },
    /// Images that do not fit.
    ///
    /// Cure: Give pictures, or tensors of the shape that the model takes for one image; `convscope
    /// inspect` shows it.
    #[error("{what}: {reason}")]
    Images {
        /// Which image.
        what: String,
        /// What does not fit.
        reason: String,
    },
    /// One item does not fit the memory given to the session.
    #[error("{what} needs {needed} bytes, but the session may use {budget}")]
    Memory {
        /// What was to be computed.
        what: String,
        /// Bytes for one item.
        needed: u64,
        /// Bytes the session may use.
        budget: u64,
    },
    /// The user stopped the work.
    ///
    /// Cure: Run it again. Nothing was written.
    #[error("cancelled")]
    Cancelled,
    /// An analysis failed.
    ///
    /// Cure: The words are those of the analysis; `convscope plugins describe NAME` explains its
    /// parameters. Where it passes on an error of convscope's, the help is that of the error.
    #[error("{}: {message}", short(analysis))]
    Analysis {
        /// Full name of the analysis.
        analysis: String,
        /// Its own words.
        message: String,
        /// The host's error that it passes on, if it does.
        #[source]
        cause: Option<Box<HostError>>,
    },
    /// A plugin broke the rules of the interface.
    ///
    /// Cure: It crashed, or did what the interface does not allow. Results would not be to be
    /// trusted, so there are none.
    #[error("{analysis}: the plugin {what}")]
    Misbehaved {
        /// Full name of the analysis.
        analysis: String,
        /// What it did, in words.
        what: String,
    },
    /// The host itself panicked while it served an analysis.
    #[error("{analysis}: convscope panicked: {message}")]
    Panicked {
        /// Full name of the analysis.
        analysis: String,
        /// The words of the panic.
        message: String,
    },
    /// What an analysis handed back does not fit together.
    ///
    /// Cure: Arrays, tables and figures must fit together: see [what findings do not
    /// take](#findingserror).
    #[error("{analysis}: {reason}")]
    BadResult {
        /// Full name of the analysis.
        analysis: String,
        /// Which result, and what is wrong with it.
        reason: String,
    },
    /// The session's threads cannot be started.
    ///
    /// Cure: A limit of the system's is another cause: `ulimit -u` shows and raises it.
    #[error("cannot start threads: {0}")]
    Threads(#[source] rayon::ThreadPoolBuildError),
    /// A model cannot be loaded.
    #[error("{}", of_model(path, source))]
    Onnx {
        /// The model's file.
        path: PathBuf,
        /// What is wrong with it.
        source: OnnxError,
    },
    /// Pictures, labels or a card cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network cannot be computed.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The backend failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A layer failed.
    #[error(transparent)]
    Layer(#[from] LayerError),
}

impl HostError {
    /// Names the kind of error for programs, in snake case.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::UnknownAnalysis { .. } => "unknown_analysis",
            Self::AmbiguousAnalysis { .. } => "ambiguous_analysis",
            Self::Parameters { .. } => "invalid_parameter",
            Self::UnknownLayer { .. } => "unknown_layer",
            Self::Unit { .. } => "unknown_unit",
            Self::Request { .. } => "invalid_request",
            Self::NotANumber { .. } => "not_a_number",
            Self::UnknownRule { .. } => "unknown_rule",
            Self::NoCard { .. } => "no_card",
            Self::Card { .. } => "invalid_card",
            Self::LabelCount { .. } => "invalid_labels",
            Self::Onnx {
                source:
                    OnnxError::OperatorSet { .. }
                    | OnnxError::UnsupportedModel { .. }
                    | OnnxError::UnsupportedNodes(_),
                ..
            } => "unsupported_model",
            Self::Model { .. } | Self::Onnx { .. } => "invalid_model",
            Self::Images { .. } => "invalid_images",
            Self::Memory { .. } => "not_enough_memory",
            Self::Cancelled => "cancelled",
            Self::Analysis { cause: Some(cause), .. } => cause.kind(),
            Self::Analysis { .. } => "analysis_failed",
            Self::Misbehaved { .. } => "plugin_misbehaved",
            Self::Panicked { .. } => "panicked",
            Self::BadResult { .. } => "invalid_result",
            Self::Threads(_) => "no_threads",
            Self::Data(_) => "invalid_data",
            Self::Network(_) | Self::Layer(_) => "invalid_network",
            Self::Backend(_) => "backend_failed",
        }
    }

    /// Returns the parameter at fault, where one is.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Parameters { errors, .. } => errors.first().map(|error| error.key.as_str()),
            Self::Analysis { cause: Some(cause), .. } => cause.key(),
            _ => None,
        }
    }

    /// Says what to do about it, where something can be said.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::UnknownAnalysis { searched, .. } if !searched.is_empty() => {
                let places: Vec<String> =
                    searched.iter().map(|path| path.display().to_string()).collect();
                Some(format!("no plugin was found at all; looked in\n  {}", places.join("\n  ")))
            }
            Self::UnknownAnalysis { nearest, .. } => {
                Some(question(nearest).unwrap_or("see `convscope plugins list`".to_owned()))
            }
            Self::UnknownLayer { nearest, .. } => {
                Some(question(nearest).unwrap_or("`convscope inspect` shows them all".to_owned()))
            }
            Self::AmbiguousAnalysis { .. } => Some("write the full name".to_owned()),
            Self::Parameters { errors, .. } => match errors.as_slice() {
                [error] => error.help.clone(),
                _ => None,
            },
            Self::UnknownRule { known, .. } => Some(format!("known are {}", known.join(", "))),
            Self::NoCard { card, .. } => Some(format!(
                "write a model card {} (its [input] says size, channel order, scale, mean and \
                 standard deviation), or give --preprocess imagenet, caffe, keras or raw",
                card.display()
            )),
            Self::Memory { needed, .. } => Some(format!(
                "give --memory {}M or more, or use a smaller model or input",
                needed.div_ceil(1 << 20)
            )),
            Self::LabelCount { .. } => {
                Some("give the labels of this very model: one a class, in its order".to_owned())
            }
            Self::NotANumber { .. } => {
                Some("see in which layer it begins: `convscope infer --capture LAYER`".to_owned())
            }
            Self::Misbehaved { .. } | Self::BadResult { .. } => {
                Some("this is a fault of the plugin: tell its authors".to_owned())
            }
            Self::Threads(_) => Some("give a smaller --threads".to_owned()),
            Self::Panicked { .. } => {
                Some("this is a fault of convscope, not yours: please report it".to_owned())
            }
            Self::Analysis { cause: Some(cause), .. } | Self::Card { source: cause, .. } => {
                cause.help()
            }
            _ => None,
        }
    }
}

fn question(nearest: &[String]) -> Option<String> {
    did_you_mean(&nearest.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Returns the part of an analysis' full name that its user writes.
fn short(analysis: &str) -> &str {
    analysis.rsplit_once('/').map_or(analysis, |(_, name)| name)
}

/// Says one error as it is, and several in one line each, with what to do about it.
fn join(errors: &[ParameterError]) -> String {
    if let [error] = errors {
        return error.message.clone();
    }
    let lines = errors.iter().map(|error| match &error.help {
        Some(help) => format!("\n  {}: {help}", error.message),
        None => format!("\n  {}", error.message),
    });
    format!("{} parameters are wrong:{}", errors.len(), lines.collect::<String>())
}

/// Names the file where the error itself does not.
fn of_model(path: &Path, source: &OnnxError) -> String {
    match source {
        OnnxError::Read { .. } | OnnxError::NotAFile { .. } => source.to_string(),
        _ => format!("{}: {source}", path.display()),
    }
}
