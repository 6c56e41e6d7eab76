//! The tiny network computed unit by unit, and the strongest units found by looking at all.

use convscope_sdk::fake::{BIAS, CLASS_WEIGHT, THIRD_WEIGHT, WEIGHT};
use ndarray::{Array3, ArrayD, ArrayView3, Axis, Ix4};

/// An activation, its picture, and `[row, column]`.
pub(crate) type Unit = (f32, usize, [usize; 2]);

fn weight(map: usize, channel: usize) -> f32 {
    [WEIGHT[map][0], WEIGHT[map][1], THIRD_WEIGHT[map]][channel]
}

fn relu(picture: &ArrayView3<'_, f32>, [map, row, column]: [usize; 3]) -> f32 {
    let seen = |channel| weight(map, channel) * picture[[channel, row, column]];
    ((0..3).map(seen).sum::<f32>() + BIAS[map]).max(0.0)
}

/// The cell of `relu` that a cell of `pool` took.
fn switch(picture: &ArrayView3<'_, f32>, [map, y, x]: [usize; 3]) -> [usize; 3] {
    let cells = [[0, 0], [0, 1], [1, 0], [1, 1]].map(|[dy, dx]| [map, 2 * y + dy, 2 * x + dx]);
    let first_largest = |best: [usize; 3], cell| {
        if relu(picture, cell) > relu(picture, best) { cell } else { best }
    };
    cells.into_iter().fold(cells[0], first_largest)
}

/// Edge of the maps of a layer.
fn edge(layer: &str) -> usize {
    match layer {
        "relu" => 6,
        "pool" => 3,
        "scores" => 1,
        other => panic!("{other}"),
    }
}

/// The activation of a unit.
pub(crate) fn activation(layer: &str, picture: &ArrayView3<'_, f32>, unit: [usize; 3]) -> f32 {
    match layer {
        "relu" => relu(picture, unit),
        "pool" => relu(picture, switch(picture, unit)),
        _ => (0..27)
            .map(|cell| [cell / 9, cell / 3 % 3, cell % 3])
            .map(|cell| CLASS_WEIGHT[unit[0]][cell[0]] * activation("pool", picture, cell))
            .sum(),
    }
}

/// Every unit of a map over all pictures: strongest first, then the earlier picture and cell.
pub(crate) fn ranked(layer: &str, pictures: &ArrayD<f32>, map: usize) -> Vec<Unit> {
    let pictures = pictures.view().into_dimensionality::<Ix4>().unwrap();
    let edge = edge(layer);
    let mut units = Vec::new();
    for (image, picture) in pictures.outer_iter().enumerate() {
        for [row, column] in (0..edge * edge).map(|cell| [cell / edge, cell % edge]) {
            let activation = activation(layer, &picture, [map, row, column]);
            units.push((activation, image, [row, column]));
        }
    }
    // The sort is stable.
    units.sort_by(|a, b| b.0.total_cmp(&a.0));
    units
}

/// The strongest units above zero: at most `spots` of one picture, whose cells are at least `apart`
/// rows or columns apart, and at most `top` in all.
pub(crate) fn winners(ranked: &[Unit], top: usize, spots: usize, apart: usize) -> Vec<Unit> {
    let mut kept: Vec<Unit> = Vec::new();
    for &(activation, image, place) in ranked {
        let of_image: Vec<Unit> = kept.iter().filter(|unit| unit.1 == image).copied().collect();
        let is_apart = |unit: &Unit| (0..2).any(|axis| unit.2[axis].abs_diff(place[axis]) >= apart);
        if activation > 0.0 && of_image.len() < spots && of_image.iter().all(is_apart) {
            kept.push((activation, image, place));
        }
    }
    kept.truncate(top);
    kept
}

/// What a deconvnet carries back to a picture from one unit that holds `amount`.
pub(crate) fn projected(
    layer: &str,
    pictures: &ArrayD<f32>,
    image: usize,
    [map, row, column]: [usize; 3],
    amount: f32,
) -> Array3<f32> {
    let pictures = pictures.view().into_dimensionality::<Ix4>().unwrap();
    let picture = pictures.index_axis(Axis(0), image);
    let at_relu: Vec<([usize; 3], f32)> = match layer {
        "relu" => vec![([map, row, column], amount)],
        "pool" => vec![(switch(&picture, [map, row, column]), amount)],
        _ => (0..27)
            .map(|cell| [cell / 9, cell / 3 % 3, cell % 3])
            .map(|cell| (switch(&picture, cell), CLASS_WEIGHT[map][cell[0]] * amount))
            .collect(),
    };
    let mut result = Array3::zeros((3, 6, 6));
    for (cell, signal) in at_relu {
        for channel in 0..3 {
            result[[channel, cell[1], cell[2]]] += weight(cell[0], channel) * signal.max(0.0);
        }
    }
    result
}
