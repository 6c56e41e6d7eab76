//! How a session and whoever started it talk while it works.

use serde::{Deserialize, Serialize};

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Something the user must know.
    Warning,
    /// Something the user may like to know.
    Info,
    /// Something for the author of a plugin.
    Debug,
}

/// Hears about the progress of work, and can stop it.
pub trait Control: Send + Sync {
    /// Is told how far the work is, from 0 to 1, and what is being done.
    fn progress(&self, fraction: f64, text: &str);
    /// Says whether the user wants to stop.
    fn is_cancelled(&self) -> bool;
    /// Is told something.
    fn log(&self, level: LogLevel, text: &str);
}

/// Hears nothing and never stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Control for Quiet {
    fn progress(&self, _fraction: f64, _text: &str) {}

    fn is_cancelled(&self) -> bool {
        false
    }

    fn log(&self, _level: LogLevel, _text: &str) {}
}
