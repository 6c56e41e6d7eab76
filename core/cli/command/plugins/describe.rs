//! `convscope plugins describe`: one plugin or analysis, with all parameters.

use convscope_host::{HostError, Plugin, Registry};
use convscope_protocol::AnalysisDescriptor;
use convscope_protocol::suggest::{did_you_mean, nearest};
use serde_json::{Map, json};

use super::WIDTH;
use crate::command::Outcome;
use crate::failure::Failure;
use crate::kind;
use crate::text::wrapped;

/// Describes the plugin of an id, the analysis of a name, or the plugin whose id ends with a word.
pub(super) fn describe(registry: &Registry, id: &str) -> Result<Outcome, Failure> {
    let by_id = |plugin: &&Plugin| plugin.descriptor().id == id;
    if let Some(plugin) = registry.plugins().iter().find(by_id) {
        return Ok(of_plugin(plugin));
    }
    match registry.analysis(id) {
        Ok((plugin, analysis)) => {
            let mut json = Map::new();
            json.insert("analysis".to_owned(), json!(analysis.descriptor()));
            let text = of_analysis(analysis.descriptor(), &plugin.full_name(analysis));
            Ok(Outcome { text, json })
        }
        Err(HostError::UnknownAnalysis { searched, .. }) if searched.is_empty() => {
            let last = |plugin: &&Plugin| plugin.descriptor().id.rsplit('.').next() == Some(id);
            match registry.plugins().iter().filter(last).collect::<Vec<_>>().as_slice() {
                [plugin] => Ok(of_plugin(plugin)),
                _ => Err(unknown(registry, id)),
            }
        }
        Err(error) => Err(renamed(id, error)),
    }
}

/// Says that there is neither plugin nor analysis, and which of either may have been meant.
fn unknown(registry: &Registry, id: &str) -> Failure {
    let plugins = registry.plugins().iter();
    let names: Vec<&str> = plugins
        .flat_map(|plugin| {
            let analyses = plugin.analyses().iter().map(|one| one.descriptor().id.as_str());
            analyses.chain([plugin.descriptor().id.as_str()])
        })
        .collect();
    let help = did_you_mean(&nearest(id, names));
    Failure::new(kind::UNKNOWN_PLUGIN, message(id))
        .with_help(help.unwrap_or_else(|| "see `convscope plugins list`".to_owned()))
}

fn renamed(id: &str, error: HostError) -> Failure {
    let is_unknown = matches!(error, HostError::UnknownAnalysis { .. });
    let mut failure = Failure::from(error);
    if is_unknown {
        failure.message = message(id);
    }
    failure
}

fn message(id: &str) -> String {
    format!("there is no plugin or analysis `{id}`")
}

fn of_plugin(plugin: &Plugin) -> Outcome {
    let descriptor = plugin.descriptor();
    let mut lines = vec![format!("{} ({})\n", descriptor.name, descriptor.id)];
    let [major, minor] = plugin.interface();
    let facts = [
        ("version", descriptor.version.clone()),
        ("authors", descriptor.authors.clone()),
        ("licence", descriptor.license.clone()),
        ("home page", descriptor.homepage.clone()),
        ("built with", descriptor.build_info.clone()),
        ("interface", format!("{major}.{minor}")),
        ("file", plugin.path().display().to_string()),
        ("blake3", descriptor.hash.clone()),
    ];
    let known = facts.iter().filter(|(_, fact)| !fact.is_empty());
    lines.extend(known.map(|(name, fact)| format!("  {name:<11}{fact}\n")));
    for analysis in plugin.analyses() {
        lines.push("\n".to_owned());
        lines.push(of_analysis(analysis.descriptor(), &plugin.full_name(analysis)));
    }
    let mut json = Map::new();
    json.insert("plugin".to_owned(), json!(descriptor));
    Outcome { text: lines.concat(), json }
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
