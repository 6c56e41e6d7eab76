use super::BackwardRule;
use crate::{Backend, LayerError, LayerInversion, Reads, Record, Tensor};

/// Passes the signal on unchanged, as the paper does at its contrast normalization, which a
/// deconvnet does not invert.
#[derive(Clone, Copy, Debug)]
pub struct Pass;

impl BackwardRule for Pass {
    fn name(&self) -> &'static str {
        "pass"
    }

    fn carry_back(
        &self,
        layer: &dyn LayerInversion,
        _backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        require_one_input(layer, record)?;
        Ok(vec![signal.clone()])
    }

    fn reads(&self, _layer: &dyn LayerInversion) -> Reads {
        Reads::Shapes
    }
}

/// Refuses layers whose input has not the shape of their output.
pub(super) fn require_one_input(
    layer: &dyn LayerInversion,
    record: &Record,
) -> Result<(), LayerError> {
    let output = record.output_shape();
    if matches!(record.input_shapes(), [input] if input == output) {
        return Ok(());
    }
    Err(LayerError::Unsupported {
        kind: layer.kind(),
        what: "pass its signal on: its input has not the shape of its output",
    })
}
