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
