use super::{
    DeltaForm, DeltaInput, DeltaOutput, Keep, Layer, LayerInversion, LayerKind, Reach, Reads,
    Record, Work, operand,
};
use crate::{Backend, LayerError, Shape, Tensor};

/// Joins values along an axis that is not the batch.
#[derive(Clone, Copy, Debug)]
pub struct Concatenation {
    axis: usize,
}

impl Concatenation {
    /// Makes the layer.
    ///
    /// # Errors
    /// Fails for axis 0, which is the batch.
    pub fn new(axis: usize) -> Result<Self, LayerError> {
        if axis == 0 {
            let expected = "an axis that is not the batch";
            return Err(LayerError::invalid(LayerKind::Concatenation, expected, "axis 0"));
        }
        Ok(Self { axis })
    }
}

impl Layer for Concatenation {
    fn kind(&self) -> LayerKind {
        LayerKind::Concatenation
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let Some(&first) = inputs.first() else {
            return Err(LayerError::invalid(self.kind(), "at least one input", "none"));
        };
        operand::own_axis(self.kind(), self.axis, first)?;
        let mut joined = first.extents().to_vec();
        joined[self.axis] = 0;
        for input in inputs {
            let mut others = input.extents().to_vec();
            let extent = others.get_mut(self.axis).map_or(0, std::mem::take);
            let total = joined[self.axis];
            joined[self.axis] = 0;
            if others != joined {
                let expected = format!("shapes that differ along axis {} only", self.axis);
                return Err(LayerError::invalid(
                    self.kind(),
                    expected,
                    format!("{first} and {input}"),
                ));
            }
            joined[self.axis] = total.saturating_add(extent);
        }
        Ok(Shape::new(&joined))
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        _keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let shapes: Vec<&Shape> = inputs.iter().map(|input| input.shape()).collect();
        self.output_shape(&shapes)?;
        let output = backend.concatenation(inputs, self.axis)?;
        let record = Record::new(&output, inputs);
        Ok((output, record))
    }

    fn joins_channels(&self) -> bool {
        self.axis == 1
    }

    fn reach(&self, _input: usize) -> Reach {
        Reach::Along(self.axis)
    }

    fn delta_form(&self) -> DeltaForm {
        if self.axis == 1 { DeltaForm::Linear } else { DeltaForm::Values }
    }

    fn forward_deltas(
        &self,
        backend: &dyn Backend,
        inputs: &[DeltaInput<'_>],
        output: &DeltaOutput<'_>,
    ) -> Result<Tensor, LayerError> {
        let cells = |input: &DeltaInput<'_>| match input {
            DeltaInput::Changed { deltas, .. } => {
                Ok(backend.deltas().within(deltas, output.regions)?.cells)
            }
            &DeltaInput::Same { channels } => {
                let zeros = Tensor::zeros([1, channels, 1, output.regions.cells()]);
                Ok(backend.upload(&zeros)?)
            }
        };
        let cells = inputs.iter().map(cells).collect::<Result<Vec<_>, LayerError>>()?;
        Ok(backend.concatenation(&cells.iter().collect::<Vec<_>>(), 1)?)
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        self.output_shape(inputs)
            .map_or_else(|_| Work::default(), |output| Work::count(inputs, &output, 0, 0))
    }
}

impl LayerInversion for Concatenation {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let mut start = 0;
        let mut parts = Vec::with_capacity(record.input_shapes().len());
        for shape in record.input_shapes() {
            let length = shape.extents().get(self.axis).copied().unwrap_or(0);
            parts.push(backend.slice(signal, self.axis, start, length)?);
            start += length;
        }
        Ok(parts)
    }

    fn reads(&self) -> Reads {
        Reads::Shapes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::testing::check;

    #[test]
    fn concatenation_keeps_its_promises_along_any_axis() {
        check(&Concatenation::new(1).unwrap(), &[&[2, 3, 4], &[1, 3, 4], &[3, 3, 4]]);
        check(&Concatenation::new(3).unwrap(), &[&[2, 3, 4], &[2, 3, 1]]);
        check(&Concatenation::new(1).unwrap(), &[&[5]]);
    }

    #[test]
    fn concatenation_refuses_the_batch_and_shapes_that_differ_elsewhere() {
        assert_eq!(
            Concatenation::new(0).unwrap_err().to_string(),
            "concatenation: expected an axis that is not the batch, got axis 0"
        );
        let layer = Concatenation::new(1).unwrap();
        let (a, b) = (Shape::from([1, 2, 4, 4]), Shape::from([1, 2, 4, 5]));
        assert_eq!(
            layer.output_shape(&[&a, &b]).unwrap_err().to_string(),
            "concatenation: expected shapes that differ along axis 1 only, got [1, 2, 4, 4] and \
             [1, 2, 4, 5]"
        );
        assert!(layer.output_shape(&[&a, &Shape::from([1])]).is_err());
        assert_eq!(
            layer.output_shape(&[&Shape::from([1])]).unwrap_err().to_string(),
            "concatenation: expected an axis 1 that is not the batch, got [1]"
        );
    }
}
