//! Why a node does not become a layer.

use convscope_runtime::{BackendError, LayerError, NetworkError};

use crate::OnnxError;

/// Why a node does not become a layer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is right, but not supported: it is listed together with all others.
    Unsupported(String),
    /// It contradicts the specification.
    Invalid(String),
    /// Something else failed.
    Failed(OnnxError),
}

impl Refusal {
    pub(crate) fn unsupported(reason: impl Into<String>) -> Self {
        Self::Unsupported(reason.into())
    }

    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid(reason.into())
    }
}

impl From<OnnxError> for Refusal {
    fn from(error: OnnxError) -> Self {
        Self::Failed(error)
    }
}

impl From<LayerError> for Refusal {
    fn from(error: LayerError) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<BackendError> for Refusal {
    fn from(error: BackendError) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<NetworkError> for Refusal {
    fn from(error: NetworkError) -> Self {
        match error {
            NetworkError::Layer { source, .. } => source.into(),
            NetworkError::MixedImages { .. } => Self::Unsupported(error.to_string()),
            error => Self::Failed(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_network_keep_their_words() {
        let duplicate = NetworkError::DuplicateName { name: "relu".into() };
        let Refusal::Failed(error) = Refusal::from(duplicate) else {
            panic!("a name that is there twice is nobody's choice of operator");
        };
        assert_eq!(error.to_string(), "two values are called relu");
    }
}
