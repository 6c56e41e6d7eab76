use super::{
    DeltaForm, DeltaInput, DeltaOutput, Keep, Layer, LayerInversion, LayerKind, Reach, Reads,
    Record, Work, operand,
};
use crate::{Backend, Divisor, LayerError, Rounding, Shape, Tensor, Window};

/// Averages every window of a map.
#[derive(Clone, Copy, Debug)]
pub struct AveragePooling {
    window: Window,
    rounding: Rounding,
    divisor: Divisor,
}

impl AveragePooling {
    /// Makes the layer.
    ///
    /// # Errors
    /// Fails when a number of the window is zero.
    pub fn new(window: Window, rounding: Rounding, divisor: Divisor) -> Result<Self, LayerError> {
        operand::check_window(LayerKind::AveragePooling, &window)?;
        Ok(Self { window, rounding, divisor })
    }
}

impl Layer for AveragePooling {
    fn kind(&self) -> LayerKind {
        LayerKind::AveragePooling
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        let [batch, channels, height, width] = operand::maps(self.kind(), input)?;
        let size = [height, width];
        let [rows, columns] = operand::pooled_size(self.kind(), &self.window, self.rounding, size)?;
        Ok(Shape::from([batch, channels, rows, columns]))
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        _keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        let shape = self.output_shape(&[input.shape()])?;
        let [_, _, rows, columns] = operand::maps(self.kind(), &shape)?;
        let size = [rows, columns];
        let output = backend.average_pooling(input, &self.window, size, self.divisor)?;
        let record = Record::new(&output, inputs);
        Ok((output, record))
    }

    fn reach(&self, _input: usize) -> Reach {
        Reach::Window(self.window)
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
        let (window, divisor) = (&self.window, self.divisor);
        if let Some(cells) = kernels.average_pooled(deltas, window, divisor, regions) {
            return Ok(cells?);
        }
        let whole = deltas.on_maps(backend)?;
        let whole = backend.average_pooling(&whole, window, regions.size(), divisor)?;
        Ok(kernels.cut_each(&whole, regions)?)
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        self.output_shape(inputs).map_or_else(
            |_| Work::default(),
            |output| {
                let taps: usize = self.window.kernel.iter().product();
                Work::count(inputs, &output, output.volume().saturating_mul(taps), 0)
            },
        )
    }
}

impl LayerInversion for AveragePooling {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let restored = record.input_shape(self.kind())?;
        Ok(vec![backend.average_unpooling(signal, &self.window, restored, self.divisor)?])
    }

    fn reads(&self) -> Reads {
        Reads::Shapes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::testing::check;
    use crate::{CpuBackend, Padding};

    fn window(kernel: usize, stride: usize, padding: usize) -> Window {
        let padding = Padding { top: padding, left: padding, bottom: padding, right: padding };
        Window { stride: [stride; 2], padding, ..Window::of([kernel; 2]) }
    }

    #[test]
    fn average_pooling_keeps_its_promises_for_both_roundings_and_divisors() {
        for rounding in [Rounding::Floor, Rounding::Ceil] {
            for divisor in [Divisor::Cells, Divisor::PaddedCells] {
                let uneven = Padding { top: 1, left: 0, bottom: 2, right: 1 };
                for window in [
                    window(3, 2, 1),
                    Window { padding: uneven, ..window(3, 2, 0) },
                    Window { dilation: [2, 3], padding: uneven, ..window(2, 3, 0) },
                    window(1, 4, 0),
                ] {
                    let layer = AveragePooling::new(window, rounding, divisor).unwrap();
                    check(&layer, &[&[2, 6, 8]]);
                }
            }
        }
    }

    #[test]
    fn the_divisors_differ_where_a_window_hangs_over() {
        let input = Tensor::filled([1, 1, 4, 4], 1.0);
        let corners = |divisor| {
            let layer = AveragePooling::new(window(3, 2, 1), Rounding::Ceil, divisor).unwrap();
            let (output, _) = layer.forward(&CpuBackend::new(), &[&input], Keep::Output).unwrap();
            assert_eq!(*output.shape(), Shape::from([1, 1, 3, 3]));
            let values = output.values().unwrap();
            vec![values[0], values[8]]
        };
        assert_eq!(corners(Divisor::Cells), [1.0, 1.0]);
        // The first window holds 4 cells and 5 of padding; the last, which starts at the last cell,
        // holds 1 cell and 3 of padding, and the rest lies beyond the padding.
        assert_eq!(corners(Divisor::PaddedCells), [4.0 / 9.0, 1.0 / 4.0]);
    }

    #[test]
    fn average_pooling_refuses_a_window_wholly_in_the_padding() {
        let layer = AveragePooling::new(window(2, 1, 2), Rounding::Floor, Divisor::Cells).unwrap();
        assert_eq!(
            layer.output_shape(&[&Shape::from([1, 1, 4, 4])]).unwrap_err().to_string(),
            "average_pooling: expected windows that see a cell of the map, got window row 0 wholly \
             in the padding of a map of [4, 4]"
        );
    }

    #[test]
    fn average_pooling_refuses_a_stride_of_zero_and_what_is_no_map() {
        let flat = AveragePooling::new(window(2, 0, 0), Rounding::Floor, Divisor::Cells);
        assert_eq!(
            flat.unwrap_err().to_string(),
            "average_pooling: expected a kernel, stride and dilation of at least 1, got kernel \
             [2, 2], stride [0, 0], dilation [1, 1]"
        );
        let layer = AveragePooling::new(window(2, 1, 0), Rounding::Floor, Divisor::Cells).unwrap();
        assert_eq!(
            layer.output_shape(&[&Shape::from([1, 9])]).unwrap_err().to_string(),
            "average_pooling: expected maps [batch, channel, height, width], got shape [1, 9]"
        );
        let shape = Shape::from([1, 1, 1, 4]);
        assert!(
            layer.output_shape(&[&shape]).unwrap_err().to_string().starts_with(
                "average_pooling: expected a padded map of at least 2x2, got 1x4 with"
            )
        );
    }
}
