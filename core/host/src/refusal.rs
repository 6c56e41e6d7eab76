//! Why a file is not used as a plugin.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::search::Origin;
use crate::trust::Trust;

/// A file or folder that was found and is not used, with the reason. It never stops the others.
#[derive(Debug)]
pub struct Refused {
    /// The file or folder.
    pub path: PathBuf,
    /// Who put it where it is.
    pub origin: Origin,
    /// blake3 of the file, in hex, where it was read.
    pub hash: Option<String>,
    /// Why it is not used.
    pub reason: Refusal,
}

impl Refused {
    /// Says whether it is trusted, as far as that was asked.
    pub fn trust(&self) -> Trust {
        match (&self.reason, &self.hash, self.origin) {
            (Refusal::NotTrusted, ..) => Trust::Missing,
            (Refusal::Changed { .. }, ..) => Trust::Changed,
            (Refusal::TrustFile(_), ..) | (_, None, _) => Trust::Unknown,
            (_, Some(_), Origin::Explicit | Origin::Installation) => Trust::Place,
            (_, Some(_), Origin::Environment | Origin::User) => Trust::Entry,
        }
    }
}

/// A reason not to use a file as a plugin.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A folder of `CONVSCOPE_PLUGIN_PATH` is not absolute: what it means would depend on where
    /// the program is started.
    #[error("CONVSCOPE_PLUGIN_PATH may only hold absolute folders")]
    RelativeFolder,
    /// A folder that was named for this run does not exist.
    #[error("there is no such folder")]
    MissingFolder,
    /// A folder that was named for this run holds no file that is called like a plugin.
    #[error("no file in it is called [lib]convscope_*.so, .dylib or .dll")]
    NoPlugins,
    /// The file or folder cannot be read: a missing right, a link that leads nowhere or in a
    /// circle, a fault of the disk.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// The file is neither a regular file nor a link to one.
    #[error("is no regular file")]
    NotAFile,
    /// Anyone on this machine may change the file or its folder.
    #[error("{} is writable by everyone", path.display())]
    WorldWritable {
        /// The file or folder in question.
        path: PathBuf,
    },
    /// The file lies where nobody has said that it may run.
    #[error("is not trusted: a plugin has all of your rights")]
    NotTrusted,
    /// The user trusted the file that was there before.
    #[error("was trusted as {id}, but the file has changed since")]
    Changed {
        /// Id of the plugin that was trusted.
        id: String,
    },
    /// The file that says what is trusted cannot be used.
    #[error("nothing says whether it is trusted: {0}")]
    TrustFile(String),
    /// The file is empty.
    #[error("the file is empty")]
    Empty,
    /// The file is larger than any sensible plugin.
    #[error("the file has {0} bytes, more than a plugin may have")]
    TooLarge(u64),
    /// The file is no library of any system.
    #[error("is no shared library")]
    NotALibrary,
    /// The file is a library of another system.
    #[error("is made for {found}, this is {expected}")]
    OtherSystem {
        /// What the file is for.
        found: &'static str,
        /// What this program runs on.
        expected: &'static str,
    },
    /// The file is code of another processor.
    #[error("is made for the processor {found}, this is {expected}")]
    OtherArchitecture {
        /// What the file is for.
        found: String,
        /// What this program runs on.
        expected: &'static str,
    },
    /// The file is a program or an object file.
    #[error("is no shared library but {0}")]
    NotShared(&'static str),
    /// A part of the file that would be mapped lies beyond its end.
    #[error("is truncated: it should have at least {needed} bytes, but has {actual}")]
    Truncated {
        /// Where its last segment ends.
        needed: u64,
        /// How long it is.
        actual: u64,
    },
    /// The file cannot be understood.
    #[error("is damaged or truncated: {0}")]
    Damaged(String),
    /// The library does not export the entry point.
    #[error("is no plugin of convscope: it does not export {}", convscope_abi::ENTRY_SYMBOL)]
    MissingSymbol,
    /// The system's loader refused the library, such as for an undefined symbol.
    #[error("cannot be loaded: {0}")]
    Load(String),
    /// The entry point returned nothing.
    #[error("{} returned nothing", convscope_abi::ENTRY_SYMBOL)]
    NullEntry,
    /// The entry point returned something that cannot be a plugin's description.
    #[error("does not start with convscope's magic number, but with {0:#018x}")]
    BadMagic(u64),
    /// The plugin was built for another major version of the interface.
    #[error(
        "was built for version {major}.{minor} of the plugin interface, this is {}.{}",
        convscope_abi::ABI_MAJOR,
        convscope_abi::ABI_MINOR
    )]
    OtherMajor {
        /// Major version of the plugin.
        major: u32,
        /// Minor version of the plugin.
        minor: u32,
    },
    /// The plugin was built for a newer interface.
    #[error(
        "needs version {major}.{minor} of the plugin interface, this is {}.{}",
        convscope_abi::ABI_MAJOR,
        convscope_abi::ABI_MINOR
    )]
    NewerMinor {
        /// Major version of the plugin.
        major: u32,
        /// Minor version of the plugin.
        minor: u32,
    },
    /// The plugin was built for an older interface, and before version 1 both must be equal.
    #[error(
        "was built for version {major}.{minor} of the plugin interface, this is {}.{}, and \
         before 1.0 both must be equal",
        convscope_abi::ABI_MAJOR,
        convscope_abi::ABI_MINOR
    )]
    OlderMinor {
        /// Major version of the plugin.
        major: u32,
        /// Minor version of the plugin.
        minor: u32,
    },
    /// Something the plugin says about itself is not acceptable.
    #[error("{what} {reason}")]
    BadDescriptor {
        /// Which field, such as `the analysis' id`.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The parameters of an analysis are not described as they must be.
    #[error("the parameters of {analysis}: {source}")]
    BadSchema {
        /// Id of the analysis.
        analysis: String,
        /// What is wrong.
        source: convscope_protocol::schema::SchemaError,
    },
    /// Scripts could not call an analysis of this name.
    #[error("its analysis `{analysis}` is called like a word of the script language")]
    ReservedName {
        /// Id of the analysis.
        analysis: String,
    },
    /// The plugin's own preparation failed.
    #[error("its init function failed with status {0}")]
    Init(i32),
    /// A plugin of the same id was found before; the first wins.
    #[error("{id} was already found in {}", first.display())]
    Duplicate {
        /// Id of the plugin.
        id: String,
        /// The file that is used.
        first: PathBuf,
    },
}

