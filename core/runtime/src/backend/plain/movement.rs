//! Joining and cutting tensors along an axis.

use crate::backend::operand::{incompatible, require_axis};
use crate::{BackendError, Computed, Element, Shape, Tensor};

/// Joins tensors along an axis; see [`Backend::concatenation`](crate::Backend::concatenation).
pub(super) fn concatenation(inputs: &[&Tensor], axis: usize) -> Computed {
    const KERNEL: &str = "concatenation";
    let Some(first) = inputs.first() else {
        return Err(incompatible(KERNEL, "at least one tensor", &Shape::from([0])));
    };
    require_axis(KERNEL, first.shape(), axis)?;
    let mut extents = first.shape().extents().to_vec();
    extents[axis] = 0;
    for input in inputs {
        let given = input.shape();
        let fits = given.rank() == extents.len()
            && (0..extents.len()).all(|at| at == axis || given.extents()[at] == extents[at]);
        if !fits {
            let expected = format!("{} but for axis {axis}", first.shape());
            return Err(incompatible(KERNEL, expected, given));
        }
        extents[axis] = extents[axis].saturating_add(given.extents()[axis]);
    }
    let outer = extents[..axis].iter().product();
    let shape = Shape::new(&extents);
    match first.element() {
        Element::F32 => Tensor::new(shape, join(inputs, outer, Tensor::values)?),
        Element::U32 => Tensor::indices(shape, join(inputs, outer, Tensor::positions)?),
    }
}

fn join<'a, T: Copy + 'a>(
    inputs: &[&'a Tensor],
    outer: usize,
    read: impl Fn(&'a Tensor) -> Result<&'a [T], BackendError>,
) -> Computed<Vec<T>> {
    let parts = inputs.iter().map(|&input| read(input)).collect::<Computed<Vec<_>>>()?;
    let mut joined = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
    for index in 0..outer {
        for part in &parts {
            let each = part.len() / outer;
            joined.extend_from_slice(&part[index * each..][..each]);
        }
    }
    Ok(joined)
}

/// Cuts a range out of an axis; see [`Backend::slice`](crate::Backend::slice).
pub(super) fn slice(input: &Tensor, axis: usize, start: usize, length: usize) -> Computed {
    const KERNEL: &str = "slice";
    let shape = input.shape();
    require_axis(KERNEL, shape, axis)?;
    let extent = shape.extents()[axis];
    let Some(end) = start.checked_add(length).filter(|&end| end <= extent) else {
        let end = start.saturating_add(length);
        let expected = format!("an axis {axis} of at least {end} elements");
        return Err(incompatible(KERNEL, expected, shape));
    };
    let mut extents = shape.extents().to_vec();
    extents[axis] = length;
    let inner: usize = extents[axis + 1..].iter().product();
    let (block, range) = (extent * inner, start * inner..end * inner);
    match input.element() {
        Element::F32 => Tensor::new(Shape::new(&extents), cut(input.values()?, block, range)),
        Element::U32 => {
            Tensor::indices(Shape::new(&extents), cut(input.positions()?, block, range))
        }
    }
}

fn cut<T: Copy>(values: &[T], block: usize, range: std::ops::Range<usize>) -> Vec<T> {
    if range.is_empty() {
        return Vec::new();
    }
    values.chunks_exact(block).flat_map(|block| &block[range.clone()]).copied().collect()
}
