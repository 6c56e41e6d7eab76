use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Record, Work, operand};
use crate::{Backend, Binary, LayerError, Shape, Tensor, Unary};

/// Limits every element to a range.
///
/// With a lower limit of 0 it is a rectifier (`ReLU6` and its like) and says so by its kind, so that
/// the rules for rectifiers apply to it; with any other it is none, and no such rule does.
#[derive(Clone, Copy, Debug)]
pub struct Clip {
    low: f32,
    high: f32,
}

impl Clip {
    /// Makes the layer; a limit that is `None` does not limit.
    ///
    /// # Errors
    /// Fails when the lower limit is above the upper or one is not a number.
    pub fn new(low: Option<f32>, high: Option<f32>) -> Result<Self, LayerError> {
        let low = low.unwrap_or(f32::NEG_INFINITY);
        let high = high.unwrap_or(f32::INFINITY);
        if low <= high {
            return Ok(Self { low, high });
        }
        let actual = format!("{low} and {high}");
        Err(LayerError::invalid(LayerKind::Clip, "a lower limit below the upper", actual))
    }
}

impl Layer for Clip {
    fn kind(&self) -> LayerKind {
        if self.low == 0.0 { LayerKind::Rectifier } else { LayerKind::Clip }
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        operand::one(self.kind(), inputs).cloned()
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        let output = backend.unary(Unary::Clip { low: self.low, high: self.high }, input)?;
        let mut record = Record::new(&output, inputs);
        if keep == Keep::Inversion {
            // The output lies strictly between the limits exactly where the input does.
            record = record.saving([output.clone()]);
        }
        Ok((output, record))
    }

    fn reach(&self, _input: usize) -> Reach {
        Reach::Pointwise
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        self.output_shape(inputs).map_or_else(
            |_| Work::default(),
            |output| Work::count(inputs, &output, output.volume(), 0),
        )
    }
}

impl LayerInversion for Clip {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let output = record.saved(0, self.kind(), "its output")?;
        let gate = Binary::Gate { low: self.low, high: self.high };
        Ok(vec![backend.binary(gate, signal, output)?])
    }
}
