//! Parameters of analyses, for signatures and messages.

use convscope_protocol::{AnalysisDescriptor, PluginDescriptor};
use serde_json::Value;

use crate::Failure;
use crate::suggest::nearest;

/// One parameter of an analysis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) default: Option<Value>,
    pub(crate) doc: String,
}

impl Parameter {
    /// Writes the parameter as in a list: `stride = 8`.
    pub(crate) fn signature(&self) -> String {
        match &self.default {
            Some(default) if !default.is_null() => format!("{} = {default}", self.name),
            _ => self.name.clone(),
        }
    }
}

/// Returns the parameters of an analysis.
pub(crate) fn of(analysis: &AnalysisDescriptor) -> Vec<Parameter> {
    let schema = serde_json::to_value(&analysis.parameters).unwrap_or_default();
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Vec::new();
    };
    let parameter = |(name, property): (&String, &Value)| Parameter {
        name: name.clone(),
        default: property.get("default").cloned(),
        doc: property.get("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
    };
    properties.iter().map(parameter).collect()
}

/// Returns the parameters that any analysis of a name takes; nothing when none has this name.
pub(crate) fn of_method(plugins: &[PluginDescriptor], method: &str) -> Option<Vec<Parameter>> {
    let analyses = plugins.iter().flat_map(|plugin| &plugin.analyses);
    let mut matching = analyses.filter(|analysis| analysis.id == method);
    let first = of(matching.next()?);
    // When two plugins offer it, the call itself is the mistake to be told.
    matching.next().is_none().then_some(first)
}

/// Writes parameters as a list: `images, stride = 8`.
pub(crate) fn signatures(parameters: &[Parameter]) -> String {
    parameters.iter().map(Parameter::signature).collect::<Vec<_>>().join(", ")
}

/// Says that an analysis has no parameter of a name.
pub(crate) fn unknown(key: &str, known: &[Parameter]) -> Failure {
    let help = match nearest(key, known.iter().map(|parameter| parameter.name.as_str())) {
        Some(other) => format!("did you mean `{other}`?\nparameters: {}", signatures(known)),
        None if known.is_empty() => "the analysis takes none".to_owned(),
        None => format!("parameters: {}", signatures(known)),
    };
    Failure::new("unknown_parameter", format!("unknown parameter `{key}`"))
        .with_key(key)
        .with_help(help)
}
