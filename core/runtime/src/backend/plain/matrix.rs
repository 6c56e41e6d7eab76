//! Products of matrices.

use super::gemm_call::{Destination, Extents, Matrix, multiply};
use crate::backend::operand::{incompatible, zeros};
use crate::backend::units::{for_each_chunk, for_each_unit};
use crate::{Computed, Orientation, Shape, Tensor};

const KERNEL: &str = "matrix_product";

/// Rows that one unit of a product of computed matrices takes.
const ROWS: usize = 64;

/// Columns and terms that are computed together where the right matrix lies column by column: the
/// terms of some images stay in the cache while a column passes.
const DOT_COLUMNS: usize = 32;
const DOT_TERMS: usize = 4096;

/// The same where it lies row by row. Few terms go into one sum before it joins the total, which
/// keeps rounding errors small.
const COLUMNS: usize = 512;
const TERMS: usize = 256;

/// Partial sums that run side by side in a scalar product.
const LANES: usize = 32;

/// Multiplies matrices over the last two axes; see
/// [`Backend::matrix_product`](crate::Backend::matrix_product).
pub(super) fn matrix_product(
    a: &Tensor,
    a_orientation: Orientation,
    b: &Tensor,
    b_orientation: Orientation,
) -> Computed {
    let [rows, inner] = extents(a.shape(), a_orientation)?;
    let [b_inner, columns] = extents(b.shape(), b_orientation)?;
    if inner != b_inner {
        let expected = format!("{inner} rows to multiply with {}", a.shape());
        return Err(incompatible(KERNEL, expected, b.shape()));
    }
    let stacks = Stacks::new(a.shape(), b.shape())?;
    let mut shape = stacks.extents.clone();
    shape.extend([rows, columns]);
    let shape = Shape::new(&shape);
    let mut result = zeros(KERNEL, &shape)?;
    let extents = Extents { rows, inner, columns };
    let left = oriented(a.values()?, a_orientation, [rows, inner]);
    let right = oriented(b.values()?, b_orientation, [inner, columns]);
    if result.is_empty() {
        // No element to compute.
    } else if a.shape().rank() == 2 && b.shape().rank() == 2 {
        rows_apart(extents, left, right, &mut result);
    } else {
        let unit = ROWS.min(rows);
        let per_stack = rows.div_ceil(unit);
        let units = result
            .chunks_mut(rows * columns)
            .flat_map(|stack| stack.chunks_mut(unit * columns))
            .enumerate()
            .collect();
        let work = rows.saturating_mul(inner).saturating_mul(columns);
        for_each_unit(units, work, |(index, target)| {
            let [a_stack, b_stack] = stacks.operands(index / per_stack);
            let first = a_stack * rows * inner + index % per_stack * unit * left.row_step;
            let left = Matrix { values: &left.values[first..], ..left };
            let right = Matrix { values: &right.values[b_stack * inner * columns..], ..right };
            let rows = target.len() / columns;
            multiply(
                Extents { rows, ..extents },
                left,
                right,
                target,
                columns,
                Destination::Replace,
            );
        });
    }
    Tensor::new(shape, result)
}

/// Returns rows and columns as the product reads them.
fn extents(shape: &Shape, orientation: Orientation) -> Computed<[usize; 2]> {
    match (shape.extents(), orientation) {
        (&[.., rows, columns], Orientation::Plain) => Ok([rows, columns]),
        (&[.., rows, columns], Orientation::Transposed) => Ok([columns, rows]),
        _ => Err(incompatible(KERNEL, "a matrix", shape)),
    }
}

fn oriented(values: &[f32], orientation: Orientation, [rows, columns]: [usize; 2]) -> Matrix<'_> {
    match orientation {
        Orientation::Plain => Matrix { values, row_step: columns, column_step: 1 },
        Orientation::Transposed => Matrix { values, row_step: 1, column_step: rows },
    }
}

/// How stacks of matrices are broadcast.
struct Stacks {
    extents: Vec<usize>,
    steps: Vec<[usize; 2]>,
}

