//! What the analyses can do with a model.

use convscope_host::Registry;
use convscope_protocol::{AnalysisDescriptor, ModelDescription, Role};
use serde_json::{Value, json};

/// What one analysis can do with a model.
#[derive(Debug)]
pub(super) struct Use<'a> {
    name: String,
    plugin: &'a str,
    /// The layers it can be given; nothing where it takes none.
    layers: Option<Vec<&'a str>>,
    takes_classes: bool,
}

/// Asks every analysis, in the order of the plugins.
pub(super) fn of<'a>(registry: &'a Registry, model: &'a ModelDescription) -> Vec<Use<'a>> {
    let mut uses = Vec::new();
    for plugin in registry.plugins() {
        for analysis in plugin.analyses() {
            // The short name works where it is the only one.
            let short = analysis.descriptor().id.clone();
            let is_clear = registry.analysis(&short).is_ok();
            let name = if is_clear { short } else { plugin.full_name(analysis) };
            uses.push(one(name, &plugin.descriptor().id, analysis.descriptor(), model));
        }
    }
    uses
}

fn one<'a>(
    name: String,
    plugin: &'a str,
    analysis: &AnalysisDescriptor,
    model: &'a ModelDescription,
) -> Use<'a> {
    let roles: Vec<Role> =
        analysis.parameters.parameters().iter().filter_map(|p| p.form.role()).collect();
    let fitting = |needs_maps: bool| {
        let layers = model.layers.iter().filter(|layer| !needs_maps || layer.has_maps());
        layers.map(|layer| layer.name.as_str()).collect()
    };
    let layers = if roles.contains(&Role::Layer) {
        Some(fitting(false))
    } else if roles.contains(&Role::Maps) {
        Some(fitting(true))
    } else {
        None
    };
    Use { name, plugin, layers, takes_classes: roles.contains(&Role::Target) }
}

impl Use<'_> {
    /// Returns the name by which it is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Says in words from where it can start.
    pub(super) fn words(&self, model: &ModelDescription) -> String {
        let all = model.layers.len();
        let layers = self.layers.as_ref().map(|layers| match layers.len() {
            count if count == all => format!("each of the {all} layers"),
            count => format!("{count} of the {all} layers: those with feature maps"),
        });
        let classes = self.takes_classes.then(|| "a class".to_owned());
        let starts: Vec<String> = layers.into_iter().chain(classes).collect();
        if starts.is_empty() { "the whole model".to_owned() } else { starts.join(", or ") }
    }

    /// Says the same to programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "analysis": self.name,
            "plugin": self.plugin,
            "layers": self.layers,
            "classes": self.takes_classes,
        })
    }
}

#[cfg(test)]
mod tests {
    use convscope_protocol::{LayerDescription, Schema};

    use super::*;

    fn described(roles: &[&str]) -> AnalysisDescriptor {
        let properties: serde_json::Map<String, Value> = roles
            .iter()
            .map(|role| ((*role).to_owned(), json!({ "type": "string", "x-convscope": role })))
            .collect();
        let parameters = Schema::from_json(json!({ "type": "object", "properties": properties }));
        AnalysisDescriptor { parameters: parameters.unwrap(), ..AnalysisDescriptor::default() }
    }

    fn model() -> ModelDescription {
        let layer = |name: &str, shape: &[usize]| LayerDescription {
            name: name.to_owned(),
            shape: shape.to_vec(),
            ..LayerDescription::default()
        };
        let layers = vec![layer("conv", &[1, 8, 4, 4]), layer("shuffle", &[1, 2, 4, 4, 4])];
        ModelDescription { layers, ..ModelDescription::default() }
    }

    #[test]
    fn an_analysis_is_told_what_it_can_start_from() {
        let model = model();
        let words =
            |roles: &[&str]| one("a".to_owned(), "p", &described(roles), &model).words(&model);
        assert_eq!(words(&["maps"]), "1 of the 2 layers: those with feature maps");
        assert_eq!(words(&["layer", "target"]), "each of the 2 layers, or a class");
        assert_eq!(words(&["target"]), "a class");
        assert_eq!(words(&[]), "the whole model");
    }
}
