//! How a layer carries what changed of its inputs on to its output.

use super::LayerKind;
use crate::{Deltas, LayerError, Regions, Tensor};

/// What a layer needs to carry changes of maps on without computing whole maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeltaForm {
    /// It has no form of its own. Where every output cell depends on the same cell of the inputs it
    /// computes changed cells as if they were maps, else whole maps. Always a right answer.
    #[default]
    Values,
    /// Changes alone: the layer is linear.
    Linear,
    /// Changes and the clean input.
    CleanInput,
    /// Changes, the clean input and the clean output.
    CleanBoth,
    /// Changes alone, and the output has no maps: it changes as a whole.
    Whole,
}

/// One input of a layer.
#[derive(Clone, Copy, Debug)]
pub enum DeltaInput<'a> {
    /// It stayed as it was.
    Same {
        /// Its channels.
        channels: usize,
    },
    /// It changed; the clean maps are there where the layer's form asks for them.
    Changed {
        /// What changed.
        deltas: &'a Deltas,
        /// The clean maps.
        clean: Option<&'a Tensor>,
    },
}

impl<'a> DeltaInput<'a> {
    /// Returns the one input, which changed.
    pub(super) fn one(
        kind: LayerKind,
        inputs: &[Self],
    ) -> Result<(&'a Deltas, Option<&'a Tensor>), LayerError> {
        if let &[Self::Changed { deltas, clean }] = inputs {
            return Ok((deltas, clean));
        }
        let actual = format!("{} inputs", inputs.len());
        Err(LayerError::invalid(kind, "one input that changed", actual))
    }
}

/// Asks for clean maps that the form of a layer promises.
pub(super) fn clean(kind: LayerKind, maps: Option<&Tensor>) -> Result<&Tensor, LayerError> {
    maps.ok_or_else(|| LayerError::invalid(kind, "clean maps", "none"))
}

/// The output of a layer, of which it computes the changes.
#[derive(Clone, Copy, Debug)]
pub struct DeltaOutput<'a> {
    /// The rectangles that may change: all cells that see a changed one.
    pub regions: &'a Regions,
    /// Channels of the output.
    pub channels: usize,
    /// The clean output, where the layer's form asks for it.
    pub clean: Option<&'a Tensor>,
}
