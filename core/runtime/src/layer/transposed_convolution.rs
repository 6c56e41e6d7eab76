use std::sync::Arc;

use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Reads, Record, Work, filters, operand};
use crate::{Backend, Binary, ConvolutionGeometry, Epilogue, LayerError, Shape, Tensor};

/// Spreads every cell over a window, weighted by filters: the adjoint of a convolution, as a layer.
/// Its inversion is that convolution, without a bias.
#[derive(Clone, Debug)]
pub struct TransposedConvolution {
    weight: Tensor,
    bias: Option<Tensor>,
    geometry: ConvolutionGeometry,
    extra: [usize; 2],
}

impl TransposedConvolution {
    /// Makes the layer of host tensors. `geometry` is that of the convolution whose adjoint it is:
    /// its padding is cropped off. `extra` rows and columns are added behind the smallest map that
    /// the convolution would make the input of.
    ///
    /// # Shapes
    /// weight `[c, m / groups, kernel height, kernel width]`, bias `[m]`; it turns
    /// `[n, c, h, w]` into `[n, m, stride · (h − 1) + span − padding + extra, …]`.
    ///
    /// # Errors
    /// Fails when weight, bias and geometry do not fit each other, or an extra row or column would
    /// be seen by a further window: `extra` is less than the stride.
    pub fn new(
        weight: Tensor,
        bias: Option<Tensor>,
        geometry: ConvolutionGeometry,
        extra: [usize; 2],
    ) -> Result<Self, LayerError> {
        let kind = LayerKind::TransposedConvolution;
        let [_, per_group] = filters::check(kind, &weight, &geometry)?;
        filters::check_bias(kind, bias.as_ref(), per_group.saturating_mul(geometry.groups))?;
        let stride = geometry.window.stride;
        if extra.iter().zip(&stride).any(|(extra, stride)| extra >= stride) {
            let expected = format!("fewer extra rows and columns than the stride {stride:?}");
            return Err(LayerError::invalid(kind, expected, format!("{extra:?}")));
        }
        Ok(Self { weight, bias, geometry, extra })
    }

    /// Returns the size of the map that the convolution turns into one of `size`.
    fn restored(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        let window = &self.geometry.window;
        let mut restored = [0; 2];
        for axis in [0, 1] {
            let reach = size[axis].checked_sub(1)?.checked_mul(window.stride[axis])?;
            let whole = reach.checked_add(window.span()[axis])?.checked_add(self.extra[axis])?;
            let [before, behind] = window.padding_of(axis);
            restored[axis] = whole.checked_sub(before)?.checked_sub(behind)?;
        }
        Some(restored).filter(|size| size.iter().all(|&extent| extent > 0))
    }
}

impl Layer for TransposedConvolution {
    fn kind(&self) -> LayerKind {
        LayerKind::TransposedConvolution
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        let [batch, channels, height, width] = operand::maps(self.kind(), input)?;
        let [wanted, per_group, ..] = operand::maps(self.kind(), self.weight.shape())?;
        if channels != wanted {
            let (expected, actual) = (format!("{wanted} channels"), format!("shape {input}"));
            return Err(LayerError::invalid(self.kind(), expected, actual));
        }
        let Some([rows, columns]) = self.restored([height, width]) else {
            let expected = "maps of which something is left within the padding";
            return Err(LayerError::invalid(self.kind(), expected, format!("shape {input}")));
        };
        let maps = per_group.saturating_mul(self.geometry.groups);
        Ok(Shape::from([batch, maps, rows, columns]))
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        _keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        let shape = self.output_shape(&[input.shape()])?;
        let weight = backend.upload(&self.weight)?;
        let mut output = backend.transposed_convolution(input, &weight, &self.geometry, &shape)?;
        if let Some(bias) = &self.bias {
            let per_map = bias.with_shape([bias.shape().volume(), 1, 1])?;
            output = backend.binary(Binary::Add, &output, &backend.upload(&per_map)?)?;
        }
        let record = Record::new(&output, inputs);
        Ok((output, record))
    }

    fn reach(&self, _input: usize) -> Reach {
        Reach::Spread(self.geometry.window)
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        let (output, bias) = (self.output_shape(inputs), self.bias.as_ref());
        let cells = inputs.iter().map(|input| input.volume()).sum();
        Work::with_weights(inputs, output, &self.weight, bias, |_| cells)
    }

    fn placed(&self, backend: &dyn Backend) -> Result<Option<Arc<dyn LayerInversion>>, LayerError> {
        let weight = backend.upload_filters(&self.weight)?;
        Ok(Some(Arc::new(Self { weight, ..self.clone() })))
    }

    fn parameter(&self, name: &str) -> Option<&Tensor> {
        match name {
            "weight" => Some(&self.weight),
            "bias" => self.bias.as_ref(),
            _ => None,
        }
    }
}

