//! `convscope run`: a script, and the report it makes.

use std::sync::Arc;

use convscope_report::{Entry, check_folder};
use convscope_script::{ScriptOptions, Workbench as _};

use super::Outcome;
use crate::arguments::{Common, Run};
use crate::console::Console;
use crate::failure::Failure;
use crate::provenance::{self, Clock};
use crate::workbench::Workbench;
use crate::{script, session, written};

/// Runs a script and writes its report.
pub(crate) fn execute(
    arguments: &Run,
    common: &Common,
    console: &Arc<Console>,
) -> Result<Outcome, Failure> {
    let clock = Clock::start();
    check_folder(&arguments.out).map_err(|error| written::failure(&error))?;
    let session = Arc::new(session::open(common, console)?);
    let workbench = Arc::new(Workbench::new(Arc::clone(&session), Arc::clone(console)));
    let options = ScriptOptions {
        max_operations: arguments.max_operations,
        ..script::options(&arguments.set)?
    };
    let handle = Arc::clone(&workbench) as Arc<dyn convscope_script::Workbench>;
    let result = convscope_script::run(&arguments.script, handle, &options);
    console.clear();
    let outcome = result.map_err(script::failure)?;
    for warning in &outcome.warnings {
        console.warn(warning);
    }
    if workbench.is_cancelled() {
        return Err(Failure::interrupted());
    }
    let Some(report) = outcome.report else {
        return Ok(Outcome::default());
    };
    let findings = report.entries.iter().filter_map(Entry::findings);
    let mut provenance = provenance::of(&session, &clock, workbench.loaded(), findings);
    provenance.script_hash = outcome.sources.first().map(|source| hash(&source.text));
    written::write(&report, &provenance, &arguments.out, &clock, console)
}

fn hash(text: &str) -> String {
    convscope_data::ContentHash::of_bytes(text.as_bytes()).to_string()
}
