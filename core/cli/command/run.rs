//! `convscope run`: a script, and the report it makes.

use std::path::PathBuf;
use std::sync::Arc;

use convscope_report::{Entry, check_folder};
use convscope_script::{ScriptError, ScriptOptions, Workbench as _};

use super::Outcome;
use crate::arguments::{Common, Run};
use crate::console::Console;
use crate::failure::Failure;
use crate::provenance::{self, Clock};
use crate::workbench::Workbench;
use crate::{excerpt, session, settings, written};

/// Runs a script and writes its report.
pub(crate) fn execute(
    arguments: &Run,
    common: &Common,
    console: &Arc<Console>,
) -> Result<Outcome, Failure> {
    let clock = Clock::start();
    let settings = settings::pairs(&arguments.set)?;
    check_folder(&arguments.out).map_err(|error| written::failure(&error))?;
    let session = Arc::new(session::open(common, console)?);
    let workbench = Arc::new(Workbench::new(Arc::clone(&session), Arc::clone(console)));
    let options = ScriptOptions {
        settings,
        working_folder: working_folder()?,
        library: library(),
        max_operations: arguments.max_operations,
        ..ScriptOptions::default()
    };
    let handle = Arc::clone(&workbench) as Arc<dyn convscope_script::Workbench>;
    let result = convscope_script::run(&arguments.script, handle, &options);
    console.clear();
    let outcome = result.map_err(|error| match error {
        ScriptError::Cancelled => Failure::interrupted(),
        ScriptError::Mistake(diagnostic) => excerpt::failure(&diagnostic),
        other => Failure::new("script", other.to_string()),
    })?;
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

fn working_folder() -> Result<PathBuf, Failure> {
    std::env::current_dir()
        .map_err(|error| Failure::new("folder", format!("no working folder: {error}")))
}

/// Returns where an installation keeps its scripts.
fn library() -> Vec<PathBuf> {
    let program = std::env::current_exe().and_then(|path| path.canonicalize());
    let folder = program.ok().and_then(|path| Some(path.parent()?.to_owned()));
    folder.map(|folder| folder.join("../share/convscope/scripts")).into_iter().collect()
}
