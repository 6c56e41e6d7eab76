//! What a result says of activations that are no rectifiers.

use std::collections::BTreeSet;

use convscope_protocol::ModelDescription;

use crate::Method;

/// The kinds of layers that are activations, but no rectifiers.
const ACTIVATIONS: [&str; 3] = ["activation", "clip", "parametric_rectifier"];

/// So many activations are named.
const NAMED: usize = 3;

impl Method {
    /// Says for the reader of a result ([`Host::note`](crate::Host::note)) which activations
    /// signals from the given layers pass by their derivative because they are no rectifiers.
    /// Nothing where there is none, and for the gradient, which knows no other way.
    pub fn remark_on_activations<'a>(
        self,
        model: &ModelDescription,
        from: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        let passed = match self {
            Self::Gradient => Vec::new(),
            Self::Guided | Self::Deconvnet => passed(model, from),
        };
        match passed.as_slice() {
            [] => None,
            [one] => Some(format!(
                "The activation {one} is no rectifier: signals pass it by its derivative, as in \
                 the gradient."
            )),
            several => {
                let named = &several[..several.len().min(NAMED)];
                let among = if named.len() < several.len() { ", among others" } else { "" };
                Some(format!(
                    "{} activations are no rectifiers ({}{among}): signals pass them by their \
                     derivatives, as in the gradient.",
                    several.len(),
                    named.join(", ")
                ))
            }
        }
    }
}

/// Lists the activations on the ways from some layers to the inputs, in execution order.
fn passed<'m, 'a>(
    model: &'m ModelDescription,
    from: impl IntoIterator<Item = &'a str>,
) -> Vec<&'m str> {
    let mut reached: BTreeSet<&str> = from.into_iter().collect();
    let mut passed = Vec::new();
    for layer in model.layers.iter().rev() {
        if !reached.contains(layer.name.as_str()) {
            continue;
        }
        reached.extend(layer.inputs.iter().map(String::as_str));
        if ACTIVATIONS.contains(&layer.kind.as_str()) {
            passed.push(layer.name.as_str());
        }
    }
    passed.reverse();
    passed
}

#[cfg(test)]
mod tests {
    use convscope_protocol::LayerDescription;

    use super::*;

    /// Layers of the given names and kinds and what each reads.
    fn model(layers: &[(&str, &str, &[&str])]) -> ModelDescription {
        let layer = |&(name, kind, inputs): &(&str, &str, &[&str])| LayerDescription {
            name: name.to_owned(),
            kind: kind.to_owned(),
            inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
            ..LayerDescription::default()
        };
        ModelDescription {
            layers: layers.iter().map(layer).collect(),
            ..ModelDescription::default()
        }
    }

    fn branched() -> ModelDescription {
        model(&[
            ("conv", "convolution", &["image"]),
            ("relu", "rectifier", &["conv"]),
            ("swish", "activation", &["conv"]),
            ("prelu", "parametric_rectifier", &["relu"]),
            ("sum", "addition", &["relu", "swish"]),
            ("tanh", "clip", &["sum"]),
            ("root", "element_wise", &["tanh"]),
            ("gate", "activation", &["root"]),
            ("scores", "activation", &["gate"]),
        ])
    }

    fn remark(from: &[&str]) -> Option<String> {
        Method::Deconvnet.remark_on_activations(&branched(), from.iter().copied())
    }

    #[test]
    fn one_activation_on_the_way_is_named() {
        let expected = "The activation swish is no rectifier: signals pass it by its derivative, \
                        as in the gradient.";
        assert_eq!(remark(&["sum"]).unwrap(), expected);
        assert_eq!(remark(&["swish"]).unwrap(), expected);
    }

    #[test]
    fn several_activations_are_counted_and_the_first_are_named() {
        assert_eq!(
            remark(&["relu", "root"]).unwrap(),
            "2 activations are no rectifiers (swish, tanh): signals pass them by their \
             derivatives, as in the gradient."
        );
        assert_eq!(
            remark(&["scores"]).unwrap(),
            "4 activations are no rectifiers (swish, tanh, gate, among others): signals pass them \
             by their derivatives, as in the gradient."
        );
    }

    #[test]
    fn nothing_is_said_of_rectifiers_other_branches_and_the_gradient() {
        assert_eq!(remark(&["relu"]), None);
        assert_eq!(remark(&["prelu"]).map(|words| words.contains("swish")), Some(false));
        assert_eq!(Method::Gradient.remark_on_activations(&branched(), ["scores"]), None);
        assert!(Method::Guided.remark_on_activations(&branched(), ["scores"]).is_some());
    }
}
