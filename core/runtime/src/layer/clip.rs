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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::testing::check;
    use crate::{CpuBackend, LayerError};

    #[test]
    fn clip_keeps_its_promises_with_any_limits() {
        for (low, high) in
            [(Some(-1.0), Some(1.0)), (Some(0.0), Some(1.0)), (None, Some(1.0)), (Some(-1.0), None)]
        {
            check(&Clip::new(low, high).unwrap(), &[&[2, 3, 4]]);
        }
    }

    #[test]
    fn only_a_clip_from_zero_is_a_rectifier() {
        assert_eq!(Clip::new(Some(0.0), Some(6.0)).unwrap().kind(), LayerKind::Rectifier);
        assert_eq!(Clip::new(Some(0.0), None).unwrap().kind(), LayerKind::Rectifier);
        assert_eq!(Clip::new(Some(-1.0), Some(1.0)).unwrap().kind(), LayerKind::Clip);
        assert_eq!(Clip::new(None, Some(6.0)).unwrap().kind(), LayerKind::Clip);
    }

    #[test]
    fn no_signal_passes_at_the_limits() {
        let layer = Clip::new(Some(0.0), Some(6.0)).unwrap();
        let input = Tensor::new([1, 5], vec![-1.0, 0.0, 3.0, 6.0, 7.0]).unwrap();
        let backend = CpuBackend::new();
        let (output, record) = layer.forward(&backend, &[&input], Keep::Inversion).unwrap();
        assert_eq!(output.values().unwrap(), [0.0, 0.0, 3.0, 6.0, 6.0]);
        let carried = layer.invert(&backend, &Tensor::filled([1, 5], 2.0), &record).unwrap();
        assert_eq!(carried[0].values().unwrap(), [0.0, 0.0, 2.0, 0.0, 0.0]);
    }

    #[test]
    fn clip_refuses_limits_in_the_wrong_order() {
        let refused: LayerError = Clip::new(Some(2.0), Some(1.0)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "clip: expected a lower limit below the upper, got 2 and 1"
        );
        assert!(Clip::new(Some(f32::NAN), None).is_err());
    }
}
