//! The plugins of a session, and those that were refused.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use convscope_abi::CsStatus;
use convscope_protocol::suggest::nearest;
use convscope_protocol::{AnalysisDescriptor, PluginDescriptor};

use crate::HostError;
use crate::library::{self, Entry, Loaded};
use crate::preflight::Candidate;
use crate::refusal::{Refusal, Refused};
use crate::search::{Folder, Origin, Search};
use crate::serve::Run;
use crate::trust::{self, Trust, TrustError, TrustFile, Trusted};

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
    trust: Trust,
    interface: [u32; 2],
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
            registry.refuse(path, Origin::Environment, None, Refusal::RelativeFolder);
        }
        let trusted = search.trust_file().map_or(Ok(Trusted::default()), TrustFile::read);
        for folder in search.folders() {
            registry.searched.push(folder.path.clone());
            match folder.candidates() {
                Ok(files) => {
                    if files.is_empty() && folder.origin == Origin::Explicit {
                        registry.refuse(&folder.path, folder.origin, None, Refusal::NoPlugins);
                    }
                    for file in files {
                        registry.add(&file, folder, search, trusted.as_ref());
                    }
                }
                Err(error) => registry.refuse_folder(folder, error),
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

    fn add(
        &mut self,
        file: &Path,
        folder: &Folder,
        search: &Search,
        trusted: Result<&Trusted, &TrustError>,
    ) {
        let path = match file.canonicalize() {
            Ok(path) => path,
            Err(error) => {
                return self.refuse(file, folder.origin, None, Refusal::Unreadable(error));
            }
        };
        // One file under two names is no second plugin.
        if self.plugins.iter().any(|plugin| plugin.path == path) {
            return;
        }
        let read = trust::check_places(&path, &folder.path, folder.origin)
            .and_then(|warnings| Ok((warnings, Candidate::read(&path)?)));
        let (warnings, candidate) = match read {
            Ok(read) => read,
            Err(reason) => return self.refuse(file, folder.origin, None, reason),
        };
        let loaded = trust::check(&path, &candidate.hash, folder.origin, trusted)
            .and_then(|trust| Ok((trust, self.load(&path, &candidate, search)?)));
        match loaded {
            Ok((trust, loaded)) => {
                let origin = folder.origin;
                self.plugins.push(Plugin::new(path, origin, trust, warnings, loaded));
            }
            Err(reason) => {
                let hash = candidate.hash.to_hex().to_string();
                self.refuse(file, folder.origin, Some(hash), reason);
            }
        }
    }

    fn load(&self, path: &Path, file: &Candidate, search: &Search) -> Result<Loaded, Refusal> {
        file.check()?;
        let duplicate_of = |first: &Plugin| Refusal::Duplicate {
            id: first.descriptor.id.clone(),
            first: first.path.clone(),
        };
        // A copy need not be loaded to know what it is.
        let hex = file.hash.to_hex();
        if let Some(first) = self.plugins.iter().find(|one| one.descriptor.hash == hex.as_str()) {
            return Err(duplicate_of(first));
        }
        library::load(path, &file.hash, |found| {
            let first = self.plugins.iter().find(|one| one.descriptor.id == found.id);
            first.map(duplicate_of).or_else(|| search.refuse(found))
        })
    }

    fn refuse_folder(&mut self, folder: &Folder, error: io::Error) {
        let is_missing = error.kind() == io::ErrorKind::NotFound;
        match folder.origin {
            Origin::Explicit if is_missing => {
                self.refuse(&folder.path, folder.origin, None, Refusal::MissingFolder);
            }
            // The standard places need not exist, nor those of the environment.
            _ if is_missing => {}
            _ => self.refuse(&folder.path, folder.origin, None, Refusal::Unreadable(error)),
        }
    }

    fn refuse(&mut self, path: &Path, origin: Origin, hash: Option<String>, reason: Refusal) {
        self.failures.push(Refused { path: path.to_owned(), origin, hash, reason });
    }
}

impl Plugin {
    fn new(
        path: PathBuf,
        origin: Origin,
        trust: Trust,
        warnings: Vec<String>,
        loaded: Loaded,
    ) -> Self {
        let Loaded { descriptor, entries, interface } = loaded;
        let described = descriptor.analyses.iter().cloned().zip(entries);
        let analyses = described
            .map(|(descriptor, entry)| Analysis { descriptor, entry, running: Mutex::new(()) })
            .collect();
        Self { path, origin, trust, interface, descriptor, warnings, analyses }
    }

    /// Returns the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns who put the file where it is.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Returns why it may run.
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// Returns the version of the plugin interface that it was built for, major and minor.
    pub fn interface(&self) -> [u32; 2] {
        self.interface
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
