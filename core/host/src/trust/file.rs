//! The file in which the user says which plugins may run.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{TrustError, check_places, is_world_writable};
use crate::library;
use crate::preflight::Candidate;
use crate::refusal::Refusal;
use crate::search::{Origin, Search};

/// How long another program may take to write the file: so many times this long.
const TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// The file in which the user says which plugins may run; it need not exist.
///
/// Every line is a [`TrustEntry`] as a JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustFile {
    path: PathBuf,
}

/// A plugin that the user trusts. Its bytes are what is trusted; id and path are for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustEntry {
    /// blake3 of the file, in hex.
    pub blake3: String,
    /// Id of the plugin.
    pub id: String,
    /// Where the file was, without links; what is no Unicode in it is replaced.
    pub path: String,
}

/// The plugins that the user trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trusted {
    entries: Vec<TrustEntry>,
}

/// What was known about a file before it was trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before {
    /// It was not trusted.
    Nothing,
    /// It was trusted as it is; nothing was changed.
    Same,
    /// Another file in its place was trusted, and is no longer.
    Other(TrustEntry),
}

/// What came of trusting a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusting {
    /// What is trusted now.
    pub entry: TrustEntry,
    /// What was before.
    pub before: Before,
}

impl Trusted {
    /// Returns the entries in the order in which they were made.
    pub fn entries(&self) -> &[TrustEntry] {
        &self.entries
    }

    /// Refuses a file whose bytes no entry names.
    pub(crate) fn check(&self, path: &Path, hash: &blake3::Hash) -> Result<(), Refusal> {
        let hex = hash.to_hex();
        if self.entries.iter().any(|entry| entry.blake3 == hex.as_str()) {
            return Ok(());
        }
        match self.at(&path.to_string_lossy()) {
            Some(entry) => Err(Refusal::Changed { id: entry.id.clone() }),
            None => Err(Refusal::NotTrusted),
        }
    }

    fn at(&self, path: &str) -> Option<&TrustEntry> {
        self.entries.iter().find(|entry| entry.path == path)
    }

    fn parse(bytes: &[u8]) -> Result<Self, (usize, String)> {
        let mut entries = Vec::new();
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let wrong = |reason: String| (index + 1, reason);
            let entry: TrustEntry = serde_json::from_slice(line)
                .map_err(|error| wrong(format!("is no entry of a trusted plugin: {error}")))?;
            if blake3::Hash::from_hex(&entry.blake3).is_err() {
                return Err(wrong(format!("`{}` is no blake3 hash in hex", entry.blake3)));
            }
            entries.push(entry);
        }
        Ok(Self { entries })
    }

    fn written(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for entry in &self.entries {
            serde_json::to_writer(&mut bytes, entry)?;
            bytes.push(b'\n');
        }
        Ok(bytes)
    }
}

