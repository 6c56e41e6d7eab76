//! Projects the strongest activations of feature maps back to the picture: Figure 2 of Zeiler &
//! Fergus, "Visualizing and Understanding Convolutional Networks" (2013).
//!
//! One streaming pass over all pictures finds the winners ([`mining`]); each is then carried back
//! from its one unit with the switches of its own picture ([`projection`]).

mod grid;
mod mining;
mod parameters;
mod projection;
mod summary;
mod tile;

pub use parameters::{Choose, Maps, Parameters};

use convscope_sdk::{
    Amplitude, Analysis, AnalysisError, Host, Method, Model, Normalization, Overlap, Random,
    export_plugin,
};

use crate::grid::Setting;
use crate::mining::{LayerStatistics, Limits, Winner, mine};
use crate::projection::{Inversion, Task, project};
use crate::summary::{LayerSummary, MapSummary};

/// Layers that are shown when none are named.
const LAYERS_BY_DEFAULT: usize = 5;

/// Share of the progress that the search takes; the rest is projecting.
const SEARCHING: f64 = 0.4;

/// The analysis `deconvnet`.
#[derive(Clone, Copy, Debug)]
pub struct Deconvnet;

impl Analysis for Deconvnet {
    const ID: &'static str = "deconvnet";
    const NAME: &'static str = "Deconvnet projections";
    const DOC: &'static str = "Finds the strongest activations of feature maps over all pictures and \
        projects each back to the picture by a deconvnet: from its one unit, unpooling by the \
        switches of its own picture, rectifying, and filtering with the transposed filters.\n\n\
        Arrays: `map`, `activation`, `image_index`, `position`, `patch_region`, `firing` over all \
        layers, and `projection.LAYER`, `patch.LAYER` for each. One figure per layer.";
    const REFERENCE: &'static str = "Zeiler & Fergus, Visualizing and Understanding Convolutional \
        Networks (2013), sections 2.1 and 4, Figure 2";
    const CATEGORY: &'static str = "features";
    const DETERMINISTIC: bool = true;
    const NEEDS_BACKWARD: bool = true;
    type Parameters = Parameters;

    fn run(&self, host: &Host<'_>, parameters: Parameters) -> Result<(), AnalysisError> {
        let model = host.model()?;
        let images = host.images("images")?;
        let layers = layers(&model, &parameters)?;
        check_maps(&model, &layers, &parameters.maps)?;
        let limits = Limits { top: parameters.top, spots_per_image: parameters.spots_per_image };
        let statistics = mine(host, &model, &images, &layers, limits, SEARCHING)?;
        let names = (0..images.len())
            .map(|index| Ok(images.item(index)?.name))
            .collect::<Result<Vec<_>, AnalysisError>>()?;
        let inversion = Inversion {
            composite: Method::Deconvnet.composite(parameters.overlap, parameters.lrn),
            amount: parameters.start.into(),
        };
        let (chosen_how, options) = (chosen_in_words(&parameters), options_in_words(&parameters));
        let setting = Setting {
            names: &names,
            top: parameters.top,
            chosen: &chosen_how,
            spots_per_image: parameters.spots_per_image,
            options: &options,
        };

        let mut summaries = Vec::with_capacity(statistics.len());
        let mut figures = Vec::with_capacity(statistics.len());
        for (index, layer) in statistics.iter().enumerate() {
            let done = index as f64 / statistics.len() as f64;
            let doing = format!("projecting {}", layer.layer);
            host.progress(SEARCHING + (1.0 - SEARCHING) * done, &doing)?;
            let seed = host.rng_seed(index as u64);
            let maps = choose(layer, &parameters, seed);
            let winners: Vec<(usize, &[Winner])> =
                maps.iter().map(|&map| (map, layer.maps[map].winners.as_slice())).collect();
            let task = Task { layer: &layer.layer, maps: &winners, top: parameters.top };
            let projected = project(host, &model, &images, task, &inversion)?;
            let summary = summarize(layer, &winners, &projected.tiles);
            let drawn = matches!(projected.projections.shape()[2], 1 | 3);
            if drawn {
                let has_patches = projected.patches.is_some();
                let projections = &projected.projections;
                figures.push(grid::figure(&summary, projections, has_patches, &setting));
            }
            for array in projected.into_arrays(&model, &layer.layer, &maps) {
                host.emit_array(array)?;
            }
            summaries.push(summary);
        }
        for array in summary::arrays(&summaries, parameters.top) {
            host.emit_array(array)?;
        }
        host.emit_table(&summary::table(&summaries, &names))?;
        if figures.is_empty() {
            host.note("No figure is drawn: the model's input has neither one nor three channels.")?;
        }
        for figure in &figures {
            host.emit_figure(figure)?;
        }
        host.progress(1.0, "done")
    }
}

