use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Record, Work, operand};
use crate::{Backend, Binary, LayerError, Shape, Tensor};

/// Adds two or more values, broadcast with their trailing axes aligned: the shortcut of a residual
/// block, or a bias.
#[derive(Clone, Copy, Debug, Default)]
pub struct Addition;

impl Layer for Addition {
    fn kind(&self) -> LayerKind {
        LayerKind::Addition
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        if inputs.is_empty() {
            return Err(LayerError::invalid(self.kind(), "at least one input", "none"));
        }
        operand::broadcast(self.kind(), inputs)
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        _keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let Some((first, others)) = inputs.split_first() else {
            return Err(LayerError::invalid(self.kind(), "at least one input", "none"));
        };
        let mut total = Tensor::clone(first);
        for other in others {
            total = backend.binary(Binary::Add, &total, other)?;
        }
        let record = Record::new(&total, inputs);
        Ok((total, record))
    }

    fn reach(&self, _input: usize) -> Reach {
        Reach::Pointwise
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        self.output_shape(inputs).map_or_else(
            |_| Work::default(),
            |output| {
                let additions = output.volume().saturating_mul(inputs.len() - 1);
                Work::count(inputs, &output, additions, 0)
            },
        )
    }
}

impl LayerInversion for Addition {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let shapes = record.input_shapes().iter();
        Ok(shapes
            .map(|shape| operand::reduced(backend, signal, shape))
            .collect::<Result<_, _>>()?)
    }
}