impl TrustFile {
    /// The file with this path.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the entries; none where there is no file.
    ///
    /// # Errors
    /// Fails when the file cannot be read, when anyone could have written it, and when a line of
    /// it is no entry.
    pub fn read(&self) -> Result<Trusted, TrustError> {
        let unreadable = |source| TrustError::Unreadable { path: self.path.clone(), source };
        match self.path.metadata() {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Err(unreadable(io::Error::other("it is no regular file"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Trusted::default()),
            Err(error) => return Err(unreadable(error)),
        }
        for place in [self.folder(), &self.path] {
            if is_world_writable(place).map_err(unreadable)? {
                return Err(TrustError::WorldWritable { path: place.to_owned() });
            }
        }
        let bytes = fs::read(&self.path).map_err(unreadable)?;
        Trusted::parse(&bytes).map_err(|(line, reason)| TrustError::Broken {
            path: self.path.clone(),
            line,
            reason,
        })
    }

    /// Trusts a file as it is now.
    ///
    /// It must pass every check that a plugin passes before its analyses are offered. For the last
    /// of them, and for its id, the library is loaded, and its own preparation runs.
    ///
    /// # Errors
    /// Fails when the file would be refused for another reason than missing trust, and when the
    /// trust file cannot be read or written; it is then as it was.
    pub fn trust(&self, file: &Path, search: &Search) -> Result<Trusting, TrustError> {
        let refused = |reason| TrustError::Refused { path: file.to_owned(), reason };
        let path = file.canonicalize().map_err(|error| refused(Refusal::Unreadable(error)))?;
        let folder = path.parent().unwrap_or(&path);
        check_places(&path, folder, Origin::User).map_err(refused)?;
        let candidate = Candidate::read(&path).map_err(refused)?;
        candidate.check().map_err(refused)?;
        let (blake3, name) = (candidate.hash.to_hex().to_string(), path.to_string_lossy());
        if let Some(entry) = self.read()?.at(&name).filter(|entry| entry.blake3 == blake3) {
            return Ok(Trusting { entry: entry.clone(), before: Before::Same });
        }
        // Before anything is written: what a library does when it is loaded must not be able to
        // leave half of an entry behind.
        let loaded =
            library::load(&path, &candidate.hash, |one| search.refuse(one)).map_err(refused)?;
        let entry = TrustEntry { blake3, id: loaded.descriptor.id, path: name.into_owned() };
        self.update(|trusted| {
            let other = trusted.at(&entry.path).cloned();
            trusted.entries.retain(|other| other.path != entry.path);
            trusted.entries.push(entry.clone());
            Ok(Trusting { entry, before: other.map_or(Before::Nothing, Before::Other) })
        })
    }

    /// Takes trust back from everything with an id, or from a file: from what was trusted in its
    /// place, and from its bytes wherever they are. Returns what was trusted.
    ///
    /// # Errors
    /// Fails when nothing of the kind is trusted, and when the trust file cannot be read or
    /// written; it is then as it was.
    pub fn untrust(&self, name: &str) -> Result<Vec<TrustEntry>, TrustError> {
        let unknown = |trusted: &Trusted| TrustError::Unknown {
            name: name.to_owned(),
            known: trusted.entries.clone(),
        };
        if self.read()?.entries.is_empty() {
            return Err(unknown(&Trusted::default()));
        }
        // A file that is gone is still known by its path.
        let path = Path::new(name).canonicalize().or_else(|_| std::path::absolute(name)).ok();
        let hash = path.as_deref().and_then(|path| Candidate::read(path).ok());
        let hash = hash.map(|candidate| candidate.hash.to_hex().to_string());
        let path = path.map(|path| path.to_string_lossy().into_owned());
        self.update(|trusted| {
            let before = trusted.clone();
            let (removed, kept) = trusted.entries.drain(..).partition(|entry| {
                entry.id == name
                    || path.as_ref() == Some(&entry.path)
                    || hash.as_ref() == Some(&entry.blake3)
            });
            trusted.entries = kept;
            let removed: Vec<TrustEntry> = removed;
            if removed.is_empty() { Err(unknown(&before)) } else { Ok(removed) }
        })
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Changes the entries while nobody else does. Nothing is written where nothing changes.
    fn update<T>(
        &self,
        change: impl FnOnce(&mut Trusted) -> Result<T, TrustError>,
    ) -> Result<T, TrustError> {
        let draft = Draft::open(self)?;
        let before = self.read()?;
        let mut trusted = before.clone();
        let outcome = change(&mut trusted)?;
        if trusted != before {
            draft.finish(&trusted)?;
        }
        Ok(outcome)
    }
}

/// What is to become the trust file. Its existence keeps other programs from writing; it goes when
/// it is not finished.
struct Draft<'a> {
    target: &'a TrustFile,
    path: PathBuf,
    file: File,
    is_finished: bool,
}

impl<'a> Draft<'a> {
    fn open(target: &'a TrustFile) -> Result<Self, TrustError> {
        let folder = target.folder();
        let unwritable = |path: &Path, source| TrustError::Unwritable { path: path.into(), source };
        private_folder(folder).map_err(|error| unwritable(folder, error))?;
        if is_world_writable(folder).map_err(|error| unwritable(folder, error))? {
            return Err(TrustError::WorldWritable { path: folder.to_owned() });
        }
        let path = target.path.with_extension("new");
        for attempt in 1.. {
            match private_file(&path) {
                Ok(file) => return Ok(Self { target, path, file, is_finished: false }),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(unwritable(&path, error));
                }
                Err(_) if attempt < TRIES => std::thread::sleep(BETWEEN_TRIES),
                Err(_) => break,
            }
        }
        Err(TrustError::Busy { path })
    }

    fn finish(mut self, trusted: &Trusted) -> Result<(), TrustError> {
        trusted
            .written()
            .and_then(|bytes| self.file.write_all(&bytes))
            // The new file must be whole before it takes the place of the old one.
            .and_then(|()| self.file.sync_all())
            .and_then(|()| fs::rename(&self.path, &self.target.path))
            .map_err(|source| TrustError::Unwritable { path: self.target.path.clone(), source })?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        // A finished one is gone, and another program may be writing a file of the same name.
        if !self.is_finished {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes a folder that only the user may use, unless it exists.
fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes a file that only the user may use; fails where one exists.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests;