impl Stacks {
    fn new(a: &Shape, b: &Shape) -> Computed<Self> {
        let (a_stack, b_stack) = (&a.extents()[..a.rank() - 2], &b.extents()[..b.rank() - 2]);
        let rank = a_stack.len().max(b_stack.len());
        let extent = |stack: &[usize], axis: usize| {
            (axis + stack.len()).checked_sub(rank).map_or(1, |axis| stack[axis])
        };
        let (mut extents, mut steps) = (vec![0; rank], vec![[0; 2]; rank]);
        let mut sizes = [1; 2];
        for axis in (0..rank).rev() {
            let each = [extent(a_stack, axis), extent(b_stack, axis)];
            extents[axis] = match each {
                [x, y] if x == y => x,
                [1, other] | [other, 1] => other,
                _ => {
                    let expected = format!("leading axes that broadcast with {a}");
                    return Err(incompatible(KERNEL, expected, b));
                }
            };
            steps[axis] = [0, 1].map(|side| if each[side] == 1 { 0 } else { sizes[side] });
            sizes = [0, 1].map(|side| sizes[side] * each[side]);
        }
        Ok(Self { extents, steps })
    }

    /// Returns which matrix of each operand belongs to a matrix of the result.
    fn operands(&self, mut index: usize) -> [usize; 2] {
        let mut places = [0; 2];
        for (extent, steps) in self.extents.iter().zip(&self.steps).rev() {
            let place = index % extent;
            index /= extent;
            places = [0, 1].map(|side| places[side] + place * steps[side]);
        }
        places
    }
}

/// Multiplies matrices whose rows are images: each is computed by itself, so that its bits do not
/// depend on the others. The right matrix is read once for all of them.
fn rows_apart(extents: Extents, left: Matrix<'_>, right: Matrix<'_>, result: &mut [f32]) {
    let Extents { rows, inner, columns } = extents;
    let turned: Vec<f32>;
    let images = if left.column_step == 1 {
        left.values
    } else {
        let cells = (0..rows).flat_map(|row| (0..inner).map(move |column| (row, column)));
        turned = cells.map(|(row, column)| left.values[row + column * left.column_step]).collect();
        &turned
    };
    let (columns_each, terms_each) =
        if right.row_step == 1 { (DOT_COLUMNS, DOT_TERMS) } else { (COLUMNS, TERMS) };
    // A unit's results for all images lie together until every unit is done.
    let mut parts = vec![0.0; rows * columns];
    for_each_chunk(&mut parts, columns_each * rows, |unit, part| {
        let first = unit * columns_each;
        let count = part.len() / rows;
        for start in (0..inner).step_by(terms_each) {
            let terms = start..inner.min(start + terms_each);
            if right.row_step == 1 {
                for index in 0..count {
                    let weights = &right.values[(first + index) * right.column_step..];
                    for row in 0..rows {
                        let image = &images[row * inner..][terms.clone()];
                        part[row * count + index] += scalar_product(image, &weights[terms.clone()]);
                    }
                }
            } else {
                let weights = &right.values[terms.start * right.row_step + first..];
                for (row, sums) in part.chunks_mut(count).enumerate() {
                    let image = &images[row * inner..][terms.clone()];
                    add_rows(image, weights, right.row_step, sums);
                }
            }
        }
    });
    for (unit, part) in parts.chunks(columns_each * rows).enumerate() {
        let count = part.len() / rows;
        for (row, values) in part.chunks(count).enumerate() {
            result[row * columns + unit * columns_each..][..count].copy_from_slice(values);
        }
    }
}

/// Sums products in an order that depends on the length alone.
fn scalar_product(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    for ((sum, a), b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        *sum += a * b;
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

/// Adds the rows of a matrix, which begin `step` apart, each times its factor.
fn add_rows(factors: &[f32], rows: &[f32], step: usize, sums: &mut [f32]) {
    let mut partial = [0.0; COLUMNS];
    let partial = &mut partial[..sums.len()];
    let (fours, rest) = factors.as_chunks::<4>();
    for (four, &[a, b, c, d]) in fours.iter().enumerate() {
        let row = |number: usize| &rows[(4 * four + number) * step..][..partial.len()];
        let (first, second) = (row(0).iter().zip(row(1)), row(2).iter().zip(row(3)));
        for ((sum, (w, x)), (y, z)) in partial.iter_mut().zip(first).zip(second) {
            *sum += (a * w + b * x) + (c * y + d * z);
        }
    }
    for (number, factor) in rest.iter().enumerate() {
        let row = &rows[(4 * fours.len() + number) * step..];
        partial.iter_mut().zip(row).for_each(|(sum, weight)| *sum += factor * weight);
    }
    sums.iter_mut().zip(partial).for_each(|(sum, partial)| *sum += *partial);
}
