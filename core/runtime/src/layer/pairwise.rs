use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Record, Work, operand};
use crate::{Backend, Binary, LayerError, Shape, Side, Tensor, Unary};

/// Joins two values element by element, broadcast with their trailing axes aligned.
#[derive(Clone, Copy, Debug)]
pub struct Pairwise {
    kind: LayerKind,
    function: Binary,
}

impl Pairwise {
    /// The first value divided by the second.
    pub const DIVISION: Self = Self { kind: LayerKind::Division, function: Binary::Divide };
    /// The larger of both. A signal goes back to the first where they are equal.
    pub const MAXIMUM: Self = Self { kind: LayerKind::Maximum, function: Binary::Maximum };
    /// The smaller of both. A signal goes back to the first where they are equal.
    pub const MINIMUM: Self = Self { kind: LayerKind::Minimum, function: Binary::Minimum };
    /// The product of both.
    pub const MULTIPLICATION: Self =
        Self { kind: LayerKind::Multiplication, function: Binary::Multiply };
    /// The first value where it is positive, else times the second, its slope. He et al. (2015),
    /// section 2.1.
    pub const PARAMETRIC_RECTIFIER: Self =
        Self { kind: LayerKind::ParametricRectifier, function: Binary::ParametricRectify };
    /// The first value to the power of the second.
    pub const POWER: Self = Self { kind: LayerKind::Power, function: Binary::Power };
    /// The first value less the second.
    pub const SUBTRACTION: Self = Self { kind: LayerKind::Subtraction, function: Binary::Subtract };
}

