//! What a plugin says about itself; readable before its code runs an analysis.

use serde::{Deserialize, Serialize};

use crate::Schema;

/// A plugin, described.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PluginDescriptor {
    /// Reverse domain name, such as `org.convscope.gradients`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// Who wrote it.
    pub authors: String,
    /// SPDX expression.
    pub license: String,
    /// Where to read more.
    pub homepage: String,
    /// Compiler and target, for reports of faults.
    pub build_info: String,
    /// blake3 of the file, in hex.
    pub hash: String,
    /// Its analyses.
    pub analyses: Vec<AnalysisDescriptor>,
}

/// An analysis, described.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AnalysisDescriptor {
    /// Snake case; the method's name in scripts.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// What it computes; Markdown.
    pub doc: String,
    /// Paper and section.
    pub reference: String,
    /// Group in lists, such as `attribution`.
    pub category: String,
    /// Its parameters.
    pub parameters: Schema,
    /// What it emits, as a JSON Schema for readers; not enforced.
    pub outputs: serde_json::Value,
    /// May run several times at once.
    pub reentrant: bool,
    /// Same input, same bytes.
    pub deterministic: bool,
    /// Carries signals back.
    pub needs_backward: bool,
}
