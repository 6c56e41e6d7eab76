//! Methods of carrying signals back, and the options that they share.

use convscope_protocol::{Amount, Composite};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A method of carrying signals back. They differ at rectifiers only; everything else is the exact
/// transposed Jacobian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The gradient. Simonyan, Vedaldi & Zisserman (2013), section 3.
    Gradient,
    /// The gradient of positive signals only. Springenberg et al. (2014), section 3.4.
    Guided,
    /// The signal is rectified, whatever the layer's input was. Zeiler & Fergus (2013), section
    /// 2.1.
    Deconvnet,
}

/// What happens where windows of a max pooling overlap on the way back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Overlap {
    /// Signals add up, as in the gradient.
    #[default]
    Sum,
    /// The last window wins.
    Overwrite,
}

/// What happens at a local response normalization on the way back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Normalization {
    /// The exact transposed Jacobian.
    #[default]
    Exact,
    /// The signal passes unchanged: the paper does not invert it.
    Skip,
}

/// What the unit holds from which a signal starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Amplitude {
    /// 1: the result is a derivative.
    One,
    /// The unit's activation, as in the paper.
    Activation,
}

impl Method {
    /// Writes the method as the composite of rules that the host applies.
    pub fn composite(self, overlap: Overlap, normalization: Normalization) -> Composite {
        let mut composite = match self {
            Self::Gradient => Composite::default(),
            Self::Guided => Composite::default().on_kind("rectifier", "guided"),
            Self::Deconvnet => Composite::default().on_kind("rectifier", "rectify"),
        };
        if overlap == Overlap::Overwrite {
            composite = composite.on_kind("max_pooling", "overwrite_overlap");
        }
        if normalization == Normalization::Skip {
            composite = composite.on_kind("response_normalization", "pass");
        }
        composite
    }
}

impl From<Amplitude> for Amount {
    fn from(amplitude: Amplitude) -> Self {
        match amplitude {
            Amplitude::One => Self::One,
            Amplitude::Activation => Self::Activation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_rules_behind_the_methods_own() {
        let composite = Method::Deconvnet.composite(Overlap::Overwrite, Normalization::Skip);
        let expected = Composite::default()
            .on_kind("rectifier", "rectify")
            .on_kind("max_pooling", "overwrite_overlap")
            .on_kind("response_normalization", "pass");
        assert_eq!(composite, expected);
    }

    #[test]
    fn the_gradient_needs_no_rule() {
        let composite = Method::Gradient.composite(Overlap::Sum, Normalization::Exact);
        assert_eq!(composite, Composite::default());
    }
}
