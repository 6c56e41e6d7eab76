//! Parameters of `occlusion`.

use convscope_sdk::{Boxes, ImagesParameter, LayerWithMaps, OneOrMany, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::baseline::{Baseline, NamedBaseline};
pub use crate::subject::MapChoice;

/// Parameters of `occlusion`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// The pictures, or tensors `[n, c, h, w]`, which are used as they are.
    pub images: ImagesParameter,
    /// Edge of the occluder, or its `[height, width]`, in pixels of the network's input.
    #[serde(default = "default_window")]
    pub window: Extent,
    /// Several occluders instead of one: their arrays are called `probability_HEIGHTxWIDTH` and so
    /// on.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub windows: Option<Vec<Extent>>,
    /// From one place of the occluder to the next, or `[down, right]`, in pixels of the network's
    /// input. One more place is flush with the far edge where a strip would stay uncovered.
    #[serde(default = "default_stride")]
    pub stride: Extent,
    /// What the occluder shows: the "mean" of the preprocessing; "zero" in units of the network's
    /// input; a colour `[red, green, blue]`, 0 to 255; the mean colour of the picture
    /// ("`image_mean`"); the picture out of focus ("blur"); or pixels drawn from it ("noise").
    #[serde(default)]
    pub baseline: Baseline,
    /// The class that is watched: its number or label, or "predicted"; one for all pictures or a
    /// list with one for each.
    #[serde(default)]
    pub target: OneOrMany<Target>,
    /// The layer of the feature map that is watched; by default the last one with rows and columns.
    #[serde(default)]
    pub layer: Option<LayerWithMaps>,
    /// The feature map that is watched: its number, or "strongest", the one with the largest sum in
    /// the picture; one for all pictures or a list with one for each.
    #[serde(default)]
    pub map: OneOrMany<MapChoice>,
    /// How many other pictures show what the map responds to, by projections of its strongest unit.
    #[serde(default = "default_projections")]
    #[schemars(range(max = 24))]
    pub projections: usize,
    /// A box `[top, left, height, width]` in pixels of the network's input, in which the share of
    /// the drop is measured; one for all pictures or a list with one for each. By default the parts
    /// that the list of pictures names.
    #[serde(default, rename = "box")]
    pub boxes: Option<Boxes>,
}

/// A length for both axes, or `[height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Extent {
    /// The same for both.
    Both(#[schemars(range(min = 1))] usize),
    /// Height and width.
    Each(#[schemars(inner(range(min = 1)))] [usize; 2]),
}

impl Extent {
    /// Returns height and width.
    pub(crate) fn size(self) -> [usize; 2] {
        match self {
            Self::Both(length) => [length; 2],
            Self::Each(lengths) => lengths,
        }
    }
}

/// Edge of the occluder that is not given.
pub(crate) const WINDOW: Extent = Extent::Both(32);

fn default_window() -> Extent {
    WINDOW
}

fn default_stride() -> Extent {
    Extent::Both(8)
}

fn default_projections() -> usize {
    3
}
