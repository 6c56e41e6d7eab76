//! Imports, confined to the script's folder and the installed script library.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{
    Engine, EvalAltResult, GlobalRuntimeState, Module, ModuleResolver, Position, Scope, Shared,
};

use crate::sources::Sources;
use crate::state::State;
use crate::throw::Fallible;
use crate::{Failure, ScriptOptions, ScriptSource, kind};

/// The folders from which scripts are imported: the script's own, then those of the library.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    /// Links resolved.
    roots: Vec<PathBuf>,
}

/// Imports scripts.
pub(crate) struct Imports {
    state: Arc<State>,
    sources: Arc<Sources>,
    library: Library,
    /// Modules that were read, by path.
    modules: Mutex<BTreeMap<PathBuf, Shared<Module>>>,
    /// The imports under way, the outermost first.
    open: Mutex<Vec<PathBuf>>,
}

impl Library {
    pub(crate) fn new(script: &Path, options: &ScriptOptions) -> Self {
        let folders = script.parent().into_iter().map(Path::to_path_buf);
        let folders = folders.chain(options.library.iter().cloned());
        Self { roots: folders.filter_map(|folder| folder.canonicalize().ok()).collect() }
    }

    /// Finds what `import "name"` means: `name.rhai` in the folder of the script that imports it,
    /// else in one of the library's.
    ///
    /// # Errors
    ///
    /// When there is none, or it lies elsewhere.
    pub(crate) fn find(&self, beside: Option<&Path>, name: &str) -> Result<PathBuf, Failure> {
        let inside = !name.is_empty()
            && !name.contains(['\\', ':'])
            && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if !inside {
            let message = format!("cannot import `{name}`");
            return Err(Failure::new(kind::OUT_OF_REACH, message).with_help(
                "an import is a name below the script's folder or the script library, without `..`",
            ));
        }
        let file = format!("{}.rhai", name.strip_suffix(".rhai").unwrap_or(name));
        let folders: Vec<&Path> =
            beside.into_iter().chain(self.roots.iter().map(PathBuf::as_path)).collect();
        for folder in &folders {
            let Ok(path) = folder.join(&file).canonicalize() else { continue };
            if self.roots.iter().any(|root| path.starts_with(root)) {
                return Ok(path);
            }
            let message = format!("cannot import `{name}`: it is `{}`", path.display());
            return Err(Failure::new(kind::OUT_OF_REACH, message)
                .with_help("a link may not lead out of the script's folder"));
        }
        let mut searched: Vec<String> =
            folders.iter().map(|folder| folder.display().to_string()).collect();
        searched.dedup();
        Err(Failure::new(kind::NOT_FOUND, format!("there is no script `{file}` to import"))
            .with_help(format!("looked in {}", searched.join(", "))))
    }

    /// Reads a script.
    ///
    /// # Errors
    ///
    /// When that cannot be done.
    pub(crate) fn read(path: &Path) -> Result<String, Failure> {
        std::fs::read_to_string(path).map_err(|error| {
            let error = in_words(error);
            Failure::new(kind::UNREADABLE, format!("cannot read `{}`: {error}", path.display()))
        })
    }
}

/// Says of a file that is no text what a user can see.
pub(crate) fn in_words(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::InvalidData => io::Error::new(ErrorKind::InvalidData, "it is no UTF-8 text"),
        _ => error,
    }
}

/// Says so when a script is imported while it is being imported; `open` are the imports under way.
pub(crate) fn refuse_circle(open: &[PathBuf], path: &Path) -> Result<(), Failure> {
    let Some(start) = open.iter().position(|other| other == path) else { return Ok(()) };
    let circle: Vec<String> = open[start..]
        .iter()
        .map(PathBuf::as_path)
        .chain([path])
        .map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    let message = format!("imports go in a circle: {}", circle.join(" → "));
    Err(Failure::new(kind::IMPORT_CIRCLE, message)
        .with_help("move what both need into a third script"))
}

impl Imports {
    pub(crate) fn new(
        script: &Path,
        library: Library,
        state: Arc<State>,
        sources: Arc<Sources>,
    ) -> Self {
        let (modules, open) = (Mutex::default(), Mutex::new(vec![script.to_path_buf()]));
        Self { state, sources, library, modules, open }
    }

    fn load(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        path: &Path,
    ) -> Fallible<Shared<Module>> {
        let wrap = |error, position| {
            let path = path.to_string_lossy().into_owned();
            Box::new(EvalAltResult::ErrorInModule(path, error, position))
        };
        // What is imported by a literal name was read, and checked, before the run began.
        let script = match self.sources.get(path) {
            Some(script) => script,
            None => self.sources.add(path, &Library::read(path)?),
        };
        let source = ScriptSource { path: path.to_path_buf(), text: script.text.to_string() };
        self.state.ledger().sources.push(source);
        let tree = match script.tree {
            Some(tree) => tree,
            None => self
                .sources
                .compile(engine, path)
                .map_err(|error| wrap(error.into(), Position::NONE))?,
        };
        // A scope of its own: a module does not see the variables of who imports it.
        let module = Module::eval_ast_as_new_raw(engine, &mut Scope::new(), global, &tree)
            .map_err(|error| wrap(error, Position::NONE))?;
        Ok(module.into())
    }
}

impl ModuleResolver for Imports {
    fn resolve(
        &self,
        engine: &Engine,
        _source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Fallible<Shared<Module>> {
        let mut global = engine.new_global_runtime_state();
        self.resolve_raw(engine, &mut global, &mut Scope::new(), path, position)
    }

    fn resolve_raw(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        _scope: &mut Scope,
        name: &str,
        position: Position,
    ) -> Fallible<Shared<Module>> {
        let place = |mut error: Box<EvalAltResult>| {
            if error.position().is_none() {
                error.set_position(position);
            }
            error
        };
        let beside = global.source().and_then(|source| Path::new(source).parent());
        let path = self.library.find(beside, name).map_err(|failure| place(failure.into()))?;
        refuse_circle(&lock(&self.open), &path).map_err(|failure| place(failure.into()))?;
        if let Some(module) = lock(&self.modules).get(&path) {
            return Ok(Arc::clone(module));
        }
        lock(&self.open).push(path.clone());
        let loaded = self.load(engine, global, &path);
        lock(&self.open).pop();
        let module = loaded.map_err(place)?;
        lock(&self.modules).insert(path, Arc::clone(&module));
        Ok(module)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
