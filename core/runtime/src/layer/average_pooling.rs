use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Record, Work, operand};
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
}
