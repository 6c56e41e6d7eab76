//! Why a script did not run to its end.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a script did not run to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// The user stopped it.
    ///
    /// Cure: Run it again. Nothing was written.
    #[error("stopped by the user")]
    Cancelled,
    /// The script failed while it ran.
    ///
    /// Cure: Look at the marked words and the help below them. What may have gone wrong stands
    /// under [What can go wrong in a script](#script-kinds).
    #[error("{0}")]
    Failed(Box<Diagnostic>),
    /// The script has mistakes, and was not run. All that can be seen are told, in the order of the
    /// text, the script itself before what it imports.
    ///
    /// Cure: Correct them one after the other: each is marked in the text, and has help of its own.
    /// `convscope check` finds them without running anything.
    #[error("{}", lines(.0))]
    Mistakes(Vec<Diagnostic>),
    /// The system gave no thread to run it in.
    ///
    /// Cure: Raise the limit of processes or of memory (`ulimit -u`, `ulimit -v`).
    #[error("cannot start a thread for the script: {source}")]
    Thread {
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file of the script cannot be read.
    ///
    /// Cure: Check the path and that you may read the file; a script is UTF-8 text.
    #[error("cannot read the script `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// A mistake, and where in the script it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What went wrong, in snake case, for programs.
    pub kind: String,
    /// What went wrong, for people; no capital at the start, no full stop at the end.
    pub message: String,
    /// The parameter or option that is to blame.
    pub key: Option<String>,
    /// Where. Absent when no line is to blame, such as for a wrong `--set`.
    pub place: Option<Place>,
    /// What the marked words should have been: `did you mean …?`
    pub label: Option<String>,
    /// What to do; may have several lines.
    pub help: Option<String>,
    /// The calls that led there, the innermost first.
    pub stack: Vec<Frame>,
}

/// A place in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// What stands in the file.
    pub source: Arc<str>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The marked words, in characters from the beginning of the source.
    pub span: Range<usize>,
}

/// A call that led to a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What was called or imported: `describe`, `a closure`, `import`.
    pub function: String,
    /// Where it was called from, if that is known.
    pub place: Option<Place>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl From<Diagnostic> for ScriptError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Failed(Box::new(diagnostic))
    }
}

fn lines(mistakes: &[Diagnostic]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_says_what_happened() {
        let io = || std::io::Error::other("disk on fire");
        assert_eq!(ScriptError::Cancelled.to_string(), "stopped by the user");
        assert_eq!(
            ScriptError::Thread { source: io() }.to_string(),
            "cannot start a thread for the script: disk on fire"
        );
        assert_eq!(
            ScriptError::Unreadable { path: "a.rhai".into(), source: io() }.to_string(),
            "cannot read the script `a.rhai`: disk on fire"
        );
        let place =
            Place { path: "a.rhai".into(), source: "x".into(), line: 1, column: 1, span: 0..1 };
        let mistake = Diagnostic {
            kind: "unknown_variable".into(),
            message: "unknown variable `x`".into(),
            key: None,
            place: Some(place),
            label: None,
            help: None,
            stack: Vec::new(),
        };
        let line = "a.rhai:1:1: unknown variable `x`";
        assert_eq!(ScriptError::from(mistake.clone()).to_string(), line);
        let both = ScriptError::Mistakes(vec![mistake.clone(), mistake]);
        assert_eq!(both.to_string(), format!("{line}\n{line}"));
    }
}
