//! What a script leaves behind.

use std::path::PathBuf;

use convscope_report::Report;

/// What a script that ran to its end leaves behind for the program to write.
#[derive(Clone, Debug, Default)]
pub struct ScriptOutcome {
    /// The report that was saved, with the arrays that `save_npy` asked for at its end. Without a
    /// saved report, one that holds nothing but those; nothing when there is neither.
    pub report: Option<Report>,
    /// The analyses that ran, in order.
    pub analyses: Vec<AnalysisRun>,
    /// Every script that was read: the one that was asked for first, then its imports.
    pub sources: Vec<ScriptSource>,
    /// What the user should know although nothing failed.
    pub warnings: Vec<String>,
}

/// One run of an analysis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnalysisRun {
    /// Full name, `plugin/analysis`.
    pub analysis: String,
    /// What its findings are called in this run.
    pub result: String,
}

/// A script that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptSource {
    /// Where it lies, links resolved.
    pub path: PathBuf,
    /// What stands in it.
    pub text: String,
}
