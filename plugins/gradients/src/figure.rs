//! The figure: every picture beside its attribution.

use convscope_sdk::around_grey;
use convscope_sdk::protocol::figure::{Block, Colours, Grid, Group, Source, Tile};
use convscope_sdk::protocol::{Figure, FigureContent};
use ndarray::{Array4, Axis};

use crate::Kind;
use crate::explained::Explained;

/// What the words of a figure need.
pub(crate) struct Setting<'a> {
    /// The analysis.
    pub(crate) kind: &'a Kind,
    /// Names of the pictures.
    pub(crate) names: &'a [String],
    /// What is explained in each.
    pub(crate) explained: &'a [Explained],
    /// Options, in words.
    pub(crate) options: &'a str,
    /// Whether the array `picture` is there.
    pub(crate) has_pictures: bool,
}

/// Describes the figure.
pub(crate) fn figure(attribution: &Array4<f32>, setting: &Setting<'_>) -> Figure {
    let Setting { kind, names, explained, .. } = setting;
    let group = |(image, (name, explained)): (usize, (&String, &Explained))| {
        let block = |array: &str, colours, title: String| Block {
            label: array.to_owned(),
            columns: 1,
            colours,
            tiles: vec![Tile {
                source: Source { array: array.to_owned(), index: vec![image] },
                title,
            }],
        };
        let colours = around_grey(attribution.index_axis(Axis(0), image).iter().copied());
        let title = format!("{} of {name} for {}", kind.name, explained.words);
        let mut blocks = Vec::new();
        if setting.has_pictures {
            blocks.push(block("picture", Colours::Photograph, name.clone()));
        }
        blocks.push(block("attribution", colours, title));
        Group { label: name.clone(), note: explained.words.clone(), blocks }
    };
    let groups = names.iter().zip(*explained).enumerate().map(group).collect();
    Figure {
        name: "attribution".to_owned(),
        title: format!("{}: what in each picture matters", kind.name),
        how_to_read: kind.how_to_read.to_owned(),
        caption: format!(
            "{} Grey is zero; each picture has a symmetric scale of its own, which ends at the \
             99.5th percentile of its absolute values.",
            setting.options
        ),
        content: FigureContent::Grid(Grid { groups, unit: String::new() }),
    }
}
