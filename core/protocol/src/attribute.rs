//! The verb `attribute`: signals carried back by a composite of rules.

use serde::{Deserialize, Serialize};

/// Where a signal starts: one unit, all others zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Index among the images given to the call.
    pub image: usize,
    /// Name of the layer or value.
    pub value: String,
    /// Channel, or class for scores.
    pub channel: usize,
    /// `[row, column]`; absent for features, or for the one cell of a one-cell map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<[usize; 2]>,
    /// What the unit holds.
    #[serde(default)]
    pub amount: Amount,
}

/// What the start of a signal holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// 1: the result is a derivative.
    #[default]
    One,
    /// The unit's activation, as Zeiler & Fergus do.
    Activation,
    /// A number.
    Number(f32),
}

/// A method of carrying signals back, as data: the first rule that matches a layer wins, and the
/// gradient where none does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Composite {
    /// The rules, in order.
    pub rules: Vec<Rule>,
}

/// One rule of a composite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which layers.
    pub on: On,
    /// What happens there: `gradient`, `guided`, `overwrite_overlap`, `pass` or `rectify`.
    pub apply: String,
}

/// Which layers a rule is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// Every layer of a kind, such as `rectifier` or `max_pooling`.
    Kind(String),
    /// The layer of a name.
    Layer(String),
}

impl Composite {
    /// Adds a rule for every layer of a kind.
    #[must_use]
    pub fn on_kind(mut self, kind: &str, apply: &str) -> Self {
        self.rules.push(Rule { on: On::Kind(kind.to_owned()), apply: apply.to_owned() });
        self
    }

    /// Adds a rule for one layer.
    #[must_use]
    pub fn on_layer(mut self, layer: &str, apply: &str) -> Self {
        self.rules.push(Rule { on: On::Layer(layer.to_owned()), apply: apply.to_owned() });
        self
    }
}
