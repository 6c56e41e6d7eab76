use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Reads, Record, Work, operand};
use crate::{Backend, LayerError, Shape, Tensor};

/// Joins all axes but the batch into one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flatten;

impl Layer for Flatten {
    fn kind(&self) -> LayerKind {
        LayerKind::Flatten
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        match input.extents().split_first() {
            Some((&batch, others)) => {
                let features = Shape::from(others).volume();
                Ok(Shape::from([batch, features]))
            }
            None => Err(LayerError::invalid(self.kind(), "a batch", "a single number")),
        }
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        _keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        let output = backend.reshape(input, &self.output_shape(&[input.shape()])?)?;
        let record = Record::new(&output, inputs);
        Ok((output, record))
    }

    fn reach(&self, _input: usize) -> Reach {
        Reach::Global
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        self.output_shape(inputs)
            .map_or_else(|_| Work::default(), |output| Work::count(inputs, &output, 0, 0))
    }
}

impl LayerInversion for Flatten {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        Ok(vec![backend.reshape(signal, record.input_shape(self.kind())?)?])
    }

    fn reads(&self) -> Reads {
        Reads::Shapes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::testing::check;

    #[test]
    fn flatten_keeps_its_promises() {
        check(&Flatten, &[&[2, 3, 4]]);
        check(&Flatten, &[&[5]]);
        check(&Flatten, &[&[]]);
    }

    #[test]
    fn flatten_refuses_a_single_number() {
        assert_eq!(
            Flatten.output_shape(&[&Shape::from([])]).unwrap_err().to_string(),
            "flatten: expected a batch, got a single number"
        );
    }
}
