//! The commands, one file each.

pub(crate) mod analyze;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod definitions;
pub(crate) mod infer;
pub(crate) mod inspect;
pub(crate) mod plugins;
pub(crate) mod predict;
pub(crate) mod run;

use serde_json::{Map, Value};

use crate::arguments::{Command, Common};
use crate::console::Console;
use crate::failure::Failure;

/// What a command hands back.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Shown to people on standard output; ends with a line break unless empty.
    pub(crate) text: String,
    /// Shown to programs with `--json`.
    pub(crate) json: Map<String, Value>,
}

/// Runs a command.
pub(crate) fn execute(
    command: &Command,
    common: &Common,
    console: &std::sync::Arc<Console>,
) -> Result<Outcome, Failure> {
    match command {
        Command::Analyze(arguments) => analyze::execute(arguments, common, console),
        Command::Check(arguments) => check::execute(arguments, common, console),
        Command::Completions { shell } => Ok(completions::execute(*shell)),
        Command::Definitions(arguments) => definitions::execute(arguments, common, console),
        Command::Infer(arguments) => infer::execute(arguments, common, console),
        Command::Inspect(arguments) => inspect::execute(arguments, common, console),
        Command::Plugins(arguments) => plugins::execute(arguments, common, console),
        Command::Predict(arguments) => predict::execute(arguments, common, console),
        Command::Run(arguments) => run::execute(arguments, common, console),
    }
}
