//! The numbers of one cell in one block, side by side.
//!
//! Choices between numbers are made by masks of bits, one step for all lanes after the other:
//! compilers turn a choice by itself into a branch for every single lane.

use super::micro::BLOCK;

/// A number for each lane.
pub(super) type Lanes<T = f32> = [T; BLOCK];

/// Returns all bits where something is true, none where it is not.
#[inline(always)]
pub(super) fn mask(is: bool) -> u32 {
    0_u32.wrapping_sub(u32::from(is))
}

/// Returns a mask of the lanes in which something is true.
#[inline(always)]
pub(super) fn masks(is: impl Fn(usize) -> bool) -> Lanes<u32> {
    let mut masks = [0; BLOCK];
    for (lane, bits) in masks.iter_mut().enumerate() {
        *bits = mask(is(lane));
    }
    masks
}

/// Takes the numbers of `a` where the mask is set, those of `b` elsewhere.
#[inline(always)]
pub(super) fn chosen(mask: Lanes<u32>, a: Lanes, b: Lanes) -> Lanes {
    let mut chosen = b;
    for (lane, value) in chosen.iter_mut().enumerate() {
        *value =
            f32::from_bits((a[lane].to_bits() & mask[lane]) | (b[lane].to_bits() & !mask[lane]));
    }
    chosen
}

/// Reads numbers cell by cell.
#[inline(always)]
pub(super) fn cells<T>(values: &[T]) -> &[Lanes<T>] {
    values.as_chunks().0
}

/// Writes numbers cell by cell.
#[inline(always)]
pub(super) fn cells_mut<T>(values: &mut [T]) -> &mut [Lanes<T>] {
    values.as_chunks_mut().0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_chosen_lane_by_lane() {
        let odd = masks(|lane| lane % 2 == 1);
        let numbers = chosen(odd, [f32::NAN; BLOCK], [2.0; BLOCK]);
        assert!((0..BLOCK).all(|lane| numbers[lane].is_nan() == (lane % 2 == 1)));
    }
}
