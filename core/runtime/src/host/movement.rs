//! Moving the elements of host tensors along their axes.

use crate::{BackendError, Computed, Shape, Tensor};

/// Takes elements along an axis; see [`Backend::gather`](crate::Backend::gather).
pub(crate) fn gather(
    input: &Tensor,
    axis: usize,
    sources: &[Option<usize>],
    fill: f32,
) -> Computed {
    let shape = input.shape();
    let line = Line::of("gather", shape, axis, sources, shape.extents().get(axis).copied())?;
    let target = line.shape_with(shape, sources.len())?;
    let values = input.values()?;
    let mut taken = Vec::with_capacity(target.volume());
    for outer in 0..line.outer {
        let block = &values[outer * line.extent * line.inner..][..line.extent * line.inner];
        for source in sources {
            match source {
                Some(at) if line.inner == 1 => taken.push(block[*at]),
                Some(at) => taken.extend_from_slice(&block[at * line.inner..][..line.inner]),
                None => taken.extend(std::iter::repeat_n(fill, line.inner)),
            }
        }
    }
    Tensor::new(target, taken)
}

/// The adjoint of [`gather`]; see [`Backend::scatter`](crate::Backend::scatter).
pub(crate) fn scatter(
    signal: &Tensor,
    axis: usize,
    sources: &[Option<usize>],
    extent: usize,
) -> Computed {
    const KERNEL: &str = "scatter";
    let shape = signal.shape();
    let line = Line::of(KERNEL, shape, axis, sources, Some(extent))?;
    if shape.extents()[axis] != sources.len() {
        let expected = format!("an axis {axis} of {} elements", sources.len());
        return Err(incompatible(KERNEL, expected, shape));
    }
    let target = line.shape_with(shape, extent)?;
    let values = signal.values()?;
    let mut restored = vec![0.0; target.volume()];
    for outer in 0..line.outer {
        let given = &values[outer * sources.len() * line.inner..];
        let block = &mut restored[outer * extent * line.inner..][..extent * line.inner];
        for (index, source) in sources.iter().enumerate() {
            let Some(at) = source else { continue };
            let given = &given[index * line.inner..][..line.inner];
            for (sum, value) in block[at * line.inner..].iter_mut().zip(given) {
                *sum += value;
            }
        }
    }
    Tensor::new(target, restored)
}

/// Puts the axes into another order; see
/// [`Backend::transposition`](crate::Backend::transposition).
pub(crate) fn transposition(input: &Tensor, order: &[usize]) -> Computed {
    let extents = input.shape().extents();
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..extents.len()) {
        let expected = format!("as many axes as the order {order:?} has");
        return Err(incompatible("transposition", expected, input.shape()));
    }
    let mut steps = vec![1; extents.len()];
    for axis in (1..extents.len()).rev() {
        steps[axis - 1] = steps[axis] * extents[axis];
    }
    let target: Vec<usize> = order.iter().map(|&axis| extents[axis]).collect();
    // The last axes, as far as they stay, are moved in one piece.
    let kept = order.iter().enumerate().rev().take_while(|(at, axis)| at == *axis).count();
    let moved = order.len() - kept;
    let piece: usize = target[moved..].iter().product();
    let steps: Vec<usize> = order[..moved].iter().map(|&axis| steps[axis]).collect();
    let values = input.values()?;
    let mut turned = Vec::with_capacity(values.len());
    let mut counters = vec![0; moved];
    let mut place = 0;
    while turned.len() < values.len() {
        turned.extend_from_slice(&values[place..][..piece]);
        for axis in (0..moved).rev() {
            counters[axis] += 1;
            place += steps[axis];
            if counters[axis] < target[axis] {
                break;
            }
            place -= steps[axis] * target[axis];
            counters[axis] = 0;
        }
    }
    Tensor::new(Shape::new(&target), turned)
}

/// An axis with what lies outside and inside it.
struct Line {
    kernel: &'static str,
    axis: usize,
    outer: usize,
    extent: usize,
    inner: usize,
}

