//! One run of a script, from its file to what it leaves behind.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use convscope_report::Report;
use rhai::Engine;

use crate::check::{Reader, asked_options, mistakes};
use crate::error::Frame;
use crate::imports::{Imports, Library, in_words};
use crate::sources::Sources;
use crate::state::{Ledger, State};
use crate::suggest::{did_you_mean, listed};
use crate::{
    Diagnostic, Failure, ScriptError, ScriptOptions, ScriptOutcome, ScriptSource, Workbench,
    engine, explain, kind,
};

/// Bytes of the stack on which a script runs: calls inside one another, each with expressions
/// inside one another, up to the limits of both.
const STACK_BYTES: usize = 64 << 20;

/// Runs a script: checks it, then executes it.
///
/// # Errors
///
/// [`ScriptError::Mistakes`] when the script is wrong, [`ScriptError::Failed`] when it fails while it
/// runs, [`ScriptError::Cancelled`] when the workbench says that the user wants to stop.
pub fn run(
    script: &Path,
    workbench: Arc<dyn Workbench>,
    options: &ScriptOptions,
) -> Result<ScriptOutcome, ScriptError> {
    on_thread(|| {
        let desk = Desk::lay(script, workbench, options)?;
        desk.check()?;
        desk.execute()
    })
}

/// Finds the mistakes of a script that can be seen without running it, all at once.
///
/// # Errors
///
/// [`ScriptError::Mistakes`] with everything that is wrong.
pub fn check(
    script: &Path,
    workbench: Arc<dyn Workbench>,
    options: &ScriptOptions,
) -> Result<(), ScriptError> {
    on_thread(|| Desk::lay(script, workbench, options)?.check())
}

fn on_thread<T: Send>(
    work: impl FnOnce() -> Result<T, ScriptError> + Send,
) -> Result<T, ScriptError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("script".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work)
            .map_err(|source| ScriptError::Thread { source })?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A script and what it takes to run it.
struct Desk {
    path: PathBuf,
    text: String,
    state: Arc<State>,
    sources: Arc<Sources>,
    library: Library,
    engine: Engine,
}

impl Desk {
    fn lay(
        script: &Path,
        workbench: Arc<dyn Workbench>,
        options: &ScriptOptions,
    ) -> Result<Self, ScriptError> {
        let unreadable = |source: io::Error| ScriptError::Unreadable {
            path: script.to_path_buf(),
            source: in_words(source),
        };
        let path = script.canonicalize().map_err(unreadable)?;
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
        let state = Arc::new(State::new(&path, workbench, options));
        let sources = Arc::new(Sources::default());
        let library = Library::new(&path, options);
        let imports =
            Imports::new(&path, library.clone(), Arc::clone(&state), Arc::clone(&sources));
        let engine = engine::with_imports(engine::engine(&state, options), imports);
        Ok(Self { path, text, state, sources, library, engine })
    }

    fn check(&self) -> Result<(), ScriptError> {
        let reader = Reader::new(&self.engine, &self.library, &self.sources);
        let program = reader.read(&self.path, &self.text);
        let found = mistakes(&program, &self.engine, &self.state);
        let mut all: Vec<Diagnostic> = found
            .into_iter()
            .map(|mistake| {
                let place = self.sources.place(program.path(mistake.script), mistake.position);
                let stack = program.importers(mistake.script).map(|(script, position)| Frame {
                    function: "import".to_owned(),
                    place: self.sources.place(program.path(script), position),
                });
                explain::diagnostic(mistake.failure, place, stack.collect())
            })
            .collect();
        if let Some(known) = asked_options(&program) {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let unknown = self.state.settings.keys().filter(|name| !known.contains(&name.as_str()));
            let unknown = unknown.map(|name| unknown_setting(name, &known));
            all.extend(unknown.map(|failure| explain::diagnostic(failure, None, Vec::new())));
        }
        if all.is_empty() { Ok(()) } else { Err(ScriptError::Mistakes(all)) }
    }

    /// Executes the script, which was checked.
    fn execute(self) -> Result<ScriptOutcome, ScriptError> {
        let Self { path, text, state, sources, engine, .. } = self;
        state.ledger().sources.push(ScriptSource { path: path.clone(), text });
        let result = match sources.get(&path).and_then(|script| script.tree) {
            Some(tree) => engine.run_ast(&tree),
            None => sources.compile(&engine, &path).map_err(Into::into).map(|_| ()),
        };
        result
            .map_err(|error| explain::explain(error, &path, &engine, &sources, &state.plugins))?;
        let mut ledger = std::mem::take(&mut *state.ledger());
        let warnings = warnings(&state, &ledger);
        Ok(ScriptOutcome {
            report: report_of(&mut ledger, &path),
            analyses: ledger.analyses,
            sources: ledger.sources,
            warnings,
        })
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
    Failure::new(kind::UNKNOWN_OPTION, format!("the script has no option `{name}`"))
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
