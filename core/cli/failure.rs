//! Failures as people and programs read them.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::kind;
use crate::text::folded;

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
    /// Everything that is wrong with a script, each with its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mistakes: Option<Box<Value>>,
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
    /// The work failed, or a script has mistakes.
    ///
    /// Cure: Look at the message on standard error, and below for what it says.
    #[default]
    Failed = 1,
    /// The command line is wrong.
    ///
    /// Cure: Look at the message and at the usage below it; `convscope COMMAND --help` explains
    /// every argument.
    Usage = 2,
    /// The user interrupted.
    ///
    /// Cure: Run it again. Nothing was written.
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
            mistakes: None,
            rendered: None,
            exit: Exit::Failed,
        }
    }

    /// A mistake on the command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(kind::USAGE, message) }
    }

    /// The user interrupted.
    pub(crate) fn interrupted() -> Self {
        let message = "interrupted; nothing was written";
        Self { exit: Exit::Interrupted, ..Self::new(kind::CANCELLED, message) }
    }

    /// Writes the failure; lines longer than `width` are broken between words.
    pub(crate) fn shown(&self, width: usize) -> String {
        if let Some(rendered) = &self.rendered {
            return rendered.trim_end().to_owned();
        }
        let block = |head: &str, text: &str, margin: usize| {
            let lines = folded(&format!("{head}{}", text.trim_end()), width.saturating_sub(margin));
            lines.replace('\n', &format!("\n{:margin$}", ""))
        };
        let message = block("error: ", &self.message, 2);
        let head = "  = help: ";
        match &self.help {
            Some(help) => format!("{message}\n{head}{}", block("", help, head.len())),
            None => message,
        }
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
        f.write_str(&self.shown(usize::MAX))
    }
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

    #[test]
    fn a_failure_fits_the_terminal() {
        let failure = Failure::new("model", "the file is damaged\n  or not ONNX, who knows")
            .with_help("look at another file\nor not");
        let expected = "\
error: the file is
  damaged
    or not ONNX, who
    knows
  = help: look at
          another file
          or not";
        assert_eq!(failure.shown(22), expected);
    }
}
