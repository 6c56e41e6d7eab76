//! Why trust cannot be given, taken or looked up.

use std::io;
use std::path::PathBuf;

use convscope_protocol::suggest::{did_you_mean, nearest};
use thiserror::Error;

use super::TrustEntry;
use crate::refusal::Refusal;

/// An error of the file that says which plugins are trusted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The environment does not say where the user's data are.
    #[error("there is no place for the trust file: the user's data folder is not known")]
    NoFolder,
    /// The file that is to be trusted is no plugin that could be used.
    #[error("{}: {reason}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why it cannot be used.
        reason: Refusal,
    },
    /// Anyone on this machine may change the trust file or its folder.
    #[error("{} is writable by everyone: nothing it says can be relied on", path.display())]
    WorldWritable {
        /// The file or folder.
        path: PathBuf,
    },
    /// The trust file cannot be read.
    #[error("cannot read the trust file {}: {source}", path.display())]
    Unreadable {
        /// The trust file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line of the trust file is no entry.
    #[error("{}, line {line}: {reason}", path.display())]
    Broken {
        /// The trust file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Another program is writing the trust file, or was ended while it did.
    #[error("another convscope is writing the trust file: {} exists", path.display())]
    Busy {
        /// What the other program writes before it takes the trust file's place.
        path: PathBuf,
    },
    /// The trust file cannot be written; it is as it was.
    #[error("cannot write the trust file {}: {source}", path.display())]
    Unwritable {
        /// The file or folder at which it failed.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Nothing that is trusted has this id, path or hash.
    ///
    /// Cure: Take the id, path or hash of one that is trusted; the help lists them.
    #[error("`{name}` is not trusted anyway")]
    Unknown {
        /// What was asked for.
        name: String,
        /// Everything that is trusted.
        known: Vec<TrustEntry>,
    },
}

impl TrustError {
    /// Names the kind of error for programs, in snake case.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoFolder => "no_data_folder",
            Self::Refused { .. } => "plugin_refused",
            Self::WorldWritable { .. }
            | Self::Unreadable { .. }
            | Self::Broken { .. }
            | Self::Busy { .. }
            | Self::Unwritable { .. } => "trust_file",
            Self::Unknown { .. } => "unknown_plugin",
        }
    }

    /// Says what to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::NoFolder if cfg!(windows) => "set APPDATA to an absolute folder".to_owned(),
            Self::NoFolder => "set HOME or XDG_DATA_HOME to an absolute folder".to_owned(),
            Self::Refused { reason, .. } => reason.help(),
            Self::WorldWritable { path } => {
                format!(
                    "look at what is in it, then take that right away: chmod o-w {}",
                    path.display()
                )
            }
            Self::Unreadable { .. } => "see who may read it, and what it is: ls -l".to_owned(),
            Self::Broken { .. } => "mend or delete that line; nothing was changed".to_owned(),
            Self::Busy { path } => {
                format!("if none is running any more, delete {}", path.display())
            }
            Self::Unwritable { .. } => "it is as it was; see who may write there: ls -l".to_owned(),
            Self::Unknown { name, known } => unknown(name, known),
        }
    }
}

fn unknown(name: &str, known: &[TrustEntry]) -> String {
    if known.is_empty() {
        return "nothing is trusted by an entry".to_owned();
    }
    if let Some(question) = did_you_mean(&nearest(name, known.iter().map(|one| one.id.as_str()))) {
        return question;
    }
    let lines = known.iter().map(|one| format!("\n  {} ({})", one.id, one.path));
    format!("trusted are{}", lines.collect::<String>())
}
