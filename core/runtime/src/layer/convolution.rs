use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Record, Work, operand};
use crate::{Backend, ConvolutionGeometry, Epilogue, LayerError, Rounding, Shape, Tensor};

/// Correlates maps with filters. Its inversion filters with the transposed filters and no bias.
#[derive(Clone, Debug)]
pub struct Convolution {
    weight: Tensor,
    bias: Option<Tensor>,
    geometry: ConvolutionGeometry,
}

impl Convolution {
    /// Makes the layer of host tensors.
    ///
    /// # Shapes
    /// weight `[m, c / groups, kernel height, kernel width]`, bias `[m]`.
    ///
    /// # Errors
    /// Fails when weight, bias and geometry do not fit each other.
    pub fn new(
        weight: Tensor,
        bias: Option<Tensor>,
        geometry: ConvolutionGeometry,
    ) -> Result<Self, LayerError> {
        let kind = LayerKind::Convolution;
        let invalid =
            |expected: String, actual: String| LayerError::invalid(kind, expected, actual);
        operand::check_window(kind, &geometry.window)?;
        let shape = weight.shape();
        let Some([filters, channels, height, width]) = shape.as_maps() else {
            let expected = "a weight [filter, channel, height, width]".to_owned();
            return Err(invalid(expected, format!("shape {shape}")));
        };
        if filters == 0 || channels == 0 {
            return Err(invalid("at least one filter and channel".to_owned(), shape.to_string()));
        }
        let kernel = geometry.window.kernel;
        if [height, width] != kernel {
            return Err(invalid(
                format!("a weight with a kernel of {kernel:?}"),
                shape.to_string(),
            ));
        }
        if geometry.groups == 0 || filters % geometry.groups != 0 {
            let actual = format!("{} groups", geometry.groups);
            return Err(invalid(format!("groups that divide {filters} filters"), actual));
        }
        if let Some(bias) = &bias
            && bias.shape().extents() != [filters]
        {
            let actual = format!("shape {}", bias.shape());
            return Err(invalid(format!("a bias for {filters} filters"), actual));
        }
        Ok(Self { weight, bias, geometry })
    }

    /// Returns how the filters slide.
    pub fn geometry(&self) -> &ConvolutionGeometry {
        &self.geometry
    }
}

impl Layer for Convolution {
    fn kind(&self) -> LayerKind {
        LayerKind::Convolution
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        let [batch, channels, height, width] = operand::maps(self.kind(), input)?;
        let [filters, per_group, ..] = operand::maps(self.kind(), self.weight.shape())?;
        let wanted = per_group.saturating_mul(self.geometry.groups);
        if channels != wanted {
            let (expected, actual) = (format!("{wanted} channels"), format!("shape {input}"));
            return Err(LayerError::invalid(self.kind(), expected, actual));
        }
        let size = [height, width];
        let [rows, columns] =
            operand::output_size(self.kind(), &self.geometry.window, Rounding::Floor, size)?;
        Ok(Shape::from([batch, filters, rows, columns]))
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        _keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        self.output_shape(&[input.shape()])?;
        let weight = backend.upload(&self.weight)?;
        let bias = self.bias.as_ref().map(|bias| backend.upload(bias)).transpose()?;
        let output =
            backend.convolution(input, &weight, bias.as_ref(), &self.geometry, Epilogue::None)?;
        let record = Record::new(&output, inputs);
        Ok((output, record))
    }

    fn reach(&self, _input: usize) -> Reach {
        Reach::Window(self.geometry.window)
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        self.output_shape(inputs).map_or_else(
            |_| Work::default(),
            |output| {
                let weights = self.weight.shape().volume();
                let biases = self.bias.as_ref().map_or(0, |bias| bias.shape().volume());
                let taps = weights / self.weight.shape().batch();
                let multiply_adds = output.volume().saturating_mul(taps);
                Work::count(inputs, &output, multiply_adds, weights + biases)
            },
        )
    }

    fn parameter(&self, name: &str) -> Option<&Tensor> {
        match name {
            "weight" => Some(&self.weight),
            "bias" => self.bias.as_ref(),
            _ => None,
        }
    }
}

impl LayerInversion for Convolution {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let restored = record.input_shape(self.kind())?;
        let weight = backend.upload(&self.weight)?;
        Ok(vec![backend.transposed_convolution(signal, &weight, &self.geometry, restored)?])
    }
}
