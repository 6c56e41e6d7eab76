//! What the commands that read scripts share.

use std::path::PathBuf;

use convscope_script::{ScriptError, ScriptOptions};

use crate::failure::Failure;
use crate::kind;
use crate::{excerpt, settings};

/// Collects what a script depends on beside its text.
pub(crate) fn options(set: &[String]) -> Result<ScriptOptions, Failure> {
    let working_folder = std::env::current_dir()
        .map_err(|error| Failure::new(kind::FOLDER, format!("no working folder: {error}")))?;
    Ok(ScriptOptions {
        settings: settings::pairs(set)?,
        working_folder,
        library: library(),
        ..ScriptOptions::default()
    })
}

/// Returns where an installation keeps its scripts.
fn library() -> Vec<PathBuf> {
    let program = std::env::current_exe().and_then(|path| path.canonicalize());
    let folder = program.ok().and_then(|path| Some(path.parent()?.to_owned()));
    folder.map(|folder| folder.join("../share/convscope/scripts")).into_iter().collect()
}

/// Turns what is wrong with a script into a failure.
pub(crate) fn failure(error: ScriptError) -> Failure {
    match error {
        ScriptError::Cancelled => Failure::interrupted(),
        ScriptError::Failed(diagnostic) => excerpt::failure(&diagnostic),
        ScriptError::Mistakes(mistakes) => excerpt::mistakes(&mistakes),
        other => Failure::new(kind::SCRIPT, other.to_string()),
    }
}
