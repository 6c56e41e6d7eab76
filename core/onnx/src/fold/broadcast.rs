//! Which elements meet where constants of several shapes are broadcast.

use convscope_runtime::Shape;

use crate::call::Call;
use crate::refusal::Refusal;

/// Broadcasts shapes, and says for every element of the result which ones it comes from.
pub(super) fn broadcast<const N: usize>(
    call: &Call<'_, '_>,
    shapes: [&Shape; N],
) -> Result<(Shape, impl Iterator<Item = [usize; N]> + use<N>), Refusal> {
    let rank = shapes.iter().map(|shape| shape.rank()).max().unwrap_or(0);
    let aligned = shapes.map(|shape| {
        let mut extents = vec![1; rank - shape.rank()];
        extents.extend(shape.extents());
        extents
    });
    let mut extents = vec![1; rank];
    for own in &aligned {
        for (extent, &own) in extents.iter_mut().zip(own) {
            if *extent == 1 {
                *extent = own;
            } else if own != 1 && own != *extent {
                return Err(Refusal::invalid("the shapes of its inputs do not broadcast"));
            }
        }
    }
    let shape = call.made(&extents)?;
    let places = (0..shape.volume()).map(move |index| {
        let (mut rest, mut places, mut steps) = (index, [0; N], [1; N]);
        for axis in (0..rank).rev() {
            let position = rest % extents[axis];
            rest /= extents[axis];
            for (side, own) in aligned.iter().enumerate() {
                if own[axis] != 1 {
                    places[side] += position * steps[side];
                }
                steps[side] *= own[axis];
            }
        }
        places
    });
    Ok((shape, places))
}
