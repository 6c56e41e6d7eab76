use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Record, Work, operand};
use crate::{Backend, LayerError, Shape, Tensor};

/// Turns scores along an axis into probabilities.
#[derive(Clone, Copy, Debug)]
pub struct Softmax {
    axis: usize,
}

impl Softmax {
    /// Makes the layer.
    ///
    /// # Errors
    /// Fails for axis 0, which is the batch.
    pub fn new(axis: usize) -> Result<Self, LayerError> {
        if axis == 0 {
            let expected = "an axis that is not the batch";
            return Err(LayerError::invalid(LayerKind::Softmax, expected, "axis 0"));
        }
        Ok(Self { axis })
    }
}

impl Layer for Softmax {
    fn kind(&self) -> LayerKind {
        LayerKind::Softmax
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
        let output = backend.softmax(input, self.axis)?;
        let mut record = Record::new(&output, inputs);
        if keep == Keep::Inversion {
            record = record.saving([output.clone()]);
        }
        Ok((output, record))
    }

    fn reach(&self, _input: usize) -> Reach {
        // Along the channels every cell stays for itself.
        if self.axis == 1 { Reach::Pointwise } else { Reach::Global }
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
        Ok(vec![backend.softmax_adjoint(signal, output, self.axis)?])
    }
}
