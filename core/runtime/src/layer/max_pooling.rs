use super::delta::clean;
use super::{
    DeltaForm, DeltaInput, DeltaOutput, Keep, Layer, LayerInversion, LayerKind, Reach, Record,
    Work, operand,
};
use crate::{Backend, Binary, LayerError, Overlap, Rounding, Shape, Tensor, Window};

/// Takes the maximum of every window and remembers where it stood: the switches. Its inversion
/// unpools by them. Zeiler & Fergus (2013), section 2.1.
#[derive(Clone, Copy, Debug)]
pub struct MaxPooling {
    window: Window,
    rounding: Rounding,
}

impl MaxPooling {
    /// Makes the layer.
    ///
    /// # Errors
    /// Fails when a number of the window is zero.
    pub fn new(window: Window, rounding: Rounding) -> Result<Self, LayerError> {
        operand::check_window(LayerKind::MaxPooling, &window)?;
        Ok(Self { window, rounding })
    }
}

impl Layer for MaxPooling {
    fn kind(&self) -> LayerKind {
        LayerKind::MaxPooling
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        let [batch, channels, height, width] = operand::maps(self.kind(), input)?;
        if u32::try_from(height.saturating_mul(width)).is_err() {
            let expected = "maps of less than 2^32 cells";
            return Err(LayerError::invalid(self.kind(), expected, format!("shape {input}")));
        }
        let size = [height, width];
        let [rows, columns] = operand::pooled_size(self.kind(), &self.window, self.rounding, size)?;
        Ok(Shape::from([batch, channels, rows, columns]))
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        let shape = self.output_shape(&[input.shape()])?;
        let [_, _, rows, columns] = operand::maps(self.kind(), &shape)?;
        let (output, switches) = backend.max_pooling(input, &self.window, [rows, columns])?;
        let mut record = Record::new(&output, inputs);
        if keep == Keep::Inversion {
            record = record.saving([switches]);
        }
        Ok((output, record))
    }

    fn reach(&self, _input: usize) -> Reach {
        Reach::Window(self.window)
    }

    fn delta_form(&self) -> DeltaForm {
        DeltaForm::CleanBoth
    }

    fn forward_deltas(
        &self,
        backend: &dyn Backend,
        inputs: &[DeltaInput<'_>],
        output: &DeltaOutput<'_>,
    ) -> Result<Tensor, LayerError> {
        let (deltas, maps) = DeltaInput::one(self.kind(), inputs)?;
        let [input, pooled] = [clean(self.kind(), maps)?, clean(self.kind(), output.clean)?];
        let kernels = backend.deltas();
        if let Some(cells) =
            kernels.max_pooled([input, pooled], deltas, &self.window, output.regions)
        {
            return Ok(cells?);
        }
        let whole = backend.upload(&kernels.paste(input, deltas)?)?;
        let (whole, _) = backend.max_pooling(&whole, &self.window, output.regions.size())?;
        let cells = backend.upload(&kernels.cut_each(&whole, output.regions)?)?;
        let before = backend.upload(&kernels.cut(pooled, output.regions)?)?;
        Ok(backend.binary(Binary::Subtract, &cells, &before)?)
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

impl LayerInversion for MaxPooling {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let switches = record.saved(0, self.kind(), "switches")?;
        let restored = record.input_shape(self.kind())?;
        // Overlapping windows add up: that makes unpooling the adjoint of pooling.
        Ok(vec![backend.unpooling(signal, switches, restored, Overlap::Sum)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::testing::check;
    use crate::{CpuBackend, Padding};

    fn overlapping() -> Window {
        Window { stride: [2, 2], ..Window::of([3, 3]) }
    }

    #[test]
    fn max_pooling_keeps_its_promises_for_every_geometry() {
        let uneven = Padding { top: 0, left: 0, bottom: 1, right: 1 };
        for window in [
            overlapping(),
            Window { padding: uneven, ..overlapping() },
            Window { dilation: [2, 1], ..Window::of([2, 3]) },
            Window { dilation: [2, 3], stride: [1, 2], padding: uneven, ..Window::of([3, 2]) },
            Window { stride: [3, 4], ..Window::of([2, 3]) },
        ] {
            for rounding in [Rounding::Floor, Rounding::Ceil] {
                check(&MaxPooling::new(window, rounding).unwrap(), &[&[2, 6, 7]]);
            }
        }
    }

    #[test]
    fn signals_of_overlapping_windows_add_up_at_their_switch() {
        let mut values = vec![0.0; 25];
        values[12] = 9.0;
        let input = Tensor::new([1, 1, 5, 5], values).unwrap();
        let layer = MaxPooling::new(overlapping(), Rounding::Floor).unwrap();
        let backend = CpuBackend::new();
        let (_, record) = layer.forward(&backend, &[&input], Keep::Inversion).unwrap();
        let signal = Tensor::new([1, 1, 2, 2], vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        let carried = layer.invert(&backend, &signal, &record).unwrap();
        let mut expected = vec![0.0; 25];
        expected[12] = 10.0;
        assert_eq!(carried[0].values().unwrap(), expected);
    }

    #[test]
    fn max_pooling_refuses_a_record_without_switches() {
        let layer = MaxPooling::new(overlapping(), Rounding::Floor).unwrap();
        let backend = CpuBackend::new();
        let input = Tensor::zeros([1, 1, 5, 5]);
        let (output, record) = layer.forward(&backend, &[&input], Keep::Output).unwrap();
        assert_eq!(
            layer.invert(&backend, &output, &record).unwrap_err().to_string(),
            "max_pooling: the record does not hold switches; run forward with Keep::Inversion"
        );
    }

    #[test]
    fn max_pooling_refuses_a_window_wholly_in_the_padding() {
        let padding = Padding { right: 3, ..Padding::default() };
        let layer = MaxPooling::new(Window { padding, ..overlapping() }, Rounding::Floor).unwrap();
        assert_eq!(
            layer.output_shape(&[&Shape::from([1, 1, 5, 6])]).unwrap_err().to_string(),
            "max_pooling: expected windows that see a cell of the map, got window column 3 wholly \
             in the padding of a map of [5, 6]"
        );
        assert!(MaxPooling::new(Window::of([0, 1]), Rounding::Floor).is_err());
    }

    #[test]
    fn max_pooling_refuses_maps_whose_cells_a_switch_cannot_count() {
        let layer = MaxPooling::new(overlapping(), Rounding::Floor).unwrap();
        assert_eq!(
            layer.output_shape(&[&Shape::from([1, 1, 65536, 65536])]).unwrap_err().to_string(),
            "max_pooling: expected maps of less than 2^32 cells, got shape [1, 1, 65536, 65536]"
        );
    }
}
