//! Parameters that all analyses of the plugin share.

use convscope_sdk::{
    Amplitude, ImagesParameter, LayerName, Normalization, OneOrMany, Overlap, Positions, Target,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of `saliency`, `guided_backprop` and `deconvolution`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// The pictures, or tensors `[n, c, h, w]`, which are used as they are.
    pub images: ImagesParameter,
    /// The class that is explained: its number or label, or "predicted"; one for all pictures or a
    /// list with one for each.
    #[serde(default)]
    pub target: OneOrMany<Target>,
    /// Explains a unit of this layer instead of a class; needs `channel`.
    #[serde(default)]
    pub layer: Option<LayerName>,
    /// The channel of the unit; one for all pictures or a list.
    #[serde(default)]
    pub channel: Option<OneOrMany<usize>>,
    /// Where the unit is in its map: `[row, column]`, or "max" for the place where the map is
    /// largest; one for all pictures or a list. "max" where only `layer` and `channel` are given.
    #[serde(default)]
    pub position: Option<Positions>,
    /// What the unit holds from which the signal starts: 1, or its activation.
    #[serde(default = "default_start")]
    pub start: Amplitude,
    /// What happens where windows of a max pooling overlap: signals add up, or the last one wins.
    #[serde(default)]
    pub overlap: Overlap,
    /// How a signal goes back through a local response normalization: exactly, as the gradient
    /// does, or unchanged, as in Zeiler & Fergus.
    #[serde(default)]
    pub lrn: Normalization,
}

fn default_start() -> Amplitude {
    Amplitude::One
}
