use super::{
    DeltaForm, DeltaInput, DeltaOutput, Keep, Layer, LayerInversion, LayerKind, Reach, Reads,
    Record, Work, operand,
};
use crate::{Backend, LayerError, Shape, Tensor};

/// Scales and shifts every channel by stored statistics:
/// `y = gamma · (x − mean) / √(variance + epsilon) + beta`. Ioffe & Szegedy (2015), section 3.1.
#[derive(Clone, Debug)]
pub struct BatchNormalization {
    gamma: Tensor,
    beta: Tensor,
    mean: Tensor,
    variance: Tensor,
    scale: Tensor,
    shift: Tensor,
}

impl BatchNormalization {
    /// Makes the layer of four host tensors with one number per channel each.
    ///
    /// # Errors
    /// Fails when the tensors differ in length or a variance plus `epsilon` is not positive.
    pub fn new(
        gamma: Tensor,
        beta: Tensor,
        mean: Tensor,
        variance: Tensor,
        epsilon: f32,
    ) -> Result<Self, LayerError> {
        let kind = LayerKind::BatchNormalization;
        let channels = gamma.shape().volume();
        for (name, tensor) in
            [("gamma", &gamma), ("beta", &beta), ("mean", &mean), ("variance", &variance)]
        {
            if tensor.shape().extents() != [channels] {
                let expected = format!("one number for each of {channels} channels");
                let actual = format!("{name} of shape {}", tensor.shape());
                return Err(LayerError::invalid(kind, expected, actual));
            }
        }
        let mut scales = Vec::with_capacity(channels);
        let mut shifts = Vec::with_capacity(channels);
        let offsets = beta.values()?.iter().zip(mean.values()?);
        let factors = gamma.values()?.iter().zip(variance.values()?);
        for ((&gamma, &variance), (&beta, &mean)) in factors.zip(offsets) {
            let spread = f64::from(variance) + f64::from(epsilon);
            if spread.is_nan() || spread <= 0.0 {
                let actual = format!("{variance} + {epsilon}");
                return Err(LayerError::invalid(kind, "a positive variance plus epsilon", actual));
            }
            let scale = f64::from(gamma) / spread.sqrt();
            scales.push(scale as f32);
            shifts.push((f64::from(beta) - f64::from(mean) * scale) as f32);
        }
        let scale = Tensor::new([channels], scales)?;
        let shift = Tensor::new([channels], shifts)?;
        Ok(Self { gamma, beta, mean, variance, scale, shift })
    }
}

impl Layer for BatchNormalization {
    fn kind(&self) -> LayerKind {
        LayerKind::BatchNormalization
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        let channels = self.scale.shape().volume();
        if input.extents().get(1) == Some(&channels) {
            return Ok(input.clone());
        }
        let expected = format!("{channels} channels");
        Err(LayerError::invalid(self.kind(), expected, format!("shape {input}")))
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        _keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        self.output_shape(&[input.shape()])?;
        let [scale, shift] = [backend.upload(&self.scale)?, backend.upload(&self.shift)?];
        let output = backend.affine(input, &scale, Some(&shift))?;
        let record = Record::new(&output, inputs);
        Ok((output, record))
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
        _output: &DeltaOutput<'_>,
    ) -> Result<Tensor, LayerError> {
        let (deltas, _) = DeltaInput::one(self.kind(), inputs)?;
        Ok(backend.affine(&deltas.cells, &backend.upload(&self.scale)?, None)?)
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        self.output_shape(inputs).map_or_else(
            |_| Work::default(),
            |output| {
                let parameters = self.scale.shape().volume().saturating_mul(4);
                Work::count(inputs, &output, output.volume(), parameters)
            },
        )
    }

    fn parameter(&self, name: &str) -> Option<&Tensor> {
        match name {
            "weight" => Some(&self.gamma),
            "bias" => Some(&self.beta),
            "mean" => Some(&self.mean),
            "variance" => Some(&self.variance),
            _ => None,
        }
    }
}

impl LayerInversion for BatchNormalization {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        _record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        Ok(vec![backend.affine(signal, &backend.upload(&self.scale)?, None)?])
    }

    fn reads(&self) -> Reads {
        Reads::Shapes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CpuBackend;
    use crate::layer::testing::{Numbers, check};

    fn layer() -> BatchNormalization {
        let mut numbers = Numbers::new(2);
        let mut number = || numbers.tensor([3]);
        let variance = Tensor::new([3], vec![0.5, 1.0, 2.0]).unwrap();
        BatchNormalization::new(number(), number(), number(), variance, 1e-5).unwrap()
    }

    #[test]
    fn batch_normalization_keeps_its_promises_for_maps_and_features() {
        check(&layer(), &[&[3, 2, 4]]);
        check(&layer(), &[&[3]]);
    }

    #[test]
    fn batch_normalization_follows_its_formula() {
        let one = |value| Tensor::filled([1], value);
        let layer = BatchNormalization::new(one(3.0), one(0.5), one(2.0), one(3.75), 0.25).unwrap();
        let input = Tensor::filled([1, 1, 1, 1], 4.0);
        let (output, _) = layer.forward(&CpuBackend::new(), &[&input], Keep::Output).unwrap();
        // 3 · (4 − 2) / √4 + 0.5
        assert_eq!(output.values().unwrap(), [3.5]);
        assert_eq!(layer.parameter("weight").unwrap().values().unwrap(), [3.0]);
        assert_eq!(layer.parameter("bias").unwrap().values().unwrap(), [0.5]);
        assert_eq!(layer.parameter("mean").unwrap().values().unwrap(), [2.0]);
        assert_eq!(layer.parameter("variance").unwrap().values().unwrap(), [3.75]);
        assert!(layer.parameter("gamma").is_none());
    }

    #[test]
    fn batch_normalization_refuses_what_does_not_fit() {
        let of = |count: usize, value: f32| Tensor::filled([count], value);
        let made = |mean: usize, variance: f32| {
            BatchNormalization::new(of(2, 1.0), of(2, 0.0), of(mean, 0.0), of(2, variance), 0.5)
        };
        assert_eq!(
            made(3, 1.0).unwrap_err().to_string(),
            "batch_normalization: expected one number for each of 2 channels, got mean of shape [3]"
        );
        assert_eq!(
            made(2, -0.5).unwrap_err().to_string(),
            "batch_normalization: expected a positive variance plus epsilon, got -0.5 + 0.5"
        );
        assert_eq!(
            layer().output_shape(&[&Shape::from([1, 4, 2, 2])]).unwrap_err().to_string(),
            "batch_normalization: expected 3 channels, got shape [1, 4, 2, 2]"
        );
    }
}
