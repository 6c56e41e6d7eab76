//! The tiny network inverted by hand, from the table in the fake host's documentation.

use convscope_sdk::fake::{BIAS, CLASS_WEIGHT, THIRD_WEIGHT, WEIGHT};
use ndarray::{Array3, ArrayView3};

/// The seed of a signal.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    /// The score of a class.
    Class(usize),
    /// Channel, row and column of `relu`.
    Relu([usize; 3]),
    /// Channel, row and column of `pool`.
    Pool([usize; 3]),
}

pub(crate) fn weight(map: usize, channel: usize) -> f32 {
    [WEIGHT[map][0], WEIGHT[map][1], THIRD_WEIGHT[map]][channel]
}

pub(crate) fn conv(picture: &ArrayView3<'_, f32>, [map, row, column]: [usize; 3]) -> f32 {
    let seen = |channel| weight(map, channel) * picture[[channel, row, column]];
    (0..3).map(seen).sum::<f32>() + BIAS[map]
}

/// The first largest cell of `relu` in a window of `pool`.
pub(crate) fn switch(picture: &ArrayView3<'_, f32>, [map, y, x]: [usize; 3]) -> [usize; 3] {
    let relu = |cell: [usize; 3]| conv(picture, cell).max(0.0);
    let cells = [[0, 0], [0, 1], [1, 0], [1, 1]].map(|[dy, dx]| [map, 2 * y + dy, 2 * x + dx]);
    let first_largest = |best: [usize; 3], cell| if relu(cell) > relu(best) { cell } else { best };
    cells.into_iter().fold(cells[0], first_largest)
}

/// The activation of a unit.
pub(crate) fn activation(picture: &ArrayView3<'_, f32>, unit: Unit) -> f32 {
    match unit {
        Unit::Class(class) => (0..27)
            .map(|cell| [cell / 9, cell / 3 % 3, cell % 3])
            .map(|cell| CLASS_WEIGHT[class][cell[0]] * activation(picture, Unit::Pool(cell)))
            .sum(),
        Unit::Relu(cell) => conv(picture, cell).max(0.0),
        Unit::Pool(cell) => activation(picture, Unit::Relu(switch(picture, cell))),
    }
}

/// What a method carries back to a picture from a unit that holds `amount`.
pub(crate) fn carried_back(
    analysis: &str,
    picture: &ArrayView3<'_, f32>,
    unit: Unit,
    amount: f32,
) -> Array3<f32> {
    let mut at_relu: Vec<([usize; 3], f32)> = Vec::new();
    match unit {
        Unit::Relu(cell) => at_relu.push((cell, amount)),
        Unit::Pool(cell) => at_relu.push((switch(picture, cell), amount)),
        Unit::Class(class) => {
            for cell in (0..27).map(|cell| [cell / 9, cell / 3 % 3, cell % 3]) {
                at_relu.push((switch(picture, cell), CLASS_WEIGHT[class][cell[0]] * amount));
            }
        }
    }
    let mut result = Array3::zeros((3, 6, 6));
    for (cell, signal) in at_relu {
        let fires = conv(picture, cell) > 0.0;
        let passed = match analysis {
            "saliency" if fires => signal,
            "guided_backprop" if fires => signal.max(0.0),
            "deconvolution" => signal.max(0.0),
            _ => 0.0,
        };
        for channel in 0..3 {
            result[[channel, cell[1], cell[2]]] += weight(cell[0], channel) * passed;
        }
    }
    result
}
