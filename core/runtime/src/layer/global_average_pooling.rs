use super::reduced_axes::{Reduced, ReducedAxes};
use super::{
    DeltaForm, Keep, Layer, LayerInversion, LayerKind, Reach, Reads, Record, Work, operand,
};
use crate::{Backend, Deltas, LayerError, Shape, Tensor, Unary};

/// Averages over whole axes: by default over all that follow the channels.
#[derive(Clone, Debug)]
pub struct GlobalAveragePooling {
    reduced: Reduced,
}

impl GlobalAveragePooling {
    /// Averages whole maps to `[batch, channel, 1, 1]`.
    pub fn of_maps() -> Self {
        Self { reduced: Reduced::maps(LayerKind::GlobalAveragePooling) }
    }

    /// Averages over the given axes.
    ///
    /// # Errors
    /// Fails when there is none, one is there twice, or one is the batch.
    pub fn over(axes: &[usize], left: ReducedAxes) -> Result<Self, LayerError> {
        Ok(Self { reduced: Reduced::over(LayerKind::GlobalAveragePooling, axes, left)? })
    }

    /// Returns the factor that makes an average of a sum.
    fn share(input: &Shape, kept: &Shape) -> Unary {
        let count = input.volume() / kept.volume().max(1);
        Unary::Scale(1.0 / count.max(1) as f32)
    }
}

impl Layer for GlobalAveragePooling {
    fn kind(&self) -> LayerKind {
        LayerKind::GlobalAveragePooling
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        self.reduced.output_shape(operand::one(self.kind(), inputs)?)
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        _keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        let (axes, kept) = self.reduced.kept(input.shape())?;
        let total = backend.sum(input, &axes)?;
        let output = backend.unary(Self::share(input.shape(), &kept), &total)?;
        let output = backend.reshape(&output, &self.reduced.output_shape(input.shape())?)?;
        let record = Record::new(&output, inputs);
        Ok((output, record))
    }

    fn reach(&self, _input: usize) -> Reach {
        self.reduced.reach()
    }

    fn delta_form(&self) -> DeltaForm {
        if self.reduced.is_of_maps() { DeltaForm::Whole } else { DeltaForm::Values }
    }

    fn forward_whole_deltas(
        &self,
        backend: &dyn Backend,
        deltas: &[&Deltas],
    ) -> Result<Tensor, LayerError> {
        let averages = |deltas: &&Deltas| {
            let shape = deltas.maps();
            let (_, kept) = self.reduced.kept(&shape)?;
            let totals = backend.upload(&backend.deltas().sums(deltas)?)?;
            let averages = backend.unary(Self::share(&shape, &kept), &totals)?;
            Ok(backend.reshape(&averages, &self.reduced.output_shape(&shape)?)?)
        };
        let all = deltas.iter().map(averages).collect::<Result<Vec<_>, LayerError>>()?;
        Ok(backend.concatenation(&all.iter().collect::<Vec<_>>(), 0)?)
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        let volume = inputs.iter().map(|input| input.volume()).sum();
        self.output_shape(inputs)
            .map_or_else(|_| Work::default(), |output| Work::count(inputs, &output, volume, 0))
    }
}

impl LayerInversion for GlobalAveragePooling {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let restored = record.input_shape(self.kind())?;
        let (_, kept) = self.reduced.kept(restored)?;
        let share = backend.unary(Self::share(restored, &kept), signal)?;
        let share = backend.reshape(&share, &kept)?;
        Ok(vec![operand::spread(backend, &share, restored)?])
    }

    fn reads(&self) -> Reads {
        Reads::Shapes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CpuBackend;
    use crate::layer::testing::check;

    #[test]
    fn global_average_pooling_keeps_its_promises_over_maps_and_over_other_axes() {
        check(&GlobalAveragePooling::of_maps(), &[&[2, 3, 4]]);
        for left in [ReducedAxes::Kept, ReducedAxes::Dropped] {
            check(&GlobalAveragePooling::over(&[3, 2], left).unwrap(), &[&[2, 3, 4]]);
            check(&GlobalAveragePooling::over(&[1], left).unwrap(), &[&[5, 2]]);
        }
    }

    #[test]
    fn the_mean_of_a_map_is_its_sum_over_its_cells() {
        let input = Tensor::new([1, 1, 2, 2], vec![1.0, 2.0, 3.0, 6.0]).unwrap();
        let layer = GlobalAveragePooling::over(&[2, 3], ReducedAxes::Dropped).unwrap();
        let (output, _) = layer.forward(&CpuBackend::new(), &[&input], Keep::Output).unwrap();
        assert_eq!((output.shape(), output.values().unwrap()), (&Shape::from([1, 1]), &[3.0][..]));
    }

    #[test]
    fn global_average_pooling_refuses_the_batch_and_axes_that_are_not_there() {
        for axes in [&[0, 2][..], &[], &[2, 2]] {
            let refused = GlobalAveragePooling::over(axes, ReducedAxes::Kept).unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!(
                    "global_average_pooling: expected different axes other than the batch, got \
                     {axes:?}"
                )
            );
        }
        let layer = GlobalAveragePooling::over(&[4], ReducedAxes::Kept).unwrap();
        assert_eq!(
            layer.output_shape(&[&Shape::from([1, 2, 3, 4])]).unwrap_err().to_string(),
            "global_average_pooling: expected an axis 4 that is not the batch, got [1, 2, 3, 4]"
        );
        assert_eq!(
            GlobalAveragePooling::of_maps()
                .output_shape(&[&Shape::from([1, 2])])
                .unwrap_err()
                .to_string(),
            "global_average_pooling: expected maps, got shape [1, 2]"
        );
    }
}
