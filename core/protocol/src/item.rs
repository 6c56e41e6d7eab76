//! One item of a data set.

use serde::{Deserialize, Serialize};

use crate::Region;

/// What is known about one image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// File name without folders, or `tensor 3`.
    pub name: String,
    /// Class number, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<usize>,
    /// `[height, width]` of the original picture in pixels; absent for raw tensors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_size: Option<[usize; 2]>,
    /// `[height, width]` of the network's input.
    pub input_size: [usize; 2],
    /// How a pixel of the network's input maps to the original picture; absent for raw tensors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<Mapping>,
    /// Named parts, in pixels of the original picture.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// An affine map per axis: original = offset + input · step, in pixels, at pixel edges.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mapping {
    /// `[y, x]` of the input's top left corner in the original.
    pub offset: [f64; 2],
    /// Original pixels per input pixel, `[y, x]`.
    pub step: [f64; 2],
}

/// A named part of a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its name, such as `left eye`.
    pub name: String,
    /// Where it is, in pixels of the original picture.
    pub region: Region,
}
