use super::reduced_axes::{Reduced, ReducedAxes};
use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Record, Work, operand};
use crate::{Backend, LayerError, Overlap, Shape, Tensor, Unary, Window};

/// How many values become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reducer {
    /// Their sum.
    Sum,
    /// The largest. The signal goes to the first of them in row-major order.
    Maximum,
    /// The smallest. The signal goes to the first of them in row-major order.
    Minimum,
}

/// Brings the values of whole axes down to one.
#[derive(Clone, Debug)]
pub struct Reduction {
    reducer: Reducer,
    reduced: Reduced,
}

impl Reduction {
    /// Reduces whole maps to `[batch, channel, 1, 1]`: with [`Reducer::Maximum`] a global max
    /// pooling.
    pub fn of_maps(reducer: Reducer) -> Self {
        Self { reducer, reduced: Reduced::maps(LayerKind::Reduction) }
    }

    /// Reduces the given axes.
    ///
    /// # Errors
    /// Fails when there is none, one is there twice, or one is the batch.
    pub fn over(reducer: Reducer, axes: &[usize], left: ReducedAxes) -> Result<Self, LayerError> {
        Ok(Self { reducer, reduced: Reduced::over(LayerKind::Reduction, axes, left)? })
    }

    /// Says how the input becomes maps with one column, of which each is reduced to one value.
    fn columns(&self, input: &Shape) -> Result<Columns, LayerError> {
        let (axes, _) = self.reduced.kept(input)?;
        let others = (0..input.rank()).filter(|axis| !axes.contains(axis));
        let order: Vec<usize> = others.chain(axes.iter().copied()).collect();
        let turned: Vec<usize> = order.iter().map(|&axis| input.extents()[axis]).collect();
        let (others, reduced) = turned.split_at(order.len() - axes.len());
        let [channels, height] =
            [&others[1..], reduced].map(|extents| Shape::from(extents).volume());
        let maps = Shape::from([input.batch(), channels, height, 1]);
        let back = (0..order.len()).map(|to| order.iter().position(|&from| from == to));
        Ok(Columns {
            maps,
            back: back.flatten().collect(),
            turned: Shape::new(&turned),
            order,
            window: Window::of([height, 1]),
        })
    }

    /// Takes the maxima, and the switches that say where they stood.
    fn maxima(
        &self,
        backend: &dyn Backend,
        input: &Tensor,
    ) -> Result<(Tensor, Tensor), LayerError> {
        let columns = self.columns(input.shape())?;
        let turned = backend.transposition(input, &columns.order)?;
        let maps = backend.reshape(&turned, &columns.maps)?;
        Ok(backend.max_pooling(&maps, &columns.window, [1, 1])?)
    }

    fn unpooled(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        switches: &Tensor,
        restored: &Shape,
    ) -> Result<Tensor, LayerError> {
        let columns = self.columns(restored)?;
        let signal = backend.reshape(signal, switches.shape())?;
        let maps = backend.unpooling(&signal, switches, &columns.maps, Overlap::Sum)?;
        let turned = backend.reshape(&maps, &columns.turned)?;
        Ok(backend.transposition(&turned, &columns.back)?)
    }
}

/// An input with the reduced axes last, seen as maps `[batch, others, reduced, 1]`.
struct Columns {
    order: Vec<usize>,
    back: Vec<usize>,
    turned: Shape,
    maps: Shape,
    window: Window,
}

impl Layer for Reduction {
    fn kind(&self) -> LayerKind {
        LayerKind::Reduction
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        let output = self.reduced.output_shape(input)?;
        let [_, _, height, _] = self.columns(input)?.maps.as_maps().unwrap_or_default();
        if self.reducer != Reducer::Sum && (height == 0 || u32::try_from(height).is_err()) {
            let expected = "at least one value, and less than 2^32, to choose from";
            return Err(LayerError::invalid(self.kind(), expected, format!("shape {input}")));
        }
        Ok(output)
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        let shape = self.output_shape(&[input.shape()])?;
        let negated = |tensor: &Tensor| backend.unary(Unary::Scale(-1.0), tensor);
        let (output, switches) = match self.reducer {
            Reducer::Sum => (backend.sum(input, &self.reduced.kept(input.shape())?.0)?, None),
            Reducer::Maximum => {
                let (output, switches) = self.maxima(backend, input)?;
                (output, Some(switches))
            }
            Reducer::Minimum => {
                let (output, switches) = self.maxima(backend, &negated(input)?)?;
                (negated(&output)?, Some(switches))
            }
        };
        let output = backend.reshape(&output, &shape)?;
        let mut record = Record::new(&output, inputs);
        if keep == Keep::Inversion {
            record = record.saving(switches);
        }
        Ok((output, record))
    }

