//! What a Rhai script may say.
//!
//! A script loads models and images, calls analyses, and fills a report. It gets all of these
//! through the trait [`Workbench`], which the program implements with its host; this crate knows
//! neither plugins nor networks. [`check`] finds the mistakes of a script; [`run`] runs it and hands
//! back what it leaves behind.
//!
//! Scripts come from strangers, too: they read only what [`Reach`] allows, write nothing
//! themselves, and every loop, string, list and array has a limit ([`ScriptOptions`]).
#![forbid(unsafe_code)]

mod check;
mod convert;
mod definitions;
mod engine;
mod error;
mod explain;
mod imports;
pub mod kind;
mod memory;
mod options;
mod outcome;
mod reach;
mod register;
mod run;
mod sources;
mod span;
mod state;
mod suggest;
mod throw;
mod value;
mod words;
mod workbench;

pub use definitions::definitions;
pub use error::{Diagnostic, Frame, Place, ScriptError};
pub use options::ScriptOptions;
pub use outcome::{AnalysisRun, ScriptOutcome, ScriptSource};
pub use reach::Reach;
pub use run::{check, run};
pub use words::is_reserved;
pub use workbench::{
    Argument, Failure, ImageOptions, ModelOptions, ModelOutline, Prediction, ScriptImages,
    ScriptModel, Workbench,
};
