use super::BackwardRule;
use crate::{Backend, LayerError, LayerInversion, LayerKind, Overlap, Record, Tensor};

/// Unpools so that where windows overlap the last one wins, instead of the signals adding up.
/// Zeiler & Fergus do not say which they used.
#[derive(Clone, Copy, Debug)]
pub struct OverwriteOverlap;

impl BackwardRule for OverwriteOverlap {
    fn name(&self) -> &'static str {
        "overwrite_overlap"
    }

    fn carry_back(
        &self,
        layer: &dyn LayerInversion,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let kind = layer.kind();
        if kind != LayerKind::MaxPooling {
            return Err(LayerError::Unsupported { kind, what: "unpool: it has no switches" });
        }
        let switches = record.saved(0, kind, "switches")?;
        let restored = record.input_shape(kind)?;
        Ok(vec![backend.unpooling(signal, switches, restored, Overlap::Overwrite)?])
    }
}