impl Layer for Pairwise {
    fn kind(&self) -> LayerKind {
        self.kind
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let [a, b] = operand::two(self.kind, inputs)?;
        operand::broadcast(self.kind, &[a, b])
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let [a, b] = operand::two(self.kind, inputs)?;
        let output = backend.binary(self.function, a, b)?;
        let mut record = Record::new(&output, inputs);
        // The derivatives of a difference are 1 and −1, whatever its operands are.
        if keep == Keep::Inversion && self.function != Binary::Subtract {
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

impl LayerInversion for Pairwise {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let parts = if self.function == Binary::Subtract {
            [signal.clone(), backend.unary(Unary::Scale(-1.0), signal)?]
        } else {
            let operands = [record.input(0, self.kind)?, record.input(1, self.kind)?];
            let part = |side| backend.binary_adjoint(self.function, side, signal, operands);
            [part(Side::First)?, part(Side::Second)?]
        };
        let pairs = parts.iter().zip(record.input_shapes());
        Ok(pairs
            .map(|(part, shape)| operand::reduced(backend, part, shape))
            .collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CpuBackend;
    use crate::layer::testing::{Numbers, check_with};

    const OF_ALL_NUMBERS: [Pairwise; 5] = [
        Pairwise::MAXIMUM,
        Pairwise::MINIMUM,
        Pairwise::MULTIPLICATION,
        Pairwise::PARAMETRIC_RECTIFIER,
        Pairwise::SUBTRACTION,
    ];

    /// Numbers from 1 to 3.
    fn positive(seed: u64, shape: impl Into<Shape>) -> Tensor {
        let numbers = Numbers::new(seed).tensor(shape);
        CpuBackend::new().binary(Binary::Add, &numbers, &Tensor::filled([1], 2.0)).unwrap()
    }

    #[test]
    fn pairs_of_all_numbers_keep_their_promises_with_and_without_broadcasting() {
        let backend = CpuBackend::new();
        let mut numbers = Numbers::new(7);
        for layer in OF_ALL_NUMBERS {
            for extents in [[3, 2, 3, 5], [3, 2, 1, 1], [3, 1, 3, 1]] {
                let a = numbers.apart([3, 2, 3, 5]);
                // Moved, so that no two operands are equal.
                let moved = Tensor::filled([1], 0.015);
                let b = backend.binary(Binary::Add, &numbers.apart(extents), &moved).unwrap();
                check_with(&layer, &[a.clone(), b.clone()], &[]);
                check_with(&layer, &[b, a], &[]);
            }
        }
    }

    #[test]
    fn pairs_of_positive_numbers_keep_their_promises_with_and_without_broadcasting() {
        for layer in [Pairwise::DIVISION, Pairwise::POWER] {
            for other in [[3, 2, 3, 4], [3, 2, 1, 1]] {
                check_with(&layer, &[positive(1, [3, 2, 3, 4]), positive(2, other)], &[]);
                check_with(&layer, &[positive(1, other), positive(2, [3, 2, 3, 4])], &[]);
            }
        }
    }

    #[test]
    fn a_shared_operand_is_not_taken_for_a_batch() {
        for layer in OF_ALL_NUMBERS.into_iter().chain([Pairwise::DIVISION, Pairwise::POWER]) {
            // Three channels and three images.
            let inputs = [positive(3, [3, 3, 2, 2]), positive(4, [3, 1, 1])];
            if layer.kind == LayerKind::ParametricRectifier {
                continue;
            }
            check_with(&layer, &inputs, &[1]);
            check_with(&layer, &[positive(5, [3, 2]), positive(6, [3, 5, 3, 2])], &[0]);
        }
        let mut numbers = Numbers::new(3);
        let inputs = [numbers.apart([3, 3, 2, 2]), numbers.tensor([3, 1, 1])];
        check_with(&Pairwise::PARAMETRIC_RECTIFIER, &inputs, &[1]);
    }

    fn row(values: &[f32]) -> Tensor {
        Tensor::new([1, values.len()], values.to_vec()).unwrap()
    }

    /// Returns the output, and what a signal of 2 brings to both inputs.
    fn around(layer: Pairwise, a: &[f32], b: &[f32]) -> [Vec<f32>; 3] {
        let (backend, inputs) = (CpuBackend::new(), [row(a), row(b)]);
        let inputs: Vec<&Tensor> = inputs.iter().collect();
        let (output, record) = layer.forward(&backend, &inputs, Keep::Inversion).unwrap();
        let signal = Tensor::filled([1, a.len()], 2.0);
        let carried = layer.invert(&backend, &signal, &record).unwrap();
        [&output, &carried[0], &carried[1]].map(|tensor| tensor.values().unwrap().to_vec())
    }

    #[test]
    fn where_operands_are_equal_the_first_receives_the_signal() {
        let infinite = f32::INFINITY;
        let (a, b) = ([1.0, 1.0, 0.0, infinite], [1.0, 3.0, -0.0, infinite]);
        assert_eq!(
            around(Pairwise::MAXIMUM, &a, &b),
            [vec![1.0, 3.0, 0.0, infinite], vec![2.0, 0.0, 2.0, 2.0], vec![0.0, 2.0, 0.0, 0.0]]
        );
        assert_eq!(
            around(Pairwise::MINIMUM, &a, &b),
            [vec![1.0, 1.0, 0.0, infinite], vec![2.0, 2.0, 2.0, 2.0], vec![0.0; 4]]
        );
    }

    #[test]
    fn what_is_not_a_number_wins_and_receives_the_signal() {
        for layer in [Pairwise::MAXIMUM, Pairwise::MINIMUM] {
            let [output, first, second] =
                around(layer, &[f32::NAN, 1.0, f32::NAN], &[1.0, f32::NAN, f32::NAN]);
            assert!(output.iter().all(|value| value.is_nan()));
            assert_eq!((first, second), (vec![2.0, 0.0, 2.0], vec![0.0, 2.0, 0.0]));
        }
    }

    #[test]
    fn the_slope_of_a_parametric_rectifier_applies_at_zero() {
        let [output, first, second] =
            around(Pairwise::PARAMETRIC_RECTIFIER, &[-4.0, 0.0, 4.0], &[0.25, 0.25, 0.25]);
        assert_eq!(output, [-1.0, 0.0, 4.0]);
        assert_eq!(first, [0.5, 0.5, 2.0]);
        assert_eq!(second, [-8.0, 0.0, 0.0]);
    }

    #[test]
    fn powers_of_zero_and_with_exponent_zero_have_finite_derivatives() {
        let [output, first, second] = around(Pairwise::POWER, &[0.0, 0.0, 3.0], &[0.0, 2.0, 0.0]);
        assert_eq!(output, [1.0, 0.0, 1.0]);
        assert_eq!(first, [0.0, 0.0, 0.0]);
        assert_eq!(second, [0.0, 0.0, 2.0 * 3.0_f32.ln()]);
    }

    #[test]
    fn shapes_that_do_not_broadcast_and_single_operands_are_refused() {
        let (a, b) = (Shape::from([1, 2]), Shape::from([1, 3]));
        assert_eq!(
            Pairwise::MULTIPLICATION.output_shape(&[&a, &b]).unwrap_err().to_string(),
            "multiplication: expected shapes that broadcast, got [1, 2] and [1, 3]"
        );
        assert_eq!(
            Pairwise::DIVISION.output_shape(&[&a]).unwrap_err().to_string(),
            "division: expected two inputs, got 1"
        );
    }
}
