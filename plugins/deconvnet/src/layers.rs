//! Which layers are shown.

use convscope_sdk::protocol::LayerDescription;
use convscope_sdk::{AnalysisError, Model};

use crate::Parameters;

/// Layers that are shown when none are named.
const LAYERS_BY_DEFAULT: usize = 5;

/// A layer with feature maps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    /// Its name.
    pub(crate) name: String,
    /// Number of its maps; at least one.
    pub(crate) maps: usize,
    /// `[height, width]` of a map; nothing for features.
    pub(crate) size: Option<[usize; 2]>,
}

impl Layer {
    /// Takes a layer whose output is maps or features.
    fn of(layer: &LayerDescription) -> Option<Self> {
        let name = layer.name.clone();
        match layer.shape[..] {
            [_, maps] if maps > 0 => Some(Self { name, maps, size: None }),
            [_, maps, height, width] if maps * height * width > 0 => {
                Some(Self { name, maps, size: Some([height, width]) })
            }
            _ => None,
        }
    }

    /// Counts the cells of a map.
    pub(crate) fn cells(&self) -> usize {
        self.size.map_or(1, |[height, width]| height * width)
    }
}

/// Returns the layers asked for, or every value after a rectifier, thinned evenly.
pub(crate) fn layers(
    model: &Model<'_>,
    parameters: &Parameters,
) -> Result<Vec<Layer>, AnalysisError> {
    let refuse = |problem: String| Err(AnalysisError::parameter("layers", problem));
    let Some(asked) = &parameters.layers else {
        let after_rectifiers: Vec<Layer> = model
            .description()
            .layers
            .iter()
            .filter(|layer| layer.kind == "rectifier")
            .filter_map(Layer::of)
            .collect();
        if after_rectifiers.is_empty() {
            return refuse("the model has no rectifier with feature maps; name layers".to_owned());
        }
        return Ok(thinned(after_rectifiers, LAYERS_BY_DEFAULT));
    };
    let mut layers: Vec<Layer> = Vec::new();
    for name in asked.as_slice() {
        if layers.iter().any(|layer| layer.name == name.0) {
            return refuse(format!("{name} is named twice"));
        }
        let Some(described) = model.layer(&name.0) else {
            return refuse(format!("{name} is no layer of the model"));
        };
        let Some(layer) = Layer::of(described) else {
            return refuse(format!(
                "{name} has no feature maps: its shape is {:?}",
                described.shape
            ));
        };
        layers.push(layer);
    }
    Ok(layers)
}

/// Keeps `count` items at even distances, first and last among them.
fn thinned<T>(items: Vec<T>, count: usize) -> Vec<T> {
    let last = items.len().saturating_sub(1);
    let steps = count.saturating_sub(1).max(1);
    let kept: Vec<usize> = (0..count).map(|place| (place * last).div_ceil(steps)).collect();
    let is_kept = |(place, item)| kept.contains(&place).then_some(item);
    items.into_iter().enumerate().filter_map(is_kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_thinned_evenly_with_first_and_last() {
        let thinned = |count: usize| thinned((0..count).collect(), 5);
        assert_eq!(thinned(9), [0, 2, 4, 6, 8]);
        assert_eq!(thinned(26), [0, 7, 13, 19, 25]);
        assert_eq!(thinned(6), [0, 2, 3, 4, 5]);
        for few in 0..=5 {
            assert_eq!(thinned(few), (0..few).collect::<Vec<_>>());
        }
    }
}
