//! `convscope plugins list`: every plugin that was found, used or not.

use convscope_host::{Origin, Plugin, Refused, Registry, Trust};
use serde_json::{Map, Value, json};

use super::WIDTH;
use crate::command::Outcome;
use crate::text::{Table, wrapped};

/// How much of a hash is shown to people: enough to tell two files apart.
const HASH: usize = 16;

/// A plugin, or a file or folder that is none: a line of the table, and lines below it.
struct Row {
    cells: [String; 6],
    below: String,
    json: Value,
}

/// Lists what was found. A broken plugin is a row like any other.
pub(super) fn list(registry: &Registry) -> Outcome {
    let used = registry.plugins().iter().map(of_plugin);
    let rows: Vec<Row> = used.chain(registry.failures().iter().map(of_refused)).collect();
    let mut parts: Vec<String> = Vec::new();
    if registry.plugins().is_empty() {
        parts.push("no plugins found; looked in\n".to_owned());
        parts.extend(registry.searched().iter().map(|path| format!("  {}\n", path.display())));
        if !rows.is_empty() {
            parts.push("\n".to_owned());
        }
    }
    if !rows.is_empty() {
        parts.push(rendered(&rows));
    }
    let mut json = Map::new();
    json.insert("plugins".to_owned(), rows.into_iter().map(|row| row.json).collect());
    json.insert("searched".to_owned(), json!(registry.searched()));
    Outcome { text: parts.concat(), json }
}

/// Writes the table, with what belongs to a row below its line.
fn rendered(rows: &[Row]) -> String {
    let headings = ["plugin", "version", "interface", "from", "trust", "state"];
    let mut table = Table::new(&headings.map(|heading| (heading, false)));
    for row in rows {
        table.row(row.cells.to_vec());
    }
    let table = table.rendered(WIDTH);
    let mut lines = table.lines();
    let heading = lines.next().unwrap_or_default();
    let below = format!("  {:<HASH$}  analyses\n", "blake3");
    let rows = lines.zip(rows).map(|(line, row)| format!("{line}\n{}", row.below));
    format!("{heading}\n{below}{}", rows.collect::<String>())
}

fn of_plugin(plugin: &Plugin) -> Row {
    let descriptor = plugin.descriptor();
    let analyses: Vec<&str> = descriptor.analyses.iter().map(|one| one.id.as_str()).collect();
    let interface = version(plugin.interface());
    let cells = [
        descriptor.id.clone(),
        descriptor.version.clone(),
        interface.clone(),
        origin(plugin.origin()).to_owned(),
        trust(plugin.trust()).0.to_owned(),
        "used".to_owned(),
    ];
    let names = wrapped(&analyses.join(", "), WIDTH, HASH + 4);
    let mut below = format!("  {:.HASH$}  {}", descriptor.hash, names.trim_start());
    for warning in plugin.warnings() {
        below += &wrapped(&format!("warning: {warning}"), WIDTH, 2);
    }
    let json = json!({
        "state": "used",
        "id": descriptor.id,
        "version": descriptor.version,
        "interface": interface,
        "analyses": analyses,
        "origin": origin(plugin.origin()),
        "trust": trust(plugin.trust()).1,
        "file": plugin.path(),
        "hash": descriptor.hash,
        "warnings": plugin.warnings(),
    });
    Row { cells, below, json }
}

fn of_refused(refused: &Refused) -> Row {
    let reason = &refused.reason;
    let interface = reason.interface().map(version);
    let unknown = || "-".to_owned();
    let name = refused.path.file_name().unwrap_or(refused.path.as_os_str());
    let cells = [
        name.to_string_lossy().into_owned(),
        unknown(),
        interface.clone().unwrap_or_else(unknown),
        origin(refused.origin).to_owned(),
        trust(refused.trust()).0.to_owned(),
        "not used".to_owned(),
    ];
    let below = [
        // A path is never broken or shortened: it is there to be copied.
        format!("  {}\n", refused.path.display()),
        wrapped(&reason.to_string(), WIDTH, 2),
        hanging("  = help: ", &reason.help()),
    ];
    let json = json!({
        "state": "refused",
        "id": reason.id(),
        "version": null,
        "interface": interface,
        "analyses": [],
        "origin": origin(refused.origin),
        "trust": trust(refused.trust()).1,
        "file": refused.path,
        "hash": refused.hash,
        "warnings": [],
        "kind": reason.kind(),
        "reason": reason.to_string(),
        "help": reason.help(),
    });
    Row { cells, below: below.concat(), json }
}

/// Writes a text behind a head, its further lines below its first.
fn hanging(head: &str, text: &str) -> String {
    let lines = wrapped(text, WIDTH, head.len());
    format!("{head}{}", lines.trim_start())
}

fn version([major, minor]: [u32; 2]) -> String {
    format!("{major}.{minor}")
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Explicit => "--plugin-dir",
        Origin::Environment => "environment",
        Origin::Installation => "installation",
        Origin::User => "user's folder",
    }
}

/// Says why a plugin may run or not, for people and for programs.
fn trust(trust: Trust) -> (&'static str, &'static str) {
    match trust {
        Trust::Place => ("by place", "place"),
        Trust::Entry => ("by you", "entry"),
        Trust::Missing => ("no", "missing"),
        Trust::Changed => ("changed", "changed"),
        Trust::Unknown => ("-", "unknown"),
    }
}
