//! What a run of a script depends on beside the script.

use std::path::PathBuf;

/// Settings of a run.
#[derive(Clone, Debug)]
pub struct ScriptOptions {
    /// `--set NAME=VALUE`, in order; the last of a name counts.
    pub settings: Vec<(String, String)>,
    /// Where relative paths of the command line start.
    pub working_folder: PathBuf,
    /// Folders of the installed script library, searched for imports after the script's own.
    pub library: Vec<PathBuf>,
    /// Files and folders that the command line names: readable wherever they lie.
    pub readable: Vec<PathBuf>,
    /// Operations after which a script is stopped; 0 for no limit.
    pub max_operations: u64,
    /// Bytes that the arrays which a script makes and keeps may take; 0 for no limit.
    pub max_array_bytes: u64,
    /// Bytes that the process may grow while the script runs, beside what the program itself
    /// takes; 0 for no limit. Looked at on Linux only.
    pub max_memory_bytes: u64,
}

impl Default for ScriptOptions {
    fn default() -> Self {
        Self {
            settings: Vec::new(),
            working_folder: PathBuf::from("."),
            library: Vec::new(),
            readable: Vec::new(),
            max_operations: 500_000_000,
            max_array_bytes: 2 << 30,
            max_memory_bytes: 4 << 30,
        }
    }
}
