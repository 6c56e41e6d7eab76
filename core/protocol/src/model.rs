//! What a plugin is told about a model.

use serde::{Deserialize, Serialize};

/// A model, described.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelDescription {
    /// File name without folders.
    pub name: String,
    /// blake3 of the file, or of the blake3 of all files where the weights lie elsewhere too; empty
    /// where only the outline of the model was read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hash: String,
    /// Inputs, in order.
    pub inputs: Vec<ValueDescription>,
    /// Names of the inputs that the file takes as `[batch, height, width, channel]`; they are
    /// `[batch, channel, height, width]` here as everywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels_last: Vec<String>,
    /// Layers in execution order.
    pub layers: Vec<LayerDescription>,
    /// Name of the layer or value that holds the scores: below the softmax.
    pub score: String,
    /// Name of the value that holds probabilities, when the model computes them itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<String>,
    /// Class names by class number; empty when unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// How a value of the input is turned back into a pixel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocessing: Option<PixelScale>,
    /// Where it stands how pictures become the input, such as `model card squeezenet1_1.toml` or
    /// `preset imagenet`; absent when nothing says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocessing_source: Option<String>,
}

impl ModelDescription {
    /// Returns the multiply-adds of one forward pass of one image.
    pub fn multiply_adds(&self) -> u64 {
        self.layers.iter().map(|layer| layer.multiply_adds).fold(0, u64::saturating_add)
    }

    /// Returns the number of weights.
    pub fn parameters(&self) -> u64 {
        self.layers.iter().map(|layer| layer.parameters).fold(0, u64::saturating_add)
    }
}

/// A named value and its shape for one image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueDescription {
    /// Its name.
    pub name: String,
    /// Its shape; the first axis is the batch, given as 1.
    pub shape: Vec<usize>,
}

/// One layer, described.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerDescription {
    /// The name the user knows.
    pub name: String,
    /// The kind in snake case, such as `convolution` or `rectifier`.
    pub kind: String,
    /// Shape of the output; the first axis is the batch, given as 1.
    pub shape: Vec<usize>,
    /// Names of the layers or inputs it reads.
    pub inputs: Vec<String>,
    /// `[height, width]` of the receptive field of an inner unit in pixels of the input; absent
    /// when it is the whole picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receptive_field: Option<[usize; 2]>,
    /// `[y, x]` distance of neighbouring units in pixels of the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<[usize; 2]>,
    /// Multiply-adds for one image.
    pub multiply_adds: u64,
    /// Number of weights.
    pub parameters: u64,
}

impl LayerDescription {
    /// Says whether the output is feature maps `[1, channel, height, width]`, or features
    /// `[1, channel]`, which count as maps of one unit.
    pub fn has_maps(&self) -> bool {
        matches!(self.shape.len(), 2 | 4) && self.shape.iter().all(|&extent| extent > 0)
    }
}

/// How a value of the network's input came from a pixel: value = (pixel · scale − mean) / std.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PixelScale {
    /// `rgb`, `bgr` or `grey`.
    pub channels: String,
    /// Factor of the pixel (0–255).
    pub scale: f32,
    /// Subtracted, per channel.
    pub mean: Vec<f32>,
    /// Divided by, per channel.
    pub std: Vec<f32>,
}
