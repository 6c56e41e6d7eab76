//! How a signal is carried back through one layer. A method is a composite of such rules.

mod gradient;
mod guided;
mod overwrite_overlap;
mod pass;
mod rectify;

use std::fmt::Debug;

pub use gradient::Gradient;
pub use guided::Guided;
pub use overwrite_overlap::OverwriteOverlap;
pub use pass::Pass;
pub use rectify::Rectify;

use crate::{Backend, LayerError, LayerInversion, Record, Tensor};

/// Carries a signal from the output of a layer back to its inputs.
///
/// The default is the gradient, which every layer knows.
pub trait BackwardRule: Debug + Send + Sync {
    /// Returns the name by which composites refer to the rule.
    fn name(&self) -> &'static str;

    /// Returns one signal per input of the layer.
    ///
    /// # Errors
    /// Fails when the rule does not fit the layer, the record lacks what it needs, or the backend
    /// fails.
    fn carry_back(
        &self,
        layer: &dyn LayerInversion,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        layer.invert(backend, signal, record)
    }
}

/// Every rule, alphabetical: a new rule is one file and one line here.
pub const ALL: &[&dyn BackwardRule] = &[&Gradient, &Guided, &OverwriteOverlap, &Pass, &Rectify];

/// Finds a rule by its name.
pub fn named(name: &str) -> Option<&'static dyn BackwardRule> {
    ALL.iter().copied().find(|rule| rule.name() == name)
}
