//! The scripts of one run: their texts and syntax trees.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rhai::{AST, Engine, ParseError, Position};

use crate::{Place, span};

/// The scripts of one run, by path.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    scripts: Mutex<BTreeMap<PathBuf, Script>>,
}

/// One script.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// What stands in it, without the mark that some editors put first.
    pub(crate) text: Arc<str>,
    /// Absent while, or because, it cannot be parsed.
    pub(crate) tree: Option<AST>,
}

impl Sources {
    /// Adds a script. Its text is kept even when it cannot be parsed, for messages.
    pub(crate) fn add(&self, path: &Path, text: &str) -> Script {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let script = Script { text: text.into(), tree: None };
        self.lock().insert(path.to_path_buf(), script.clone());
        script
    }

    /// Parses a script and keeps its tree.
    pub(crate) fn compile(&self, engine: &Engine, path: &Path) -> Result<AST, ParseError> {
        let tree = self.parse(engine, path)?;
        if let Some(script) = self.lock().get_mut(path) {
            script.tree = Some(tree.clone());
        }
        Ok(tree)
    }

    /// Parses a script.
    pub(crate) fn parse(&self, engine: &Engine, path: &Path) -> Result<AST, ParseError> {
        let text = self.get(path).map(|script| script.text).unwrap_or_default();
        // The first line of an executable script is for the system.
        let text = if text.starts_with("#!") {
            &text[text.find('\n').unwrap_or(text.len())..]
        } else {
            &text
        };
        let mut tree = engine.compile(text)?;
        tree.set_source(path.to_string_lossy().into_owned());
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
