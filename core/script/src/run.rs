//! One run of a script, from its file to what it leaves behind.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use convscope_report::Report;
use rhai::Position;

use crate::imports::Imports;
use crate::sources::Sources;
use crate::state::{Ledger, State};
use crate::suggest::{did_you_mean, listed};
use crate::{
    Failure, ScriptError, ScriptOptions, ScriptOutcome, ScriptSource, Workbench, check, engine,
    explain,
};

/// Bytes of the stack on which a script runs: calls inside one another, each with expressions
/// inside one another, up to the limits of both.
const STACK_BYTES: usize = 64 << 20;

/// Runs a script: checks it, then executes it.
///
/// # Errors
///
/// [`ScriptError::Mistake`] when the script or something it asked for is wrong,
/// [`ScriptError::Cancelled`] when the workbench says that the user wants to stop.
pub fn run(
    script: &Path,
    workbench: Arc<dyn Workbench>,
    options: &ScriptOptions,
) -> Result<ScriptOutcome, ScriptError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("script".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || run_here(script, workbench, options))
            .map_err(|source| ScriptError::Thread { source })?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn run_here(
    script: &Path,
    workbench: Arc<dyn Workbench>,
    options: &ScriptOptions,
) -> Result<ScriptOutcome, ScriptError> {
    let unreadable = |source: io::Error| ScriptError::Unreadable {
        path: script.to_path_buf(),
        source: in_words(source),
    };
    let path = script.canonicalize().map_err(unreadable)?;
    let text = std::fs::read_to_string(&path).map_err(unreadable)?;

    let state = Arc::new(State::new(&path, workbench, options));
    state.ledger().sources.push(ScriptSource { path: path.clone(), text: text.clone() });
    let sources = Arc::new(Sources::default());
    let imports = Imports::new(&path, options, Arc::clone(&state), Arc::clone(&sources));
    let engine = engine::with_imports(engine::engine(&state, options), imports);

    let tree = sources
        .compile(&engine, &path, &text)
        .map_err(|error| explain::explain(error, &path, &engine, &sources, &state.plugins))?;
    if let Some((failure, position)) = check::first_mistake(&engine, &tree, &state.plugins) {
        return Err(explain::place(failure, position, &path, &sources, Vec::new()).into());
    }
    if let Some(known) = check::options(&tree) {
        let unknown = state.settings.keys().find(|name| !known.contains(*name));
        if let Some(name) = unknown {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let failure = unknown_setting(name, &known);
            let nowhere = Position::NONE;
            return Err(explain::place(failure, nowhere, &path, &sources, Vec::new()).into());
        }
    }
    let result = engine.run_ast(&tree);
    result.map_err(|error| explain::explain(error, &path, &engine, &sources, &state.plugins))?;
    let mut ledger = std::mem::take(&mut *state.ledger());
    let warnings = warnings(&state, &ledger);
    Ok(ScriptOutcome {
        report: report_of(&mut ledger, &path),
        analyses: ledger.analyses,
        sources: ledger.sources,
        warnings,
    })
}

/// Says of a file that is no text what a user can see.
fn in_words(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::InvalidData => io::Error::new(ErrorKind::InvalidData, "it is no UTF-8 text"),
        _ => error,
    }
}

/// Returns what is to be written.
fn report_of(ledger: &mut Ledger, script: &Path) -> Option<Report> {
    let files = std::mem::take(&mut ledger.files).into_values();
    let mut report = match ledger.saved.take() {
        Some((_, report)) => report,
        None if files.len() == 0 => return None,
        None => {
            let title = script.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Report { title, entries: Vec::new() }
        }
    };
    report.entries.extend(files);
    Some(report)
}

fn unknown_setting(name: &str, known: &[&str]) -> Failure {
    let help = match (did_you_mean(name, known.iter().copied()), known) {
        (Some(question), _) => question,
        (None, []) => "it has none".to_owned(),
        (None, _) => format!("options: {}", listed(known.iter().copied(), 20)),
    };
    Failure::new("unknown_option", format!("the script has no option `{name}`"))
        .with_key(name)
        .with_help(help)
}

/// Collects what the user should know although nothing failed.
fn warnings(state: &State, ledger: &Ledger) -> Vec<String> {
    let mut warnings = Vec::new();
    for name in state.settings.keys().filter(|name| !ledger.used_settings.contains(*name)) {
        warnings.push(format!("the script did not use `--set {name}`"));
    }
    match &ledger.saved {
        None if ledger.reports > 0 => {
            warnings.push("the report was never saved: end with `page.save()`".to_owned());
        }
        None if !ledger.analyses.is_empty() && ledger.files.is_empty() => warnings
            .push("the script ran analyses but saved no report: nothing is written".to_owned()),
        None => {}
        Some((number, report)) => {
            let late = ledger.unsaved.get(number).copied().unwrap_or_default();
            if late > 0 {
                warnings.push(format!(
                    "what was added to the report `{}` after `save()` is not in it: {late} \
                     {}",
                    report.title,
                    if late == 1 { "piece" } else { "pieces" }
                ));
            }
        }
    }
    warnings
}
