use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Reads, Record, Work, operand};
use crate::{Backend, LayerError, Shape, Tensor};

/// Puts the axes of every image into another order.
#[derive(Clone, Debug)]
pub struct Transposition {
    order: Vec<usize>,
}

impl Transposition {
    /// Makes the layer: axis `i` of its output is axis `order[i]` of its input.
    ///
    /// # Errors
    /// Fails when `order` does not hold every axis once, or moves the batch.
    pub fn new(order: &[usize]) -> Result<Self, LayerError> {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if order.first() != Some(&0) || !sorted.into_iter().eq(0..order.len()) {
            let expected = "every axis once and the batch first";
            let actual = format!("{order:?}");
            return Err(LayerError::invalid(LayerKind::Transposition, expected, actual));
        }
        Ok(Self { order: order.to_vec() })
    }

    /// Returns the order that undoes this one.
    fn back(&self) -> Vec<usize> {
        let mut back = vec![0; self.order.len()];
        for (to, &from) in self.order.iter().enumerate() {
            back[from] = to;
        }
        back
    }
}

impl Layer for Transposition {
    fn kind(&self) -> LayerKind {
        LayerKind::Transposition
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        if input.rank() != self.order.len() {
            let expected = format!("{} axes", self.order.len());
            return Err(LayerError::invalid(self.kind(), expected, format!("shape {input}")));
        }
        let extents: Vec<usize> = self.order.iter().map(|&axis| input.extents()[axis]).collect();
        Ok(Shape::new(&extents))
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        _keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let output = backend.transposition(operand::one(self.kind(), inputs)?, &self.order)?;
        let record = Record::new(&output, inputs);
        Ok((output, record))
    }

    fn reach(&self, _input: usize) -> Reach {
        self.order.as_slice().try_into().map_or(Reach::Global, Reach::Transposed)
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        self.output_shape(inputs)
            .map_or_else(|_| Work::default(), |output| Work::count(inputs, &output, 0, 0))
    }
}

impl LayerInversion for Transposition {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        _record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        Ok(vec![backend.transposition(signal, &self.back())?])
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
    fn transposition_keeps_its_promises_for_any_order() {
        for order in [[0, 3, 1, 2], [0, 2, 3, 1], [0, 3, 2, 1], [0, 1, 2, 3]] {
            check(&Transposition::new(&order).unwrap(), &[&[2, 3, 4]]);
        }
        check(&Transposition::new(&[0, 2, 1, 3, 4]).unwrap(), &[&[2, 3, 2, 2]]);
        check(&Transposition::new(&[0]).unwrap(), &[&[]]);
    }

    #[test]
    fn transposition_refuses_to_move_the_batch_and_other_ranks() {
        for order in [&[1, 0][..], &[0, 1, 1], &[0, 2], &[]] {
            assert_eq!(
                Transposition::new(order).unwrap_err().to_string(),
                format!(
                    "transposition: expected every axis once and the batch first, got {order:?}"
                )
            );
        }
        let layer = Transposition::new(&[0, 2, 1]).unwrap();
        assert_eq!(
            layer.output_shape(&[&Shape::from([1, 2])]).unwrap_err().to_string(),
            "transposition: expected 3 axes, got shape [1, 2]"
        );
    }
}
