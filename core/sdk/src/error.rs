//! Why an analysis stopped.

use convscope_abi::CsStatus;
use thiserror::Error;

/// Why an analysis stopped. Its words are what the user reads, behind the analysis' name.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// The user wants to stop. Return it at once.
    #[error("cancelled")]
    Cancelled,
    /// The parameters are wrong in a way the schema cannot say.
    #[error("{0}")]
    Invalid(String),
    /// The analysis cannot do this with this model or these pictures.
    #[error("{0}")]
    Unsupported(String),
    /// Something else went wrong.
    #[error("{0}")]
    Failed(String),
    /// The host refused a call; the reason is its own.
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
