//! Every analysis of every loaded plugin as a method of models.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::Arc;

use convscope_protocol::{AnalysisDescriptor, PluginDescriptor};
use rhai::{Dynamic, Engine, ImmutableString, Map, Module, RhaiFunc};

use super::{documented, function};
use crate::outcome::AnalysisRun;
use crate::state::State;
use crate::suggest::{did_you_mean, listed};
use crate::throw::Fallible;
use crate::value::{Model, Results};
use crate::{Failure, convert, kind};

pub(super) fn register(engine: &mut Engine, state: &Arc<State>) {
    let mut offers: BTreeMap<&str, Vec<(&PluginDescriptor, &AnalysisDescriptor)>> = BTreeMap::new();
    for plugin in &state.plugins {
        for analysis in &plugin.analyses {
            offers.entry(analysis.id.as_str()).or_default().push((plugin, analysis));
        }
    }
    let mut module = Module::new();
    for (name, offered) in offers {
        register_method(&mut module, name, &offered, state);
    }
    engine.register_global_module(module.into());

    let shared = Arc::clone(state);
    function(
        "run",
        &["model: Model", "analysis: String", "parameters: Map", "Result"],
        "Runs an analysis by its full name, `plugin/analysis`.",
    )
    .register_into_engine(
        engine,
        move |model: &mut Model, name: ImmutableString, map: Map| -> Fallible<Results> {
            Ok(run(&shared, model, &full_name(&shared.plugins, &name)?, map)?)
        },
    );
}

/// Registers the method of one name, made from the schema of its parameters.
fn register_method(
    module: &mut Module,
    name: &str,
    offered: &[(&PluginDescriptor, &AnalysisDescriptor)],
    state: &Arc<State>,
) {
    let Some((_, analysis)) = offered.first() else { return };
    let full: Vec<String> = offered.iter().map(|(plugin, _)| plugin_name(plugin, name)).collect();
    let signature = ["model: Model", "parameters: Map", "Result"];
    let function =
        documented(rhai::FuncRegistration::new(name), &signature, &documentation(analysis, &full));
    let state = Arc::clone(state);
    let call = move |_: Option<rhai::NativeCallContext>, arguments: &mut [&mut Dynamic]| {
        let [full_name] = full.as_slice() else { return Err(ambiguous(&full).into()) };
        let [model, map] = arguments else { return Err(misused(full_name).into()) };
        // The types were matched by the engine when it chose this function.
        let map = std::mem::take(*map).try_cast::<Map>().unwrap_or_default();
        let Some(model) = model.read_lock::<Model>() else { return Err(misused(full_name).into()) };
        Ok(Dynamic::from(run(&state, &model, full_name, map)?))
    };
    function.set_into_module_raw(
        module,
        [TypeId::of::<Model>(), TypeId::of::<Map>()],
        RhaiFunc::Method {
            func: Arc::new(call),
            has_context: false,
            is_pure: true,
            is_volatile: true,
        },
    );
}

/// Runs an analysis and keeps its findings under a name of this run.
fn run(state: &State, model: &Model, analysis: &str, map: Map) -> Result<Results, Failure> {
    let arguments = convert::arguments(map)?;
    let findings = state.watch.outside(|| model.get().run(analysis, arguments))?;
    let reserved = state.budget.reserve_for(&findings)?;
    let short = analysis.rsplit('/').next().unwrap_or(analysis);
    let mut ledger = state.ledger();
    let taken = |name: &str| ledger.analyses.iter().any(|run| run.result == name);
    // As the report would number them.
    let numbered = (2..).map(|number| format!("{short}-{number}"));
    let mut names = std::iter::once(short.to_owned()).chain(numbered);
    let result = names.find(|name| !taken(name)).unwrap_or_default();
    ledger.analyses.push(AnalysisRun { analysis: analysis.to_owned(), result: result.clone() });
    Ok(Results::new(findings, &result, reserved))
}

/// Finds the full name of an analysis that is called by its full name or by its own.
pub(crate) fn full_name(plugins: &[PluginDescriptor], name: &str) -> Result<String, Failure> {
    let all: Vec<String> = plugins
        .iter()
        .flat_map(|plugin| plugin.analyses.iter().map(|analysis| plugin_name(plugin, &analysis.id)))
        .collect();
    let short = |full: &str| full.rsplit('/').next().unwrap_or_default().to_owned();
    let matching: Vec<String> =
        all.iter().filter(|full| *full == name || short(full) == name).cloned().collect();
    match matching.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(unknown_analysis(plugins, name)),
        _ => Err(ambiguous(&matching)),
    }
}

fn plugin_name(plugin: &PluginDescriptor, analysis: &str) -> String {
    format!("{}/{analysis}", plugin.id)
}

fn ambiguous(full: &[String]) -> Failure {
    let message = format!("more than one plugin offers this: {}", listed_names(full));
    let first = full.first().map(String::as_str).unwrap_or_default();
    Failure::new(kind::AMBIGUOUS_ANALYSIS, message)
        .with_help(format!("say which: `model.run(\"{first}\", #{{ … }})`"))
}

fn misused(name: &str) -> Failure {
    Failure::new(kind::WRONG_TYPE, format!("`{name}` takes one map of named parameters"))
}

fn listed_names(names: &[String]) -> String {
    listed(names.iter().map(String::as_str), 8)
}

/// Says that no plugin offers an analysis.
pub(crate) fn unknown_analysis(plugins: &[PluginDescriptor], name: &str) -> Failure {
    let mut names: Vec<&str> = plugins
        .iter()
        .flat_map(|plugin| plugin.analyses.iter().map(|analysis| analysis.id.as_str()))
        .collect();
    names.sort_unstable();
    names.dedup();
    let wanted = name.rsplit('/').next().unwrap_or(name);
    let help = match did_you_mean(wanted, names.iter().copied()) {
        Some(help) => help,
        None if names.is_empty() => "no plugin is loaded: see `convscope plugins list`".to_owned(),
        None => format!("analyses: {}", listed(names, 20)),
    };
    Failure::new(kind::UNKNOWN_ANALYSIS, format!("no plugin offers the analysis `{name}`"))
        .with_help(help)
}

fn documentation(analysis: &AnalysisDescriptor, full: &[String]) -> String {
    let given: Vec<String> = analysis
        .parameters
        .parameters()
        .iter()
        .map(|parameter| parameter.summary().replacen(" = ", ": ", 1))
        .collect();
    let map = match given.as_slice() {
        [] => "#{}".to_owned(),
        _ => format!("#{{ {} }}", given.join(", ")),
    };
    let call = format!("`model.{}({map})`", analysis.id);
    let mut parts = vec![analysis.doc.trim().to_owned(), call];
    if !analysis.reference.is_empty() {
        parts.push(analysis.reference.clone());
    }
    let parameters = analysis.parameters.parameters();
    if !parameters.is_empty() {
        let items = parameters
            .iter()
            .map(|parameter| format!("* `{}`: {}", parameter.summary(), parameter.doc));
        parts.push("# Parameters".to_owned());
        parts.push(items.collect::<Vec<_>>().join("\n"));
    }
    parts.push(format!("Offered by {}.", listed_names(full)));
    parts.join("\n\n")
}
