use super::{Keep, Layer, LayerInversion, LayerKind, MaxPooling, Reach, Record, Work, operand};
use crate::{Backend, LayerError, Overlap, Padding, Rounding, Shape, Tensor, Window};

/// Puts values back where maxima stood, and zero elsewhere: the unpooling of Zeiler & Fergus (2013),
/// section 2.1, as a layer of the network. Where several values share a place, the last one in
/// row-major order stays, as in ONNX; its inversion takes the signals from there.
#[derive(Clone, Debug)]
pub struct MaxUnpooling {
    switches: Switches,
}

/// The places of a [`MaxUnpooling`].
#[derive(Clone, Debug)]
pub enum Switches {
    /// Those of a max pooling. They are found again in what it read, which is the layer's second
    /// input: so no value of a network has to be a position.
    OfPooling {
        /// The pooling's window.
        window: Window,
        /// How the extent of its output is rounded.
        rounding: Rounding,
    },
    /// The same for every image.
    Stored {
        /// Positions `row · width + column` of shape `[1, channel, height, width]`.
        positions: Tensor,
        /// Extent `[height, width]` of the maps in which they lie.
        size: [usize; 2],
    },
}

impl MaxUnpooling {
    /// Makes the layer.
    ///
    /// # Shapes
    /// Its first input has the shape of the switches; with those of a pooling its second is what
    /// the pooling reads. The output has the shape of the maps in which the switches lie.
    ///
    /// # Errors
    /// Fails when a number of the window is zero or a position does not lie on the map.
    pub fn new(switches: Switches) -> Result<Self, LayerError> {
        let kind = LayerKind::MaxUnpooling;
        match &switches {
            Switches::OfPooling { window, .. } => operand::check_window(kind, window)?,
            Switches::Stored { positions, size } => {
                let [batch, ..] = operand::maps(kind, positions.shape())?;
                let cells = size[0].saturating_mul(size[1]);
                let outside = |&&position: &&u32| position as usize >= cells;
                if let Some(position) = positions.positions()?.iter().find(outside) {
                    let expected = format!("switches on maps of {size:?}");
                    return Err(LayerError::invalid(kind, expected, format!("{position}")));
                }
                if batch != 1 {
                    let actual = format!("shape {}", positions.shape());
                    return Err(LayerError::invalid(kind, "switches of one image", actual));
                }
            }
        }
        Ok(Self { switches })
    }

    /// Returns the pooling whose switches are used, with what it reads.
    fn pooling<'a, T>(
        window: Window,
        rounding: Rounding,
        inputs: &[&'a T],
    ) -> Result<(MaxPooling, [&'a T; 2]), LayerError> {
        let inputs = operand::two(LayerKind::MaxUnpooling, inputs)?;
        Ok((MaxPooling::new(window, rounding)?, inputs))
    }

    fn unfit(&self, expected: &Shape, actual: &Shape) -> LayerError {
        let expected = format!("a value for each switch, of shape {expected}");
        LayerError::invalid(self.kind(), expected, format!("shape {actual}"))
    }
}

impl Layer for MaxUnpooling {
    fn kind(&self) -> LayerKind {
        LayerKind::MaxUnpooling
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        match &self.switches {
            Switches::OfPooling { window, rounding } => {
                let (pooling, [value, pooled]) = Self::pooling(*window, *rounding, inputs)?;
                let switches = pooling.output_shape(&[pooled])?;
                if *value == switches {
                    Ok(pooled.clone())
                } else {
                    Err(self.unfit(&switches, value))
                }
            }
            Switches::Stored { positions, size } => {
                let value = operand::one(self.kind(), inputs)?;
                let [batch, channels, ..] = operand::maps(self.kind(), value)?;
                let switches = positions.shape().with_batch(batch);
                if *value == switches {
                    Ok(Shape::from([batch, channels, size[0], size[1]]))
                } else {
                    Err(self.unfit(&switches, value))
                }
            }
        }
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let shapes: Vec<&Shape> = inputs.iter().map(|input| input.shape()).collect();
        let restored = self.output_shape(&shapes)?;
        let (value, switches) = match &self.switches {
            Switches::OfPooling { window, .. } => {
                let [value, pooled] = operand::two(self.kind(), inputs)?;
                let [_, _, rows, columns] = operand::maps(self.kind(), value.shape())?;
                (value, backend.max_pooling(pooled, window, [rows, columns])?.1)
            }
            Switches::Stored { positions, .. } => {
                let value = operand::one(self.kind(), inputs)?;
                let rows = vec![0; value.shape().batch()];
                (value, backend.select(&backend.upload(positions)?, &rows)?)
            }
        };
        let output = backend.unpooling(value, &switches, &restored, Overlap::Overwrite)?;
        let mut record = Record::new(&output, inputs);
        if keep == Keep::Inversion {
            record = record.saving([switches]);
        }
        Ok((output, record))
    }

