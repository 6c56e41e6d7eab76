//! Reductions of captured values, re-derived from their definitions.

use convscope_protocol::{Capture, Disjoint, Reduction, Region, Values};
use ndarray::{Array3, ArrayD, Axis, IxDyn, stack};

use super::Fault;
use super::network::Node;

/// Reduces the values of consecutive cases to the tensors that a sink gets.
pub(super) fn reduce(
    node: Node,
    rows: &[Array3<f32>],
    Capture { reduction, channels, .. }: &Capture,
    margin: u32,
) -> Result<Vec<Values>, Fault> {
    let choose = |row: &Array3<f32>| match channels {
        Some(channels) => row.select(Axis(0), channels),
        None => row.clone(),
    };
    if *reduction == Reduction::Softmax {
        let rows: Vec<Array3<f32>> = rows.iter().map(|row| choose(&softmax(row))).collect();
        return Ok(vec![whole(node, &rows)?]);
    }
    let rows: Vec<Array3<f32>> = rows.iter().map(choose).collect();
    reduced(node, &rows, *reduction, margin)
}

fn reduced(
    node: Node,
    rows: &[Array3<f32>],
    reduction: Reduction,
    margin: u32,
) -> Result<Vec<Values>, Fault> {
    let channels = rows.first().map_or(0, |row| row.len_of(Axis(0)));
    let per_map = |f: &dyn Fn(&[f32]) -> f32| {
        let values: Vec<f32> = rows
            .iter()
            .flat_map(|row| row.outer_iter().map(|map| f(&map.iter().copied().collect::<Vec<_>>())))
            .collect();
        Ok(vec![of_f32(&[rows.len(), channels], values)?])
    };
    match reduction {
        // A softmax was taken before channels were chosen.
        Reduction::None | Reduction::Softmax => Ok(vec![whole(node, rows)?]),
        Reduction::Sum => per_map(&|map| map.iter().sum()),
        Reduction::Mean => per_map(&|map| map.iter().sum::<f32>() / map.len() as f32),
        Reduction::Norm => per_map(&|map| map.iter().map(|v| v * v).sum::<f32>().sqrt()),
        Reduction::CountPositive => {
            per_map(&|map| map.iter().filter(|value| **value > 0.0).count() as f32)
        }
        Reduction::Argmax => {
            let channels = rows.iter().map(largest_mean).collect();
            let array = ArrayD::from_shape_vec(IxDyn(&[rows.len()]), channels);
            Ok(vec![array.map_err(Fault::broken)?.into()])
        }
        Reduction::Strongest { k, disjoint } => strongest(node, rows, (k, disjoint), margin),
    }
}

fn of_f32(shape: &[usize], values: Vec<f32>) -> Result<Values, Fault> {
    ArrayD::from_shape_vec(IxDyn(shape), values).map(Values::from).map_err(Fault::broken)
}

/// Joins rows to the value that the network would compute for all of them.
pub(super) fn whole(node: Node, rows: &[Array3<f32>]) -> Result<Values, Fault> {
    let views: Vec<_> = rows.iter().map(|row| row.view()).collect();
    let joined = stack(Axis(0), &views).map_err(Fault::broken)?;
    let (channels, height, width) = rows.first().map_or((0, 0, 0), Array3::dim);
    let shape = node.shape(rows.len(), [channels, height, width]);
    of_f32(&shape, joined.iter().copied().collect())
}

fn softmax(row: &Array3<f32>) -> Array3<f32> {
    let mut result = row.clone();
    for mut cell in result.lanes_mut(Axis(0)) {
        let largest = cell.fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        cell.mapv_inplace(|value| (value - largest).exp());
        let sum = cell.sum();
        cell.mapv_inplace(|value| value / sum);
    }
    result
}

fn largest_mean(row: &Array3<f32>) -> u32 {
    let mut best = (0, f32::NEG_INFINITY);
    for (channel, map) in row.outer_iter().enumerate() {
        let mean = map.mean().unwrap_or(0.0);
        if mean > best.1 {
            best = (channel as u32, mean);
        }
    }
    best.0
}

fn strongest(
    node: Node,
    rows: &[Array3<f32>],
    (k, disjoint): (usize, Disjoint),
    margin: u32,
) -> Result<Vec<Values>, Fault> {
    if k == 0 {
        return Err(Fault::invalid("`strongest` needs a k of at least 1"));
    }
    let channels = rows.first().map_or(0, |row| row.len_of(Axis(0)));
    let (mut values, mut positions) = (Vec::new(), Vec::new());
    for map in rows.iter().flat_map(|row| row.outer_iter()) {
        let mut cells: Vec<([usize; 2], f32)> =
            map.indexed_iter().map(|((row, column), value)| ([row, column], *value)).collect();
        // The sort is stable: ties stay in row-major order.
        cells.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut chosen: Vec<Region> = Vec::new();
        for (place, value) in cells {
            let field = node.field(place, margin);
            let is_free = match disjoint {
                Disjoint::None => true,
                Disjoint::ReceptiveField => !chosen.iter().any(|other| overlap(other, &field)),
            };
            if is_free && chosen.len() < k {
                chosen.push(field);
                values.push(value);
                positions.extend(place.map(|index| index as u32));
            }
        }
        let missing = k - chosen.len();
        values.extend(std::iter::repeat_n(f32::NAN, missing));
        positions.extend(std::iter::repeat_n(u32::MAX, 2 * missing));
    }
    let places = ArrayD::from_shape_vec(IxDyn(&[rows.len(), channels, k, 2]), positions);
    Ok(vec![of_f32(&[rows.len(), channels, k], values)?, places.map_err(Fault::broken)?.into()])
}

fn overlap(a: &Region, b: &Region) -> bool {
    let apart = |a: i64, a_len: u64, b: i64, b_len: u64| {
        a + a_len.cast_signed() <= b || b + b_len.cast_signed() <= a
    };
    !apart(a.top, a.height, b.top, b.height) && !apart(a.left, a.width, b.left, b.width)
}
