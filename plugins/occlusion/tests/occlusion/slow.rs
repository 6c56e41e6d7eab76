//! The network of the fake host by its definition, with plain loops.

use convscope_sdk::fake::{BIAS, CLASS_WEIGHT, THIRD_WEIGHT, WEIGHT};
use ndarray::{Array3, ArrayView3, s};

/// What the network says of a picture.
pub(crate) struct Said {
    pub(crate) scores: Vec<f32>,
    pub(crate) probabilities: Vec<f32>,
    pub(crate) predicted: u32,
    /// Sums of the maps of `relu` and of `pool`.
    pub(crate) relu: Vec<f32>,
    pub(crate) pool: Vec<f32>,
}

/// Runs a picture `[3, 6, 6]` forward.
pub(crate) fn say(picture: &ArrayView3<'_, f32>) -> Said {
    let relu = Array3::from_shape_fn((3, 6, 6), |(map, y, x)| {
        let value = WEIGHT[map][0] * picture[[0, y, x]]
            + WEIGHT[map][1] * picture[[1, y, x]]
            + THIRD_WEIGHT[map] * picture[[2, y, x]]
            + BIAS[map];
        value.max(0.0)
    });
    let pool = Array3::from_shape_fn((3, 3, 3), |(map, y, x)| {
        let window = relu.slice(s![map, 2 * y..2 * y + 2, 2 * x..2 * x + 2]);
        window.iter().copied().fold(0.0, f32::max)
    });
    let sums = |maps: &Array3<f32>| maps.outer_iter().map(|map| map.sum()).collect::<Vec<f32>>();
    let pooled = sums(&pool);
    let scores: Vec<f32> = CLASS_WEIGHT
        .iter()
        .map(|weights| weights.iter().zip(&pooled).map(|(weight, sum)| weight * sum).sum())
        .collect();
    let powers: Vec<f64> = scores.iter().map(|&score| f64::from(score).exp()).collect();
    let total: f64 = powers.iter().sum();
    let mut predicted = 0;
    for class in 0..scores.len() {
        if scores[class] > scores[predicted] {
            predicted = class;
        }
    }
    Said {
        probabilities: powers.iter().map(|power| (power / total) as f32).collect(),
        predicted: predicted as u32,
        relu: sums(&relu),
        pool: pooled,
        scores,
    }
}

/// Paints a rectangle of a picture over with what another has there.
pub(crate) fn painted(
    picture: &ArrayView3<'_, f32>,
    [top, left]: [usize; 2],
    [height, width]: [usize; 2],
    other: &ArrayView3<'_, f32>,
) -> Array3<f32> {
    let mut painted = picture.to_owned();
    let place = s![.., top..top + height, left..left + width];
    painted.slice_mut(place).assign(&other.slice(place));
    painted
}
