//! What a report consists of.

use std::sync::Arc;

use convscope_protocol::Findings;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A report: a title, and what stands below it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Heading of the page.
    pub title: String,
    /// What it shows, in order.
    pub entries: Vec<Entry>,
}

/// One entry of a report.
///
/// `result` is the name under which findings keep their arrays, `data/RESULT/`: the analysis'
/// own name. Other findings with the same name get `-2`, `-3` and so on; the same findings, by
/// their `Arc`, keep the name they had.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Entry {
    /// Words in Markdown. HTML in them is shown, not obeyed.
    Text(String),
    /// All figures, tables and notes of a result.
    Findings {
        /// Name of the result.
        result: String,
        /// What is shown.
        findings: Arc<Findings>,
    },
    /// One figure of a result.
    Figure {
        /// Name of the result.
        result: String,
        /// Where the figure and its arrays are.
        findings: Arc<Findings>,
        /// Name of the figure.
        figure: String,
        /// Stands before the figure's own caption, which states the settings.
        caption: Option<String>,
    },
    /// One table of a result.
    Table {
        /// Name of the result.
        result: String,
        /// Where the table is.
        findings: Arc<Findings>,
        /// Name of the table.
        table: String,
        /// Stands before the table's own caption.
        caption: Option<String>,
    },
    /// An array as a file of its own, where its author wants it. The page does not show it.
    File {
        /// Where the array is.
        findings: Arc<Findings>,
        /// Name of the array.
        array: String,
        /// Path within the report's folder, such as `maps/first.npy`: parts between slashes, of
        /// letters, digits, `.`, `_` and `-`, outside of `data` and `figures`.
        path: String,
    },
}

impl Entry {
    /// Returns the findings that the entry shows or stores; nothing for words.
    pub fn findings(&self) -> Option<&Findings> {
        match self {
            Self::Text(_) => None,
            Self::Findings { findings, .. }
            | Self::Figure { findings, .. }
            | Self::Table { findings, .. }
            | Self::File { findings, .. } => Some(findings),
        }
    }
}

/// What is needed to repeat a report, for the manifest and the foot of every figure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of convscope.
    pub version: String,
    /// The command line.
    pub command: Vec<String>,
    /// Seed of the session.
    pub seed: u64,
    /// Backend and device.
    pub backend: String,
    /// blake3 of the script, if there is one.
    pub script_hash: Option<String>,
    /// The models that were loaded.
    pub models: Vec<Ingredient>,
    /// The image sets that were loaded.
    pub images: Vec<Ingredient>,
    /// The plugins that were used.
    pub plugins: Vec<PluginOrigin>,
    /// What may differ from run to run: start, seconds, cache hits, memory, threads. It goes into
    /// the manifest only.
    pub run: Map<String, Value>,
}

/// A file or a set of files that went into a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ingredient {
    /// Name without folders.
    pub name: String,
    /// blake3 of the content.
    pub hash: String,
    /// Of a model: where it stands how pictures became its input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocessing: Option<String>,
}

/// A plugin that was used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginOrigin {
    /// Its identifier.
    pub id: String,
    /// Its own version.
    pub version: String,
    /// blake3 of its file.
    pub hash: String,
}
