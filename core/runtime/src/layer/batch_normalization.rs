use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Record, Work, operand};
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
}
