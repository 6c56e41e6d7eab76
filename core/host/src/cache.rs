//! What earlier runs computed, on disk, found by everything that decided it.
//!
//! A cache never makes a run fail: what cannot be read is computed, what cannot be written is not
//! kept, and the user is told of both.

mod entry;
mod key;
mod results;
mod store;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use convscope_data::ContentHash;
use convscope_protocol::Values;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use key::{Key, Parts};
pub(crate) use results::MOST_LINES;

use crate::Model;
use crate::control::{Control, LogLevel};
use entry::{Draft, Unusable};
use store::Store;

/// Where results are kept for later runs, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// The folder. Whoever may write there decides what later runs find.
    pub folder: PathBuf,
    /// Bytes that its files may take; the least recently used leave first.
    pub limit: u64,
}

impl CacheOptions {
    /// How many bytes a folder takes unless the user says otherwise.
    pub const DEFAULT_LIMIT: u64 = 2 << 30;

    /// Returns convscope's folder among the caches of the user; nothing where the environment does
    /// not say where these are.
    pub fn user_folder() -> Option<PathBuf> {
        let absolute =
            |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let caches = if cfg!(windows) {
            absolute("LOCALAPPDATA")
        } else if cfg!(target_os = "macos") {
            absolute("HOME").map(|home| home.join("Library/Caches"))
        } else {
            absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        };
        caches.map(|caches| caches.join("convscope"))
    }
}

/// What a session took from its cache instead of computing it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CacheUse {
    /// Results of whole analyses that were found.
    pub results_reused: usize,
    /// Pictures whose forward passes were found, counted once for each analysis.
    pub pictures_reused: usize,
    /// Pictures that were looked for, found or not.
    pub pictures: usize,
    /// Entries that were damaged, and computed anew.
    pub damaged: usize,
}

/// The cache of a session.
#[derive(Debug)]
pub(crate) struct Cache {
    store: Store,
    /// What computes: backend, instruction set, options.
    computing: String,
    /// The program with `computing`, once it was asked for.
    base: OnceLock<Option<Parts>>,
    used: Mutex<CacheUse>,
    /// Whether writing has failed, and the user knows.
    is_closed: AtomicBool,
}

