//! Why an analysis stopped.

use convscope_abi::CsStatus;
use thiserror::Error;

/// Why an analysis stopped. Its words are what the user reads, behind the analysis' name.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// The user wants to stop. Return it at once.
    ///
    /// Cure: Return it at once, so that the program ends when its user wants it to.
    #[error("cancelled")]
    Cancelled,
    /// The parameters are wrong in a way the schema cannot say.
    ///
    /// Cure: Users: give the parameter another value, as the message says; `convscope plugins
    /// describe NAME` explains it. Authors: use `AnalysisError::parameter`, which names it.
    #[error("{0}")]
    Invalid(String),
    /// The analysis cannot do this with this model or these pictures.
    ///
    /// Cure: Users: take another layer, another model or other pictures, as the message says.
    #[error("{0}")]
    Unsupported(String),
    /// Something else went wrong.
    ///
    /// Cure: Users: tell the plugin's authors, with the message.
    #[error("{0}")]
    Failed(String),
    /// The host refused a call; the reason is its own.
    ///
    /// Cure: Pass it on: the user reads the host's own words and help.
    #[error("{reason}")]
    Host {
        /// The function of the host's.
        function: &'static str,
        /// What it returned.
        status: CsStatus,
        /// Its words.
        reason: String,
    },
    /// The host broke the plugin interface.
    ///
    /// Cure: Build the plugin again with the `convscope-sdk` of the program that loads it; if it
    /// goes on, please report it.
    #[error("the host broke the plugin interface: {0}")]
    Interface(String),
}

impl AnalysisError {
    /// A parameter is wrong in a way the schema cannot say.
    pub fn parameter(key: &str, problem: impl std::fmt::Display) -> Self {
        Self::Invalid(format!("`{key}`: {problem}"))
    }

    /// Returns what the host is told beside the words.
    pub(crate) fn status(&self) -> CsStatus {
        match self {
            Self::Cancelled => CsStatus::CANCELLED,
            Self::Invalid(_) => CsStatus::INVALID,
            Self::Unsupported(_) => CsStatus::UNSUPPORTED,
            Self::Host { status, .. } => *status,
            Self::Failed(_) | Self::Interface(_) => CsStatus::FAILED,
        }
    }
}

impl From<ndarray::ShapeError> for AnalysisError {
    fn from(error: ndarray::ShapeError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<convscope_statistics::StatisticsError> for AnalysisError {
    fn from(error: convscope_statistics::StatisticsError) -> Self {
        Self::Failed(error.to_string())
    }
}