    fn reach(&self, input: usize) -> Reach {
        match &self.switches {
            Switches::OfPooling { window, .. } if input == 0 => Reach::Spread(*window),
            // A cell is a maximum or not by what stands in the windows that hold it.
            Switches::OfPooling { window, .. } => {
                let [up, left] = window.span().map(|span| span - 1);
                let padding = Padding { top: up, left, bottom: up, right: left };
                let kernel = [up, left].map(|far| far.saturating_mul(2).saturating_add(1));
                Reach::Window(Window { padding, ..Window::of(kernel) })
            }
            Switches::Stored { .. } => Reach::Global,
        }
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        self.output_shape(inputs).map_or_else(
            |_| Work::default(),
            |output| {
                let (values, parameters) = match &self.switches {
                    Switches::OfPooling { window, .. } => (window.kernel.iter().product(), 0),
                    Switches::Stored { positions, .. } => (1, positions.shape().volume()),
                };
                let cells = inputs.first().map_or(0, |value| value.volume());
                Work::count(inputs, &output, cells.saturating_mul(values), parameters)
            },
        )
    }
}

impl LayerInversion for MaxUnpooling {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let switches = record.saved(0, self.kind(), "switches")?;
        let mut signals = vec![backend.unpooling_adjoint(signal, switches, Overlap::Overwrite)?];
        // Where maxima stand does not change with small changes of what was pooled.
        for pooled in record.input_shapes().iter().skip(1) {
            signals.push(backend.upload(&Tensor::zeros(pooled.clone()))?);
        }
        Ok(signals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CpuBackend;
    use crate::layer::testing::{Numbers, check, check_silent};

    fn of_pooling(window: Window) -> MaxUnpooling {
        MaxUnpooling::new(Switches::OfPooling { window, rounding: Rounding::Ceil }).unwrap()
    }

    fn stored(places: &[u32], size: [usize; 2]) -> Result<MaxUnpooling, LayerError> {
        let positions = Tensor::indices([1, 1, 1, places.len()], places.to_vec()).unwrap();
        MaxUnpooling::new(Switches::Stored { positions, size })
    }

    #[test]
    fn max_unpooling_keeps_its_promises_for_every_kind_of_switches() {
        let uneven = Padding { top: 0, left: 1, bottom: 1, right: 0 };
        for window in [
            Window { stride: [2, 2], ..Window::of([2, 2]) },
            Window { stride: [2, 1], padding: uneven, ..Window::of([3, 2]) },
        ] {
            let pooled = Numbers::new(3).apart([3, 2, 6, 7]);
            let pooling = MaxPooling::new(window, Rounding::Ceil).unwrap();
            let values = Numbers::new(4).apart(pooling.output_shape(&[pooled.shape()]).unwrap());
            check_silent(&of_pooling(window), &[values, pooled], &[1]);
        }
        check(&stored(&[7, 0, 3], [2, 4]).unwrap(), &[&[1, 1, 3]]);
        check(&stored(&[5, 0, 5, 5], [2, 4]).unwrap(), &[&[1, 1, 4]]);
    }

    #[test]
    fn where_windows_share_a_maximum_the_last_value_stays_and_its_signal_returns() {
        let input = Tensor::new([1, 1, 1, 3], vec![0.0, 9.0, 0.0]).unwrap();
        let values = Tensor::new([1, 1, 1, 2], vec![4.0, 5.0]).unwrap();
        let (backend, layer) = (CpuBackend::new(), of_pooling(Window::of([1, 2])));
        let (output, record) =
            layer.forward(&backend, &[&values, &input], Keep::Inversion).unwrap();
        assert_eq!(output.values().unwrap(), [0.0, 5.0, 0.0]);
        let signal = Tensor::new([1, 1, 1, 3], vec![1.0, 2.0, 3.0]).unwrap();
        let carried = layer.invert(&backend, &signal, &record).unwrap();
        assert_eq!(carried[0].values().unwrap(), [0.0, 2.0]);
        assert_eq!(carried[1].values().unwrap(), [0.0; 3]);
    }

    #[test]
    fn a_cell_sees_the_values_of_the_windows_that_hold_it_and_what_competes_with_it() {
        let window = Window { stride: [2, 2], ..Window::of([3, 3]) };
        assert_eq!(of_pooling(window).reach(0), Reach::Spread(window));
        let Reach::Window(around) = of_pooling(window).reach(1) else { panic!("a window") };
        let cell = crate::Region { top: 7, left: 9, height: 1, width: 1 };
        let seen = crate::Region { top: 5, left: 7, height: 5, width: 5 };
        assert_eq!(around.seen_by(cell), seen);
        assert_eq!(stored(&[0], [2, 2]).unwrap().reach(0), Reach::Global);
    }

    #[test]
    fn max_unpooling_refuses_what_does_not_fit() {
        let layer = of_pooling(Window { stride: [2, 2], ..Window::of([2, 2]) });
        let [value, pooled] = [Shape::from([1, 1, 2, 3]), Shape::from([1, 1, 4, 4])];
        assert_eq!(
            layer.output_shape(&[&value, &pooled]).unwrap_err().to_string(),
            "max_unpooling: expected a value for each switch, of shape [1, 1, 2, 2], got shape \
             [1, 1, 2, 3]"
        );
        assert!(layer.output_shape(&[&value]).unwrap_err().to_string().contains("two inputs"));
        assert_eq!(
            stored(&[0, 8], [2, 4]).unwrap_err().to_string(),
            "max_unpooling: expected switches on maps of [2, 4], got 8"
        );
        let fitting = stored(&[0, 7], [2, 4]).unwrap();
        assert!(fitting.output_shape(&[&value]).unwrap_err().to_string().contains("each switch"));
        let positions = Tensor::indices([2, 1, 1, 1], vec![0, 0]).unwrap();
        let two = MaxUnpooling::new(Switches::Stored { positions, size: [1, 1] });
        assert_eq!(
            two.unwrap_err().to_string(),
            "max_unpooling: expected switches of one image, got shape [2, 1, 1, 1]"
        );
        let none = Switches::OfPooling { window: Window::of([0, 1]), rounding: Rounding::Floor };
        assert!(MaxUnpooling::new(none).is_err());
    }
}
