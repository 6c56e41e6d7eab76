//! The scripts of one run: their texts and syntax trees.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rhai::{AST, Engine, EvalAltResult, Position};

use crate::{Place, span};

/// The scripts of one run, by path.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    scripts: Mutex<BTreeMap<PathBuf, Script>>,
}

/// One script.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) text: Arc<str>,
    /// Absent while, or because, it cannot be parsed.
    pub(crate) tree: Option<AST>,
}

impl Sources {
    /// Reads and parses a script. Its text is kept even when it cannot be parsed, for messages.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        path: &Path,
        text: &str,
    ) -> Result<AST, Box<EvalAltResult>> {
        let script = Script { text: text.into(), tree: None };
        self.lock().insert(path.to_path_buf(), script);
        // The first line of an executable script is for the system.
        let text = if text.starts_with("#!") {
            &text[text.find('\n').unwrap_or(text.len())..]
        } else {
            text
        };
        let mut tree = engine.compile(text).map_err(Box::<EvalAltResult>::from)?;
        tree.set_source(path.to_string_lossy().into_owned());
        if let Some(script) = self.lock().get_mut(path) {
            script.tree = Some(tree.clone());
        }
        Ok(tree)
    }

    pub(crate) fn get(&self, path: &Path) -> Option<Script> {
        self.lock().get(path).cloned()
    }

    /// Widens a position to the word that begins there.
    pub(crate) fn place(&self, path: &Path, position: Position) -> Option<Place> {
        let script = self.get(path)?;
        span::place(path, &script.text, position)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Script>> {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