impl Cache {
    /// Opens a cache of what `computing` makes. Nothing is read or written yet.
    pub(crate) fn new(options: &CacheOptions, computing: String) -> Self {
        Self {
            store: Store::new(options.folder.clone(), options.limit),
            computing,
            base: OnceLock::new(),
            used: Mutex::default(),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Returns what was taken from the cache so far.
    pub(crate) fn used(&self) -> CacheUse {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, CacheUse> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the key of what is computed with a model; nothing where it has no hash that says all
    /// of it.
    pub(crate) fn of_model(&self, model: &Model, control: &dyn Control) -> Option<Parts> {
        let hash = &model.description().hash;
        if hash.is_empty() || !model.bound().is_empty() {
            return None;
        }
        let base = self.base.get_or_init(|| {
            // Kernels change from build to build, under one version number.
            let program = std::env::current_exe()
                .map_err(|error| error.to_string())
                .and_then(|path| ContentHash::of_file(&path).map_err(|error| error.to_string()));
            match program {
                Ok(hash) => Some(Parts::new().with(hash.bytes()).with(&self.computing)),
                Err(reason) => {
                    control.log(
                        LogLevel::Warning,
                        &format!("nothing is cached, for the program cannot read itself: {reason}"),
                    );
                    None
                }
            }
        });
        let shape = model.image_shape().ok()?.to_string();
        Some(base.clone()?.with(hash).with(shape))
    }

    /// Says whether there is an entry, damaged or not.
    pub(crate) fn holds(&self, key: &Key) -> bool {
        self.store.holds(key)
    }

    /// Reads an entry. One that is damaged is reported, and as good as none.
    pub(crate) fn load<C: DeserializeOwned>(
        &self,
        key: &Key,
        control: &dyn Control,
    ) -> Option<(C, Vec<Values>)> {
        let reason = match self.store.load(key) {
            Ok(found) => return found,
            Err(Unusable::OtherFormat) => return None,
            Err(Unusable::Damaged(reason)) => reason.to_owned(),
            Err(Unusable::Unread(error)) => format!("it cannot be read: {error}"),
        };
        self.report_damage(key, &reason, control);
        None
    }

    /// Says that an entry cannot be used.
    pub(crate) fn report_damage(&self, key: &Key, reason: &str, control: &dyn Control) {
        self.lock().damaged += 1;
        let path = self.store.path(key);
        let text =
            format!("computed anew what the cache should hold, {}: {reason}", path.display());
        control.log(LogLevel::Warning, &text);
    }

    /// Writes an entry. Where that fails the user is told, once, and no more is written.
    pub(crate) fn save<C>(&self, key: &Key, content: &C, arrays: &[&Values], control: &dyn Control)
    where
        C: Serialize + DeserializeOwned + PartialEq,
    {
        if self.is_closed.load(Ordering::Relaxed) {
            return;
        }
        let Some(draft) = Draft::new(content, arrays) else { return };
        let Err(error) = self.store.save(key, &draft) else { return };
        if !self.is_closed.swap(true, Ordering::Relaxed) {
            let folder = self.store.folder().display();
            control.log(
                LogLevel::Warning,
                &format!(
                    "results are not kept for later runs: {folder} cannot be written: {error}"
                ),
            );
        }
    }

    fn count(&self, tally: &Tally) {
        let mut used = self.lock();
        used.pictures += tally.seen.len();
        used.pictures_reused += tally.reused.len();
    }

    fn count_result(&self) {
        self.lock().results_reused += 1;
    }
}

/// Which pictures an analysis asked for, and which of them were found.
#[derive(Debug, Default)]
struct Tally {
    seen: BTreeSet<[u8; 32]>,
    reused: BTreeSet<[u8; 32]>,
}

/// The cache during one run of an analysis.
pub(crate) struct Recall<'a> {
    cache: &'a Cache,
    control: &'a dyn Control,
    tally: Mutex<Tally>,
}

impl<'a> Recall<'a> {
    /// Begins a run.
    pub(crate) fn new(cache: &'a Cache, control: &'a dyn Control) -> Self {
        Self { cache, control, tally: Mutex::default() }
    }

    /// Begins the key of what a model says of pictures.
    pub(crate) fn of_model(&self, model: &Model) -> Option<Parts> {
        Some(self.cache.of_model(model, self.control)?.with("observe"))
    }

    /// Says whether there are arrays of a key.
    pub(crate) fn holds(&self, key: &Key) -> bool {
        self.cache.holds(key)
    }

    /// Finds the arrays of a key, each with one row per case.
    pub(crate) fn load(&self, key: &Key, cases: usize) -> Option<Vec<Values>> {
        let ((), arrays) = self.cache.load(key, self.control)?;
        if arrays.iter().all(|array| array.shape().first() == Some(&cases)) {
            return Some(arrays);
        }
        self.cache.report_damage(key, "it holds something else", self.control);
        None
    }

    /// Keeps arrays.
    pub(crate) fn save(&self, key: &Key, arrays: &[Values]) {
        let arrays: Vec<&Values> = arrays.iter().collect();
        self.cache.save(key, &(), &arrays, self.control);
    }

    /// Counts pictures that were found, or were not.
    pub(crate) fn count(&self, pictures: &[ContentHash], outcome: Outcome) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        for picture in pictures {
            tally.seen.insert(*picture.bytes());
            if outcome == Outcome::Found {
                tally.reused.insert(*picture.bytes());
            }
        }
    }

    /// Ends the run, and says what it re-used.
    pub(crate) fn end(self) {
        let tally = self.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.cache.count(&tally);
        let (reused, seen) = (tally.reused.len(), tally.seen.len());
        if reused > 0 {
            let text = format!("re-used {reused} of {seen} pictures from an earlier run");
            self.control.log(LogLevel::Info, &text);
        }
    }
}

/// Whether something was in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was.
    Found,
    /// It was not, or was of no use.
    Missing,
}

#[cfg(test)]
mod tests;
