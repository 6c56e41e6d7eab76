//! Which operators are supported, for whoever wants to say it.

use crate::{fold, operator};

/// How an operator is supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It becomes layers.
    Layers,
    /// It is evaluated where all its operands are constant.
    ConstantsOnly,
}

/// Says how an operator of ONNX's own set is supported, if it is at all. Forms of it may be refused
/// nevertheless; the message then says why.
pub fn support(operator: &str) -> Option<Support> {
    if operator::find(operator).is_some() {
        Some(Support::Layers)
    } else {
        fold::is_known(operator).then_some(Support::ConstantsOnly)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_become_layers_are_evaluated_or_refused() {
        assert_eq!(support("Conv"), Some(Support::Layers));
        assert_eq!(support("Shape"), Some(Support::ConstantsOnly));
        assert_eq!(support("LSTM"), None);
    }
}
