//! Writes one error.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::declared::{Error, ErrorType};
use super::kinds::Kind;
use super::message::Message;
use super::page::{anchor, link, sentence};
use super::raised::{Field, Raised, Said, Sink};

/// Fields whose words tell one case from another.
const TELLING: [&str; 8] =
    ["expected", "help", "message", "missing", "mistakes", "problem", "reason", "what"];

/// Writes an error of a type.
///
/// Below the message stand its cause, what to do, and the words that may stand for its parts.
pub(crate) fn error(page: &mut String, of: &ErrorType, error: &Error, raised: &Raised) {
    let message = error.message.as_ref().filter(|message| !message.is_open());
    let heading =
        message.map_or_else(|| format!("*{}*", sentence(&error.cause)), Message::markdown);
    head(page, &error_anchor(of, error), &heading);
    if message.is_some() || error.cause.trim_end_matches('.') != sentence(&error.cause) {
        let _ = write!(page, "\n{}\n", error.cause);
    }
    let _ = write!(page, "\n**What to do:** {}\n", cure(of, error));
    for (field, said) in told(of, error, raised) {
        let _ = write!(page, "\n*{field}* may be:\n\n");
        list(page, said.iter());
    }
    let _ = write!(page, "\n<sub>`{}`", title(of, error));
    for kind in &error.kinds {
        let _ = write!(page, " · kind `{kind}`");
    }
    page.push_str("</sub>\n");
}

/// Writes a kind of failures.
pub(crate) fn kind(page: &mut String, part: &str, kind: &Kind) {
    head(page, &kind_anchor(part, &kind.name), sentence(&kind.cause));
    if let Some((_, rest)) = kind.cause.split_once(". ") {
        let _ = write!(page, "\n{rest}\n");
    }
    if !kind.said.is_empty() {
        page.push('\n');
        list(page, kind.said.iter());
    }
    let cure = kind.cure.as_deref().unwrap_or_default();
    let _ = write!(page, "\n**What to do:** {cure}\n\n<sub>kind `{}`</sub>\n", kind.name);
}

fn head(page: &mut String, anchor: &str, heading: &str) {
    let _ = write!(page, "\n<a id=\"{anchor}\"></a>\n#### {heading}\n");
}

/// Lists messages, each with what the program says to do.
fn list<'a>(page: &mut String, said: impl Iterator<Item = &'a Said>) {
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in said {
        let helps = lines.entry(one.message.markdown()).or_default();
        for help in one.helps.iter().map(Message::markdown) {
            if !helps.contains(&help) {
                helps.push(help);
            }
        }
    }
    let mut lines: Vec<_> = lines.into_iter().collect();
    lines.sort_by_key(|(message, _)| message.replace(['*', '\\', '`'], "").to_lowercase());
    for (message, helps) in lines {
        let _ = writeln!(page, "- {message}");
        for help in helps {
            let _ = writeln!(page, "  - help: {help}");
        }
    }
}

/// Returns the words that stand for the changing parts of a message, by their names.
fn told(of: &ErrorType, error: &Error, raised: &Raised) -> Vec<(String, Vec<Said>)> {
    let mut told: BTreeMap<String, Vec<Said>> = BTreeMap::new();
    for (sink, said) in raised {
        let Sink::Field(Field { of: (part, name), variant, name: field, .. }) = sink else {
            continue;
        };
        if *part != of.part || *name != of.name || *variant != error.variant {
            continue;
        }
        let number = field.parse::<usize>().ok();
        let word = number.and_then(|number| error.fields.get(number)).unwrap_or(field);
        if number.is_some() || TELLING.contains(&field.as_str()) {
            told.entry(word.clone()).or_default().extend(said.iter().cloned());
        }
    }
    told.into_iter().collect()
}

/// Says what to do: what the program says, the cure of the sources, and whose errors it passes on.
fn cure(of: &ErrorType, error: &Error) -> String {
    let mut parts = Vec::new();
    let helps: Vec<String> = error.helps.iter().map(Message::markdown).collect();
    if !helps.is_empty() {
        parts.push(format!("The program says: {}.", helps.join("; or: ")));
    }
    parts.extend(error.cure.clone());
    let others = error.carries.iter().filter(|name| **name != of.name);
    let links: Vec<String> = others.map(|name| link(name)).collect();
    if !links.is_empty() {
        parts.push(format!("See {}.", links.join(", ")));
    }
    parts.join(" ")
}

/// Returns the name of an error in the sources.
pub(crate) fn title(of: &ErrorType, error: &Error) -> String {
    if error.variant.is_empty() {
        of.name.clone()
    } else {
        format!("{}::{}", of.name, error.variant)
    }
}

/// Returns where an error stands on the page.
pub(crate) fn error_anchor(of: &ErrorType, error: &Error) -> String {
    anchor(&format!("{}-{}", of.name, error.variant))
}

/// Returns where a kind stands on the page.
pub(crate) fn kind_anchor(part: &str, name: &str) -> String {
    anchor(&format!("{}-{name}", part.trim_start_matches("core/")))
}
