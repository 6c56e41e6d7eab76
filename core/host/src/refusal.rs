//! Why a file is not used as a plugin.

use std::path::PathBuf;

use thiserror::Error;

/// A file or folder that was found and is not used, with the reason. It never stops the others.
#[derive(Debug)]
pub struct Refused {
    /// The file or folder.
    pub path: PathBuf,
    /// Why it is not used.
    pub reason: Refusal,
}

/// A reason not to use a file as a plugin.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A folder of `CONVSCOPE_PLUGIN_PATH` is not absolute.
    #[error("CONVSCOPE_PLUGIN_PATH may only hold absolute folders")]
    RelativeFolder,
    /// The file or folder cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] std::io::Error),
    /// The file is neither a regular file nor a link to one.
    #[error("is no regular file")]
    NotAFile,
    /// Anyone on this machine may change the file or its folder.
    #[error("{} is writable by everyone; take that right away with `chmod o-w`", path.display())]
    WorldWritable {
        /// The file or folder in question.
        path: PathBuf,
    },
    /// The file lies where nobody has said that it may run.
    #[error(
        "is not trusted: a plugin has all of your rights; if you know where it comes from, pass \
         its folder with --plugin-dir"
    )]
    NotTrusted,
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
        "was built for version {major}.{minor} of the plugin interface, this is {}.{}: build it \
         again",
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
        "needs version {major}.{minor} of the plugin interface, this is {}.{}: use a newer \
         convscope",
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
         before 1.0 both must be equal: build it again",
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
