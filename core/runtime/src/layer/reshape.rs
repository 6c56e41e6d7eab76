use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Reads, Record, Work, operand};
use crate::{Backend, LayerError, Shape, Tensor};

/// Gives the values of every image other axes, in the same row-major order.
#[derive(Clone, Debug)]
pub struct Reshape {
    extents: Vec<usize>,
}

impl Reshape {
    /// Makes the layer of the extents of all axes but the batch, which stays.
    pub fn new(extents: &[usize]) -> Self {
        Self { extents: extents.to_vec() }
    }
}

impl Layer for Reshape {
    fn kind(&self) -> LayerKind {
        LayerKind::Reshape
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        let mut extents = vec![input.batch()];
        extents.extend(&self.extents);
        let output = Shape::new(&extents);
        if input.rank() == 0 || input.volume() != output.volume() {
            let expected = format!("{} values per image", Shape::new(&self.extents).volume());
            return Err(LayerError::invalid(self.kind(), expected, format!("shape {input}")));
        }
        Ok(output)
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

impl LayerInversion for Reshape {
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
    fn reshape_keeps_its_promises() {
        check(&Reshape::new(&[4, 6]), &[&[2, 3, 4]]);
        check(&Reshape::new(&[2, 2, 1, 6]), &[&[24]]);
    }

    #[test]
    fn reshape_refuses_another_number_of_values_per_image() {
        assert_eq!(
            Reshape::new(&[9]).output_shape(&[&Shape::from([2, 5])]).unwrap_err().to_string(),
            "reshape: expected 9 values per image, got shape [2, 5]"
        );
        assert!(Reshape::new(&[]).output_shape(&[&Shape::from([])]).is_err());
    }
}
