//! What an analysis found.

mod accept;
mod content;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use accept::FindingsError;

use crate::{Array, Figure, Table};

/// Everything an analysis handed back, with what is needed to repeat it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// What made it.
    pub origin: Origin,
    /// Arrays in the order in which they were emitted.
    pub arrays: Vec<Array>,
    /// Tables in the order in which they were emitted.
    pub tables: Vec<Table>,
    /// Figures in the order in which they were emitted.
    pub figures: Vec<Figure>,
    /// Single numbers by name.
    pub scalars: Vec<(String, f64)>,
    /// Remarks that a reader must see, such as approximations taken.
    pub notes: Vec<String>,
}

/// What made findings: enough to repeat them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// Full name of the analysis, `plugin/analysis`.
    pub analysis: String,
    /// What the analysis computes and by which definition, one or two sentences.
    pub semantics: String,
    /// The completed parameters; images and tensors appear by their hash.
    pub parameters: Map<String, Value>,
    /// blake3 of the plugin's file.
    pub plugin_hash: String,
    /// blake3 of the model's file.
    pub model_hash: String,
    /// blake3 over the images.
    pub images_hash: String,
    /// Seed of the session.
    pub seed: u64,
    /// Backend and device.
    pub backend: String,
}

impl Findings {
    /// Finds an array by name.
    pub fn array(&self, name: &str) -> Option<&Array> {
        self.arrays.iter().find(|array| array.name == name)
    }

    /// Finds a table by name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// Finds a figure by name.
    pub fn figure(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == name)
    }
}
