//! The figure of a layer: for every map its projections beside the patches that caused them, as in
//! Figure 2 of the paper.

use convscope_sdk::protocol::figure::{Block, Colours, Grid, Group, Source, Tile};
use convscope_sdk::protocol::{Figure, FigureContent};
use ndarray::Array5;

use crate::summary::{LayerSummary, MapSummary};

/// The share of a map's values that its colour scale covers.
const COVERED: f64 = 0.995;

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
            let limit = limit_of(projections, place);
            let block = |label: &str, array: &str, colours| Block {
                label: label.to_owned(),
                columns,
                colours,
                tiles: tiles(map, place, &format!("{array}.{}", layer.layer), setting.names),
            };
            let mut blocks =
                vec![block("projections", "projection", Colours::AroundGrey { limit })];
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

/// Returns the absolute value that covers most of a map's projections; 1 where all are zero.
fn limit_of(projections: &Array5<f32>, map: usize) -> f32 {
    let map = projections.index_axis(ndarray::Axis(0), map);
    let mut values: Vec<f32> =
        map.iter().filter(|value| value.is_finite()).map(|value| value.abs()).collect();
    if values.is_empty() {
        return 1.0;
    }
    let last = values.len() - 1;
    let (_, limit, above) =
        values.select_nth_unstable_by((last as f64 * COVERED) as usize, f32::total_cmp);
    // Projections that are zero nearly everywhere still have a scale.
    let largest = above.iter().copied().fold(*limit, f32::max);
    match (*limit > 0.0, largest > 0.0) {
        (true, _) => *limit,
        (false, true) => largest,
        (false, false) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_of_a_map_ignores_a_few_outliers_and_what_is_not_there() {
        let mut values = Array5::from_elem([1, 1, 1, 1, 1000], 2.0);
        values[[0, 0, 0, 0, 0]] = -50.0;
        values[[0, 0, 0, 0, 1]] = f32::NAN;
        assert!((limit_of(&values, 0) - 2.0).abs() < 1e-6);
    }

    #[test]
    fn a_map_of_zeros_has_a_scale() {
        assert!((limit_of(&Array5::zeros([1, 1, 1, 2, 2]), 0) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_single_spike_sets_the_scale() {
        let mut values = Array5::zeros([1, 1, 1, 1, 1000]);
        values[[0, 0, 0, 0, 3]] = 7.0;
        assert!((limit_of(&values, 0) - 7.0).abs() < 1e-6);
    }
}