impl Refusal {
    /// Names the reason for programs, in snake case.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RelativeFolder => "relative_folder",
            Self::MissingFolder => "missing_folder",
            Self::NoPlugins => "no_plugins",
            Self::Unreadable(_) => "unreadable",
            Self::NotAFile => "not_a_file",
            Self::WorldWritable { .. } => "world_writable",
            Self::NotTrusted => "not_trusted",
            Self::Changed { .. } => "changed",
            Self::TrustFile(_) => "trust_file",
            Self::Empty => "empty",
            Self::TooLarge(_) => "too_large",
            Self::NotALibrary => "not_a_library",
            Self::OtherSystem { .. } => "other_system",
            Self::OtherArchitecture { .. } => "other_architecture",
            Self::NotShared(_) => "not_shared",
            Self::Truncated { .. } => "truncated",
            Self::Damaged(_) => "damaged",
            Self::MissingSymbol => "missing_symbol",
            Self::Load(_) => "not_loaded",
            Self::NullEntry => "null_entry",
            Self::BadMagic(_) => "bad_magic",
            Self::OtherMajor { .. } => "other_major",
            Self::NewerMinor { .. } => "newer_minor",
            Self::OlderMinor { .. } => "older_minor",
            Self::BadDescriptor { .. } => "bad_descriptor",
            Self::BadSchema { .. } => "bad_schema",
            Self::ReservedName { .. } => "reserved_name",
            Self::Init(_) => "init_failed",
            Self::Duplicate { .. } => "duplicate",
        }
    }

    /// Says what to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::RelativeFolder => "write the folder from the root on",
            Self::MissingFolder => "see whether --plugin-dir names the folder that is meant",
            Self::NoPlugins => {
                "give --plugin-dir the folder that holds the plugins; files of other names are \
                 not looked at"
            }
            Self::Unreadable(error) => match error.kind() {
                io::ErrorKind::NotADirectory => {
                    "give --plugin-dir the folder in which the plugin lies"
                }
                io::ErrorKind::NotFound => "see where the link leads: ls -l",
                _ => "see who may read it, and where it leads if it is a link: ls -l",
            },
            Self::NotAFile => "put the library itself there, or a link to it",
            Self::WorldWritable { path } => {
                return format!("take that right away: chmod o-w {}", path.display());
            }
            Self::NotTrusted => {
                "if you know where it comes from, run `convscope plugins trust FILE`"
            }
            Self::Changed { .. } => {
                "if you know why it has changed, run `convscope plugins trust FILE` again"
            }
            Self::TrustFile(_) => "mend the trust file, or name the folder with --plugin-dir",
            Self::TooLarge(_) | Self::NotALibrary => {
                "see whether it is the right file: a plugin is a shared library"
            }
            Self::OtherSystem { expected, .. } | Self::OtherArchitecture { expected, .. } => {
                return format!("get it, or build it, for {expected}");
            }
            Self::NotShared(_) => {
                "build it as a shared library: crate-type = [\"cdylib\"], or cc -shared"
            }
            Self::Empty | Self::Truncated { .. } | Self::Damaged(_) => {
                "copy it again: it did not arrive whole"
            }
            Self::MissingSymbol => {
                "its authors export it with export_plugin! in Rust, or CS_EXPORT in C"
            }
            Self::Load(_) => "see whether every library that it needs is installed",
            Self::OtherMajor { .. } => "build it again, or use the convscope it was built for",
            Self::NewerMinor { .. } => "use a newer convscope",
            Self::OlderMinor { .. } => "build it again",
            Self::NullEntry
            | Self::BadMagic(_)
            | Self::BadDescriptor { .. }
            | Self::BadSchema { .. }
            | Self::ReservedName { .. }
            | Self::Init(_) => "this is a fault of the plugin: tell its authors",
            Self::Duplicate { .. } => {
                "keep one of the two, or choose with --plugin-dir, which is searched first"
            }
        }
        .to_owned()
    }

    /// Returns the version of the plugin interface for which the file was built, where that is the
    /// reason.
    pub fn interface(&self) -> Option<[u32; 2]> {
        match *self {
            Self::OtherMajor { major, minor }
            | Self::NewerMinor { major, minor }
            | Self::OlderMinor { major, minor } => Some([major, minor]),
            _ => None,
        }
    }

    /// Returns the id of the plugin, where it is known.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Changed { id } | Self::Duplicate { id, .. } => Some(id),
            _ => None,
        }
    }
}
