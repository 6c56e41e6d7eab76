//! Mistakes in a script, shown with the lines around them.

use ariadne::{CharSet, Color, Config, IndexType, Label, Report, ReportKind, sources};
use convscope_script::Diagnostic;

use crate::failure::Failure;

/// Turns a mistake in a script into a failure with a source excerpt.
pub(crate) fn failure(diagnostic: &Diagnostic) -> Failure {
    let mut failure = Failure::new(&diagnostic.kind, diagnostic.to_string());
    failure.key = diagnostic.key.as_deref().map(Into::into);
    failure.help.clone_from(&diagnostic.help);
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
    let mut report = Report::build(ReportKind::Error, (name.clone(), place.span.clone()))
        .with_config(config)
        .with_message(&diagnostic.message)
        .with_label(label);
    for frame in &diagnostic.stack {
        let from = frame.place.as_ref().map_or_else(String::new, |place| {
            format!(" at {}:{}:{}", shown(&place.path), place.line, place.column)
        });
        report = report.with_note(format!("called by {}{from}", frame.function));
    }
    if let Some(help) = &diagnostic.help {
        report = report.with_help(help);
    }
    let mut text = Vec::new();
    let source = sources([(name, place.source.to_string())]);
    report.finish().write(source, &mut text).ok()?;
    String::from_utf8(text).ok()
}

/// Shortens a path to what the user typed, where it lies below the working folder.
fn shown(path: &std::path::Path) -> String {
    let below = std::env::current_dir().and_then(|folder| folder.canonicalize());
    let short = below.ok().and_then(|folder| path.strip_prefix(folder).ok().map(ToOwned::to_owned));
    short.unwrap_or_else(|| path.to_owned()).display().to_string()
}
