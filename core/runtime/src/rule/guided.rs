use super::BackwardRule;
use crate::{Backend, LayerError, LayerInversion, Record, Tensor, Unary};

/// Rectifies the signal, then multiplies with the transposed Jacobian: guided backpropagation at a
/// rectifier. Springenberg et al. (2014), section 3.4.
#[derive(Clone, Copy, Debug)]
pub struct Guided;

impl BackwardRule for Guided {
    fn name(&self) -> &'static str {
        "guided"
    }

    fn carry_back(
        &self,
        layer: &dyn LayerInversion,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let rectified = backend.unary(Unary::Rectify, signal)?;
        layer.invert(backend, &rectified, record)
    }
}
