//! Padded images with their channels side by side, for layers with few channels such as the first.

use super::blocked::Blocked;
use super::micro::BLOCK;
use crate::backend::axis::Axis;
use crate::backend::units::for_each_chunk;
use crate::{Computed, Tensor};

/// Maps to be laid out pixel by pixel, wherever they lie.
#[derive(Debug)]
pub(super) enum Pixels<'a> {
    /// `[n, c, h, w]`, and the numbers of an image.
    Rows(&'a [f32], usize),
    /// In blocks.
    Blocks(&'a Blocked),
}

impl<'a> Pixels<'a> {
    /// Borrows the maps of a tensor.
    ///
    /// # Errors
    /// Fails when the tensor holds no numbers or lies on another device.
    pub(super) fn of(tensor: &'a Tensor) -> Computed<Self> {
        match Blocked::behind(tensor) {
            Some(blocked) => Ok(Self::Blocks(blocked)),
            None => Ok(Self::Rows(tensor.values()?, tensor.shape().with_batch(1).volume())),
        }
    }

    /// Copies an image into `padded`, `[row][column][channel]`, whose cells of padding hold zero and
    /// stay so.
    pub(super) fn pad(&self, image: usize, axes: [Axis; 2], channels: usize, padded: &mut [f32]) {
        let [rows, columns] = axes;
        let width = (columns.size + columns.padding[0] + columns.padding[1]) * channels;
        let inside = &mut padded[rows.padding[0] * width..][..rows.size * width];
        for_each_chunk(inside, width, |row, target| {
            let target = &mut target[columns.padding[0] * channels..][..columns.size * channels];
            match self {
                Self::Rows(values, length) => {
                    let row_of = |channel: usize| {
                        let start = image * length + (channel * rows.size + row) * columns.size;
                        &values[start..start + columns.size]
                    };
                    if channels == 3 {
                        let [red, green, blue] = [0, 1, 2].map(row_of);
                        let colours = red.iter().zip(green).zip(blue);
                        let (pixels, _) = target.as_chunks_mut();
                        for (pixel, ((&red, &green), &blue)) in pixels.iter_mut().zip(colours) {
                            *pixel = [red, green, blue];
                        }
                        return;
                    }
                    for channel in 0..channels {
                        let pixels = target[channel..].iter_mut().step_by(channels);
                        for (pixel, value) in pixels.zip(row_of(channel)) {
                            *pixel = *value;
                        }
                    }
                }
                Self::Blocks(blocked) => {
                    let maps = blocked.maps();
                    let start = image * maps.image() + row * columns.size * BLOCK;
                    let cells = blocked.values()[start..].chunks_exact(BLOCK);
                    for (pixel, cell) in target.chunks_exact_mut(channels).zip(cells) {
                        pixel.copy_from_slice(&cell[..channels]);
                    }
                }
            }
        });
    }
}
