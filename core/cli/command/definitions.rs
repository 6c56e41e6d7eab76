//! `convscope definitions`: what editors need to complete and explain scripts.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, json};

use super::Outcome;
use crate::arguments::{Common, Definitions};
use crate::console::Console;
use crate::failure::Failure;
use crate::kind;
use crate::session;
use crate::workbench::Workbench;

/// Writes the definitions of everything that a script may call, with the plugins that are found.
pub(crate) fn execute(
    arguments: &Definitions,
    common: &Common,
    console: &Arc<Console>,
) -> Result<Outcome, Failure> {
    let session = Arc::new(session::open(common, console)?);
    let workbench = Arc::new(Workbench::new(session, Arc::clone(console)));
    let unwritable = |path: &Path, error: &std::io::Error| {
        Failure::new(kind::UNWRITABLE, format!("cannot write {}: {error}", path.display()))
    };
    let folder = &arguments.out;
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    let mut written = Vec::new();
    for (name, text) in convscope_script::definitions(workbench) {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| unwritable(&path, &error))?;
        written.push(path);
    }
    let lines: Vec<String> = written.iter().map(|path| format!("{}\n", path.display())).collect();
    let mut json = Map::new();
    json.insert("files".to_owned(), json!(written));
    Ok(Outcome { text: lines.concat(), json })
}
