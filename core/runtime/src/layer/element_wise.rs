use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Record, Work, operand};
use crate::{Backend, LayerError, Shape, Tensor, Unary};

/// Applies a function to every element: an activation that is no rectifier, or another function
/// such as the square root.
///
/// [`Rectifier`](super::Rectifier) and [`Clip`](super::Clip) do with less memory what this layer
/// can do too.
#[derive(Clone, Copy, Debug)]
pub struct ElementWise {
    function: Unary,
}

impl ElementWise {
    /// Makes the layer.
    pub fn new(function: Unary) -> Self {
        Self { function }
    }
}

impl Layer for ElementWise {
    fn kind(&self) -> LayerKind {
        match self.function {
            Unary::Absolute
            | Unary::Exponential
            | Unary::Logarithm
            | Unary::Power(_)
            | Unary::Reciprocal
            | Unary::Scale(_)
            | Unary::SquareRoot => LayerKind::ElementWise,
            Unary::Clip { low: 0.0, .. }
            | Unary::LeakyRectify(0.0)
            | Unary::Rectify
            | Unary::Threshold(0.0) => LayerKind::Rectifier,
            Unary::Clip { .. } => LayerKind::Clip,
            _ => LayerKind::Activation,
        }
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
        let output = backend.unary(self.function, input)?;
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

impl LayerInversion for ElementWise {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let input = record.input(0, self.kind())?;
        Ok(vec![backend.unary_adjoint(self.function, signal, input)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::testing::{Numbers, check_with};
    use crate::{Binary, CpuBackend};

    /// Three images of numbers that differ from each other, from −`reach` to `reach`, moved.
    fn inputs(reach: f32, by: f32) -> Tensor {
        let numbers = Numbers::new(7).apart([3, 2, 3, 4]);
        let backend = CpuBackend::new();
        let stretched = backend.unary(Unary::Scale(reach / 2.0), &numbers).unwrap();
        backend.binary(Binary::Add, &stretched, &Tensor::filled([1], by)).unwrap()
    }

    #[test]
    fn functions_of_all_numbers_keep_their_promises() {
        let functions = [
            Unary::Absolute,
            Unary::Clip { low: -1.0, high: 1.4 },
            Unary::ErrorFunction,
            Unary::Exponential,
            Unary::ExponentialLinear { alpha: 1.7, gain: 1.1, rate: 0.5 },
            Unary::Gelu,
            Unary::GeluByTanh,
            Unary::HardSigmoid { slope: 0.25, offset: 0.4 },
            Unary::HardSwish,
            Unary::LeakyRectify(0.1),
            Unary::Mish,
            Unary::Power(2.0),
            Unary::Power(3.0),
            Unary::Rectify,
            Unary::Scale(-3.0),
            Unary::Sigmoid,
            Unary::Softplus,
            Unary::Softsign,
            Unary::Swish(1.5),
            Unary::Tanh,
            Unary::Threshold(0.7),
        ];
        for function in functions {
            check_with(&ElementWise::new(function), &[inputs(4.0, 0.0)], &[]);
        }
    }

    #[test]
    fn functions_of_positive_numbers_keep_their_promises() {
        let functions = [
            Unary::Logarithm,
            Unary::Power(-1.5),
            Unary::Power(0.5),
            Unary::Reciprocal,
            Unary::SquareRoot,
        ];
        for function in functions {
            check_with(&ElementWise::new(function), &[inputs(1.5, 2.0)], &[]);
        }
    }

    #[test]
    fn only_functions_that_rectify_are_rectifiers() {
        let kind = |function| ElementWise::new(function).kind();
        assert_eq!(kind(Unary::Rectify), LayerKind::Rectifier);
        assert_eq!(kind(Unary::Clip { low: 0.0, high: 6.0 }), LayerKind::Rectifier);
        assert_eq!(kind(Unary::LeakyRectify(0.0)), LayerKind::Rectifier);
        assert_eq!(kind(Unary::Threshold(0.0)), LayerKind::Rectifier);
        assert_eq!(kind(Unary::Clip { low: -1.0, high: 1.0 }), LayerKind::Clip);
        assert_eq!(kind(Unary::LeakyRectify(0.01)), LayerKind::Activation);
        assert_eq!(kind(Unary::HardSwish), LayerKind::Activation);
        assert_eq!(kind(Unary::SquareRoot), LayerKind::ElementWise);
    }

    #[test]
    fn without_a_signal_none_passes_an_infinite_derivative() {
        let layer = ElementWise::new(Unary::SquareRoot);
        let input = Tensor::new([1, 2], vec![0.0, 4.0]).unwrap();
        let backend = CpuBackend::new();
        let (_, record) = layer.forward(&backend, &[&input], Keep::Inversion).unwrap();
        let signal = Tensor::new([1, 2], vec![0.0, 2.0]).unwrap();
        let carried = layer.invert(&backend, &signal, &record).unwrap();
        assert_eq!(carried[0].values().unwrap(), [0.0, 0.5]);
    }

    #[test]
    fn a_record_of_outputs_only_is_refused() {
        let layer = ElementWise::new(Unary::Tanh);
        let input = Tensor::zeros([1, 2]);
        let backend = CpuBackend::new();
        let (_, record) = layer.forward(&backend, &[&input], Keep::Output).unwrap();
        assert_eq!(
            layer.invert(&backend, &input, &record).unwrap_err().to_string(),
            "activation: the record does not hold its inputs; run forward with Keep::Inversion"
        );
    }
}
