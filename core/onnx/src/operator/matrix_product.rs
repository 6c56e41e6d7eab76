//! `MatMul`: a fully connected layer where the right side is stored.

use convscope_runtime::Tensor;
use convscope_runtime::layer::{Linear, MatrixProduct, Reshape};
use convscope_runtime::network::ValueId;

use crate::call::{Call, Known};
use crate::limits::LARGE;
use crate::refusal::Refusal;
use crate::store::Reading;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(2)?;
    match [stored_rank(call, 0), stored_rank(call, 1)] {
        [_, Some(2)] => {
            let input = call.value(0)?;
            let weight = call.required_tensor(1, "weight")?;
            let weight = transposed(&weight, call.bench.store.reading())?;
            call.add(Linear::new(weight, None)?, &[input])
        }
        [_, Some(1)] => vector_on_the_right(call),
        [Some(1), _] => vector_on_the_left(call),
        _ => {
            let [left, right] = [call.value(0)?, call.value(1)?];
            if call.shape(left).rank() < 2 || call.shape(right).rank() < 2 {
                return Err(Refusal::unsupported("one of its sides holds one number per image"));
            }
            call.add(MatrixProduct, &[left, right])
        }
    }
}

/// Returns the number of axes of a stored side.
fn stored_rank(call: &Call<'_, '_>, index: usize) -> Option<usize> {
    match &call.operand(index)?.known {
        Known::Constant(constant) => Some(constant.shape().rank()),
        _ => None,
    }
}

/// A stored vector is a weight with one output, whose axis is dropped.
fn vector_on_the_right(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    let input = call.value(0)?;
    let vector = call.required_tensor(1, "weight")?;
    let weight = vector.with_shape([1, vector.shape().volume()])?;
    let product = call.add_before("column", Linear::new(weight, None)?, &[input])?;
    let shape = call.shape(product);
    let kept = shape.extents().iter().skip(1).take(shape.rank().saturating_sub(2));
    call.add(Reshape::new(&kept.copied().collect::<Vec<_>>()), &[product])
}

/// A stored vector is a matrix of one row, which is dropped.
fn vector_on_the_left(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    let vector = call.required_tensor(0, "left side")?;
    let right = call.value(1)?;
    let row = call.place("row", vector.with_shape([1, vector.shape().volume()])?)?;
    if call.shape(right).rank() < 3 {
        return Err(Refusal::unsupported("its stored left side would mix the images of a batch"));
    }
    let product = call.add_before("product", MatrixProduct, &[row, right])?;
    let shape = call.shape(product);
    let mut kept = shape.extents().iter().skip(1).copied().collect::<Vec<_>>();
    kept.remove(kept.len() - 2);
    call.add(Reshape::new(&kept), &[product])
}

/// Exchanges rows and columns of a matrix. In an outline, zeros stand for a large one here too.
pub(super) fn transposed(matrix: &Tensor, reading: Reading) -> Result<Tensor, Refusal> {
    let &[rows, columns] = matrix.shape().extents() else {
        return Err(Refusal::invalid(format!("its weight has the shape {}", matrix.shape())));
    };
    let values = matrix.values()?;
    // Zeros take no memory before they are looked at.
    let mut turned = vec![0.0; values.len()];
    if reading == Reading::Shapes && size_of_val(values) as u64 >= LARGE {
        return Ok(Tensor::new([columns, rows], turned)?);
    }
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
    use convscope_runtime::{CpuBackend, ForwardRequest, LayerKind, Tensor};

    use super::*;
    use crate::testing::{load_nodes, node, reals, refusal, shape_of};

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
    fn a_stored_left_side_and_further_axes_broadcast() {
        let nodes = vec![node("MatMul", "n", &["w", "x"], &["y"])];
        assert_eq!(shape_of(nodes, vec![reals("w", &[2, 8], &[1.0; 16])], 13), [1, 3, 2, 8]);
        let nodes = vec![node("MatMul", "n", &["x", "w"], &["y"])];
        let stored = vec![reals("w", &[3, 8, 2], &[1.0; 48])];
        assert_eq!(shape_of(nodes, stored, 13), [1, 3, 8, 2]);
    }

    #[test]
    fn a_stored_vector_takes_an_axis_away() {
        let output = |inputs: [&str; 2]| {
            let nodes = vec![node("MatMul", "n", &inputs, &["y"])];
            let stored = vec![reals("w", &[8], &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0])];
            let network = load_nodes(nodes, stored, 13).unwrap().network;
            let cells = (0..2 * 192).map(|at| at as f32).collect();
            let input = Tensor::new([2, 3, 8, 8], cells).unwrap();
            let captures = network.outputs();
            let request = ForwardRequest { captures, ..ForwardRequest::default() };
            let trace = network.forward(&CpuBackend::new(), &[input], &request).unwrap();
            let output = trace.value(captures[0]).unwrap();
            assert_eq!(output.shape().extents(), [2, 3, 8]);
            output.values().unwrap()[..3].to_vec()
        };
        // The first and twice the last cell of each row, and of each column.
        assert_eq!(output(["x", "w"]), [14.0, 38.0, 62.0]);
        assert_eq!(output(["w", "x"]), [112.0, 115.0, 118.0]);
        let flat = |inputs: [&str; 2]| {
            vec![node("Flatten", "f", &["x"], &["f"]), node("MatMul", "n", &inputs, &["y"])]
        };
        let stored = |count: i64| vec![reals("w", &[count], &vec![1.0; count as usize])];
        assert_eq!(shape_of(flat(["f", "w"]), stored(192), 13), [1]);
        assert_eq!(
            refusal(flat(["w", "f"]), stored(1), 13),
            "one node is not supported:\n  MatMul n: its stored left side would mix the images of \
             a batch"
        );
        let mut twice = flat(["f", "w"]);
        twice[1].output = vec!["v".into()];
        twice.push(node("MatMul", "m", &["x", "v"], &["y"]));
        assert!(
            refusal(twice, stored(192), 13)
                .ends_with("one of its sides holds one number per image")
        );
    }

    #[test]
    fn transposing_twice_gives_the_matrix_back() {
        let values: Vec<f32> = (0..35 * 70).map(|value| value as f32).collect();
        let matrix = Tensor::new([35, 70], values).unwrap();
        let turned = transposed(&matrix, Reading::Values).unwrap();
        assert_eq!(turned.values().unwrap()[..2], [0.0, 70.0]);
        let back = transposed(&turned, Reading::Values).unwrap();
        assert_eq!(back.values().unwrap(), matrix.values().unwrap());
    }

    #[test]
    fn an_outline_turns_the_shape_of_a_large_matrix_and_no_numbers() {
        for (rows, expected) in [(255, 1.0), (256, 0.0)] {
            let matrix = Tensor::filled([rows, 64], 1.0);
            let turned = transposed(&matrix, Reading::Shapes).unwrap();
            assert_eq!(turned.shape().extents(), [64, rows]);
            assert_eq!(turned.values().unwrap(), vec![expected; rows * 64]);
        }
    }
}
