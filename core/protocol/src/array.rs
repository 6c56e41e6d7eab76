//! Named values with axes and a unit.

use ndarray::{ArcArray, ArrayD, IxDyn};
use serde::{Deserialize, Serialize};

/// The values of an array, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Measurements. NaN where there is nothing to say.
    F32(ArcArray<f32, IxDyn>),
    /// Counts, indices, positions. `u32::MAX` where there is nothing to say.
    U32(ArcArray<u32, IxDyn>),
    /// Pixels, 0–255.
    U8(ArcArray<u8, IxDyn>),
}

impl Values {
    /// Returns the extent of every axis, outermost first.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::F32(values) => values.shape(),
            Self::U32(values) => values.shape(),
            Self::U8(values) => values.shape(),
        }
    }

    /// Returns numpy's name of the element type.
    pub fn dtype(&self) -> &'static str {
        match self {
            Self::F32(_) => "float32",
            Self::U32(_) => "uint32",
            Self::U8(_) => "uint8",
        }
    }
}

impl From<ArrayD<f32>> for Values {
    fn from(array: ArrayD<f32>) -> Self {
        Self::F32(array.as_standard_layout().into_owned().into_shared())
    }
}

impl From<ArrayD<u32>> for Values {
    fn from(array: ArrayD<u32>) -> Self {
        Self::U32(array.as_standard_layout().into_owned().into_shared())
    }
}

impl From<ArrayD<u8>> for Values {
    fn from(array: ArrayD<u8>) -> Self {
        Self::U8(array.as_standard_layout().into_owned().into_shared())
    }
}

/// One axis of an array.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// Singular and in snake case: `image`, `map`, `rank`, `row`.
    pub name: String,
    /// What each step along the axis is called, where it has names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
}

impl Axis {
    /// An axis whose steps are only numbered.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), labels: None }
    }

    /// An axis whose steps have names.
    pub fn labelled(name: &str, labels: Vec<String>) -> Self {
        Self { name: name.to_owned(), labels: Some(labels) }
    }
}

/// What is said about an array's values beside the values themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArrayMeta {
    /// One entry per axis, outermost first.
    pub axes: Vec<Axis>,
    /// Unit of the values: `probability`, `px`; empty for plain numbers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// One sentence that says what the values are.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
}

/// Named values with axes and a unit, as analyses emit and reports store them.
///
/// Names are singular and in snake case; `projection.fire3/concat` is the array of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Unique within its findings.
    pub name: String,
    /// Axes and unit.
    pub meta: ArrayMeta,
    /// The values.
    pub values: Values,
}
