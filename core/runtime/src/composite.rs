//! Which rule applies to which layer.

use crate::LayerKind;
use crate::rule::{BackwardRule, Gradient};

/// What a rule of a composite applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Every layer of a kind.
    Kind(LayerKind),
    /// The layer of a name.
    Name(String),
}

/// A method of carrying signals back: a list of rules, the first match wins, and the gradient
/// where none matches.
///
/// | signal at a rectifier | input > 0, +2 | input > 0, −2 | input ≤ 0, +2 | input ≤ 0, −2 |
/// | --- | --- | --- | --- | --- |
/// | gradient | +2 | −2 | 0 | 0 |
/// | deconvnet (`Rectify`) | +2 | 0 | +2 | 0 |
/// | guided (`Guided`) | +2 | 0 | 0 | 0 |
#[derive(Clone, Debug, Default)]
pub struct Composite {
    rules: Vec<(Selector, &'static dyn BackwardRule)>,
}

impl Composite {
    /// Adds a rule behind those that are there.
    #[must_use]
    pub fn with(mut self, selector: Selector, rule: &'static dyn BackwardRule) -> Self {
        self.rules.push((selector, rule));
        self
    }

    /// Lists the names of layers that rules are for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().filter_map(|(selector, _)| match selector {
            Selector::Name(name) => Some(name.as_str()),
            Selector::Kind(_) => None,
        })
    }

    /// Returns the rule for a layer.
    pub fn rule_for(&self, name: &str, kind: LayerKind) -> &'static dyn BackwardRule {
        self.rules
            .iter()
            .find(|(selector, _)| match selector {
                Selector::Kind(wanted) => *wanted == kind,
                Selector::Name(wanted) => wanted == name,
            })
            .map_or(&Gradient, |(_, rule)| *rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Pass, Rectify};

    #[test]
    fn the_first_match_wins_and_the_gradient_is_the_default() {
        let composite = Composite::default()
            .with(Selector::Name("norm1".into()), &Pass)
            .with(Selector::Kind(LayerKind::Rectifier), &Rectify);
        assert_eq!(composite.names().collect::<Vec<_>>(), ["norm1"]);
        assert_eq!(composite.rule_for("relu1", LayerKind::Rectifier).name(), "rectify");
        assert_eq!(composite.rule_for("norm1", LayerKind::Rectifier).name(), "pass");
        assert_eq!(composite.rule_for("conv1", LayerKind::Convolution).name(), "gradient");
    }
}
