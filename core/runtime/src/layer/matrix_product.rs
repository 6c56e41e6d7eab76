use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Record, Work, operand};
use crate::Orientation::{Plain, Transposed};
use crate::{Backend, LayerError, Shape, Tensor};

/// Multiplies two values as matrices over their last two axes, leading axes broadcast.
///
/// At least one operand has a batch before its matrix. Where one side is a stored matrix on the
/// right, [`Linear`](super::Linear) is the better layer.
#[derive(Clone, Copy, Debug, Default)]
pub struct MatrixProduct;

impl MatrixProduct {
    /// Splits a shape into what stands before the matrix, its rows and its columns.
    fn split(shape: &Shape) -> Result<(Shape, [usize; 2]), LayerError> {
        if let [leading @ .., rows, columns] = shape.extents() {
            return Ok((Shape::new(leading), [*rows, *columns]));
        }
        let actual = format!("shape {shape}");
        Err(LayerError::invalid(LayerKind::MatrixProduct, "matrices", actual))
    }
}

impl Layer for MatrixProduct {
    fn kind(&self) -> LayerKind {
        LayerKind::MatrixProduct
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let [a, b] = operand::two(self.kind(), inputs)?;
        let (a_leading, [rows, inner]) = Self::split(a)?;
        let (b_leading, [b_inner, columns]) = Self::split(b)?;
        let leading = operand::broadcast(self.kind(), &[&a_leading, &b_leading])?;
        if inner != b_inner || leading.rank() == 0 {
            let expected = "matrices behind a batch whose inner extents agree";
            return Err(LayerError::invalid(self.kind(), expected, format!("{a} and {b}")));
        }
        let mut extents = leading.extents().to_vec();
        extents.extend([rows, columns]);
        Ok(Shape::new(&extents))
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let [a, b] = operand::two(self.kind(), inputs)?;
        self.output_shape(&[a.shape(), b.shape()])?;
        let output = backend.matrix_product(a, Plain, b, Plain)?;
        let mut record = Record::new(&output, inputs);
        if keep == Keep::Inversion {
            record = record.saving_inputs(inputs);
        }
        Ok((output, record))
    }

    fn reach(&self, _input: usize) -> Reach {
        Reach::Global
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        self.output_shape(inputs).map_or_else(
            |_| Work::default(),
            |output| {
                let inner = inputs.first().and_then(|a| a.extents().last()).copied();
                let multiply_adds = output.volume().saturating_mul(inner.unwrap_or(0));
                Work::count(inputs, &output, multiply_adds, 0)
            },
        )
    }
}

impl LayerInversion for MatrixProduct {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let [a, b] = [record.input(0, self.kind())?, record.input(1, self.kind())?];
        let to_a = backend.matrix_product(signal, Plain, b, Transposed)?;
        let to_b = backend.matrix_product(a, Transposed, signal, Plain)?;
        Ok(vec![
            operand::reduced(backend, &to_a, a.shape())?,
            operand::reduced(backend, &to_b, b.shape())?,
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::testing::{Numbers, check, check_with};

    #[test]
    fn matrix_product_keeps_its_promises() {
        check(&MatrixProduct, &[&[2, 4], &[4, 3]]);
        check(&MatrixProduct, &[&[2, 3, 4], &[1, 4, 5]]);
    }

    #[test]
    fn a_shared_matrix_is_not_taken_for_a_batch() {
        let mut numbers = Numbers::new(3);
        // Three rows and three images.
        let inputs = [numbers.tensor([3, 2]), numbers.tensor([3, 2, 4])];
        check_with(&MatrixProduct, &inputs, &[0]);
    }

    #[test]
    fn matrix_product_refuses_matrices_that_do_not_fit() {
        let message = |a: &[usize], b: &[usize]| {
            let (a, b) = (Shape::from(a), Shape::from(b));
            MatrixProduct.output_shape(&[&a, &b]).unwrap_err().to_string()
        };
        assert_eq!(
            message(&[1, 2, 3], &[1, 4, 5]),
            "matrix_product: expected matrices behind a batch whose inner extents agree, got \
             [1, 2, 3] and [1, 4, 5]"
        );
        assert_eq!(message(&[1], &[1, 4]), "matrix_product: expected matrices, got shape [1]");
        assert!(message(&[2, 3], &[3, 5]).contains("behind a batch"));
        let shape = Shape::from([1, 2]);
        assert_eq!(
            MatrixProduct.output_shape(&[&shape]).unwrap_err().to_string(),
            "matrix_product: expected two inputs, got 1"
        );
    }
}
