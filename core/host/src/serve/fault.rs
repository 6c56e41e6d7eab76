//! Why a host function fails.

use convscope_abi::CsStatus;
use convscope_data::DataError;
use convscope_runtime::BackendError;
use thiserror::Error;

use crate::HostError;

/// Why a host function fails. It becomes a status, and words for `last_error`.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    /// The plugin gave something wrong.
    ///
    /// Cure: Mend the call as the message says: `convscope.h` states what each function takes.
    #[error("{0}")]
    Invalid(String),
    /// A handle is stale, forged, or of another kind.
    ///
    /// Cure: Use handles only of the kind that a function asks for, only in the call of the
    /// analysis in which they were given, and not after they were given up.
    #[error("handle {0:#x} is stale, forged, or of another kind than {1}")]
    BadHandle(u64, &'static str),
    /// A parameter is of another kind.
    ///
    /// Cure: Read the parameter with the function for its kind, as the schema declares it.
    #[error("parameter `{0}` is of another kind")]
    WrongParameter(String),
    /// The host cannot do this.
    ///
    /// Cure: Do without, or say to the user that the analysis cannot do this: return
    /// `CS_UNSUPPORTED`.
    #[error("the host does not support {0}")]
    Unsupported(String),
    /// A sink of the plugin's returned something else than OK.
    ///
    /// Cure: Return that status from the analysis: the host only passes on what the sink said.
    #[error("the sink returned status {}", .0.0)]
    Stopped(CsStatus),
    /// The host panicked.
    ///
    /// Cure: This is a fault of convscope, not of the plugin: please report it.
    #[error("the host panicked: {0}")]
    Panicked(String),
    /// The session failed.
    #[error("{0}")]
    Host(HostError),
}

impl Fault {
    /// Returns the status that says it.
    pub(super) fn status(&self) -> CsStatus {
        match self {
            Self::Invalid(_)
            | Self::Host(
                HostError::UnknownLayer { .. }
                | HostError::Unit { .. }
                | HostError::Request { .. }
                | HostError::UnknownRule { .. }
                | HostError::Images { .. }
                | HostError::Data(DataError::NotPictures { .. }),
            ) => CsStatus::INVALID,
            Self::BadHandle(..) | Self::WrongParameter(_) => CsStatus::BAD_HANDLE,
            Self::Unsupported(_) => CsStatus::UNSUPPORTED,
            Self::Stopped(status) => *status,
            Self::Panicked(_) => CsStatus::PANICKED,
            Self::Host(HostError::Cancelled) => CsStatus::CANCELLED,
            Self::Host(_) => CsStatus::FAILED,
        }
    }
}

impl From<HostError> for Fault {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

impl From<BackendError> for Fault {
    fn from(error: BackendError) -> Self {
        Self::Host(error.into())
    }
}
