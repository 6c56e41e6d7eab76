//! `convscope plugins`: which plugins there are, and what they can do.

use convscope_host::{Analysis, HostError, Plugin, Registry};
use convscope_protocol::AnalysisDescriptor;
use serde_json::{Map, Value, json};

use super::Outcome;
use crate::arguments::{Common, Plugins};
use crate::console::Console;
use crate::failure::Failure;
use crate::session::{self, origin_in_words};
use crate::text::{Table, wrapped};

/// Width of what is printed.
const WIDTH: usize = 80;

/// Lists or describes plugins.
pub(crate) fn execute(
    arguments: &Plugins,
    common: &Common,
    console: &Console,
) -> Result<Outcome, Failure> {
    let registry = session::discover(common);
    match arguments {
        Plugins::List => Ok(list(&registry)),
        Plugins::Describe { id } => {
            session::report_refused(&registry, console);
            describe(&registry, id)
        }
    }
}

fn list(registry: &Registry) -> Outcome {
    let mut lines: Vec<String> = Vec::new();
    let mut table =
        Table::new(&[("plugin", false), ("version", false), ("analyses", false), ("from", false)]);
    let mut loaded: Vec<Value> = Vec::new();
    for plugin in registry.plugins() {
        let descriptor = plugin.descriptor();
        let analyses: Vec<&str> = descriptor.analyses.iter().map(|a| a.id.as_str()).collect();
        let origin = origin_in_words(plugin.origin());
        table.row(vec![
            descriptor.id.clone(),
            descriptor.version.clone(),
            analyses.join(", "),
            origin.to_owned(),
        ]);
        loaded.push(json!({
            "id": descriptor.id,
            "version": descriptor.version,
            "analyses": analyses,
            "from": origin,
            "file": plugin.path(),
            "hash": descriptor.hash,
            "warnings": plugin.warnings(),
        }));
    }
    if registry.plugins().is_empty() {
        lines.push("no plugins found; looked in\n".to_owned());
        lines.extend(registry.searched().iter().map(|path| format!("  {}\n", path.display())));
    } else {
        lines.push(table.rendered(WIDTH));
    }
    let mut refused: Vec<Value> = Vec::new();
    if !registry.failures().is_empty() {
        lines.push("\nnot used\n".to_owned());
    }
    for row in registry.failures() {
        lines.push(format!("  {}\n", row.path.display()));
        lines.push(wrapped(&row.reason.to_string(), WIDTH, 4));
        refused.push(json!({ "file": row.path, "reason": row.reason.to_string() }));
    }
    let mut json = Map::new();
    json.insert("plugins".to_owned(), Value::Array(loaded));
    json.insert("refused".to_owned(), Value::Array(refused));
    json.insert("searched".to_owned(), json!(registry.searched()));
    Outcome { text: lines.concat(), json }
}

fn describe(registry: &Registry, id: &str) -> Result<Outcome, Failure> {
    let mut json = Map::new();
    if let Some(plugin) = registry.plugins().iter().find(|plugin| plugin.descriptor().id == id) {
        json.insert("plugin".to_owned(), json!(plugin.descriptor()));
        return Ok(Outcome { text: of_plugin(plugin), json });
    }
    let (plugin, analysis): (&Plugin, &Analysis) =
        registry.analysis(id).map_err(|error| unknown(id, error))?;
    json.insert("analysis".to_owned(), json!(analysis.descriptor()));
    let text = of_analysis(analysis.descriptor(), &plugin.full_name(analysis));
    Ok(Outcome { text, json })
}

fn unknown(id: &str, error: HostError) -> Failure {
    let is_unknown = matches!(error, HostError::UnknownAnalysis { .. });
    let mut failure = Failure::from(error);
    if is_unknown {
        failure.message = format!("there is no plugin or analysis `{id}`");
    }
    failure
}

fn of_plugin(plugin: &Plugin) -> String {
    let descriptor = plugin.descriptor();
    let mut lines = vec![format!("{} ({})\n", descriptor.name, descriptor.id)];
    let facts = [
        ("version", descriptor.version.clone()),
        ("authors", descriptor.authors.clone()),
        ("licence", descriptor.license.clone()),
        ("home page", descriptor.homepage.clone()),
        ("built with", descriptor.build_info.clone()),
        ("file", plugin.path().display().to_string()),
        ("blake3", descriptor.hash.clone()),
    ];
    let known = facts.iter().filter(|(_, fact)| !fact.is_empty());
    lines.extend(known.map(|(name, fact)| format!("  {name:<11}{fact}\n")));
    for analysis in plugin.analyses() {
        lines.push("\n".to_owned());
        lines.push(of_analysis(analysis.descriptor(), &plugin.full_name(analysis)));
    }
    lines.concat()
}

fn of_analysis(descriptor: &AnalysisDescriptor, full_name: &str) -> String {
    let mut lines =
        vec![format!("{} ({full_name})\n", descriptor.name), wrapped(&descriptor.doc, WIDTH, 2)];
    if !descriptor.reference.is_empty() {
        lines.push(wrapped(&descriptor.reference, WIDTH, 2));
    }
    lines.push("  parameters\n".to_owned());
    for parameter in descriptor.parameters.parameters() {
        lines.push(format!("    {}\n", parameter.summary()));
        lines.push(wrapped(&parameter.doc, WIDTH, 6));
    }
    lines.concat()
}
