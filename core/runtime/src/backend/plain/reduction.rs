//! Sums and maxima over axes.

use crate::backend::operand::{require_axis, zeros};
use crate::backend::units::for_each_chunk;
use crate::{Computed, Shape, Tensor};

/// Partial sums that run side by side along a contiguous axis.
const LANES: usize = 8;

/// Columns that are reduced together where the axis is not contiguous.
const COLUMNS: usize = 64;

/// Sums over axes; see [`Backend::sum`](crate::Backend::sum). Sums are kept in double precision
/// and rounded once per axis.
pub(super) fn sum(input: &Tensor, axes: &[usize]) -> Computed {
    reduce("sum", input, axes, &Sum)
}

/// Takes the largest element over axes; see [`Backend::maximum`](crate::Backend::maximum). NaN
/// counts as larger than any number, as everywhere.
pub(super) fn maximum(input: &Tensor, axes: &[usize]) -> Computed {
    reduce("maximum", input, axes, &Maximum)
}

/// A way to bring many values down to one.
trait Reduction: Sync {
    type Partial: Copy;
    /// The result of no values at all.
    const EMPTY: Self::Partial;
    fn take(partial: Self::Partial, value: f32) -> Self::Partial;
    fn join(a: Self::Partial, b: Self::Partial) -> Self::Partial;
    fn finish(partial: Self::Partial) -> f32;
}

struct Sum;

impl Reduction for Sum {
    type Partial = f64;
    const EMPTY: f64 = 0.0;

    fn take(partial: f64, value: f32) -> f64 {
        partial + f64::from(value)
    }

    fn join(a: f64, b: f64) -> f64 {
        a + b
    }

    fn finish(partial: f64) -> f32 {
        partial as f32
    }
}

struct Maximum;

impl Reduction for Maximum {
    type Partial = f32;
    const EMPTY: f32 = f32::NEG_INFINITY;

    fn take(partial: f32, value: f32) -> f32 {
        if value > partial || value.is_nan() { value } else { partial }
    }

    fn join(a: f32, b: f32) -> f32 {
        Self::take(a, b)
    }

    fn finish(partial: f32) -> f32 {
        partial
    }
}

fn reduce<R: Reduction>(
    kernel: &'static str,
    input: &Tensor,
    axes: &[usize],
    reduction: &R,
) -> Computed {
    for &axis in axes {
        require_axis(kernel, input.shape(), axis)?;
    }
    let mut extents = input.shape().extents().to_vec();
    let mut values = input.values()?;
    let mut reduced;
    // Neighbouring axes go together, the innermost first, which shrinks the rest most cheaply.
    let mut end = extents.len();
    while end > 0 {
        if !axes.contains(&(end - 1)) {
            end -= 1;
            continue;
        }
        let start = (0..end).rev().take_while(|axis| axes.contains(axis)).last().unwrap_or(end);
        let length = extents[start..end].iter().product();
        let inner = extents[end..].iter().product();
        extents[start..end].fill(1);
        let mut output = zeros(kernel, &Shape::new(&extents))?;
        reduce_axis(values, length, inner, &mut output, reduction);
        reduced = output;
        values = &reduced;
        end = start;
    }
    Tensor::new(Shape::new(&extents), values.to_vec())
}

/// Reduces the middle one of three axes.
fn reduce_axis<R: Reduction>(
    values: &[f32],
    length: usize,
    inner: usize,
    output: &mut [f32],
    _reduction: &R,
) {
    if inner == 1 {
        let each = (1 << 12_usize) / length.clamp(1, 1 << 12);
        for_each_chunk(output, each, |unit, targets| {
            for (index, target) in targets.iter_mut().enumerate() {
                let start = (unit * each + index) * length;
                *target = reduce_run::<R>(&values[start..][..length]);
            }
        });
        return;
    }
    for_each_chunk(output, inner, |outer, targets| {
        let block = &values[outer * length * inner..][..length * inner];
        for (part, targets) in targets.chunks_mut(COLUMNS).enumerate() {
            let mut partials = [R::EMPTY; COLUMNS];
            for row in block.chunks_exact(inner) {
                let row = &row[part * COLUMNS..][..targets.len()];
                for (partial, &value) in partials.iter_mut().zip(row) {
                    *partial = R::take(*partial, value);
                }
            }
            for (target, partial) in targets.iter_mut().zip(partials) {
                *target = R::finish(partial);
            }
        }
    });
}

fn reduce_run<R: Reduction>(values: &[f32]) -> f32 {
    let mut partials = [R::EMPTY; LANES];
    let (blocks, rest) = values.as_chunks::<LANES>();
    for block in blocks {
        for (partial, &value) in partials.iter_mut().zip(block) {
            *partial = R::take(*partial, value);
        }
    }
    for (partial, &value) in partials.iter_mut().zip(rest) {
        *partial = R::take(*partial, value);
    }
    R::finish(partials.into_iter().fold(R::EMPTY, R::join))
}
