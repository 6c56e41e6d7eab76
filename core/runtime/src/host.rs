//! Default kernels that move values on the host.

mod movement;
mod unpooling;

pub(crate) use movement::{gather, scatter, transposition};
pub(crate) use unpooling::unpooling_adjoint;

use crate::{BackendError, Computed, HostArray, Patch, Region, Shape, Tensor};

/// Picks rows of axis 0 of a host tensor.
pub(crate) fn select(input: &Tensor, rows: &[usize]) -> Computed {
    let batch = input.shape().batch();
    if let Some(row) = rows.iter().find(|&&row| row >= batch) {
        return Err(BackendError::Incompatible {
            kernel: "select",
            expected: format!("more than {row} images"),
            actual: input.shape().clone(),
        });
    }
    let shape = input.shape().with_batch(rows.len());
    let each = input.shape().volume() / batch.max(1);
    match input.element() {
        crate::Element::F32 => Tensor::new(shape, chosen(input.values()?, rows, each)),
        crate::Element::U32 => Tensor::indices(shape, chosen(input.positions()?, rows, each)),
    }
}

fn chosen<T: Copy>(values: &[T], rows: &[usize], each: usize) -> Vec<T> {
    rows.iter().flat_map(|&row| &values[row * each..(row + 1) * each]).copied().collect()
}

/// Writes patches over parts of single images of a host tensor.
pub(crate) fn overwrite(input: &Tensor, patches: &[Patch]) -> Computed {
    let shape = input.shape().clone();
    let [batch, channels, height, width] = maps_of(&shape)?;
    let mut values = input.values()?.to_vec();
    for patch in patches {
        let wrong = |expected: String| BackendError::Incompatible {
            kernel: "overwrite",
            expected,
            actual: shape.clone(),
        };
        if patch.row >= batch {
            return Err(wrong(format!("more than {} images", patch.row)));
        }
        let all: Vec<usize>;
        let chosen = if let Some(chosen) = &patch.channels {
            chosen
        } else {
            all = (0..channels).collect();
            &all
        };
        if let Some(channel) = chosen.iter().find(|&&channel| channel >= channels) {
            return Err(wrong(format!("more than {channel} channels")));
        }
        let region = patch.region.unwrap_or(Region::whole([height, width]));
        let clipped = region.clipped([height, width]);
        let area = region.height * region.width;
        let per_channel = patch.values.len() == chosen.len();
        if !per_channel && patch.values.len() != chosen.len() * area {
            return Err(wrong(format!(
                "{} values, or {} for every cell, not {}",
                chosen.len(),
                chosen.len() * area,
                patch.values.len()
            )));
        }
        for (place, &channel) in chosen.iter().enumerate() {
            for y in 0..clipped.height {
                let row = clipped.top as usize + y;
                let start = ((patch.row * channels + channel) * height + row) * width
                    + clipped.left as usize;
                let target = &mut values[start..start + clipped.width];
                if per_channel {
                    target.fill(patch.values[place]);
                } else {
                    let from_row = (clipped.top - region.top) as usize + y;
                    let from = place * area
                        + from_row * region.width
                        + (clipped.left - region.left) as usize;
                    target.copy_from_slice(&patch.values[from..from + clipped.width]);
                }
            }
        }
    }
    Tensor::new(shape, values)
}

/// Reads a shape as maps; features `[n, c]` count as maps of one cell.
fn maps_of(shape: &Shape) -> Computed<[usize; 4]> {
    match *shape.extents() {
        [n, c] => Ok([n, c, 1, 1]),
        [n, c, h, w] => Ok([n, c, h, w]),
        _ => Err(BackendError::Incompatible {
            kernel: "overwrite",
            expected: "maps or features".into(),
            actual: shape.clone(),
        }),
    }
}

impl HostArray {
    /// Returns the shape.
    pub fn shape(&self) -> Shape {
        match self {
            Self::F32(array) => Shape::new(array.shape()),
            Self::U32(array) => Shape::new(array.shape()),
        }
    }
}
