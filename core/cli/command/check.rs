//! `convscope check`: the mistakes of a script, without running it.

use std::sync::Arc;

use serde_json::{Map, json};

use super::Outcome;
use crate::arguments::{Check, Common};
use crate::console::Console;
use crate::failure::Failure;
use crate::workbench::Workbench;
use crate::{script, session};

/// Finds the mistakes of a script.
pub(crate) fn execute(
    arguments: &Check,
    common: &Common,
    console: &Arc<Console>,
) -> Result<Outcome, Failure> {
    let options = script::options(&arguments.set)?;
    let session = Arc::new(session::open(common, console)?);
    let workbench = Arc::new(Workbench::new(session, Arc::clone(console)));
    convscope_script::check(&arguments.script, workbench, &options).map_err(script::failure)?;
    let mut json = Map::new();
    json.insert("script".to_owned(), json!(arguments.script));
    Ok(Outcome { text: format!("{}: no mistakes\n", arguments.script.display()), json })
}
