//! Figures, described as data that refer to arrays by name. `report` draws them.

mod maps;

use serde::{Deserialize, Serialize};

pub use maps::{CellPlaces, ClassName, MapRow, Maps, Mark, Panel, PanelContent};

/// A figure: what it shows, and the words around it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// Unique within its findings; becomes part of a file name.
    pub name: String,
    /// Heading.
    pub title: String,
    /// One sentence: how to read it.
    pub how_to_read: String,
    /// States the settings: what was computed, with which parameters, on what scale it is shown.
    pub caption: String,
    /// What is drawn.
    pub content: FigureContent,
}

/// What a figure draws, one variant per kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FigureContent {
    /// One picture or map.
    Picture(Picture),
    /// Blocks of small pictures side by side, such as projections beside patches.
    Grid(Grid),
    /// Rows of panels of one picture each, such as maps of what covering a place does.
    Maps(Maps),
    /// A table of the findings, drawn.
    Table(TableFigure),
}

/// One image of a figure: a part of an array, and how its numbers become colours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Picture {
    /// Where the numbers are.
    pub source: Source,
    /// How they become colours.
    pub colours: Colours,
    /// Words below the picture, empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
}

/// A part of an array: the leading axes fixed, the last two or three free.
///
/// What remains is `[row, column]`, or `[channel, row, column]` with one or three channels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name of the array within the same findings.
    pub array: String,
    /// Index on each leading axis.
    pub index: Vec<usize>,
}

/// How numbers become colours. NaN is left transparent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "map", rename_all = "snake_case")]
pub enum Colours {
    /// Grey levels 0–255 as they are, bytes or numbers: a photograph (RGB or grey).
    Photograph,
    /// Channels as red, green and blue (one channel: grey) around grey = 0, from −limit to +limit.
    /// Channels whose axis has the labels blue, green, red are turned round.
    AroundGrey {
        /// The absolute value that saturates.
        limit: f32,
    },
    /// Red for positive, blue for negative, white = 0, from −limit to +limit; one channel.
    Signed {
        /// The absolute value that saturates.
        limit: f32,
    },
    /// Viridis from low to high; one channel.
    Viridis {
        /// The darkest value.
        low: f32,
        /// The brightest value.
        high: f32,
    },
}

/// Rows of groups of blocks of tiles. For the paper's Figure 2 a group is a feature map, its
/// blocks are 3×3 projections and the 3×3 patches that caused them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// The groups, in reading order.
    pub groups: Vec<Group>,
    /// Unit of the colour scale for a legend, empty where the scale has no unit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
}

/// One group of a grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Heading, such as `map 17`.
    pub label: String,
    /// A short second line, such as `fires in 8 of 11 pictures`; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The blocks, side by side.
    pub blocks: Vec<Block>,
}

/// One block of a group: tiles in rows of `columns`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// Words above the block, such as `projections`; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Tiles in a row.
    pub columns: usize,
    /// How the numbers of every tile of the block become colours: one scale for all.
    pub colours: Colours,
    /// The tiles in reading order. Tiles of two blocks of a group with the same place belong
    /// together.
    pub tiles: Vec<Tile>,
}

/// One small picture of a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tile {
    /// Where the numbers are.
    pub source: Source,
    /// What a reader without eyes or with a pointer is told: picture, activation, place.
    pub title: String,
}

/// A table of the findings, drawn as a figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableFigure {
    /// Name of the table within the same findings.
    pub table: String,
}
