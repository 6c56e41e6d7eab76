//! The folder of all entries: found by key, replaced as a whole, the least recently used leave first.
//!
//! Any number of processes share a folder without locks: an entry appears under its name only when
//! it is complete, whoever writes it writes the same, and one that vanishes was not there.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use convscope_protocol::Values;
use serde::de::DeserializeOwned;

use super::Key;
use super::entry::{self, Draft, Unusable};

const ENTRY: &str = "entry";
const PARTIAL: &str = "partial";
/// No entry takes as long to write: what is older was left behind by a process that died.
const LONGEST_WRITE: Duration = Duration::from_secs(3600);
/// An entry takes at most this share of the folder.
const LARGEST_SHARE: u64 = 4;
/// So often while a folder fills up is it looked at, for others write into it too.
const LOOKS: u64 = 8;

/// Numbers the files that this process writes.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A folder of entries.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    limit: u64,
    size: Mutex<Option<Size>>,
}

/// What is known about the size of the folder.
#[derive(Clone, Copy, Debug)]
struct Size {
    bytes: u64,
    /// Bytes written since the folder was looked at.
    since: u64,
}

impl Store {
    /// Keeps entries in a folder, which need not exist, up to a number of bytes.
    pub(super) fn new(folder: PathBuf, limit: u64) -> Self {
        Self { folder, limit, size: Mutex::default() }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns where the entry of a key lies.
    pub(super) fn path(&self, key: &Key) -> PathBuf {
        let name = key.to_string();
        self.folder.join(&name[..2]).join(name).with_extension(ENTRY)
    }

    /// Says whether there is an entry, damaged or not.
    pub(super) fn holds(&self, key: &Key) -> bool {
        self.path(key).is_file()
    }

    /// Reads an entry, which counts as used then; nothing where there is none.
    pub(super) fn load<C: DeserializeOwned>(
        &self,
        key: &Key,
    ) -> Result<Option<(C, Vec<Values>)>, Unusable> {
        let path = self.path(key);
        // Opening a pipe would wait for ever.
        match fs::metadata(&path) {
            Ok(meta) if meta.is_file() => {}
            Ok(_) => return Err(Unusable::Damaged("it is no file")),
            Err(error) if is_absence(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if is_absence(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Where the system refuses this, the entry only leaves earlier.
        let _ = file.set_modified(SystemTime::now());
        let bytes = file.metadata()?.len();
        entry::read(key, file, bytes).map(Some)
    }

    /// Writes an entry; one that is large beside the whole folder is left out.
    ///
    /// # Errors
    /// Fails when the folder cannot be written, or the disk is full.
    pub(super) fn save(&self, key: &Key, draft: &Draft<'_>) -> io::Result<()> {
        let bytes = draft.bytes();
        if bytes > self.limit / LARGEST_SHARE {
            return Ok(());
        }
        let path = self.path(key);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let partial = path.with_extension(format!("{}-{number}.{PARTIAL}", std::process::id()));
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let written = File::options()
            .write(true)
            .create_new(true)
            .open(&partial)
            .and_then(|file| draft.write(key, file))
            .and_then(|()| fs::rename(&partial, &path));
        if written.is_err() {
            let _ = fs::remove_file(&partial);
        }
        written?;
        self.grow(bytes);
        Ok(())
    }

    /// Counts what was written, and makes room where the folder has become too large.
    fn grow(&self, bytes: u64) {
        let mut size = self.size.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = size.as_mut() {
            known.bytes = known.bytes.saturating_add(bytes);
            known.since = known.since.saturating_add(bytes);
            if known.bytes <= self.limit && known.since <= self.limit / LOOKS {
                return;
            }
        }
        // Whoever cannot look at the folder cannot make room in it either.
        if let Ok(bytes) = self.make_room() {
            *size = Some(Size { bytes, since: 0 });
        }
    }

    /// Removes entries, the least recently used first, until the rest fits with some room to grow.
    /// Nothing but convscope's own files is touched. Returns the bytes of the rest.
    fn make_room(&self) -> io::Result<u64> {
        let now = SystemTime::now();
        let mut entries: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
        for folder in fs::read_dir(&self.folder)?.filter_map(Result::ok) {
            let is_ours = folder.file_name().to_str().is_some_and(|name| is_hex(name, 2));
            if !is_ours || !folder.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            // Others may have removed what was listed a moment ago.
            let Ok(files) = fs::read_dir(folder.path()) else { continue };
            for file in files.filter_map(Result::ok) {
                let (path, Ok(meta)) = (file.path(), file.metadata()) else { continue };
                if !meta.is_file() {
                    continue;
                }
                let used = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                match kind_of(&path) {
                    Some(Kind::Entry) => entries.push((used, path, meta.len())),
                    Some(Kind::Partial)
                        if now.duration_since(used).is_ok_and(|age| age > LONGEST_WRITE) =>
                    {
                        let _ = fs::remove_file(path);
                    }
                    Some(Kind::Partial) | None => {}
                }
            }
        }
        let mut bytes: u64 = entries.iter().map(|(_, _, bytes)| bytes).sum();
        if bytes > self.limit {
            entries.sort();
            let goal = self.limit - self.limit / LOOKS;
            for (_, path, size) in entries {
                if bytes <= goal {
                    break;
                }
                if fs::remove_file(path).is_ok() {
                    bytes -= size;
                }
            }
        }
        Ok(bytes)
    }
}

enum Kind {
    Entry,
    Partial,
}

/// Says which of convscope's files this is, if one.
fn kind_of(path: &Path) -> Option<Kind> {
    let name = path.file_name()?.to_str()?;
    let (key, rest) = name.split_once('.')?;
    if !is_hex(key, 64) {
        return None;
    }
    match rest.rsplit('.').next()? {
        ENTRY if rest == ENTRY => Some(Kind::Entry),
        PARTIAL => Some(Kind::Partial),
        _ => None,
    }
}

fn is_hex(name: &str, length: usize) -> bool {
    name.len() == length && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Makes a folder that only its user may look into: what is cached tells of pictures and models.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests;
