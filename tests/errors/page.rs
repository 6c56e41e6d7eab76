//! Writes the page.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Declared;
use super::declared::ErrorType;
use super::entry;

/// What stands before the table of contents.
const INTRODUCTION: &str = "\
<!-- Made from the sources by tests/errors.rs: change the comments there, then run
     CONVSCOPE_BLESS=1 cargo test --test integration errors:: -->
# Errors

Every message of convscope: why it comes, and what to do about it. Search for words of your message that name no file,
layer or number of yours; such parts are *in italics* here.

A message goes from the outside to the inside: the file, the layer, and last what went wrong. Where it is joined of
several by colons, the last one says most. A line `= help:` below it is the cure for your very case. Lists below a message
are words that may stand in the place of such a part; others come from your system, your model or a plugin.

With `--json` a failure is an object `{ kind, message, key, help }` on standard output, and scripts catch it as such a map.
[Kinds](#kinds) lists what `kind` may be.
";

/// What stands for the kinds of a part among its types.
const KINDS: &str = "kind";

/// From how many errors of a type on a kind is that of the type.
const MOST_LINKS: usize = 6;

/// The types, in the order in which a user meets them, under what the user was doing. Within a
/// chapter, what is met most comes first.
pub(crate) const CHAPTERS: [(&str, &[(&str, &str)]); 7] = [
    ("Using the command line", &[("core/cli", KINDS)]),
    ("Reading a model", &[("core/onnx", "OnnxError")]),
    ("Reading pictures, labels and model cards", &[("core/data", "DataError")]),
    (
        "Running a script or an analysis",
        &[
            ("core/script", KINDS),
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
            ("core/statistics", "StatisticsError"),
            ("core/host", "Fault"),
            ("core/sdk", "FakeError"),
        ],
    ),
];

/// Writes the whole page.
pub(crate) fn page(declared: &Declared) -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("\n- [Exit codes](#exit-codes)\n");
    for (chapter, members) in CHAPTERS {
        let _ = writeln!(page, "- [{chapter}](#{})", anchor(chapter));
        for member in members.iter().filter(|_| members.len() > 1) {
            let title = subject(about(declared, *member));
            let _ = writeln!(page, "  - [{title}](#{})", section_anchor(*member));
        }
    }
    page.push_str("- [Kinds](#kinds)\n");
    exits(&mut page, declared);
    for (chapter, members) in CHAPTERS {
        let _ = write!(page, "\n## {chapter}\n");
        for member in members {
            let about = about(declared, *member);
            let _ = write!(page, "\n<a id=\"{}\"></a>\n", section_anchor(*member));
            if members.len() > 1 {
                let _ = writeln!(page, "### {}", subject(about));
            }
            if let Some((_, rest)) = about.replace("\n\n", " ").split_once(". ") {
                let _ = write!(page, "\n{rest}\n");
            }
            section(&mut page, declared, *member);
        }
    }
    kinds(&mut page, declared);
    page
}

fn exits(page: &mut String, declared: &Declared) {
    page.push_str("\n## Exit codes\n\n| code | when | what to do |\n| --- | --- | --- |\n");
    page.push_str("| 0 | The work is done. | |\n");
    for exit in &declared.exits {
        let _ = writeln!(page, "| {} | {} | {} |", exit.code, exit.cause, exit.cure);
    }
}

fn section(page: &mut String, declared: &Declared, (part, name): (&str, &str)) {
    if name == KINDS {
        let kinds = declared.kinds.iter().filter(|kinds| kinds.part == part);
        kinds.flat_map(|kinds| &kinds.list).for_each(|kind| entry::kind(page, part, kind));
        return;
    }
    let one = find(declared, part, name);
    for error in &one.errors {
        if error.message.is_some() {
            entry::error(page, one, error, &declared.raised);
        } else {
            let links: Vec<String> = error.carries.iter().map(|name| link(name)).collect();
            let _ = write!(page, "\n{} See {}.\n", error.cause, links.join(", "));
        }
    }
}

