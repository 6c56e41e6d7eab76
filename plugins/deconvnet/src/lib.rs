//! Projects the strongest activations of feature maps back to the picture: Figure 2 of Zeiler &
//! Fergus, "Visualizing and Understanding Convolutional Networks" (2013).
//!
//! One streaming pass over all pictures finds the winners (`mining.rs`); each is then carried back
//! from its one unit with the switches of its own picture (`projection.rs`).

mod grid;
mod layers;
mod maps;
mod mining;
mod parameters;
mod projection;
mod summary;
mod tile;

pub use parameters::{Choose, Maps, Parameters};

use convscope_sdk::{
    Amplitude, Analysis, AnalysisError, Host, Method, Normalization, Overlap, export_plugin,
};

use crate::grid::Setting;
use crate::mining::{LayerStatistics, Limits, Winner};
use crate::projection::{Inversion, Task};
use crate::summary::{LayerSummary, MapSummary};

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
        layers, and `projection.LAYER`, `patch.LAYER` for each. Table: `map`. One figure per layer.";
    const REFERENCE: &'static str = "Zeiler & Fergus, Visualizing and Understanding Convolutional \
        Networks (2013), sections 2.1 and 4, Figure 2";
    const CATEGORY: &'static str = "features";
    const DETERMINISTIC: bool = true;
    const NEEDS_BACKWARD: bool = true;
    type Parameters = Parameters;

    fn run(&self, host: &Host<'_>, parameters: Parameters) -> Result<(), AnalysisError> {
        let model = host.model()?;
        let images = host.images("images")?;
        if images.is_empty() {
            return Err(AnalysisError::parameter("images", "there are no pictures"));
        }
        let input = model.input_extents()?;
        let layers = layers::layers(&model, &parameters)?;
        maps::check(&layers, &parameters.maps)?;
        let limits = Limits { top: parameters.top, spots_per_image: parameters.spots_per_image };
        let statistics = mining::mine(host, &model, &images, layers, limits, SEARCHING)?;
        let names = images.names()?;
        let inversion = Inversion {
            composite: Method::Deconvnet.composite(parameters.overlap, parameters.lrn),
            amount: parameters.start.into(),
        };
        let setting = Setting {
            names: &names,
            top: parameters.top,
            spots_per_image: parameters.spots_per_image,
            options: &options_in_words(&parameters),
        };

        let is_drawable = matches!(input[0], 1 | 3);
        let mut summaries = Vec::with_capacity(statistics.len());
        let mut figures = Vec::with_capacity(statistics.len());
        for (index, statistics_of_layer) in statistics.iter().enumerate() {
            let layer = &statistics_of_layer.layer;
            let share = (1.0 - SEARCHING) / statistics.len() as f64;
            let progress = |done: f64| {
                let fraction = SEARCHING + share * (index as f64 + done);
                host.progress(fraction, &format!("projecting {}", layer.name))
            };
            let (maps, chosen_how) =
                maps::choose(statistics_of_layer, &parameters, host.rng_seed(index as u64));
            let winners: Vec<(usize, &[Winner])> = maps
                .iter()
                .map(|&map| (map, statistics_of_layer.maps[map].winners.as_slice()))
                .collect();
            let task = Task { input, layer, maps: &winners, top: parameters.top };
            let projected = projection::project(&model, &images, task, &inversion, &progress)?;
            let summary = summarize(statistics_of_layer, &winners, &projected.tiles);
            if is_drawable && summary.has_winners() {
                figures.push(grid::figure(&summary, chosen_how, &projected, &setting));
            }
            for array in projected.into_arrays(&model, &layer.name, &maps) {
                host.emit_array(array)?;
            }
            summaries.push(summary);
        }
        for array in summary::arrays(&summaries, parameters.top) {
            host.emit_array(array)?;
        }
        host.emit_table(&summary::table(&summaries, &names))?;
        if !is_drawable {
            host.note("No figure is drawn: the model's input has neither one nor three channels.")?;
        }
        for silent in summaries.iter().filter(|summary| is_drawable && !summary.has_winners()) {
            let layer = &silent.layer;
            host.note(&format!(
                "No figure is drawn for {layer}: none of its maps shown is above zero in any \
                 picture. Take the strongest maps, name others, or search more pictures."
            ))?;
        }
        for figure in &figures {
            host.emit_figure(figure)?;
        }
        host.progress(1.0, "done")
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
            firing_images: layer.maps[map].firing_images,
        })
        .collect();
    LayerSummary { layer: layer.layer.name.clone(), maps }
}

fn options_in_words(parameters: &Parameters) -> String {
    let start = match parameters.start {
        Amplitude::Activation => "its activation",
        Amplitude::One => "1",
    };
    let overlap = match parameters.overlap {
        Overlap::Sum => "signals add up",
        Overlap::Overwrite => "the last one wins",
    };
    let lrn = match parameters.lrn {
        Normalization::Exact => "",
        Normalization::Skip => "; response normalizations are not inverted",
    };
    format!(
        "A projection starts from one unit that holds {start}; where pooling windows overlap, \
         {overlap}{lrn}."
    )
}

export_plugin! {
    id: "org.convscope.deconvnet",
    name: "Deconvnet",
    analyses: [Deconvnet],
}
