//! The plugins of a session, and those that were refused.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use convscope_abi::CsStatus;
use convscope_protocol::suggest::nearest;
use convscope_protocol::{AnalysisDescriptor, PluginDescriptor};

use crate::library::{self, Entry};
use crate::refusal::{Refusal, Refused};
use crate::search::{Folder, Origin, Search};
use crate::serve::Run;
use crate::{HostError, preflight, trust};

/// The plugins of a session, and those that were refused, each with its reason.
#[derive(Debug, Default)]
pub struct Registry {
    plugins: Vec<Plugin>,
    failures: Vec<Refused>,
    searched: Vec<PathBuf>,
}

/// A loaded plugin.
#[derive(Debug)]
pub struct Plugin {
    path: PathBuf,
    origin: Origin,
    descriptor: PluginDescriptor,
    warnings: Vec<String>,
    analyses: Vec<Analysis>,
}

/// An analysis of a loaded plugin.
#[derive(Debug)]
pub struct Analysis {
    descriptor: AnalysisDescriptor,
    entry: Entry,
    running: Mutex<()>,
}

impl Registry {
    /// Searches, checks and loads. A broken plugin becomes a row of [`Registry::failures`] and
    /// never stops the others.
    pub fn discover(search: &Search) -> Self {
        let mut registry = Self::default();
        for path in search.relative() {
            registry.refuse(path, Refusal::RelativeFolder);
        }
        for folder in search.folders() {
            registry.searched.push(folder.path.clone());
            match folder.candidates() {
                Ok(files) => {
                    for file in files {
                        registry.add(&file, folder);
                    }
                }
                // The standard places need not exist; a folder that was named must.
                Err(error) => {
                    if folder.origin == Origin::Explicit {
                        registry.refuse(&folder.path, Refusal::Unreadable(error));
                    }
                }
            }
        }
        registry
    }

    /// Returns the loaded plugins in the order in which they were found.
    pub fn plugins(&self) -> &[Plugin] {
        &self.plugins
    }

    /// Returns the files and folders that are not used.
    pub fn failures(&self) -> &[Refused] {
        &self.failures
    }

    /// Returns the folders that were searched.
    pub fn searched(&self) -> &[PathBuf] {
        &self.searched
    }

    /// Finds an analysis by its own name or, as `plugin/analysis`, by that of its plugin too. The
    /// plugin's name is its id or the last word of it.
    ///
    /// # Errors
    /// Fails when there is none, with the nearest names, or when there are several.
    pub fn analysis(&self, name: &str) -> Result<(&Plugin, &Analysis), HostError> {
        let matching: Vec<(&Plugin, &Analysis)> =
            self.all().filter(|(plugin, analysis)| plugin.offers(analysis, name)).collect();
        match matching.as_slice() {
            [one] => Ok(*one),
            [] => Err(self.unknown(name)),
            several => Err(HostError::AmbiguousAnalysis {
                name: name.to_owned(),
                plugins: several.iter().map(|(plugin, one)| plugin.full_name(one)).collect(),
            }),
        }
    }

    fn all(&self) -> impl Iterator<Item = (&Plugin, &Analysis)> {
        self.plugins.iter().flat_map(|plugin| plugin.analyses.iter().map(move |one| (plugin, one)))
    }

    fn unknown(&self, name: &str) -> HostError {
        let short = self.all().map(|(_, analysis)| analysis.descriptor.id.clone());
        let full = self.all().map(|(plugin, analysis)| plugin.full_name(analysis));
        let known: Vec<String> = short.chain(full).collect();
        let nearest = nearest(name, known.iter().map(String::as_str));
        HostError::UnknownAnalysis {
            name: name.to_owned(),
            nearest: nearest.into_iter().map(str::to_owned).collect(),
            searched: if self.plugins.is_empty() { self.searched.clone() } else { Vec::new() },
        }
    }

    fn add(&mut self, file: &Path, folder: &Folder) {
        let path = match file.canonicalize() {
            Ok(path) => path,
            Err(error) => return self.refuse(file, Refusal::Unreadable(error)),
        };
        // One file under two names is no second plugin.
        if self.plugins.iter().any(|plugin| plugin.path == path) {
            return;
        }
        match self.load(&path, folder) {
            Ok(plugin) => self.plugins.push(plugin),
            Err(reason) => self.refuse(file, reason),
        }
    }

    fn load(&self, path: &Path, folder: &Folder) -> Result<Plugin, Refusal> {
        let warnings = trust::check(path, &folder.path, folder.origin)?;
        let hash = preflight::check(path)?;
        let duplicate_of = |first: &Plugin| Refusal::Duplicate {
            id: first.descriptor.id.clone(),
            first: first.path.clone(),
        };
        // A copy need not be loaded to know what it is.
        let hex = hash.to_hex();
        if let Some(first) = self.plugins.iter().find(|one| one.descriptor.hash == hex.as_str()) {
            return Err(duplicate_of(first));
        }
        let (descriptor, entries) = library::load(path, &hash, |id| {
            self.plugins.iter().find(|one| one.descriptor.id == id).map(duplicate_of)
        })?;
        let analyses = descriptor
            .analyses
            .iter()
            .zip(entries)
            .map(|(descriptor, entry)| Analysis {
                descriptor: descriptor.clone(),
                entry,
                running: Mutex::new(()),
            })
            .collect();
        Ok(Plugin { path: path.to_owned(), origin: folder.origin, descriptor, warnings, analyses })
    }

    fn refuse(&mut self, path: &Path, reason: Refusal) {
        self.failures.push(Refused { path: path.to_owned(), reason });
    }
}

impl Plugin {
    /// Returns the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns who put the file where it is.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Returns what the plugin says about itself.
    pub fn descriptor(&self) -> &PluginDescriptor {
        &self.descriptor
    }

    /// Returns what the user should know about the file.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns the analyses.
    pub fn analyses(&self) -> &[Analysis] {
        &self.analyses
    }

    /// Returns the full name of an analysis, `plugin/analysis`.
    pub fn full_name(&self, analysis: &Analysis) -> String {
        format!("{}/{}", self.descriptor.id, analysis.descriptor.id)
    }

    fn offers(&self, analysis: &Analysis, name: &str) -> bool {
        match name.rsplit_once('/') {
            None => analysis.descriptor.id == name,
            Some((plugin, short)) => {
                let id = &self.descriptor.id;
                let last = id.rsplit('.').next();
                analysis.descriptor.id == short && (id == plugin || last == Some(plugin))
            }
        }
    }
}

impl Analysis {
    /// Returns what the plugin says about the analysis.
    pub fn descriptor(&self) -> &AnalysisDescriptor {
        &self.descriptor
    }

    /// Runs the analysis, after any other run of it has ended where it cannot run twice at once.
    pub(crate) fn call(&self, run: &Run<'_>) -> CsStatus {
        let _alone: Option<MutexGuard<'_, ()>> = (!self.descriptor.reentrant)
            .then(|| self.running.lock().unwrap_or_else(PoisonError::into_inner));
        self.entry.call(run)
    }
}

#[cfg(test)]
mod tests;
