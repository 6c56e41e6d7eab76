//! Maps of a picture side by side. Zeiler & Fergus (2013), figure 7.

use serde::{Deserialize, Serialize};

use super::{Colours, Source, Tile};
use crate::Region;

/// Rows of panels, one row for each picture.
///
/// For the paper's Figure 7 the panels of a row are the picture with the occluder, the activity of a
/// feature map, its projections, the probability of the class and the most probable class. All
/// panels of a row but [`PanelContent::Tiles`] show the same pixels at the same size: what lies at
/// one place of a panel lies at that place of the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maps {
    /// From top to bottom.
    pub rows: Vec<MapRow>,
}

/// The panels of one picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapRow {
    /// Heading, such as the name of the picture.
    pub label: String,
    /// A short second line, such as what the network says of the picture; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Height of the picture in pixels: the unit of every place in the row.
    pub height: usize,
    /// Width of the picture in pixels.
    pub width: usize,
    /// From left to right. Panels with the same number stand below each other.
    pub panels: Vec<Panel>,
}

/// One panel of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    /// Words above the panel, such as `(d) probability of tabby`; empty for none. The unit of a
    /// colour bar comes from the array.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Rectangles that are drawn to scale over the panel, the last on top. Tiles have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// What is drawn.
    pub content: PanelContent,
}

/// A rectangle over a panel: the occluder, or a box that something is counted in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// In pixels of the row's picture, and within it.
    pub region: Region,
    /// Red, green and blue of its area; none for an outline, such as for an occluder without one
    /// colour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<[u8; 3]>,
    /// What a reader without eyes or with a pointer is told, such as `occluder, 32 × 32 px`.
    pub title: String,
}

/// What a panel draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PanelContent {
    /// Numbers in colours: a photograph, an activity, a probability, or one projection. A colour
    /// bar with the array's unit stands below all but photographs.
    Map {
        /// Where the numbers are.
        source: Source,
        /// How they become colours.
        colours: Colours,
        /// Where the cells lie on the picture.
        #[serde(default, skip_serializing_if = "CellPlaces::is_whole")]
        cells: CellPlaces,
    },
    /// Which class stands in each cell: indices `[row, column]`, `u32::MAX` for none.
    ///
    /// At most seven classes get a colour and a line in the legend, the most frequent first (of
    /// equals the one with the smaller index); the rest are `other`. A class keeps its colour from
    /// row to row, as far as seven colours go: each map has a legend of its own.
    Classes {
        /// Where the indices are.
        source: Source,
        /// What classes are called. One that is missing is called `class 281`.
        names: Vec<ClassName>,
        /// Where the cells lie on the picture.
        #[serde(default, skip_serializing_if = "CellPlaces::is_whole")]
        cells: CellPlaces,
    },
    /// A map over a photograph in grey, which shows through where the map is near zero: opacity is
    /// 0.85 √(|value| / limit).
    Overlay {
        /// Grey levels of the whole picture, 0–255.
        photograph: Source,
        /// Where the numbers of the map are, `[row, column]`.
        source: Source,
        /// The absolute value at which colour and opacity end. Positive is red, negative is blue.
        limit: f32,
        /// Where the cells lie on the picture.
        #[serde(default, skip_serializing_if = "CellPlaces::is_whole")]
        cells: CellPlaces,
    },
    /// Small pictures in rows of `columns`, such as the projections of one map for several
    /// pictures.
    Tiles {
        /// Tiles in a row.
        columns: usize,
        /// How the numbers of every tile become colours: one scale for all.
        colours: Colours,
        /// In reading order.
        tiles: Vec<Tile>,
        /// Number of the tile with a frame, from 0: the one that belongs to the row's picture.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        framed: Option<usize>,
    },
}

/// The name of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassName {
    /// Number of the class.
    pub class: u32,
    /// What it is called.
    pub name: String,
}

/// Where the cells of a map lie on the picture of its row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CellPlaces {
    /// They share the whole picture evenly, such as pixels or the units of a feature map.
    #[default]
    Whole,
    /// Each stands for one place of a window, and is drawn around the window's middle, halfway to
    /// its neighbours: half a window at the edges of the picture stays free.
    Windows {
        /// Height of the window in pixels.
        height: usize,
        /// Width of the window in pixels.
        width: usize,
        /// First pixel row of the window, for each row of cells; ascending.
        rows: Vec<usize>,
        /// First pixel column of the window, for each column of cells; ascending.
        columns: Vec<usize>,
    },
}

impl CellPlaces {
    /// Says whether the cells share the whole picture.
    pub fn is_whole(&self) -> bool {
        *self == Self::Whole
    }
}
