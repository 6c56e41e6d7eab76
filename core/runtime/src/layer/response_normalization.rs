use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Record, Work, operand};
use crate::{Backend, LayerError, Shape, Tensor, backend};

/// Normalizes responses across neighbouring channels. Krizhevsky et al. (2012), section 3.3.
///
/// Its inversion is the exact Jacobian; Zeiler & Fergus do not invert it, for which there is the
/// rule [`Pass`](crate::rule::Pass).
#[derive(Clone, Copy, Debug)]
pub struct ResponseNormalization {
    form: backend::ResponseNormalization,
}

impl ResponseNormalization {
    /// Makes the layer.
    ///
    /// # Errors
    /// Fails when the size is 0 or a number is not finite.
    pub fn new(form: backend::ResponseNormalization) -> Result<Self, LayerError> {
        if form.size > 0 && [form.alpha, form.beta, form.bias].iter().all(|n| n.is_finite()) {
            return Ok(Self { form });
        }
        let expected = "a size of at least 1 and finite numbers";
        let kind = LayerKind::ResponseNormalization;
        Err(LayerError::invalid(kind, expected, format!("{form:?}")))
    }
}

impl Layer for ResponseNormalization {
    fn kind(&self) -> LayerKind {
        LayerKind::ResponseNormalization
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        operand::maps(self.kind(), input)?;
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
        let output = backend.response_normalization(input, &self.form)?;
        let mut record = Record::new(&output, inputs);
        if keep == Keep::Inversion {
            record = record.saving_inputs(inputs);
        }
        Ok((output, record))
    }

    fn reach(&self, _input: usize) -> Reach {
        Reach::Along(1)
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        self.output_shape(inputs).map_or_else(
            |_| Work::default(),
            |output| {
                let multiply_adds = output.volume().saturating_mul(self.form.size);
                Work::count(inputs, &output, multiply_adds, 0)
            },
        )
    }
}

impl LayerInversion for ResponseNormalization {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let input = record.input(0, self.kind())?;
        Ok(vec![backend.response_normalization_adjoint(signal, input, &self.form)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::testing::check;

    fn form(size: usize) -> backend::ResponseNormalization {
        backend::ResponseNormalization { size, alpha: 0.5, beta: 0.75, bias: 2.0 }
    }

    #[test]
    fn response_normalization_keeps_its_promises_for_odd_and_even_sizes() {
        for size in [1, 4, 5] {
            check(&ResponseNormalization::new(form(size)).unwrap(), &[&[7, 2, 3]]);
        }
    }

    #[test]
    fn response_normalization_refuses_numbers_that_make_no_sense() {
        let message = ResponseNormalization::new(form(0)).unwrap_err().to_string();
        let expected = "response_normalization: expected a size of at least 1 and finite numbers";
        assert!(message.starts_with(expected), "{message}");
        let endless = backend::ResponseNormalization { beta: f32::INFINITY, ..form(5) };
        assert!(ResponseNormalization::new(endless).is_err());
    }
}
