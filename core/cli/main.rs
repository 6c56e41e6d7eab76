//! convscope looks inside trained convolutional image classifiers.
//!
//! This is the only code that sees everything: it brings host, scripts and reports together behind
//! a command line.
#![allow(clippy::print_stdout, reason = "the program's results go to standard output")]
#![forbid(unsafe_code)]

mod arguments;
mod command;
mod console;
mod excerpt;
mod failure;
mod kind;
mod provenance;
mod script;
mod session;
mod settings;
mod size;
mod text;
mod workbench;
mod written;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use clap::error::ErrorKind;
use serde_json::json;

use crate::arguments::Arguments;
use crate::command::Outcome;
use crate::console::{Console, print};
use crate::failure::{Exit, Failure};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    if let Err(failure) = arguments.common.check(std::env::args_os()) {
        return fail(&failure, arguments.common.json);
    }
    let console = Arc::new(Console::open(&arguments.common));
    let result = command::execute(&arguments.command, &arguments.common, &console);
    console.clear();
    let json = arguments.common.json;
    match result.and_then(|outcome| print(&rendered(outcome, json))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure, json),
    }
}

fn rendered(outcome: Outcome, json: bool) -> String {
    if !json {
        return outcome.text;
    }
    let mut object = json!({ "ok": true });
    if let Some(map) = object.as_object_mut() {
        map.extend(outcome.json);
    }
    format!("{object}\n")
}

/// Reports a wrong command line, or prints help or version.
fn refuse(error: &clap::Error) -> ExitCode {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if !asked && std::env::args_os().any(|argument| argument == "--json") {
        let message = error.render().to_string();
        let failure = Failure::usage(message.trim_start_matches("error: ").trim_end());
        return fail(&failure, true);
    }
    // clap writes help to standard output and mistakes to standard error.
    let _ = error.print();
    if asked { ExitCode::SUCCESS } else { ExitCode::from(Exit::Usage as u8) }
}

/// Says a failure on standard error; the exit code tells it where that is closed.
fn say(failure: &Failure) {
    let text = failure.shown(console::width().unwrap_or(usize::MAX));
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn fail(failure: &Failure, json: bool) -> ExitCode {
    if json {
        let object = json!({ "ok": false, "error": failure });
        if let Err(lost) = print(&format!("{object}\n")) {
            say(failure);
            say(&lost);
        }
    } else {
        say(failure);
    }
    ExitCode::from(failure.exit as u8)
}
