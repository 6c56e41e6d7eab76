//! The choice between direct convolution and Winograd's, by what each is expected to cost.
//!
//! It looks at the shapes of a layer and at the options, never at the batch: the bits of a picture's
//! values depend on the form.

use super::micro::BLOCK;
use super::stencil::Stencil;
use super::weights::Weights;
use super::winograd::{Size, Winograd};

/// Which forms convolutions may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConvolutionForms {
    /// Whichever is the fastest. Winograd's is two to three times as fast as a direct convolution
    /// of 3 × 3 taps, and its values differ by some millionths of a layer's largest value.
    #[default]
    Any,
    /// Direct convolution only: every value is the sum of its products.
    Direct,
}

/// Costs, in the multiply-adds that could be done meanwhile.
mod costs {
    /// Reading a weight from memory.
    pub(super) const WEIGHT: usize = 12;
    /// Images that share the reading: layers run on one image as well as on many.
    pub(super) const IMAGES: usize = 2;
}

/// Returns the size of Winograd's tiles where they cost less than a direct convolution.
pub(super) fn winograd(
    stencils: &[Stencil; 2],
    weights: &Weights<'_>,
    forms: ConvolutionForms,
) -> Option<Size> {
    let is_deep = weights.inputs.members >= BLOCK;
    if forms == ConvolutionForms::Direct || !is_deep || !Winograd::fits(stencils) {
        return None;
    }
    let cost = |size| tiled(stencils, weights, size);
    let fastest = [Size::Four, Size::Two].into_iter().min_by_key(|&size| cost(size))?;
    (cost(fastest) < direct(stencils, weights)).then_some(fastest)
}

/// Counts the multiply-adds that could be done while all phases of an image are computed, in tiles
/// or directly.
pub(super) fn whole(
    phases: &[[Stencil; 2]],
    weights: &Weights<'_>,
    forms: ConvolutionForms,
) -> usize {
    if let [stencils] = phases
        && let Some(size) = winograd(stencils, weights, forms)
    {
        return tiled(stencils, weights, size);
    }
    phases.iter().map(|stencils| direct(stencils, weights)).fold(0, usize::saturating_add)
}

/// Counts the outputs times the inputs that each of them sees, in whole blocks.
fn pairs(weights: &Weights<'_>) -> usize {
    weights.outputs.lanes().saturating_mul(weights.inputs.room)
}

/// The cost of a direct convolution, which multiplies no padding.
fn direct(stencils: &[Stencil; 2], weights: &Weights<'_>) -> usize {
    let taps = stencils.each_ref().map(|stencil| {
        let outputs = stencil.taps.iter().map(|&tap| stencil.outputs_of(tap).len());
        outputs.fold(0, usize::saturating_add)
    });
    let reading = 9 * costs::WEIGHT / costs::IMAGES;
    taps[0].saturating_mul(taps[1]).saturating_add(reading).saturating_mul(pairs(weights))
}

/// The cost of Winograd's convolution.
fn tiled(stencils: &[Stencil; 2], weights: &Weights<'_>, size: Size) -> usize {
    let tiles = stencils.each_ref().map(|stencil| stencil.outputs.div_ceil(size.outputs()));
    let tiles = tiles[0].saturating_mul(tiles[1]);
    let reading = costs::WEIGHT / costs::IMAGES;
    let products = size.products().saturating_mul(tiles.saturating_add(reading));
    // To transform a channel of a tile, there or back.
    let transform = match size {
        Size::Two => 70,
        Size::Four => 200,
    };
    let channels = weights.inputs.lanes() + weights.outputs.lanes();
    let transforms = channels.saturating_mul(transform).saturating_mul(tiles);
    products.saturating_mul(pairs(weights)).saturating_add(transforms)
}
