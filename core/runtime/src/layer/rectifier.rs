use super::delta::clean;
use super::{
    DeltaForm, DeltaInput, DeltaOutput, Keep, Layer, LayerInversion, LayerKind, Reach, Record,
    Work, operand,
};
use crate::{Backend, Binary, Epilogue, LayerError, Shape, Tensor, Unary};

/// Hands positive values on and zero for all others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rectifier;

impl Layer for Rectifier {
    fn kind(&self) -> LayerKind {
        LayerKind::Rectifier
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
        let output = backend.unary(Unary::Rectify, input)?;
        let record = match keep {
            Keep::Output => Record::new(&output, inputs),
            Keep::Inversion => self.record_as_epilogue(&output),
        };
        Ok((output, record))
    }

    fn as_epilogue(&self) -> Option<Epilogue> {
        Some(Epilogue::Rectify)
    }

    fn record_as_epilogue(&self, output: &Tensor) -> Record {
        // The output is positive exactly where the input is, and the next layer needs it anyway.
        Record::new(output, &[output]).saving([output.clone()])
    }

    fn reach(&self, _input: usize) -> Reach {
        Reach::Pointwise
    }

    fn delta_form(&self) -> DeltaForm {
        DeltaForm::CleanInput
    }

    fn forward_deltas(
        &self,
        backend: &dyn Backend,
        inputs: &[DeltaInput<'_>],
        _output: &DeltaOutput<'_>,
    ) -> Result<Tensor, LayerError> {
        let (deltas, maps) = DeltaInput::one(self.kind(), inputs)?;
        Ok(backend.deltas().rectified(clean(self.kind(), maps)?, deltas)?)
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        self.output_shape(inputs).map_or_else(
            |_| Work::default(),
            |output| Work::count(inputs, &output, output.volume(), 0),
        )
    }
}

impl LayerInversion for Rectifier {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let output = record.saved(0, self.kind(), "its output")?;
        let gate = Binary::Gate { low: 0.0, high: f32::INFINITY };
        Ok(vec![backend.binary(gate, signal, output)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CpuBackend;
    use crate::layer::testing::check;

    #[test]
    fn rectifier_keeps_its_promises() {
        check(&Rectifier, &[&[2, 3, 4]]);
    }

    #[test]
    fn no_signal_passes_where_the_input_is_not_positive() {
        let input = Tensor::new([1, 4], vec![-1.0, 0.0, -0.0, 1e-30]).unwrap();
        let backend = CpuBackend::new();
        let (_, record) = Rectifier.forward(&backend, &[&input], Keep::Inversion).unwrap();
        let carried = Rectifier.invert(&backend, &Tensor::filled([1, 4], -2.0), &record).unwrap();
        assert_eq!(carried[0].values().unwrap(), [0.0, 0.0, 0.0, -2.0]);
    }

    #[test]
    fn rectifier_refuses_two_inputs() {
        let shape = Shape::from([1, 2]);
        assert_eq!(
            Rectifier.output_shape(&[&shape, &shape]).unwrap_err().to_string(),
            "rectifier: expected one input, got 2"
        );
    }
}