    fn reach(&self, _input: usize) -> Reach {
        self.reduced.reach()
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        let volume = inputs.iter().map(|input| input.volume()).sum();
        self.output_shape(inputs)
            .map_or_else(|_| Work::default(), |output| Work::count(inputs, &output, volume, 0))
    }
}

impl LayerInversion for Reduction {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let restored = record.input_shape(self.kind())?;
        if self.reducer == Reducer::Sum {
            let kept = backend.reshape(signal, &self.reduced.kept(restored)?.1)?;
            return Ok(vec![operand::spread(backend, &kept, restored)?]);
        }
        let switches = record.saved(0, self.kind(), "switches")?;
        Ok(vec![self.unpooled(backend, signal, switches, restored)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CpuBackend;
    use crate::layer::testing::check;

    const ALL: [Reducer; 3] = [Reducer::Sum, Reducer::Maximum, Reducer::Minimum];

    fn over(reducer: Reducer, axes: &[usize], left: ReducedAxes) -> Reduction {
        Reduction::over(reducer, axes, left).unwrap()
    }

    #[test]
    fn reductions_keep_their_promises_over_maps_and_over_other_axes() {
        for reducer in ALL {
            check(&Reduction::of_maps(reducer), &[&[2, 3, 4]]);
            for left in [ReducedAxes::Kept, ReducedAxes::Dropped] {
                check(&over(reducer, &[3, 1], left), &[&[2, 3, 4]]);
                check(&over(reducer, &[1], left), &[&[5]]);
            }
        }
    }

    #[test]
    fn the_signal_goes_to_the_first_of_equal_maxima() {
        let input = Tensor::new([1, 2, 3], vec![1.0, 4.0, 4.0, 7.0, 4.0, 1.0]).unwrap();
        let signal = Tensor::new([1, 3], vec![1.0, 2.0, 3.0]).unwrap();
        let backend = CpuBackend::new();
        let carried = |reducer| {
            let layer = over(reducer, &[1], ReducedAxes::Dropped);
            let (output, record) = layer.forward(&backend, &[&input], Keep::Inversion).unwrap();
            let carried = layer.invert(&backend, &signal, &record).unwrap();
            (output.values().unwrap().to_vec(), carried[0].values().unwrap().to_vec())
        };
        assert_eq!(
            carried(Reducer::Maximum),
            (vec![7.0, 4.0, 4.0], vec![0.0, 2.0, 3.0, 1.0, 0.0, 0.0])
        );
        assert_eq!(
            carried(Reducer::Minimum),
            (vec![1.0, 4.0, 1.0], vec![1.0, 2.0, 0.0, 0.0, 0.0, 3.0])
        );
        assert_eq!(
            carried(Reducer::Sum),
            (vec![8.0, 8.0, 5.0], vec![1.0, 2.0, 3.0, 1.0, 2.0, 3.0])
        );
    }

    #[test]
    fn only_over_the_one_axis_that_stays_do_cells_keep_their_place() {
        assert_eq!(over(Reducer::Sum, &[1], ReducedAxes::Kept).reach(0), Reach::Along(1));
        assert_eq!(over(Reducer::Sum, &[1], ReducedAxes::Dropped).reach(0), Reach::Global);
        assert_eq!(Reduction::of_maps(Reducer::Maximum).reach(0), Reach::Global);
    }

    #[test]
    fn reductions_refuse_the_batch_missing_axes_and_records_without_switches() {
        assert_eq!(
            Reduction::over(Reducer::Sum, &[0], ReducedAxes::Kept).unwrap_err().to_string(),
            "reduction: expected different axes other than the batch, got [0]"
        );
        let layer = over(Reducer::Maximum, &[2], ReducedAxes::Kept);
        assert_eq!(
            layer.output_shape(&[&Shape::from([1, 2])]).unwrap_err().to_string(),
            "reduction: expected an axis 2 that is not the batch, got [1, 2]"
        );
        assert_eq!(
            layer.output_shape(&[&Shape::from([1, 2, 0])]).unwrap_err().to_string(),
            "reduction: expected at least one value, and less than 2^32, to choose from, got \
             shape [1, 2, 0]"
        );
        let (backend, input) = (CpuBackend::new(), Tensor::zeros([1, 1, 2]));
        let (output, record) = layer.forward(&backend, &[&input], Keep::Output).unwrap();
        assert_eq!(
            layer.invert(&backend, &output, &record).unwrap_err().to_string(),
            "reduction: the record does not hold switches; run forward with Keep::Inversion"
        );
    }
}
