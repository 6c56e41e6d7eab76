//! The figure of a layer: for every map its projections beside the patches that caused them, as in
//! Figure 2 of the paper.

use convscope_sdk::around_grey;
use convscope_sdk::protocol::figure::{Block, Colours, Grid, Group, Source, Tile};
use convscope_sdk::protocol::{Figure, FigureContent};
use ndarray::Axis;

use crate::projection::Projected;
use crate::summary::{LayerSummary, MapSummary};

/// What the words of a figure need.
pub(crate) struct Setting<'a> {
    /// Names of all pictures.
    pub(crate) names: &'a [String],
    /// Winners asked for.
    pub(crate) top: usize,
    /// Winners of one map in one picture.
    pub(crate) spots_per_image: usize,
    /// Options of the inversion, in words.
    pub(crate) options: &'a str,
}

/// Describes the figure of one layer.
pub(crate) fn figure(
    layer: &LayerSummary,
    chosen_how: &str,
    projected: &Projected,
    setting: &Setting<'_>,
) -> Figure {
    let Projected { projections, patches, .. } = projected;
    let has_patches = patches.is_some();
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
        name: format!("projection.{}", layer.layer),
        title: format!("What the feature maps of {} respond to", layer.layer),
        how_to_read: how_to_read(has_patches).to_owned(),
        caption: caption(layer, chosen_how, setting),
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

fn caption(layer: &LayerSummary, chosen_how: &str, setting: &Setting<'_>) -> String {
    let pictures = setting.names.len();
    let spots = match setting.spots_per_image {
        1 => "at most one in each picture".to_owned(),
        spots => format!("at most {spots} with separate receptive fields in each picture"),
    };
    let strongest = match setting.top {
        1 => "The strongest activation".to_owned(),
        top => format!("The {top} strongest activations"),
    };
    let mut caption = format!(
        "{strongest} of each map over {pictures} {}, {spots}; {chosen_how}. {} Grey is zero; each \
         map has one symmetric scale, which ends at the 99.5th percentile of its absolute values.",
        if pictures == 1 { "picture" } else { "pictures" },
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
    let noun = if pictures == 1 { "picture" } else { "pictures" };
    format!("fires in {} of {pictures} {noun}", map.firing_images)
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