impl Line {
    fn of(
        kernel: &'static str,
        shape: &Shape,
        axis: usize,
        sources: &[Option<usize>],
        extent: Option<usize>,
    ) -> Computed<Self> {
        let (Some(extent), true) = (extent, axis < shape.rank()) else {
            return Err(incompatible(kernel, format!("an axis {axis}"), shape));
        };
        if let Some(source) = sources.iter().flatten().find(|&&source| source >= extent) {
            let expected = format!("an axis {axis} of more than {source} elements");
            return Err(incompatible(kernel, expected, &shape.with_extent(axis, extent)));
        }
        let extents = shape.extents();
        let [outer, inner] = [&extents[..axis], &extents[axis + 1..]];
        let [outer, inner] = [outer, inner].map(|extents| extents.iter().product());
        Ok(Self { kernel, axis, outer, extent, inner })
    }

    /// Returns a shape with another extent, if memory could hold it.
    fn shape_with(&self, shape: &Shape, extent: usize) -> Computed<Shape> {
        let target = shape.with_extent(self.axis, extent);
        let bytes = target.volume().checked_mul(size_of::<f32>());
        if bytes.is_some_and(|bytes| isize::try_from(bytes).is_ok()) {
            return Ok(target);
        }
        let expected = "a result that fits the address space";
        Err(incompatible(self.kernel, expected, &target))
    }
}

fn incompatible(kernel: &'static str, expected: impl Into<String>, actual: &Shape) -> BackendError {
    BackendError::Incompatible { kernel, expected: expected.into(), actual: actual.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(extents: &[usize]) -> Tensor {
        let shape = Shape::new(extents);
        let values = (0..shape.volume()).map(|value| value as f32).collect();
        Tensor::new(shape, values).unwrap()
    }

    #[test]
    fn a_gather_takes_in_the_order_of_its_sources_and_fills_gaps() {
        let taken = gather(&counted(&[2, 3]), 1, &[Some(2), None, Some(0), Some(2)], 9.0).unwrap();
        assert_eq!(taken.shape().extents(), [2, 4]);
        assert_eq!(taken.values().unwrap(), [2.0, 9.0, 0.0, 2.0, 5.0, 9.0, 3.0, 5.0]);
        let rows = gather(&counted(&[2, 3]), 0, &[Some(1)], 0.0).unwrap();
        assert_eq!(rows.values().unwrap(), [3.0, 4.0, 5.0]);
    }

    #[test]
    fn a_scatter_adds_up_what_was_taken_twice() {
        let sources = [Some(2), None, Some(0), Some(2)];
        let restored = scatter(&counted(&[2, 4]), 1, &sources, 3).unwrap();
        assert_eq!(restored.values().unwrap(), [2.0, 0.0, 3.0, 6.0, 0.0, 11.0]);
    }

    #[test]
    fn a_transposition_agrees_with_its_definition() {
        let input = counted(&[2, 3, 4, 5]);
        for order in [[0, 3, 1, 2], [1, 0, 2, 3], [3, 2, 1, 0], [0, 1, 2, 3], [0, 2, 1, 3]] {
            let turned = transposition(&input, &order).unwrap();
            let expected = input.view().unwrap().permuted_axes(order.as_slice());
            assert_eq!(turned.view().unwrap(), expected, "{order:?}");
        }
        assert_eq!(transposition(&counted(&[2, 0]), &[1, 0]).unwrap().shape().extents(), [0, 2]);
    }

    #[test]
    fn movements_that_do_not_fit_are_refused() {
        let input = counted(&[2, 3]);
        assert_eq!(
            gather(&input, 1, &[Some(3)], 0.0).unwrap_err().to_string(),
            "gather: expected an axis 1 of more than 3 elements, got shape [2, 3]"
        );
        assert_eq!(
            gather(&input, 2, &[], 0.0).unwrap_err().to_string(),
            "gather: expected an axis 2, got shape [2, 3]"
        );
        assert_eq!(
            scatter(&input, 1, &[Some(0)], 4).unwrap_err().to_string(),
            "scatter: expected an axis 1 of 1 elements, got shape [2, 3]"
        );
        assert_eq!(
            scatter(&input, 0, &[None, None], usize::MAX).unwrap_err().to_string(),
            format!(
                "scatter: expected a result that fits the address space, got shape [{}, 3]",
                usize::MAX
            )
        );
        for order in [&[0][..], &[0, 0], &[1, 2]] {
            assert_eq!(
                transposition(&input, order).unwrap_err().to_string(),
                format!(
                    "transposition: expected as many axes as the order {order:?} has, got shape \
                     [2, 3]"
                )
            );
        }
    }
}
