use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Record, Work, operand};
use crate::{Backend, Binary, LayerError, Shape, Tensor};

/// Multiplies two values element by element, broadcast with their trailing axes aligned.
#[derive(Clone, Copy, Debug, Default)]
pub struct Multiplication;

impl Layer for Multiplication {
    fn kind(&self) -> LayerKind {
        LayerKind::Multiplication
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let [a, b] = operand::two(self.kind(), inputs)?;
        operand::broadcast(self.kind(), &[a, b])
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let [a, b] = operand::two(self.kind(), inputs)?;
        let output = backend.binary(Binary::Multiply, a, b)?;
        let mut record = Record::new(&output, inputs);
        if keep == Keep::Inversion {
            record = record.saving_inputs(inputs);
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

impl LayerInversion for Multiplication {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let [a, b] = [record.input(0, self.kind())?, record.input(1, self.kind())?];
        let carried = |other: &Tensor, to: &Shape| {
            let product = backend.binary(Binary::Multiply, signal, other)?;
            operand::reduced(backend, &product, to)
        };
        Ok(vec![carried(b, a.shape())?, carried(a, b.shape())?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::testing::{Numbers, check, check_with};

    #[test]
    fn multiplication_keeps_its_promises_with_and_without_broadcasting() {
        check(&Multiplication, &[&[2, 3, 4], &[2, 3, 4]]);
        check(&Multiplication, &[&[2, 3, 4], &[2, 1, 1]]);
    }

    #[test]
    fn a_shared_factor_is_not_taken_for_a_batch() {
        let mut numbers = Numbers::new(3);
        let inputs = [numbers.tensor([3, 3, 2, 2]), numbers.tensor([3, 1, 1])];
        check_with(&Multiplication, &inputs, &[1]);
        let inputs = [numbers.tensor([3, 2]), numbers.tensor([3, 5, 3, 2])];
        check_with(&Multiplication, &inputs, &[0]);
    }

    #[test]
    fn multiplication_refuses_shapes_that_do_not_broadcast() {
        let (a, b) = (Shape::from([1, 2]), Shape::from([1, 3]));
        assert_eq!(
            Multiplication.output_shape(&[&a, &b]).unwrap_err().to_string(),
            "multiplication: expected shapes that broadcast, got [1, 2] and [1, 3]"
        );
    }
}
