use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Record, Work, operand};
use crate::{Backend, LayerError, Overlap, Rounding, Shape, Tensor, Window};

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
