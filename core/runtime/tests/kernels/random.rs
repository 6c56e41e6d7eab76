//! Reproducible operands.

use convscope_runtime::{Shape, Tensor};

/// Numbers between -1 and 1, the same for the same seed.
pub(super) fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// A tensor of such numbers.
pub(super) fn tensor(shape: impl Into<Shape>, seed: u64) -> Tensor {
    let shape = shape.into();
    Tensor::new(shape.clone(), values(shape.volume(), seed)).unwrap()
}
