//! What the functions of one run share.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use convscope_protocol::{Array, Findings, PluginDescriptor};
use convscope_report::{Entry, Report};
use rhai::{Dynamic, ImmutableString, NativeCallContext};

use crate::memory::Watch;
use crate::outcome::{AnalysisRun, ScriptSource};
use crate::{Failure, Reach, ScriptOptions, Workbench, kind};

/// The tag of strings that came from the command line. Rhai keeps it when a value is stored,
/// passed on or put into an array, and drops it when a new string is made.
pub(crate) const FROM_COMMAND_LINE: i32 = 1;

/// Where a string comes from: relative paths start there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is written in a script.
    Script,
    /// It is what `--set` gives.
    CommandLine,
}

/// What the functions of one run share.
pub(crate) struct State {
    pub(crate) workbench: Arc<dyn Workbench>,
    pub(crate) plugins: Vec<PluginDescriptor>,
    pub(crate) reach: Arc<Reach>,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) watch: Watch,
    script_folder: PathBuf,
    working_folder: PathBuf,
    ledger: Mutex<Ledger>,
}

/// What has happened so far.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Number of `report(…)` calls so far.
    pub(crate) reports: usize,
    /// Which of them was saved, and as what.
    pub(crate) saved: Option<(usize, Report)>,
    /// Entries that were added after the last save, or never saved.
    pub(crate) unsaved: BTreeMap<usize, usize>,
    /// Analyses in the order in which they ran.
    pub(crate) analyses: Vec<AnalysisRun>,
    /// Arrays that `save_npy` asks for, by path.
    pub(crate) files: BTreeMap<String, Entry>,
    /// Names of settings that the script asked for.
    pub(crate) used_settings: BTreeSet<String>,
    /// Every script that was read, imports included.
    pub(crate) sources: Vec<ScriptSource>,
}

impl State {
    pub(crate) fn new(
        script: &Path,
        workbench: Arc<dyn Workbench>,
        options: &ScriptOptions,
    ) -> Self {
        let script_folder = script.parent().map(Path::to_path_buf).unwrap_or_default();
        let working_folder = std::path::absolute(&options.working_folder)
            .unwrap_or_else(|_| options.working_folder.clone());
        let mut roots = vec![script_folder.clone(), working_folder.clone()];
        roots.extend(options.library.iter().cloned());
        roots.extend(options.readable.iter().map(|path| working_folder.join(path)));
        for (_, text) in &options.settings {
            roots.extend(words_of(text).iter().map(|word| working_folder.join(word)));
        }
        Self {
            plugins: workbench.plugins(),
            workbench,
            reach: Arc::new(Reach::below(roots)),
            settings: options.settings.iter().cloned().collect(),
            budget: Arc::new(Budget { used: AtomicU64::new(0), limit: options.max_array_bytes }),
            watch: Watch::new(options.max_memory_bytes),
            script_folder,
            working_folder,
            ledger: Mutex::default(),
        }
    }

    /// Opens the ledger. Nothing is called while it is open.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the absolute path that a string of the script stands for. It starts at the working
    /// folder when the string came from the command line, else at the file it is written in.
    ///
    /// # Errors
    ///
    /// When the value is no string.
    pub(crate) fn locate(
        &self,
        context: &NativeCallContext,
        value: &Dynamic,
    ) -> Result<PathBuf, Failure> {
        let Some(text) = value.read_lock::<ImmutableString>() else {
            let message = format!("a path is a string, not {}", crate::convert::described(value));
            return Err(Failure::new(kind::WRONG_TYPE, message));
        };
        let folder = context.call_source().and_then(|source| Path::new(source).parent());
        let origin = match value.tag() {
            FROM_COMMAND_LINE => Origin::CommandLine,
            _ => Origin::Script,
        };
        self.locate_text(&text, origin, folder)
    }

    /// Returns the absolute path that a string stands for which comes from the command line, or
    /// from a script in a folder; the folder of the first script where none is given.
    ///
    /// # Errors
    ///
    /// When the string is empty.
    pub(crate) fn locate_text(
        &self,
        text: &str,
        origin: Origin,
        folder: Option<&Path>,
    ) -> Result<PathBuf, Failure> {
        if text.is_empty() {
            return Err(Failure::new(kind::NOT_FOUND, "a path may not be empty"));
        }
        let beside_script = folder.unwrap_or(&self.script_folder).join(text);
        let from_command_line = origin == Origin::CommandLine
            // A string made of one from the command line has no mark: what it begins with decides,
            // if there is nothing at the script.
            || !beside_script.exists() && self.begins_with_setting(text);
        if from_command_line {
            return Ok(self.working_folder.join(text));
        }
        Ok(beside_script)
    }

    /// Returns whether a path is below one that a string from the command line stands for.
    fn begins_with_setting(&self, text: &str) -> bool {
        self.settings
            .values()
            .flat_map(|setting| words_of(setting))
            .any(|word| Path::new(text).starts_with(word))
    }
}

/// Returns the strings of a setting: itself, and those inside when it is JSON.
fn words_of(text: &str) -> Vec<String> {
    fn collect(value: &serde_json::Value, words: &mut Vec<String>) {
        match value {
            serde_json::Value::String(word) => words.push(word.clone()),
            serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, words)),
            _ => {}
        }
    }
    if text.is_empty() {
        return Vec::new();
    }
    let mut words = vec![text.to_owned()];
    if let Ok(value) = serde_json::from_str(text) {
        collect(&value, &mut words);
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The memory that arrays made by the script may take.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicU64,
    limit: u64,
}

/// A share of the budget, given back when the last handle goes.
#[derive(Debug)]
pub(crate) struct Reserved {
    bytes: u64,
    budget: Arc<Budget>,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Budget {
    /// Takes a share.
    ///
    /// # Errors
    ///
    /// Kind `too_large` when less than that is left.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: u64) -> Result<Arc<Reserved>, Failure> {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed);
        let reserved = Arc::new(Reserved { bytes, budget: Arc::clone(self) });
        if self.limit > 0 && used.saturating_add(bytes) > self.limit {
            let message = format!(
                "the arrays that this script keeps would take {}, more than the {} allowed",
                megabytes(used.saturating_add(bytes)),
                megabytes(self.limit)
            );
            return Err(Failure::new(kind::TOO_LARGE, message)
                .with_help("keep fewer results at a time: let variables go out of scope"));
        }
        Ok(reserved)
    }

    /// Takes the share of findings.
    ///
    /// # Errors
    ///
    /// As [`Budget::reserve`].
    pub(crate) fn reserve_for(
        self: &Arc<Self>,
        findings: &Findings,
    ) -> Result<Arc<Reserved>, Failure> {
        self.reserve(findings.arrays.iter().map(bytes_of).sum())
    }
}

/// Returns how many bytes an array's values take.
pub(crate) fn bytes_of(array: &Array) -> u64 {
    let size = if array.values.dtype() == "uint8" { 1 } else { 4 };
    array.values.shape().iter().map(|&extent| extent as u64).product::<u64>().saturating_mul(size)
}

pub(crate) fn megabytes(bytes: u64) -> String {
    if bytes < 10 << 20 {
        format!("{} KiB", bytes.div_ceil(1 << 10))
    } else {
        format!("{} MiB", bytes.div_ceil(1 << 20))
    }
}

/// What a report holds while the script fills it.
pub(crate) type Entries = Arc<Mutex<Vec<Entry>>>;
