use super::BackwardRule;
use crate::{Backend, LayerError, LayerInversion, Reads, Record, Tensor, Unary};

/// Rectifies the signal and does not look at the layer's input: the deconvnet at a rectifier.
/// Zeiler & Fergus (2013), section 2.1.
#[derive(Clone, Copy, Debug)]
pub struct Rectify;

impl BackwardRule for Rectify {
    fn name(&self) -> &'static str {
        "rectify"
    }

    fn carry_back(
        &self,
        layer: &dyn LayerInversion,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        super::pass::require_one_input(layer, record)?;
        Ok(vec![backend.unary(Unary::Rectify, signal)?])
    }

    fn reads(&self, _layer: &dyn LayerInversion) -> Reads {
        Reads::Shapes
    }
}
