//! `convscope completions`: a script that completes arguments in a shell.

use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::{Map, json};

use super::Outcome;
use crate::arguments::Arguments;

/// Writes the script of a shell.
pub(crate) fn execute(shell: Shell) -> Outcome {
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    let text = String::from_utf8_lossy(&script).into_owned();
    let mut json = Map::new();
    json.insert("shell".to_owned(), json!(shell.to_string()));
    json.insert("script".to_owned(), json!(text));
    Outcome { text, json }
}