impl LayerInversion for TransposedConvolution {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        _record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let weight = backend.upload(&self.weight)?;
        Ok(vec![backend.convolution(signal, &weight, None, &self.geometry, Epilogue::None)?])
    }

    fn reads(&self) -> Reads {
        Reads::Shapes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::testing::{Numbers, check};
    use crate::{CpuBackend, Padding, Window};

    fn layer(
        weight: [usize; 4],
        groups: usize,
        window: Window,
        extra: [usize; 2],
    ) -> Result<TransposedConvolution, LayerError> {
        let mut numbers = Numbers::new(5);
        let bias = numbers.tensor([weight[1] * groups]);
        let geometry = ConvolutionGeometry { window, groups };
        TransposedConvolution::new(numbers.tensor(weight), Some(bias), geometry, extra)
    }

    #[test]
    fn transposed_convolution_keeps_its_promises_for_every_geometry() {
        let uneven = Padding { top: 0, left: 1, bottom: 2, right: 1 };
        for (groups, weight) in [(1, [4, 2, 3, 2]), (2, [4, 3, 3, 2]), (4, [4, 1, 3, 2])] {
            for stride in [[1, 1], [2, 3]] {
                for dilation in [[1, 1], [2, 1]] {
                    for padding in [Padding::default(), uneven] {
                        let window = Window { kernel: [3, 2], stride, dilation, padding };
                        for extra in [[0, 0], [stride[0] - 1, stride[1] - 1]] {
                            let layer = layer(weight, groups, window, extra).unwrap();
                            check(&layer, &[&[4, 3, 4]]);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn one_cell_becomes_the_filter_and_the_bias_lies_everywhere() {
        let window = Window { stride: [2, 2], ..Window::of([2, 2]) };
        let weight = Tensor::new([1, 1, 2, 2], vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        let geometry = ConvolutionGeometry { window, groups: 1 };
        let bias = Some(Tensor::filled([1], 0.5));
        let layer = TransposedConvolution::new(weight, bias, geometry, [0, 1]).unwrap();
        let input = Tensor::new([1, 1, 1, 2], vec![10.0, 0.0]).unwrap();
        let (output, _) = layer.forward(&CpuBackend::new(), &[&input], Keep::Output).unwrap();
        assert_eq!(*output.shape(), Shape::from([1, 1, 2, 5]));
        let expected = [10.5, 20.5, 0.5, 0.5, 0.5, 30.5, 40.5, 0.5, 0.5, 0.5];
        assert_eq!(output.values().unwrap(), expected);
        assert!(layer.parameter("bias").is_some() && layer.parameter("weight").is_some());
    }

    #[test]
    fn the_work_of_a_transposed_convolution_is_counted() {
        let layer = layer([4, 2, 3, 3], 2, Window::of([3, 3]), [0, 0]).unwrap();
        let work = layer.work(&[&Shape::from([1, 4, 5, 5])]);
        assert_eq!(work.multiply_adds, 4 * 5 * 5 * (2 * 3 * 3));
        assert_eq!(work.parameters, 4 * 2 * 3 * 3 + 4);
        assert_eq!(layer.work(&[]), Work::default());
    }

    #[test]
    fn transposed_convolution_refuses_what_does_not_fit() {
        let plain = Window::of([3, 3]);
        let message =
            |weight, groups, extra| layer(weight, groups, plain, extra).unwrap_err().to_string();
        assert_eq!(
            message([4, 2, 3, 3], 3, [0, 0]),
            "transposed_convolution: expected groups that divide 4 filters, got 3 groups"
        );
        assert_eq!(
            message([4, 2, 3, 3], 1, [0, 1]),
            "transposed_convolution: expected fewer extra rows and columns than the stride [1, 1], \
             got [0, 1]"
        );
        let geometry = ConvolutionGeometry { window: plain, groups: 2 };
        let bias = Some(Tensor::zeros([2]));
        let biased =
            TransposedConvolution::new(Tensor::zeros([4, 2, 3, 3]), bias, geometry, [0, 0]);
        assert_eq!(
            biased.unwrap_err().to_string(),
            "transposed_convolution: expected a bias for 4 filters, got shape [2]"
        );
        let window = Window { padding: Padding { top: 2, bottom: 2, ..plain.padding }, ..plain };
        let layer = layer([4, 2, 3, 3], 2, window, [0, 0]).unwrap();
        let message =
            |shape: [usize; 4]| layer.output_shape(&[&Shape::from(shape)]).unwrap_err().to_string();
        assert_eq!(
            message([1, 2, 5, 5]),
            "transposed_convolution: expected 4 channels, got shape [1, 2, 5, 5]"
        );
        let nothing = "transposed_convolution: expected maps of which something is left within \
                       the padding, got shape ";
        assert_eq!(message([1, 4, 2, 5]), format!("{nothing}[1, 4, 2, 5]"));
        assert_eq!(message([1, 4, 0, 5]), format!("{nothing}[1, 4, 0, 5]"));
        assert!(layer.output_shape(&[&Shape::from([1, 4, usize::MAX, 5])]).is_err());
    }
}
