//! Mistakes in a script, shown with the lines around them.

mod window;

use ariadne::{CharSet, Color, Config, IndexType, Label, Report, ReportKind, sources};
use convscope_script::Diagnostic;
use serde_json::{Value, json};

use crate::console;
use crate::failure::Failure;
use crate::kind;
use crate::text::folded;
use window::Window;

/// Width of an excerpt that goes to no terminal, and the most on one.
const WIDTH: usize = 100;
/// Width below which lines are not folded further.
const NARROW: usize = 40;
/// What stands around a line of the script: its number, a frame, two ellipses.
const GUTTER: usize = 10;
/// What stands before help, at most: a line number, a frame, and the word itself.
const MARGIN: usize = 16;

/// Turns the failure of a script that ran into a failure with a source excerpt.
pub(crate) fn failure(diagnostic: &Diagnostic) -> Failure {
    let mut failure = alone(diagnostic);
    failure.rendered = rendered(diagnostic).map(Into::into);
    failure
}

/// Turns the mistakes of a script that did not run into one failure, with an excerpt for each.
pub(crate) fn mistakes(all: &[Diagnostic]) -> Failure {
    let count = match all.len() {
        1 => "1 mistake".to_owned(),
        count => format!("{count} mistakes"),
    };
    let mut failure = match all {
        [one] => alone(one),
        _ => Failure::new(kind::MISTAKES, count.clone()),
    };
    failure.mistakes = Some(Box::new(all.iter().map(described).collect()));
    let width = console::width().unwrap_or(usize::MAX);
    let excerpts = all.iter().map(|one| rendered(one).unwrap_or_else(|| alone(one).shown(width)));
    let excerpts: Vec<String> = excerpts.map(|text| text.trim_end().to_owned()).collect();
    failure.rendered = Some(format!("{}\n\n{count}", excerpts.join("\n\n")).into());
    failure
}

/// Turns a mistake into a failure without an excerpt.
fn alone(diagnostic: &Diagnostic) -> Failure {
    let mut failure = Failure::new(&diagnostic.kind, diagnostic.to_string());
    failure.key = diagnostic.key.as_deref().map(Into::into);
    failure.help = help(diagnostic);
    failure.mistakes = Some(Box::new(vec![described(diagnostic)].into()));
    failure
}

/// Joins the words beside the mark, which belong to the excerpt, with the other help.
fn help(diagnostic: &Diagnostic) -> Option<String> {
    let helps = [&diagnostic.label, &diagnostic.help].into_iter().flatten();
    let helps: Vec<&str> = helps.map(String::as_str).collect();
    (!helps.is_empty()).then(|| helps.join("\n"))
}

/// Describes a mistake for programs.
fn described(diagnostic: &Diagnostic) -> Value {
    let place = diagnostic.place.as_ref();
    json!({
        "kind": diagnostic.kind,
        "message": diagnostic.message,
        "key": diagnostic.key,
        "help": help(diagnostic),
        "file": place.map(|place| &place.path),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "length": place.map(|place| place.span.len()),
    })
}

fn rendered(diagnostic: &Diagnostic) -> Option<String> {
    let place = diagnostic.place.as_ref()?;
    let name = shown(&place.path);
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let config = Config::default()
        .with_color(colour)
        .with_char_set(CharSet::Unicode)
        .with_index_type(IndexType::Char);
    let width = console::width().unwrap_or(WIDTH).clamp(NARROW, WIDTH);
    let window = Window::around(place, width - GUTTER);
    // What does not fit beside the mark stands below.
    let room = width.saturating_sub(window.column + window.span.len() + MARGIN);
    let label = diagnostic.label.as_deref();
    let (words, below) = match label {
        Some(label) if label.chars().count() > room => ("here", Some(label)),
        Some(label) => (label, None),
        None => ("here", None),
    };
    let below: Vec<&str> = below.into_iter().chain(diagnostic.help.as_deref()).collect();
    let span = (name.clone(), window.span.clone());
    let label = Label::new(span.clone()).with_message(words).with_color(Color::Red);
    let message = folded(&diagnostic.message, width - "error: ".len());
    let mut report = Report::build(ReportKind::Error, span)
        .with_config(config)
        .with_message(message.replace('\n', "\n  "))
        .with_label(label);
    for frame in &diagnostic.stack {
        let from = frame.place.as_ref().map_or_else(String::new, |place| {
            format!(" at {}:{}:{}", shown(&place.path), place.line, place.column)
        });
        report = report.with_note(match frame.function.as_str() {
            "import" => format!("imported{from}"),
            function => format!("called by {function}{from}"),
        });
    }
    if !below.is_empty() {
        report = report.with_help(folded(&below.join("\n"), width - MARGIN));
    }
    let mut text = Vec::new();
    report.finish().write(sources([(name.clone(), window.source)]), &mut text).ok()?;
    // As all failures of the program begin. A kind of our own would be red in a file as well.
    let text = String::from_utf8(text).ok()?.replacen("Error", "error", 1);
    let (line, column) = (place.line, place.column);
    let head = |column: usize| format!("{name}:{line}:{column} ");
    Some(text.replacen(&head(window.column), &head(column), 1))
}

/// Shortens a path to what the user typed, where it lies below the working folder.
fn shown(path: &std::path::Path) -> String {
    let below = std::env::current_dir().and_then(|folder| folder.canonicalize());
    let short = below.ok().and_then(|folder| path.strip_prefix(folder).ok().map(ToOwned::to_owned));
    short.unwrap_or_else(|| path.to_owned()).display().to_string()
}
