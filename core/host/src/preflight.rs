//! Looks at a library before the system's loader does.
//!
//! Not optional: loading a truncated library kills the process, and the loader's own messages do
//! not say what to do.

use std::path::Path;

use object::{Architecture, FileKind, Object, ObjectKind, ObjectSegment};

use crate::refusal::Refusal;

/// The largest file that is read, in bytes.
const LIMIT: u64 = 1 << 30;

/// A file that may be a plugin, read but not run.
#[derive(Debug)]
pub(crate) struct Candidate {
    bytes: Vec<u8>,
    /// blake3 of the file.
    pub hash: blake3::Hash,
}

impl Candidate {
    /// Reads a file of sensible size.
    pub(crate) fn read(path: &Path) -> Result<Self, Refusal> {
        let metadata = path.metadata().map_err(Refusal::Unreadable)?;
        if !metadata.is_file() {
            return Err(Refusal::NotAFile);
        }
        if metadata.len() > LIMIT {
            return Err(Refusal::TooLarge(metadata.len()));
        }
        let bytes = std::fs::read(path).map_err(Refusal::Unreadable)?;
        let hash = blake3::hash(&bytes);
        Ok(Self { bytes, hash })
    }

    /// Checks that the file is a whole shared library of this system and processor which exports
    /// the entry point.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        check_bytes(&self.bytes)
    }
}

fn check_bytes(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    check_kind(bytes)?;
    let damaged = |error: object::Error| Refusal::Damaged(error.to_string());
    let file = object::File::parse(bytes).map_err(damaged)?;
    if file.architecture() != this_architecture() {
        return Err(Refusal::OtherArchitecture {
            found: format!("{:?}", file.architecture()).to_lowercase(),
            expected: std::env::consts::ARCH,
        });
    }
    match file.kind() {
        ObjectKind::Dynamic => {}
        ObjectKind::Executable => return Err(Refusal::NotShared("a program")),
        ObjectKind::Relocatable => return Err(Refusal::NotShared("an object file")),
        _ => return Err(Refusal::NotShared("a file of another kind")),
    }
    let actual = bytes.len() as u64;
    for segment in file.segments() {
        let (start, length) = segment.file_range();
        let needed = start.saturating_add(length);
        if needed > actual {
            return Err(Refusal::Truncated { needed, actual });
        }
    }
    for export in file.exports().map_err(damaged)? {
        let export = export.map_err(damaged)?;
        let name = export.name();
        let name = name.name().unwrap_or_default();
        let name =
            if cfg!(target_os = "macos") { name.strip_prefix(b"_").unwrap_or(name) } else { name };
        if name == convscope_abi::ENTRY_SYMBOL.as_bytes() {
            return Ok(());
        }
    }
    Err(Refusal::MissingSymbol)
}

/// Checks that the file is for this system.
fn check_kind(bytes: &[u8]) -> Result<(), Refusal> {
    const LINUX: &str = "Linux";
    const MACOS: &str = "macOS";
    const WINDOWS: &str = "Windows";
    let expected = if cfg!(windows) {
        WINDOWS
    } else if cfg!(target_vendor = "apple") {
        MACOS
    } else {
        LINUX
    };
    let found = match FileKind::parse(bytes) {
        Ok(FileKind::Elf32 | FileKind::Elf64) => LINUX,
        Ok(FileKind::MachO32 | FileKind::MachO64 | FileKind::MachOFat32 | FileKind::MachOFat64) => {
            MACOS
        }
        Ok(FileKind::Pe32 | FileKind::Pe64) => WINDOWS,
        _ if bytes.starts_with(b"MZ") => WINDOWS,
        _ => return Err(Refusal::NotALibrary),
    };
    if found == expected { Ok(()) } else { Err(Refusal::OtherSystem { found, expected }) }
}

fn this_architecture() -> Architecture {
    match std::env::consts::ARCH {
        "x86_64" => Architecture::X86_64,
        "aarch64" => Architecture::Aarch64,
        "x86" => Architecture::I386,
        "arm" => Architecture::Arm,
        "riscv64" => Architecture::Riscv64,
        _ => Architecture::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_refused() {
        assert_eq!(check_bytes(b"").unwrap_err().to_string(), "the file is empty");
    }

    #[test]
    fn words_are_no_library() {
        let refusal = check_bytes(b"a file of words, long enough to be looked at").unwrap_err();
        assert_eq!(refusal.to_string(), "is no shared library");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn libraries_of_other_systems_are_named() {
        let mut mach = vec![0xcf, 0xfa, 0xed, 0xfe];
        mach.resize(64, 0);
        let refusal = check_bytes(&mach).unwrap_err();
        assert_eq!(refusal.to_string(), "is made for macOS, this is Linux");
        let mut windows = b"MZ".to_vec();
        windows.resize(128, 0);
        let refusal = check_bytes(&windows).unwrap_err();
        assert_eq!(refusal.to_string(), "is made for Windows, this is Linux");
    }

    #[test]
    fn a_file_larger_than_any_plugin_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libconvscope_a.so");
        // A hole: no disk holds these bytes.
        std::fs::File::create(&path).unwrap().set_len(LIMIT + 1).unwrap();
        let refusal = Candidate::read(&path).unwrap_err();
        let expected = "the file has 1073741825 bytes, more than a plugin may have";
        assert_eq!(refusal.to_string(), expected);
    }

    #[test]
    fn a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Candidate::read(folder.path()), Err(Refusal::NotAFile)));
    }
}
