//! Parameters of `deconvnet`.

use convscope_sdk::{Amplitude, ImagesParameter, LayerWithMaps, Normalization, OneOrMany, Overlap};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of `deconvnet`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// The pictures to search, or tensors `[n, c, h, w]`, which are used as they are.
    pub images: ImagesParameter,
    /// Layers whose feature maps are shown; by default every value after a rectifier, thinned
    /// evenly to five.
    #[serde(default)]
    pub layers: Option<OneOrMany<LayerWithMaps>>,
    /// How many feature maps of each layer, or their numbers.
    #[serde(default)]
    pub maps: Maps,
    /// Which maps, when `maps` is a count: drawn by the session's seed, or those with the
    /// strongest activations.
    #[serde(default)]
    pub choose: Choose,
    /// How many of the strongest activations of each map are shown.
    #[serde(default = "default_top")]
    #[schemars(range(min = 1, max = 100))]
    pub top: usize,
    /// How many activations of one picture may be among them; more than one must have receptive
    /// fields that do not overlap.
    #[serde(default = "default_spots_per_image")]
    #[schemars(range(min = 1, max = 100))]
    pub spots_per_image: usize,
    /// What the unit holds from which a projection starts: its activation, as in the paper, or 1.
    #[serde(default = "default_start")]
    pub start: Amplitude,
    /// What happens where windows of a max pooling overlap: signals add up, or the last one wins.
    #[serde(default)]
    pub overlap: Overlap,
    /// How a signal goes back through a local response normalization: exactly, as the gradient
    /// does, or unchanged, as in the paper.
    #[serde(default)]
    pub lrn: Normalization,
}

/// A count of maps, or their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Maps {
    /// How many.
    Count(#[schemars(range(min = 1))] usize),
    /// Their numbers.
    Numbers(#[schemars(length(min = 1))] Vec<usize>),
}

impl Default for Maps {
    fn default() -> Self {
        Self::Count(6)
    }
}

/// How maps are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Choose {
    /// By the session's seed.
    #[default]
    Random,
    /// Those with the strongest activation over all pictures.
    Strongest,
}

fn default_top() -> usize {
    9
}

fn default_spots_per_image() -> usize {
    1
}

fn default_start() -> Amplitude {
    Amplitude::Activation
}
