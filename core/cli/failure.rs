//! Failures as people and programs read them.

use std::fmt;

use serde::Serialize;

/// Why the program ends without having done its work.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    /// What kind of failure, in snake case, for programs.
    pub(crate) kind: String,
    /// What went wrong and where.
    pub(crate) message: String,
    /// The parameter or option concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Box<str>>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) help: Option<String>,
    /// The failure as rendered for a terminal, where a source excerpt helps.
    #[serde(skip)]
    pub(crate) rendered: Option<Box<str>>,
    /// The program's exit code.
    #[serde(skip)]
    pub(crate) exit: Exit,
}

/// Exit codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// The work failed.
    #[default]
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The user interrupted.
    Interrupted = 130,
}

impl Failure {
    /// A failure of the work itself.
    pub(crate) fn new(kind: &str, message: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            message: message.into(),
            key: None,
            help: None,
            rendered: None,
            exit: Exit::Failed,
        }
    }

    /// A mistake on the command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new("usage", message) }
    }

    /// The user interrupted.
    pub(crate) fn interrupted() -> Self {
        let message = "interrupted; nothing was written";
        Self { exit: Exit::Interrupted, ..Self::new("cancelled", message) }
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(rendered) = &self.rendered {
            return f.write_str(rendered.trim_end());
        }
        write!(f, "error: {}", indented(&self.message))?;
        if let Some(help) = &self.help {
            write!(f, "\n  = help: {}", indented(help))?;
        }
        Ok(())
    }
}

/// Indents every line but the first.
fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_block_with_its_help() {
        let failure = Failure::new("model", "m.onnx: 2 operators\nare unknown").with_help("see X");
        let expected = "error: m.onnx: 2 operators\n  are unknown\n  = help: see X";
        assert_eq!(failure.to_string(), expected);
    }
}
