use std::sync::Arc;

use super::{
    DeltaForm, DeltaInput, DeltaOutput, Keep, Layer, LayerInversion, LayerKind, Reach, Reads,
    Record, Work, filters, operand,
};
use crate::{
    Backend, Canvas, ConvolutionGeometry, Epilogue, LayerError, Padding, Region, Regions, Rounding,
    Shape, Tensor, Window,
};

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
        let [filters, _] = filters::check(kind, &weight, &geometry)?;
        filters::check_bias(kind, bias.as_ref(), filters)?;
        Ok(Self { weight, bias, geometry })
    }

    /// Returns how the filters slide.
    pub fn geometry(&self) -> &ConvolutionGeometry {
        &self.geometry
    }

    fn convolved(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        epilogue: Epilogue,
    ) -> Result<(Tensor, Record), LayerError> {
        let input = self.input(inputs)?;
        let (weight, bias) = self.uploaded(backend)?;
        let output =
            backend.convolution(input, &weight, bias.as_ref(), &self.geometry, epilogue)?;
        let record = Record::new(&output, inputs);
        Ok((output, record))
    }

    fn input<'a>(&self, inputs: &[&'a Tensor]) -> Result<&'a Tensor, LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        self.output_shape(&[input.shape()])?;
        Ok(input)
    }

    fn uploaded(&self, backend: &dyn Backend) -> Result<(Tensor, Option<Tensor>), LayerError> {
        let bias = self.bias.as_ref().map(|bias| backend.upload(bias)).transpose()?;
        Ok((backend.upload(&self.weight)?, bias))
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
        self.convolved(backend, inputs, Epilogue::None)
    }

    fn forward_with_epilogue(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        epilogue: Epilogue,
    ) -> Option<Result<(Tensor, Record), LayerError>> {
        Some(self.convolved(backend, inputs, epilogue))
    }

    fn forward_into(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        epilogue: Epilogue,
        canvas: &mut dyn Canvas,
        first: usize,
    ) -> Option<Result<(), LayerError>> {
        let mut fill = || {
            let input = self.input(inputs)?;
            let (weight, bias) = self.uploaded(backend)?;
            canvas.convolution(first, input, &weight, bias.as_ref(), &self.geometry, epilogue)?;
            Ok(())
        };
        Some(fill())
    }

    fn reach(&self, _input: usize) -> Reach {
        Reach::Window(self.geometry.window)
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
        let (deltas, _) = DeltaInput::one(self.kind(), inputs)?;
        let (kernels, regions) = (backend.deltas(), output.regions);
        let weight = backend.upload(&self.weight)?;
        if let Some(cells) = kernels.convolved(deltas, &weight, &self.geometry, regions) {
            return Ok(cells?);
        }
        // Tiles of one size, as large as what the largest rectangle sees: an ordinary convolution.
        let window = self.geometry.window;
        let places = || regions.places().iter();
        let largest = Region {
            top: 0,
            left: 0,
            height: places().map(|place| place.height).max().unwrap_or(0),
            width: places().map(|place| place.width).max().unwrap_or(0),
        };
        let seen = window.seen_by(largest);
        let corner = |&place: &Region| {
            let seen = window.seen_by(place);
            [seen.top, seen.left]
        };
        let corners: Vec<_> = places().map(corner).collect();
        let tiles = kernels.tiles(deltas, &corners, [seen.height, seen.width])?;
        let window = Window { padding: Padding::default(), ..window };
        let geometry = ConvolutionGeometry { window, ..self.geometry };
        let tiles = backend.upload(&tiles)?;
        let made = backend.convolution(&tiles, &weight, None, &geometry, Epilogue::None)?;
        let corner = |place: &Region| Region { top: 0, left: 0, ..*place };
        let corners = Regions::new([largest.height, largest.width], places().map(corner));
        Ok(kernels.cut_each(&made, &corners)?)
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        let (output, bias) = (self.output_shape(inputs), self.bias.as_ref());
        Work::with_weights(inputs, output, &self.weight, bias, Shape::volume)
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

    fn reads(&self) -> Reads {
        Reads::Shapes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::testing::{Numbers, check};
    use crate::{Padding, Window};

    fn layer(weight: [usize; 4], groups: usize, window: Window) -> Result<Convolution, LayerError> {
        let mut numbers = Numbers::new(5);
        let bias = numbers.tensor([weight[0]]);
        let geometry = ConvolutionGeometry { window, groups };
        Convolution::new(numbers.tensor(weight), Some(bias), geometry)
    }

    #[test]
    fn convolution_keeps_its_promises_for_every_geometry() {
        let uneven = Padding { top: 0, left: 1, bottom: 2, right: 1 };
        let plain = Window::of([3, 3]);
        check(&layer([4, 2, 3, 3], 1, plain).unwrap(), &[&[2, 5, 6]]);
        let window = Window { stride: [2, 1], padding: uneven, ..plain };
        check(&layer([4, 2, 3, 3], 1, window).unwrap(), &[&[2, 6, 7]]);
        let window = Window { dilation: [1, 2], padding: uneven, ..Window::of([1, 3]) };
        check(&layer([4, 2, 1, 3], 2, window).unwrap(), &[&[4, 4, 6]]);
        for (groups, filters) in [(1, [4, 4, 2, 3]), (2, [4, 2, 2, 3]), (4, [4, 1, 2, 3])] {
            for (stride, dilation) in [([2, 3], [1, 1]), ([1, 1], [3, 2]), ([3, 2], [2, 1])] {
                let window = Window { kernel: [2, 3], stride, dilation, padding: uneven };
                check(&layer(filters, groups, window).unwrap(), &[&[4, 5, 6]]);
            }
        }
        // Depthwise, with two filters for each channel; and pointwise.
        check(&layer([6, 1, 3, 3], 3, window_of_stride_two()).unwrap(), &[&[3, 6, 6]]);
        check(&layer([5, 3, 1, 1], 1, Window::of([1, 1])).unwrap(), &[&[3, 4, 4]]);
    }

    fn window_of_stride_two() -> Window {
        // With 6 cells and no padding the last row and column are seen by nobody.
        Window { stride: [2, 2], ..Window::of([3, 3]) }
    }

    #[test]
    fn convolution_without_a_bias_has_none() {
        let geometry = ConvolutionGeometry { window: Window::of([1, 1]), groups: 1 };
        let layer = Convolution::new(Tensor::filled([2, 1, 1, 1], 2.0), None, geometry).unwrap();
        check(&layer, &[&[1, 2, 2]]);
        assert!(layer.parameter("bias").is_none());
        assert_eq!(layer.parameter("weight").unwrap().values().unwrap(), [2.0, 2.0]);
    }

    #[test]
    fn the_work_of_a_convolution_is_counted() {
        let layer = layer([4, 2, 3, 3], 2, Window::of([3, 3])).unwrap();
        let work = layer.work(&[&Shape::from([1, 4, 5, 5])]);
        assert_eq!(work.multiply_adds, 4 * 3 * 3 * (2 * 3 * 3));
        assert_eq!(work.parameters, 4 * 2 * 3 * 3 + 4);
        assert_eq!(work.bytes, 4 * (4 * 5 * 5 + 4 * 3 * 3 + 76));
        assert_eq!(layer.work(&[]), Work::default());
    }

    #[test]
    fn convolution_refuses_weights_that_do_not_fit_the_geometry() {
        let plain = Window::of([3, 3]);
        let message =
            |weight, groups, window| layer(weight, groups, window).unwrap_err().to_string();
        assert_eq!(
            message([4, 2, 5, 3], 1, plain),
            "convolution: expected a weight with a kernel of [3, 3], got [4, 2, 5, 3]"
        );
        assert_eq!(
            message([4, 2, 3, 3], 3, plain),
            "convolution: expected groups that divide 4 filters, got 3 groups"
        );
        assert_eq!(
            message([4, 0, 3, 3], 1, plain),
            "convolution: expected at least one filter and channel, got [4, 0, 3, 3]"
        );
        let flat = Window { stride: [0, 1], ..plain };
        assert_eq!(
            message([4, 2, 3, 3], 1, flat),
            "convolution: expected a kernel, stride and dilation of at least 1, got kernel [3, 3], \
             stride [0, 1], dilation [1, 1]"
        );
        let geometry = ConvolutionGeometry { window: plain, groups: 1 };
        let features = Convolution::new(Tensor::zeros([4, 2]), None, geometry);
        assert_eq!(
            features.unwrap_err().to_string(),
            "convolution: expected a weight [filter, channel, height, width], got shape [4, 2]"
        );
        let biased =
            Convolution::new(Tensor::zeros([4, 2, 3, 3]), Some(Tensor::zeros([3])), geometry);
        assert_eq!(
            biased.unwrap_err().to_string(),
            "convolution: expected a bias for 4 filters, got shape [3]"
        );
    }

    #[test]
    fn convolution_refuses_other_channels_and_maps_that_are_too_small() {
        let layer = layer([4, 2, 3, 3], 2, Window::of([3, 3])).unwrap();
        assert_eq!(
            layer.output_shape(&[&Shape::from([1, 2, 5, 5])]).unwrap_err().to_string(),
            "convolution: expected 4 channels, got shape [1, 2, 5, 5]"
        );
        let message = layer.output_shape(&[&Shape::from([1, 4, 2, 5])]).unwrap_err().to_string();
        assert!(
            message.starts_with("convolution: expected a padded map of at least 3x3, got 2x5"),
            "{message}"
        );
    }
}