/// Returns the layers asked for, or every value after a rectifier thinned evenly.
fn layers(model: &Model<'_>, parameters: &Parameters) -> Result<Vec<String>, AnalysisError> {
    if let Some(layers) = &parameters.layers {
        let mut names: Vec<String> = Vec::new();
        for layer in layers.as_slice() {
            if names.contains(&layer.0) {
                return Err(AnalysisError::parameter("layers", format!("{layer} is named twice")));
            }
            names.push(layer.0.clone());
        }
        return Ok(names);
    }
    let rectified: Vec<&str> = model
        .description()
        .layers
        .iter()
        .filter(|layer| layer.kind == "rectifier" && matches!(layer.shape.len(), 2 | 4))
        .map(|layer| layer.name.as_str())
        .collect();
    if rectified.is_empty() {
        return Err(AnalysisError::parameter("layers", "the model has no rectifier; name layers"));
    }
    Ok(thinned(&rectified, LAYERS_BY_DEFAULT))
}

/// Picks `count` items at even distances, first and last among them.
fn thinned(items: &[&str], count: usize) -> Vec<String> {
    let count = count.min(items.len());
    let last = items.len() - 1;
    let step = |place: usize| (place * last).div_ceil(count.max(2) - 1).min(last);
    (0..count).map(|place| items[step(place)].to_owned()).collect()
}

/// Refuses numbers of maps that a layer does not have, before anything is computed.
fn check_maps(model: &Model<'_>, layers: &[String], maps: &Maps) -> Result<(), AnalysisError> {
    let Maps::Numbers(numbers) = maps else { return Ok(()) };
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    if let Some([twice, _]) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(AnalysisError::parameter("maps", format!("{twice} is named twice")));
    }
    for name in layers {
        let count = model.layer(name).and_then(|layer| layer.shape.get(1)).copied().unwrap_or(0);
        if let Some(number) = numbers.iter().find(|&&number| number >= count) {
            return Err(AnalysisError::parameter(
                "maps",
                format!("layer {name} has no map {number}; its maps are 0 to {}", count - 1),
            ));
        }
    }
    Ok(())
}

fn choose(layer: &LayerStatistics, parameters: &Parameters, seed: u64) -> Vec<usize> {
    match (&parameters.maps, parameters.choose) {
        (Maps::Numbers(numbers), _) => numbers.clone(),
        (Maps::Count(count), Choose::Random) => Random::new(seed).sample(layer.maps.len(), *count),
        (Maps::Count(count), Choose::Strongest) => {
            let mut order = layer.by_strength();
            order.truncate(*count);
            order
        }
    }
}

fn summarize(
    layer: &LayerStatistics,
    maps: &[(usize, &[Winner])],
    tiles: &[Vec<tile::Tile>],
) -> LayerSummary {
    let maps = maps
        .iter()
        .zip(tiles)
        .map(|(&(map, winners), tiles)| MapSummary {
            map,
            winners: winners.to_vec(),
            tiles: tiles.clone(),
            firing: layer.firing(map),
        })
        .collect();
    LayerSummary { layer: layer.layer.clone(), maps }
}

fn chosen_in_words(parameters: &Parameters) -> String {
    match (&parameters.maps, parameters.choose) {
        (Maps::Numbers(_), _) => "the maps were named".to_owned(),
        (Maps::Count(_), Choose::Random) => "the maps were drawn by the seed".to_owned(),
        (Maps::Count(_), Choose::Strongest) => {
            "the maps are those with the strongest activations".to_owned()
        }
    }
}

fn options_in_words(parameters: &Parameters) -> String {
    let start = match parameters.start {
        Amplitude::Activation => "its activation",
        Amplitude::One => "1",
    };
    let mut words = format!("A projection starts from one unit that holds {start}");
    match parameters.overlap {
        Overlap::Sum => words += "; where pooling windows overlap, signals add up",
        Overlap::Overwrite => words += "; where pooling windows overlap, the last one wins",
    }
    if parameters.lrn == Normalization::Skip {
        words += "; response normalizations are not inverted";
    }
    words + "."
}

export_plugin! {
    id: "org.convscope.deconvnet",
    name: "Deconvnet",
    analyses: [Deconvnet],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_thinned_evenly_with_first_and_last() {
        let items = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        assert_eq!(thinned(&items, 5), ["a", "c", "e", "g", "i"]);
        assert_eq!(thinned(&items[..3], 5), ["a", "b", "c"]);
        assert_eq!(thinned(&items[..1], 5), ["a"]);
    }
}
