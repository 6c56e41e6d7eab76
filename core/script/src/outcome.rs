//! What a script leaves behind.

use std::path::PathBuf;
use std::sync::Arc;

use convscope_protocol::Findings;

/// What a script that ran to its end leaves behind for the program to write.
#[derive(Clone, Debug, Default)]
pub struct ScriptOutcome {
    /// The report, if one was saved.
    pub report: Option<Report>,
    /// Arrays to be written beside it.
    pub files: Vec<SavedArray>,
    /// The analyses that ran, in order.
    pub analyses: Vec<AnalysisRun>,
    /// Every script that was read: the one that was asked for first, then its imports.
    pub sources: Vec<ScriptSource>,
    /// What the user should know although nothing failed.
    pub warnings: Vec<String>,
}

/// A report as a script made it.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Its heading.
    pub title: String,
    /// What it shows, from top to bottom.
    pub entries: Vec<Entry>,
}

/// One piece of a report.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// Markdown.
    Text(String),
    /// A figure of some findings.
    Figure {
        /// Where it and its arrays are.
        findings: Arc<Findings>,
        /// What the findings are called in this run: `deconvnet`, `deconvnet_2`.
        result: String,
        /// Name of the figure.
        figure: String,
        /// Words instead of the figure's own caption.
        caption: Option<String>,
    },
    /// A table of some findings.
    Table {
        /// Where it is.
        findings: Arc<Findings>,
        /// What the findings are called in this run.
        result: String,
        /// Name of the table.
        table: String,
        /// Words instead of the table's own caption.
        caption: Option<String>,
    },
}

/// An array that a script wants as a file of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedArray {
    /// Where the array is.
    pub findings: Arc<Findings>,
    /// Its name there.
    pub array: String,
    /// Path below the output folder: relative, without `..`, ending in `.npy`.
    pub path: PathBuf,
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
