//! Mistakes in a script, shown with the lines around them.

use ariadne::{CharSet, Color, Config, IndexType, Label, Report, ReportKind, sources};
use convscope_script::Diagnostic;

use crate::console;
use crate::failure::Failure;
use crate::text::folded;

/// Width of an excerpt that goes to no terminal, and the most on one.
const WIDTH: usize = 100;
/// Width below which lines are not folded further.
const NARROW: usize = 40;
/// What stands before help, at most: a line number, a frame, and the word itself.
const MARGIN: usize = 16;

/// Turns a mistake in a script into a failure with a source excerpt.
pub(crate) fn failure(diagnostic: &Diagnostic) -> Failure {
    let mut failure = Failure::new(&diagnostic.kind, diagnostic.to_string());
    failure.key = diagnostic.key.as_deref().map(Into::into);
    // The words beside the mark belong to the excerpt; elsewhere they help as well.
    let helps = [&diagnostic.label, &diagnostic.help].into_iter().flatten();
    let helps: Vec<&str> = helps.map(String::as_str).collect();
    failure.help = (!helps.is_empty()).then(|| helps.join("\n"));
    failure.rendered = rendered(diagnostic).map(Into::into);
    failure
}

fn rendered(diagnostic: &Diagnostic) -> Option<String> {
    let place = diagnostic.place.as_ref()?;
    let name = shown(&place.path);
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let config = Config::default()
        .with_color(colour)
        .with_char_set(CharSet::Unicode)
        .with_index_type(IndexType::Char);
    let words = diagnostic.label.clone().unwrap_or_else(|| "here".to_owned());
    let label =
        Label::new((name.clone(), place.span.clone())).with_message(words).with_color(Color::Red);
    let width = console::width().unwrap_or(WIDTH).clamp(NARROW, WIDTH);
    let message = folded(&diagnostic.message, width - "error: ".len());
    let mut report = Report::build(ReportKind::Error, (name.clone(), place.span.clone()))
        .with_config(config)
        .with_message(message.replace('\n', "\n  "))
        .with_label(label);
    for frame in &diagnostic.stack {
        let from = frame.place.as_ref().map_or_else(String::new, |place| {
            format!(" at {}:{}:{}", shown(&place.path), place.line, place.column)
        });
        report = report.with_note(format!("called by {}{from}", frame.function));
    }
    if let Some(help) = &diagnostic.help {
        report = report.with_help(folded(help, width - MARGIN));
    }
    let mut text = Vec::new();
    let source = sources([(name, place.source.to_string())]);
    report.finish().write(source, &mut text).ok()?;
    // As all failures of the program begin. A kind of our own would be red in a file as well.
    Some(String::from_utf8(text).ok()?.replacen("Error", "error", 1))
}

/// Shortens a path to what the user typed, where it lies below the working folder.
fn shown(path: &std::path::Path) -> String {
    let below = std::env::current_dir().and_then(|folder| folder.canonicalize());
    let short = below.ok().and_then(|folder| path.strip_prefix(folder).ok().map(ToOwned::to_owned));
    short.unwrap_or_else(|| path.to_owned()).display().to_string()
}
