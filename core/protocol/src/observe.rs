//! The verb `observe`: forward passes with interventions, and what is captured of them.

use serde::{Deserialize, Serialize};

/// A rectangle of cells or pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// First row.
    pub top: i64,
    /// First column.
    pub left: i64,
    /// Number of rows.
    pub height: u64,
    /// Number of columns.
    pub width: u64,
}

/// One forward pass to run: an image and what is changed on its way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Index among the images given to the call.
    pub image: usize,
    /// What is changed, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interventions: Vec<Intervention>,
}

/// A change on the way forward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Intervention {
    /// Covers a rectangle of the network's input.
    Occlude {
        /// In pixels of the network's input, clipped to it.
        region: Region,
        /// What it is covered with.
        fill: Fill,
    },
    /// Replaces whole channels of a value.
    Replace {
        /// Name of the layer or value.
        layer: String,
        /// The channels.
        channels: Vec<usize>,
        /// What stands there instead.
        with: Fill,
    },
    /// Hands a layer's input on as its output; shapes must agree.
    Bypass {
        /// Name of the layer.
        layer: String,
    },
}

/// Numbers that replace others, in units of the value they replace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Fill {
    /// The same everywhere.
    Number(f32),
    /// One number per channel that is replaced.
    PerChannel(Vec<f32>),
    /// What another image has in the same place of the network's input.
    Image {
        /// Index among the images given to the call.
        image: usize,
    },
}

/// A value to keep, whole or reduced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// Name of the layer or value.
    pub value: String,
    /// How it is reduced.
    #[serde(default)]
    pub reduction: Reduction,
    /// The channels that are handed back, each once, in this order; all without. They are chosen
    /// before maps are reduced, but behind a softmax; an argmax is over all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<usize>>,
}

impl Capture {
    /// Captures all channels of a value.
    pub fn new(value: impl Into<String>, reduction: Reduction) -> Self {
        Self { value: value.into(), reduction, channels: None }
    }

    /// Hands back these channels only.
    #[must_use]
    pub fn of_channels(self, channels: impl Into<Vec<usize>>) -> Self {
        Self { channels: Some(channels.into()), ..self }
    }
}

/// How a captured value `[case, channel, row, column]` is reduced; features `[case, channel]` count
/// as maps of one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reduction {
    /// The value as it is.
    #[default]
    None,
    /// Sum of every map: `[case, channel]`.
    Sum,
    /// Mean of every map: `[case, channel]`.
    Mean,
    /// Euclidean norm of every map: `[case, channel]`.
    Norm,
    /// Number of positive cells of every map: `[case, channel]`.
    CountPositive,
    /// Softmax over the channels: same shape as the value.
    Softmax,
    /// Channel of the largest mean, as u32: `[case]`.
    Argmax,
    /// The strongest cells of every map, strongest first, ties in row-major order. Two tensors:
    /// values `[case, channel, k]`, NaN where a map has no further one, and positions as u32
    /// `[case, channel, k, 2]` (row, column), `u32::MAX` there.
    Strongest {
        /// How many.
        k: usize,
        /// What must not overlap.
        #[serde(default)]
        disjoint: Disjoint,
    },
}

impl Reduction {
    /// Returns how many tensors the reduction hands back.
    pub fn tensor_count(&self) -> usize {
        if matches!(self, Self::Strongest { .. }) { 2 } else { 1 }
    }
}

/// What the strongest cells of one map must not share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disjoint {
    /// Nothing: neighbouring cells may both be among them.
    #[default]
    None,
    /// Their receptive fields: no two share a pixel.
    ReceptiveField,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_are_a_number_numbers_or_an_image() {
        for (json, fill) in [
            ("0.5", Fill::Number(0.5)),
            ("[0.5,1.0]", Fill::PerChannel(vec![0.5, 1.0])),
            (r#"{"image":3}"#, Fill::Image { image: 3 }),
        ] {
            assert_eq!(serde_json::to_string(&fill).unwrap(), json);
            assert_eq!(serde_json::from_str::<Fill>(json).unwrap(), fill);
        }
        for json in [r#"{"image":3,"row":1}"#, r#"{"picture":3}"#, r#"{"image":-1}"#, "{}"] {
            let error = serde_json::from_str::<Fill>(json).unwrap_err().to_string();
            assert_eq!(error, "data did not match any variant of untagged enum Fill");
        }
    }

    #[test]
    fn a_capture_says_its_channels_only_where_some_are_chosen() {
        let all = Capture::new("fc", Reduction::Softmax);
        let json = r#"{"value":"fc","reduction":{"kind":"softmax"}}"#;
        assert_eq!(serde_json::to_string(&all).unwrap(), json);
        assert_eq!(serde_json::from_str::<Capture>(json).unwrap(), all);
        let some = all.of_channels([7]);
        let json = r#"{"value":"fc","reduction":{"kind":"softmax"},"channels":[7]}"#;
        assert_eq!(serde_json::to_string(&some).unwrap(), json);
        assert_eq!(serde_json::from_str::<Capture>(json).unwrap(), some);
    }
}
