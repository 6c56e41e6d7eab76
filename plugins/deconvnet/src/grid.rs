//! The figure of a layer: for every map its projections beside the patches that caused them, as in
//! Figure 2 of the paper.

use convscope_sdk::around_grey;
use convscope_sdk::protocol::figure::{Block, Colours, Grid, Group, Source, Tile};
use convscope_sdk::protocol::{Figure, FigureContent};
use ndarray::{Array5, Axis};

use crate::summary::{LayerSummary, MapSummary};

/// What the words of a figure need.
pub(crate) struct Setting<'a> {
    /// Names of all pictures.
    pub(crate) names: &'a [String],
    /// Winners asked for.
    pub(crate) top: usize,
    /// How the maps were chosen, in words.
    pub(crate) chosen: &'a str,
    /// Winners of one map in one picture.
    pub(crate) spots_per_image: usize,
    /// Options of the inversion, in words.
    pub(crate) options: &'a str,
}

/// Describes the figure of one layer.
pub(crate) fn figure(
    layer: &LayerSummary,
    projections: &Array5<f32>,
    has_patches: bool,
    setting: &Setting<'_>,
) -> Figure {
    let columns = (setting.top as f64).sqrt().ceil() as usize;
    let groups = layer
        .maps
        .iter()
        .enumerate()
        .map(|(place, map)| {
            let colours = around_grey(projections.index_axis(Axis(0), place).iter().copied());
            let block = |label: &str, array: &str, colours| Block {
                label: label.to_owned(),
                columns,
                colours,
                tiles: tiles(map, place, &format!("{array}.{}", layer.layer), setting.names),
            };
            let mut blocks = vec![block("projections", "projection", colours)];
            if has_patches {
                blocks.push(block("patches", "patch", Colours::Photograph));
            }
            Group { label: format!("map {}", map.map), note: note(map, setting), blocks }
        })
        .collect();
    Figure {
        name: layer.layer.clone(),
        title: format!("What the feature maps of {} respond to", layer.layer),
        how_to_read: how_to_read(has_patches).to_owned(),
        caption: caption(layer, setting),
        content: FigureContent::Grid(Grid { groups, unit: String::new() }),
    }
}

fn how_to_read(has_patches: bool) -> &'static str {
    if has_patches {
        "Each projection shows which part of the patch beside it, in the same place, made one unit \
         of the map so active; the strongest is top left."
    } else {
        "Each projection shows what made one unit of the map so active; the strongest is top left."
    }
}

fn caption(layer: &LayerSummary, setting: &Setting<'_>) -> String {
    let pictures = setting.names.len();
    let spots = match setting.spots_per_image {
        1 => "at most one in each picture".to_owned(),
        spots => format!("at most {spots} with separate receptive fields in each picture"),
    };
    let mut caption = format!(
        "The {} strongest activations of each map over {pictures} {}, {spots}; {}. {} Grey is \
         zero; each map has one symmetric scale, which ends at the 99.5th percentile of its \
         absolute values.",
        setting.top,
        if pictures == 1 { "picture" } else { "pictures" },
        setting.chosen,
        setting.options,
    );
    let fewer: Vec<String> = layer
        .maps
        .iter()
        .filter(|map| map.winners.len() < setting.top)
        .map(|map| format!("map {} has {}", map.map, map.winners.len()))
        .collect();
    if !fewer.is_empty() {
        caption.extend([" Fewer activations above zero were found: ", &fewer.join(", "), "."]);
    }
    caption
}

fn note(map: &MapSummary, setting: &Setting<'_>) -> String {
    let pictures = setting.names.len();
    let firing = (f64::from(map.firing[0]) * pictures as f64).round();
    format!("fires in {firing} of {pictures}")
}

fn tiles(map: &MapSummary, place: usize, array: &str, names: &[String]) -> Vec<Tile> {
    map.winners
        .iter()
        .enumerate()
        .map(|(rank, winner)| {
            let [row, column] = winner.position;
            Tile {
                source: Source { array: array.to_owned(), index: vec![place, rank] },
                title: format!(
                    "{}, activation {:.2} at row {row}, column {column}",
                    names[winner.image], winner.activation
                ),
            }
        })
        .collect()
}
