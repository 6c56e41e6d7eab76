//! A loaded model.

use std::sync::Arc;

use convscope_protocol::{LayerDescription, ModelDescription};
use rhai::{Dynamic, Map};

use crate::suggest::{did_you_mean, listed};
use crate::{Failure, ScriptModel, convert, kind};

/// A handle of a loaded model.
#[derive(Clone)]
pub(crate) struct Model(Arc<dyn ScriptModel>);

impl Model {
    pub(crate) fn new(model: Arc<dyn ScriptModel>) -> Self {
        Self(model)
    }

    pub(crate) fn get(&self) -> &dyn ScriptModel {
        self.0.as_ref()
    }

    /// Finds a layer by its exact name.
    pub(crate) fn layer(&self, name: &str) -> Result<&LayerDescription, Failure> {
        find_layer(self.0.description(), name)
    }
}

/// Finds a layer of a model by its exact name.
pub(crate) fn find_layer<'a>(
    model: &'a ModelDescription,
    name: &str,
) -> Result<&'a LayerDescription, Failure> {
    if let Some(layer) = model.layers.iter().find(|layer| layer.name == name) {
        return Ok(layer);
    }
    let names = || model.layers.iter().map(|layer| layer.name.as_str());
    let help =
        did_you_mean(name, names()).unwrap_or_else(|| format!("layers: {}", listed(names(), 12)));
    let message = format!("the model `{}` has no layer `{name}`", model.name);
    Err(Failure::new(kind::UNKNOWN_LAYER, message).with_help(help))
}

/// Describes a layer as a map.
pub(crate) fn layer_map(layer: &LayerDescription) -> Map {
    let whole = |number: usize| Dynamic::from(convert::whole(number));
    let list =
        |numbers: &[usize]| numbers.iter().copied().map(whole).collect::<rhai::Array>().into();
    let pair = |pair: Option<[usize; 2]>| pair.map_or(Dynamic::UNIT, |pair| list(&pair));
    let inputs: rhai::Array = layer.inputs.iter().cloned().map(Dynamic::from).collect();
    Map::from([
        ("name".into(), layer.name.clone().into()),
        ("kind".into(), layer.kind.clone().into()),
        ("shape".into(), list(&layer.shape)),
        ("inputs".into(), inputs.into()),
        ("receptive_field".into(), pair(layer.receptive_field)),
        ("stride".into(), pair(layer.stride)),
        ("multiply_adds".into(), Dynamic::from(layer.multiply_adds.cast_signed())),
        ("parameters".into(), Dynamic::from(layer.parameters.cast_signed())),
    ])
}
