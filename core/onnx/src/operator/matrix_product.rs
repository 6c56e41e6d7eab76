//! `MatMul`: a fully connected layer where the right side is stored.

use convscope_runtime::Tensor;
use convscope_runtime::layer::{Linear, MatrixProduct};
use convscope_runtime::network::ValueId;

use crate::call::{Call, Known};
use crate::refusal::Refusal;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(2)?;
    let input = call.value(0)?;
    let right = call.operand(1).map(|operand| &operand.known);
    if let Some(Known::Constant(constant)) = right
        && constant.shape().rank() == 2
    {
        let weight = transposed(&call.required_tensor(1, "weight")?)?;
        return call.add(Linear::new(weight, None)?, &[input]);
    }
    let other = call.value(1)?;
    if call.shape(input).rank() < 2 || call.shape(other).rank() < 2 {
        return Err(Refusal::unsupported("one of its sides is a vector, not a matrix"));
    }
    call.add(MatrixProduct, &[input, other])
}

/// Exchanges rows and columns of a matrix.
pub(super) fn transposed(matrix: &Tensor) -> Result<Tensor, Refusal> {
    let &[rows, columns] = matrix.shape().extents() else {
        return Err(Refusal::invalid(format!("its weight has the shape {}", matrix.shape())));
    };
    let values = matrix.values()?;
    let mut turned = vec![0.0; values.len()];
    // In blocks that stay in the cache: the weights of a classifier may have 10^8 numbers.
    let block = 32;
    for top in (0..rows).step_by(block) {
        for left in (0..columns).step_by(block) {
            for row in top..rows.min(top + block) {
                for column in left..columns.min(left + block) {
                    turned[column * rows + row] = values[row * columns + column];
                }
            }
        }
    }
    Ok(Tensor::new([columns, rows], turned)?)
}

#[cfg(test)]
mod tests {
    use convscope_runtime::{LayerKind, Tensor};

    use super::transposed;
    use crate::testing::{load_nodes, node, reals, refusal};

    #[test]
    fn a_stored_right_side_makes_a_linear_layer() {
        let nodes = vec![node("MatMul", "n", &["x", "w"], &["y"])];
        let stored = vec![reals("w", &[8, 2], &[1.0; 16])];
        let network = load_nodes(nodes, stored, 13).unwrap().network;
        assert_eq!(network.nodes()[0].layer.kind(), LayerKind::Linear);
        assert_eq!(network.value(network.outputs()[0]).shape.extents(), [1, 3, 8, 2]);
    }

    #[test]
    fn two_computed_sides_make_a_product() {
        let nodes = vec![node("MatMul", "n", &["x", "x"], &["y"])];
        let network = load_nodes(nodes, vec![], 13).unwrap().network;
        assert_eq!(network.nodes()[0].layer.kind(), LayerKind::MatrixProduct);
    }

    #[test]
    fn a_vector_is_refused() {
        let nodes = vec![node("MatMul", "n", &["x", "w"], &["y"])];
        let refusal = refusal(nodes, vec![reals("w", &[8], &[1.0; 8])], 13);
        assert!(refusal.ends_with("one of its sides is a vector, not a matrix"), "{refusal}");
    }

    #[test]
    fn transposing_twice_gives_the_matrix_back() {
        let values: Vec<f32> = (0..35 * 70).map(|value| value as f32).collect();
        let matrix = Tensor::new([35, 70], values).unwrap();
        let turned = transposed(&matrix).unwrap();
        assert_eq!(turned.values().unwrap()[..2], [0.0, 70.0]);
        let back = transposed(&turned).unwrap();
        assert_eq!(back.values().unwrap(), matrix.values().unwrap());
    }
}
