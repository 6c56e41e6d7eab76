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
    let [_, channels, height, width] = maps_of(&shape)?;
    let mut values = input.values()?.to_vec();
    for patch in patches {
        PlacedPatch::new(patch, &shape)?.for_each(|channel, [row, column], value| {
            let plane = patch.row * channels + channel;
            values[(plane * height + row) * width + column] = value;
        });
    }
    Tensor::new(shape, values)
}

/// A patch that fits maps.
#[derive(Debug)]
pub(crate) struct PlacedPatch<'a> {
    channels: Vec<usize>,
    region: Region,
    clipped: Region,
    values: &'a [f32],
}

impl<'a> PlacedPatch<'a> {
    /// Checks a patch against the shape of maps or features.
    pub(crate) fn new(patch: &'a Patch, shape: &Shape) -> Computed<Self> {
        let [batch, channels, height, width] = maps_of(shape)?;
        let wrong = |expected: String| BackendError::Incompatible {
            kernel: "overwrite",
            expected,
            actual: shape.clone(),
        };
        if patch.row >= batch {
            return Err(wrong(format!("more than {} images", patch.row)));
        }
        let chosen = patch.channels.clone().unwrap_or_else(|| (0..channels).collect());
        if let Some(channel) = chosen.iter().find(|&&channel| channel >= channels) {
            return Err(wrong(format!("more than {channel} channels")));
        }
        let region = patch.region.unwrap_or(Region::whole([height, width]));
        let (values, count) = (&patch.values, chosen.len());
        let all = count.saturating_mul(region.height.saturating_mul(region.width));
        if ![count, all].contains(&values.len()) {
            let given = values.len();
            return Err(wrong(format!("{count} values, or {all} for every cell, not {given}")));
        }
        let clipped = region.clipped([height, width]);
        Ok(Self { channels: chosen, region, clipped, values })
    }

    /// Visits what is written: the channel, the cell and the value.
    pub(crate) fn for_each(&self, mut write: impl FnMut(usize, [usize; 2], f32)) {
        let Self { channels, region, clipped, values } = self;
        let per_channel = values.len() == channels.len();
        for (place, &channel) in channels.iter().enumerate() {
            for y in 0..clipped.height {
                for x in 0..clipped.width {
                    let cell = [clipped.top as usize + y, clipped.left as usize + x];
                    let row = (clipped.top - region.top) as usize + y;
                    let column = (clipped.left - region.left) as usize + x;
                    let from = (place * region.height + row) * region.width + column;
                    write(channel, cell, values[if per_channel { place } else { from }]);
                }
            }
        }
    }
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
