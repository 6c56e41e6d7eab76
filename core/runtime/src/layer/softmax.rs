use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Record, Work, operand};
use crate::{Backend, LayerError, Shape, Tensor};

/// Turns scores along an axis into probabilities, or into their logarithms.
#[derive(Clone, Copy, Debug)]
pub struct Softmax {
    kind: LayerKind,
    axis: usize,
}

impl Softmax {
    /// Makes the layer.
    ///
    /// # Errors
    /// Fails for axis 0, which is the batch.
    pub fn new(axis: usize) -> Result<Self, LayerError> {
        Self::of_kind(LayerKind::Softmax, axis)
    }

    /// Makes the layer that computes logarithms of probabilities.
    ///
    /// # Errors
    /// As [`Softmax::new`].
    pub fn logarithmic(axis: usize) -> Result<Self, LayerError> {
        Self::of_kind(LayerKind::LogSoftmax, axis)
    }

    fn of_kind(kind: LayerKind, axis: usize) -> Result<Self, LayerError> {
        if axis == 0 {
            return Err(LayerError::invalid(kind, "an axis that is not the batch", "axis 0"));
        }
        Ok(Self { kind, axis })
    }
}

impl Layer for Softmax {
    fn kind(&self) -> LayerKind {
        self.kind
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        operand::own_axis(self.kind(), self.axis, input)?;
        Ok(input.clone())
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        self.output_shape(&[input.shape()])?;
        let output = match self.kind {
            LayerKind::LogSoftmax => backend.log_softmax(input, self.axis)?,
            _ => backend.softmax(input, self.axis)?,
        };
        let mut record = Record::new(&output, inputs);
        if keep == Keep::Inversion {
            record = record.saving([output.clone()]);
        }
        Ok((output, record))
    }

    fn reach(&self, _input: usize) -> Reach {
        Reach::Along(self.axis)
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        self.output_shape(inputs).map_or_else(
            |_| Work::default(),
            |output| Work::count(inputs, &output, output.volume().saturating_mul(4), 0),
        )
    }
}

impl LayerInversion for Softmax {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let output = record.saved(0, self.kind(), "its output")?;
        Ok(vec![match self.kind {
            LayerKind::LogSoftmax => backend.log_softmax_adjoint(signal, output, self.axis)?,
            _ => backend.softmax_adjoint(signal, output, self.axis)?,
        }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CpuBackend;
    use crate::layer::testing::check;

    #[test]
    fn softmax_keeps_its_promises_along_any_axis() {
        for layer in [Softmax::new, Softmax::logarithmic] {
            check(&layer(1).unwrap(), &[&[7]]);
            check(&layer(1).unwrap(), &[&[3, 2, 2]]);
            check(&layer(3).unwrap(), &[&[3, 2, 4]]);
        }
    }

    #[test]
    fn probabilities_of_large_scores_add_up_to_one() {
        let input = Tensor::new([1, 3], vec![1000.0, 1000.0, -1000.0]).unwrap();
        let layer = Softmax::new(1).unwrap();
        let (output, _) = layer.forward(&CpuBackend::new(), &[&input], Keep::Output).unwrap();
        assert_eq!(output.values().unwrap(), [0.5, 0.5, 0.0]);
    }

    #[test]
    fn logarithms_of_small_probabilities_are_finite() {
        let input = Tensor::new([1, 3], vec![1000.0, 1000.0, -1000.0]).unwrap();
        let layer = Softmax::logarithmic(1).unwrap();
        let (output, _) = layer.forward(&CpuBackend::new(), &[&input], Keep::Output).unwrap();
        let half = -std::f32::consts::LN_2;
        assert_eq!(output.values().unwrap(), [half, half, half - 2000.0]);
    }

    #[test]
    fn softmax_refuses_the_batch_and_axes_that_are_not_there() {
        assert_eq!(
            Softmax::new(0).unwrap_err().to_string(),
            "softmax: expected an axis that is not the batch, got axis 0"
        );
        assert_eq!(
            Softmax::new(2).unwrap().output_shape(&[&Shape::from([1, 9])]).unwrap_err().to_string(),
            "softmax: expected an axis 2 that is not the batch, got [1, 9]"
        );
        assert_eq!(
            Softmax::logarithmic(0).unwrap_err().to_string(),
            "log_softmax: expected an axis that is not the batch, got axis 0"
        );
    }
}