/// Writes the list of all kinds, with what they may stand for.
fn kinds(page: &mut String, declared: &Declared) {
    let mut all: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for kinds in &declared.kinds {
        for kind in &kinds.list {
            let link = format!("[here](#{})", entry::kind_anchor(&kinds.part, &kind.name));
            all.entry(&kind.name).or_default().push(link);
        }
    }
    for one in &declared.types {
        let mut of_kind: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for error in one.errors.iter().filter(|error| error.message.is_some()) {
            let anchor = entry::error_anchor(one, error);
            for kind in &error.kinds {
                let link = format!("[`{}`](#{anchor})", entry::title(one, error));
                of_kind.entry(kind).or_default().push(link);
            }
        }
        for (kind, links) in of_kind {
            let links = if links.len() > MOST_LINKS { vec![link(&one.name)] } else { links };
            all.entry(kind).or_default().extend(links);
        }
    }
    page.push_str("\n## Kinds\n\n| kind | where it is explained |\n| --- | --- |\n");
    for (kind, links) in all {
        let _ = writeln!(page, "| `{kind}` | {} |", links.join(", "));
    }
}

fn find<'a>(declared: &'a Declared, part: &str, name: &str) -> &'a ErrorType {
    declared.types.iter().find(|one| one.part == part && one.name == name).unwrap()
}

fn about<'a>(declared: &'a Declared, (part, name): (&str, &str)) -> &'a str {
    if name == KINDS {
        return &declared.kinds.iter().find(|kinds| kinds.part == part).unwrap().about;
    }
    &find(declared, part, name).about
}

/// Returns what is wrong with the comments: every error has a cause and a cure.
pub(crate) fn gaps(declared: &Declared) -> Vec<String> {
    let mut gaps = Vec::new();
    for one in &declared.types {
        if one.about.is_empty() {
            gaps.push(format!("{} {}: no comment", one.part, one.name));
        }
        for error in &one.errors {
            let title = entry::title(one, error);
            if error.cause.is_empty() {
                gaps.push(format!("{} {title}: no comment says why it comes", one.part));
            }
            let points = error.carries.iter().any(|name| *name != one.name);
            if error.cure.is_none() && error.helps.is_empty() && !points {
                gaps.push(format!("{} {title}: no paragraph `Cure: …`", one.part));
            }
        }
    }
    for kinds in &declared.kinds {
        for kind in &kinds.list {
            if kind.cause.is_empty() || kind.cure.is_none() {
                gaps.push(format!("{} {}: no cause, or no `Cure: …`", kinds.part, kind.name));
            }
        }
    }
    gaps
}

/// Returns a link to the section of a type.
pub(crate) fn link(name: &str) -> String {
    let mut known = CHAPTERS.iter().flat_map(|(_, members)| members.iter());
    let member = known.find(|(_, one)| *one == name);
    let member = member.unwrap_or_else(|| panic!("{name} is in no chapter"));
    format!("[`{name}`](#{})", section_anchor(*member))
}

fn section_anchor((part, name): (&str, &str)) -> String {
    if name == KINDS {
        anchor(&format!("{}-kinds", part.trim_start_matches("core/")))
    } else {
        anchor(name)
    }
}

/// Returns the title of a type: what its errors are about.
fn subject(about: &str) -> String {
    let about = sentence(about);
    let about = about.strip_prefix("An error of ").unwrap_or(about);
    about.chars().take(1).flat_map(char::to_uppercase).chain(about.chars().skip(1)).collect()
}

/// Returns the first sentence, without its full stop.
pub(crate) fn sentence(text: &str) -> &str {
    text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.')
}

/// Returns the anchor that a heading has.
pub(crate) fn anchor(heading: &str) -> String {
    let letter = |letter: char| match letter {
        ' ' | '-' => Some('-'),
        letter if letter.is_alphanumeric() || letter == '_' => Some(letter.to_ascii_lowercase()),
        _ => None,
    };
    heading.chars().filter_map(letter).collect()
}
