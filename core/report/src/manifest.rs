//! `manifest.json`: what a report was made from, and which files belong to it.

use convscope_protocol::array::Axis;
use convscope_protocol::findings::Origin;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::report::{Ingredient, PluginOrigin};

/// Name of the manifest's file.
pub(crate) const FILE: &str = "manifest.json";

/// The manifest. The order of the fields is the order in the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Manifest {
    /// Version of convscope, and the sign by which a report is known as ours.
    pub(crate) convscope: String,
    pub(crate) title: String,
    pub(crate) command: Vec<String>,
    pub(crate) seed: u64,
    pub(crate) backend: String,
    pub(crate) script_hash: Option<String>,
    pub(crate) models: Vec<Ingredient>,
    pub(crate) images: Vec<Ingredient>,
    pub(crate) plugins: Vec<PluginOrigin>,
    pub(crate) results: Vec<ResultEntry>,
    /// Every file of the report, the manifest included, sorted.
    pub(crate) files: Vec<String>,
    /// The one key whose value may differ from run to run.
    pub(crate) run: Map<String, Value>,
}

/// What one analysis found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct ResultEntry {
    pub(crate) name: String,
    /// Analysis, semantics, completed parameters, hashes, seed, backend.
    #[serde(flatten)]
    pub(crate) origin: Origin,
    pub(crate) arrays: Vec<ArrayEntry>,
    pub(crate) tables: Vec<TableEntry>,
    pub(crate) figures: Vec<FigureEntry>,
    pub(crate) scalars: Map<String, Value>,
    pub(crate) notes: Vec<String>,
}

/// One array.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct ArrayEntry {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) dtype: &'static str,
    pub(crate) unit: String,
    pub(crate) axes: Vec<Axis>,
    pub(crate) doc: String,
}

/// One table.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct TableEntry {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) caption: String,
}

/// One figure.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct FigureEntry {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) title: String,
    pub(crate) caption: String,
}

impl Manifest {
    /// Writes the manifest: the same values, the same bytes.
    pub(crate) fn text(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(&sorted(serde_json::to_value(self)?))? + "\n")
    }
}

/// Sorts the keys of every object within `parameters`, `scalars` and `run`, whose order says
/// nothing, and leaves the manifest's own order.
fn sorted(mut manifest: Value) -> Value {
    fn sort(value: &mut Value) {
        match value {
            Value::Object(object) => {
                object.sort_keys();
                object.values_mut().for_each(sort);
            }
            Value::Array(values) => values.iter_mut().for_each(sort),
            _ => {}
        }
    }
    if let Some(run) = manifest.get_mut("run") {
        sort(run);
    }
    for result in manifest.get_mut("results").and_then(Value::as_array_mut).into_iter().flatten() {
        for key in ["parameters", "scalars"] {
            if let Some(value) = result.get_mut(key) {
                sort(value);
            }
        }
    }
    manifest
}

/// Reads which files belong to a report; `None` if the text is no manifest of convscope's.
pub(crate) fn files(text: &str) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Listed {
        #[serde(rename = "convscope")]
        _version: String,
        files: Vec<String>,
    }
    serde_json::from_str::<Listed>(text).ok().map(|listed| listed.files)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_in_which_parameters_were_given_does_not_show() {
        let text = |keys: [&str; 2]| {
            let mut result = ResultEntry::default();
            for key in keys {
                result.origin.parameters.insert(key.into(), json!(1));
            }
            Manifest { results: vec![result], ..Manifest::default() }.text().unwrap()
        };
        assert_eq!(text(["top", "maps"]), text(["maps", "top"]));
    }

    #[test]
    fn a_manifest_is_known_by_its_version_and_its_files() {
        let ours = Manifest { files: vec!["report.html".into()], ..Manifest::default() };
        assert_eq!(files(&ours.text().unwrap()), Some(vec!["report.html".to_owned()]));
        for other in ["", "[]", "{\"files\": []}", "{\"convscope\": \"1\"}", "{\"name\": \"x\"}"] {
            assert_eq!(files(other), None, "{other}");
        }
    }
}
