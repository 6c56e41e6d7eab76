//! The figure: every picture beside its attribution.

use convscope_sdk::around_grey;
use convscope_sdk::protocol::figure::{Block, Colours, Grid, Group, Source, Tile};
use convscope_sdk::protocol::{Figure, FigureContent};
use ndarray::{Array4, Axis};

/// What the words of a figure need.
pub(crate) struct Setting<'a> {
    /// Name of the analysis for people.
    pub(crate) method: &'a str,
    /// Names of the pictures.
    pub(crate) names: &'a [String],
    /// What is explained in each.
    pub(crate) explained: &'a [String],
    /// Options, in words.
    pub(crate) options: &'a str,
    /// Whether the array `picture` is there.
    pub(crate) has_pictures: bool,
}

/// Describes the figure.
pub(crate) fn figure(attribution: &Array4<f32>, setting: &Setting<'_>) -> Figure {
    let groups = setting
        .names
        .iter()
        .zip(setting.explained)
        .enumerate()
        .map(|(image, (name, explained))| {
            let block = |label: &str, array: &str, colours, title: String| Block {
                label: label.to_owned(),
                columns: 1,
                colours,
                tiles: vec![Tile {
                    source: Source { array: array.to_owned(), index: vec![image] },
                    title,
                }],
            };
            let colours = around_grey(attribution.index_axis(Axis(0), image).iter().copied());
            let title = format!("{} of {name} for {explained}", setting.method);
            let mut blocks = Vec::new();
            if setting.has_pictures {
                blocks.push(block("picture", "picture", Colours::Photograph, name.clone()));
            }
            blocks.push(block("attribution", "attribution", colours, title));
            Group { label: name.clone(), note: explained.clone(), blocks }
        })
        .collect();
    Figure {
        name: "attribution".to_owned(),
        title: format!("{}: what in each picture matters", setting.method),
        how_to_read: "Brighter than grey: more of that colour there raises the unit's value; \
                      darker: it lowers it; grey: no influence."
            .to_owned(),
        caption: format!(
            "{} Grey is zero; each picture has a symmetric scale of its own, which ends at the \
             99.5th percentile of its absolute values.",
            setting.options
        ),
        content: FigureContent::Grid(Grid { groups, unit: String::new() }),
    }
}
