use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Record, Work, operand};
use crate::{Backend, Binary, LayerError, Shape, Tensor};

/// Brings all elements of the axes from one on to zero mean and unit variance, image by image, then
/// scales and shifts: `y = scale · (x − mean) / √(variance + epsilon) + shift`.
///
/// From the features on it is layer normalization (Ba et al. 2016), from the first spatial axis on
/// instance normalization (Ulyanov et al. 2016), and behind an axis of groups group normalization
/// (Wu & He 2018).
#[derive(Clone, Debug)]
pub struct Standardization {
    axis: usize,
    scale: Option<Tensor>,
    shift: Option<Tensor>,
    epsilon: f32,
}

impl Standardization {
    /// Makes the layer of host tensors.
    ///
    /// # Shapes
    /// `scale` and `shift` broadcast to an image, trailing axes aligned.
    ///
    /// # Errors
    /// Fails for axis 0, which is the batch, and for a negative `epsilon`.
    pub fn new(
        axis: usize,
        scale: Option<Tensor>,
        shift: Option<Tensor>,
        epsilon: f32,
    ) -> Result<Self, LayerError> {
        let kind = LayerKind::Standardization;
        if axis == 0 {
            let expected = "an axis that is not the batch";
            return Err(LayerError::invalid(kind, expected, "axis 0"));
        }
        if epsilon.is_nan() || epsilon < 0.0 {
            let actual = format!("{epsilon}");
            return Err(LayerError::invalid(kind, "an epsilon of at least 0", actual));
        }
        Ok(Self { axis, scale, shift, epsilon })
    }
}

impl Layer for Standardization {
    fn kind(&self) -> LayerKind {
        LayerKind::Standardization
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        operand::own_axis(self.kind(), self.axis, input)?;
        let one = input.with_batch(1);
        for tensor in self.scale.iter().chain(&self.shift) {
            let joined = operand::broadcast(self.kind(), &[&one, tensor.shape()])?;
            if joined != one {
                let expected = format!("a scale and a shift that fit an image of shape {one}");
                let actual = format!("shape {}", tensor.shape());
                return Err(LayerError::invalid(self.kind(), expected, actual));
            }
        }
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
        let (standardized, factors) = backend.standardization(input, self.axis, self.epsilon)?;
        let mut output = standardized.clone();
        if let Some(scale) = &self.scale {
            output = backend.binary(Binary::Multiply, &output, &backend.upload(scale)?)?;
        }
        if let Some(shift) = &self.shift {
            output = backend.binary(Binary::Add, &output, &backend.upload(shift)?)?;
        }
        let mut record = Record::new(&output, inputs);
        if keep == Keep::Inversion {
            record = record.saving([standardized, factors]);
        }
        Ok((output, record))
    }

    fn reach(&self, _input: usize) -> Reach {
        // Over the features behind the rows and columns of a map every cell stays for itself.
        if self.axis == 3 { Reach::Along(3) } else { Reach::Global }
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        self.output_shape(inputs).map_or_else(
            |_| Work::default(),
            |output| {
                let stored = self.scale.iter().chain(&self.shift);
                let parameters = stored.map(|tensor| tensor.shape().volume()).sum();
                Work::count(inputs, &output, output.volume().saturating_mul(4), parameters)
            },
        )
    }

    fn parameter(&self, name: &str) -> Option<&Tensor> {
        match name {
            "weight" => self.scale.as_ref(),
            "bias" => self.shift.as_ref(),
            _ => None,
        }
    }
}

impl LayerInversion for Standardization {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let standardized = record.saved(0, self.kind(), "its standardized input")?;
        let factors = record.saved(1, self.kind(), "its factors")?;
        let scaled = match &self.scale {
            Some(scale) => backend.binary(Binary::Multiply, signal, &backend.upload(scale)?)?,
            None => signal.clone(),
        };
        Ok(vec![backend.standardization_adjoint(&scaled, standardized, factors, self.axis)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CpuBackend;
    use crate::layer::testing::{Numbers, check};

    fn layer(axis: usize, shape: &[usize]) -> Standardization {
        let mut numbers = Numbers::new(6);
        let [scale, shift] = [numbers.apart(shape), numbers.apart(shape)];
        Standardization::new(axis, Some(scale), Some(shift), 1e-5).unwrap()
    }

    #[test]
    fn standardization_keeps_its_promises_over_features_maps_and_groups() {
        check(&layer(2, &[5]), &[&[4, 5]]);
        check(&layer(1, &[2, 3, 4]), &[&[2, 3, 4]]);
        check(&layer(2, &[3, 1, 1]), &[&[3, 3, 4]]);
        check(&layer(2, &[2, 3, 1, 1]), &[&[2, 3, 2, 2]]);
        check(&Standardization::new(1, None, None, 0.1).unwrap(), &[&[7]]);
    }

    #[test]
    fn standardization_follows_its_formula() {
        let [scale, shift] = [2.0, 0.5].map(|value| Some(Tensor::filled([1, 1], value)));
        let layer = Standardization::new(2, scale, shift, 3.0).unwrap();
        let input = Tensor::new([1, 2, 2], vec![1.0, 3.0, -6.0, 6.0]).unwrap();
        let (output, _) = layer.forward(&CpuBackend::new(), &[&input], Keep::Output).unwrap();
        // Variances of 1 and 36: 2 · (1 − 2) / √(1 + 3) + 0.5.
        let far = 12.0 / 39.0_f32.sqrt();
        assert_eq!(output.values().unwrap(), [-0.5, 1.5, 0.5 - far, 0.5 + far]);
        assert_eq!(layer.parameter("weight").unwrap().values().unwrap(), [2.0]);
        assert_eq!(layer.parameter("bias").unwrap().values().unwrap(), [0.5]);
    }

    #[test]
    fn cells_whose_features_come_last_stay_for_themselves() {
        assert_eq!(layer(3, &[5]).reach(0), Reach::Along(3));
        assert_eq!(layer(2, &[5]).reach(0), Reach::Global);
    }

    #[test]
    fn standardization_refuses_what_does_not_fit() {
        assert_eq!(
            Standardization::new(0, None, None, 0.0).unwrap_err().to_string(),
            "standardization: expected an axis that is not the batch, got axis 0"
        );
        assert_eq!(
            Standardization::new(1, None, None, -1.0).unwrap_err().to_string(),
            "standardization: expected an epsilon of at least 0, got -1"
        );
        let message = |stored: &[usize], input: &[usize]| {
            layer(2, stored).output_shape(&[&Shape::from(input)]).unwrap_err().to_string()
        };
        assert_eq!(
            message(&[5], &[1, 4]),
            "standardization: expected an axis 2 that is not the batch, got [1, 4]"
        );
        assert_eq!(
            message(&[2, 4, 5], &[2, 4, 5]),
            "standardization: expected a scale and a shift that fit an image of shape [1, 4, 5], \
             got shape [2, 4, 5]"
        );
        assert!(message(&[3], &[1, 4, 5]).contains("shapes that broadcast"));
    }
}
