use super::{
    DeltaForm, DeltaInput, DeltaOutput, Keep, Layer, LayerInversion, LayerKind, Reach, Reads,
    Record, Work, operand,
};
use crate::{Backend, Epilogue, LayerError, Shape, Tensor};

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
            total = backend.addition(&total, other, Epilogue::None)?;
        }
        let record = Record::new(&total, inputs);
        Ok((total, record))
    }

    fn forward_with_epilogue(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        epilogue: Epilogue,
    ) -> Option<Result<(Tensor, Record), LayerError>> {
        let (last, others) = inputs.split_last().filter(|(_, others)| !others.is_empty())?;
        Some(self.forward(backend, others, Keep::Output).and_then(|(total, _)| {
            let output = backend.addition(&total, last, epilogue)?;
            let record = Record::new(&output, inputs);
            Ok((output, record))
        }))
    }

    fn reach(&self, _input: usize) -> Reach {
        Reach::Pointwise
    }

    fn delta_form(&self) -> DeltaForm {
        DeltaForm::Linear
    }

    fn forward_deltas(
        &self,
        backend: &dyn Backend,
        inputs: &[DeltaInput<'_>],
        output: &DeltaOutput<'_>,
    ) -> Result<Tensor, LayerError> {
        let mut total: Option<Tensor> = None;
        for input in inputs {
            let DeltaInput::Changed { deltas, .. } = input else { continue };
            let cells = backend.deltas().within(deltas, output.regions)?.cells;
            total = Some(match total {
                Some(sum) => backend.addition(&sum, &cells, Epilogue::None)?,
                None => cells,
            });
        }
        total.ok_or_else(|| LayerError::invalid(self.kind(), "an input that changed", "none"))
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

    fn reads(&self) -> Reads {
        Reads::Shapes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::testing::{Numbers, check, check_with};

    #[test]
    fn addition_keeps_its_promises_for_two_and_three_operands() {
        check(&Addition, &[&[2, 3, 4], &[2, 3, 4]]);
        check(&Addition, &[&[2, 3, 4], &[2, 1, 1], &[1, 3, 1]]);
    }

    #[test]
    fn a_shared_operand_receives_the_sum_over_the_images() {
        let mut numbers = Numbers::new(3);
        // Three channels and three images: the operand must not be taken for a batch.
        let inputs = [numbers.tensor([3, 3, 2, 2]), numbers.tensor([3, 1, 1])];
        check_with(&Addition, &inputs, &[1]);
    }

    #[test]
    fn addition_refuses_shapes_that_do_not_broadcast() {
        let (a, b) = (Shape::from([1, 2, 4]), Shape::from([1, 3, 4]));
        assert_eq!(
            Addition.output_shape(&[&a, &b]).unwrap_err().to_string(),
            "addition: expected shapes that broadcast, got [1, 2, 4] and [1, 3, 4]"
        );
        assert_eq!(
            Addition.output_shape(&[]).unwrap_err().to_string(),
            "addition: expected at least one input, got none"
        );
    }
}
