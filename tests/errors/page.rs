//! Writes the page.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::declared::{Error, ErrorType};
use super::exits::Exit;
use super::message::Message;

/// What stands before the table of contents.
const INTRODUCTION: &str = "\
<!-- Made from the sources by tests/errors.rs: change the comments of the error types, then run
     CONVSCOPE_BLESS=1 cargo test --test integration errors -->
# Errors

Every error of convscope: its message, why it comes, and what to do about it. Search for words of your message that
name no file, layer or number of yours; such parts are *in italics* here.

A message goes from the outside to the inside: the file, the layer, and last what went wrong. Where it is joined of
several, its last part says most. A line `= help:` below it is the cure for your case, which this page says in general.
With `--json` the failure is an object `{ kind, message, key, help }` on standard output; scripts catch the same as a
map. The *kind* below each message is that of the object; [Kinds](#kinds) lists them all.
";

/// The types, in the order in which a user meets them, under what the user was doing. Within a
/// chapter, what is met most comes first.
pub(crate) const CHAPTERS: [(&str, &[(&str, &str)]); 6] = [
    ("Reading a model", &[("core/onnx", "OnnxError")]),
    ("Reading pictures, labels and model cards", &[("core/data", "DataError")]),
    (
        "Running a script or an analysis",
        &[
            ("core/script", "ScriptError"),
            ("core/host", "HostError"),
            ("core/protocol", "ParameterError"),
            ("core/runtime", "NetworkError"),
            ("core/runtime", "LayerError"),
            ("core/runtime", "BackendError"),
        ],
    ),
    ("Writing a report", &[("core/report", "ReportError")]),
    ("Finding and trusting plugins", &[("core/host", "Refusal"), ("core/host", "TrustError")]),
    (
        "Writing a plugin",
        &[
            ("core/protocol", "FindingsError"),
            ("core/protocol", "SchemaError"),
            ("core/sdk", "AnalysisError"),
            ("core/host", "Fault"),
            ("core/sdk", "FakeError"),
        ],
    ),
];

/// Writes the whole page.
pub(crate) fn page(types: &[ErrorType], exits: &[Exit]) -> String {
    let find = |part: &str, name: &str| {
        types.iter().find(|one| one.part == part && one.name == name).unwrap()
    };
    let mut page = INTRODUCTION.to_owned();
    page.push_str("\n- [Exit codes](#exit-codes)\n");
    for (chapter, members) in CHAPTERS {
        let _ = writeln!(page, "- [{chapter}](#{})", anchor(chapter));
        for (part, name) in members.iter().filter(|_| members.len() > 1) {
            let about = subject(&find(part, name).about);
            let _ = writeln!(page, "  - [{about}](#{})", anchor(name));
        }
    }
    page.push_str(
        "- [Kinds](#kinds)\n\n## Exit codes\n\n| code | when | what to do |\n| --- | --- | --- |\n",
    );
    page.push_str("| 0 | The work is done. | |\n");
    for exit in exits {
        let _ = writeln!(page, "| {} | {} | {} |", exit.code, exit.cause, exit.cure);
    }
    for (chapter, members) in CHAPTERS {
        let _ = write!(page, "\n## {chapter}\n");
        for (part, name) in members {
            let one = find(part, name);
            let _ = write!(page, "\n<a id=\"{}\"></a>\n", anchor(name));
            if members.len() > 1 {
                let _ = writeln!(page, "### {}", subject(&one.about));
            }
            section(&mut page, one);
        }
    }
    page.push_str("\n## Kinds\n\n| kind | messages |\n| --- | --- |\n");
    for (kind, links) in kinds(types) {
        let _ = writeln!(page, "| `{kind}` | {} |", links.join(", "));
    }
    page
}

fn section(page: &mut String, one: &ErrorType) {
    let about = one.about.replace("\n\n", " ");
    if let Some(rest) = about.split_once(". ").map(|(_, rest)| rest) {
        let _ = write!(page, "\n{rest}\n");
    }
    for error in &one.errors {
        if error.message.is_some() {
            entry(page, one, error);
        } else {
            let links: Vec<String> = error.carries.iter().map(|name| link(name)).collect();
            let _ = write!(page, "\n{} See {}.\n", error.cause, links.join(", "));
        }
    }
}

fn entry(page: &mut String, of: &ErrorType, error: &Error) {
    let message = error.message.as_ref().filter(|message| !message.is_open());
    let (first, rest) = match error.cause.split_once("\n\n") {
        Some((first, rest)) => (first, Some(rest)),
        None => (error.cause.as_str(), None),
    };
    let heading = message.map_or_else(|| format!("*{}*", sentence(first)), Message::markdown);
    let _ = write!(page, "\n<a id=\"{}\"></a>\n#### {heading}\n", entry_anchor(of, error));
    if message.is_some() || first.trim_end_matches('.') != sentence(first) {
        let _ = write!(page, "\n{first}\n");
    }
    if let Some(rest) = rest {
        let _ = write!(page, "\n{rest}\n");
    }
    let _ = write!(page, "\n**What to do:** {}\n", cure(error));
    let _ = write!(page, "\n<sub>`{}`", title(of, error));
    for kind in &error.kinds {
        let _ = write!(page, " · kind `{kind}`");
    }
    page.push_str("</sub>\n");
}

/// Says what to do: the cure of the sources, what the program says, and whose errors it passes on.
fn cure(error: &Error) -> String {
    let mut parts: Vec<String> = error.cure.iter().cloned().collect();
    let helps: Vec<String> = error.helps.iter().map(Message::markdown).collect();
    match helps.as_slice() {
        [] => {}
        helps => parts.push(format!("The program says: {}.", helps.join("; or: "))),
    }
    if error.cure.is_none() && helps.is_empty() && !error.carries.is_empty() {
        let links: Vec<String> = error.carries.iter().map(|name| link(name)).collect();
        parts.push(format!("See {}.", links.join(", ")));
    }
    parts.join(" ")
}

/// Returns what is wrong with the comments of a type: every error has a cause and a cure.
pub(crate) fn gaps(one: &ErrorType) -> Vec<String> {
    let mut gaps = Vec::new();
    if one.about.is_empty() {
        gaps.push(format!("{} {}: no comment", one.part, one.name));
    }
    for error in &one.errors {
        let title = title(one, error);
        if error.cause.is_empty() {
            gaps.push(format!("{} {title}: no comment says why it happens", one.part));
        }
        let points = error.carries.iter().any(|name| *name != one.name);
        if error.cure.is_none() && error.helps.is_empty() && !points {
            gaps.push(format!("{} {title}: no paragraph `Cure: …`", one.part));
        }
    }
    gaps
}

fn kinds(types: &[ErrorType]) -> BTreeMap<String, Vec<String>> {
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (of, error) in types.iter().flat_map(|one| one.errors.iter().map(move |error| (one, error)))
    {
        for kind in &error.kinds {
            let link = format!("[`{}`](#{})", title(of, error), entry_anchor(of, error));
            kinds.entry(kind.clone()).or_default().push(link);
        }
    }
    kinds
}

fn title(of: &ErrorType, error: &Error) -> String {
    if error.variant.is_empty() {
        of.name.clone()
    } else {
        format!("{}::{}", of.name, error.variant)
    }
}

fn entry_anchor(of: &ErrorType, error: &Error) -> String {
    anchor(&title(of, error).replace("::", "-"))
}

fn link(name: &str) -> String {
    let known: BTreeSet<(&str, &str)> =
        CHAPTERS.iter().flat_map(|(_, members)| members.iter().copied()).collect();
    assert!(known.iter().any(|(_, one)| *one == name), "{name} is in no chapter");
    format!("[`{name}`](#{})", anchor(name))
}

/// Returns the title of a type: what its errors are about.
fn subject(about: &str) -> String {
    let about = sentence(about);
    let about = about.strip_prefix("An error of ").unwrap_or(about);
    about.chars().take(1).flat_map(char::to_uppercase).chain(about.chars().skip(1)).collect()
}

/// Returns the first sentence, without its full stop.
fn sentence(text: &str) -> &str {
    text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.')
}

/// Returns the anchor that a heading has.
fn anchor(heading: &str) -> String {
    let letter = |letter: char| match letter {
        ' ' | '-' => Some('-'),
        letter if letter.is_alphanumeric() => Some(letter.to_ascii_lowercase()),
        _ => None,
    };
    heading.chars().filter_map(letter).collect()
}
