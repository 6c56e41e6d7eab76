//! Feature maps as the kernels like them: 16 channels innermost.

use std::any::Any;
use std::ops::Deref;

use ndarray::{ArcArray, IxDyn};

use super::buffer::{Buffer, Pool};
use super::micro::BLOCK;
use crate::backend::units::for_each_chunk;
use crate::{BackendError, DeviceTensor, Element, HostArray, Shape, Tensor};

/// Cells that are laid out together.
const PART: usize = 64;

/// Extents of feature maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Maps {
    pub batch: usize,
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

impl Maps {
    /// Reads a shape `[n, c, h, w]`.
    pub(super) fn of(shape: &Shape) -> Option<Self> {
        let [batch, channels, height, width] = shape.as_maps()?;
        Some(Self { batch, channels, height, width })
    }

    pub(super) fn shape(self) -> Shape {
        Shape::from([self.batch, self.channels, self.height, self.width])
    }

    /// Counts the blocks of 16 channels.
    pub(super) fn blocks(self) -> usize {
        self.channels.div_ceil(BLOCK)
    }

    pub(super) fn cells(self) -> usize {
        self.height * self.width
    }

    /// Counts the numbers of one block of an image.
    pub(super) fn plane(self) -> usize {
        self.cells() * BLOCK
    }

    /// Counts the numbers of an image.
    pub(super) fn image(self) -> usize {
        self.blocks() * self.plane()
    }

    /// Counts all numbers, those of lanes beyond the channels included.
    pub(super) fn len(self) -> usize {
        self.batch * self.image()
    }
}

/// Feature maps in blocks: `[image][block][row][column][16]`.
///
/// Lanes beyond the channels hold zero. Every kernel that writes blocks keeps it so: filters have
/// zero weights there, and functions that do not map zero to zero must clear them.
#[derive(Debug)]
pub(super) struct Blocked {
    shape: Shape,
    maps: Maps,
    values: Buffer,
}

impl Blocked {
    /// Takes values that a kernel has written.
    pub(super) fn new(maps: Maps, values: Buffer) -> Self {
        debug_assert_eq!(values.len(), maps.len());
        Self { shape: maps.shape(), maps, values }
    }

    /// Lays out values `[n, c, h, w]`.
    pub(super) fn from_rows(pool: &Pool, maps: Maps, rows: &[f32]) -> Self {
        let mut values = pool.take(maps.len());
        let (blocks, cells) = (maps.blocks(), maps.cells());
        for_each_chunk(&mut values, maps.plane(), |index, plane| {
            let (image, block) = (index / blocks, index % blocks);
            let first = block * BLOCK;
            let lanes = BLOCK.min(maps.channels - first);
            let rows = &rows[(image * maps.channels + first) * cells..][..lanes * cells];
            for (cell, lane) in plane.chunks_exact_mut(BLOCK).enumerate() {
                for (channel, value) in lane.iter_mut().enumerate() {
                    *value = if channel < lanes { rows[channel * cells + cell] } else { 0.0 };
                }
            }
        });
        Self::new(maps, values)
    }

    pub(super) fn maps(&self) -> Maps {
        self.maps
    }

    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }

    /// Returns a block of an image.
    pub(super) fn plane(&self, image: usize, block: usize) -> &[f32] {
        let plane = self.maps.plane();
        &self.values[(image * self.maps.blocks() + block) * plane..][..plane]
    }

    /// Lays the values out as `[n, c, h, w]`.
    pub(super) fn to_rows(&self) -> Vec<f32> {
        let maps = self.maps;
        let (blocks, cells) = (maps.blocks(), maps.cells());
        let mut rows = vec![0.0; maps.batch * maps.channels * cells];
        // Whole blocks where they are full, so that a unit of work is no larger than it must be.
        let is_full = maps.channels.is_multiple_of(BLOCK);
        let (per_unit, length) =
            if is_full { (1, BLOCK * cells) } else { (blocks, maps.channels * cells) };
        for_each_chunk(&mut rows, length, |unit, chunk| {
            for (index, rows) in chunk.chunks_mut(BLOCK * cells).enumerate() {
                let plane = &self.values[(unit * per_unit + index) * maps.plane()..];
                // Few cells at a time, which stay in the first cache for all lanes.
                for (part, blocks) in plane[..maps.plane()].chunks(PART * BLOCK).enumerate() {
                    for (lane, row) in rows.chunks_exact_mut(cells).enumerate() {
                        let row = &mut row[part * PART..];
                        for (value, block) in row.iter_mut().zip(blocks.chunks_exact(BLOCK)) {
                            *value = block[lane];
                        }
                    }
                }
            }
        });
        rows
    }

    pub(super) fn into_tensor(self) -> Tensor {
        Tensor::on_device(std::sync::Arc::new(self))
    }

    /// Finds the blocks behind a tensor, if it has any.
    pub(super) fn behind(tensor: &Tensor) -> Option<&Self> {
        tensor.device().and_then(|device| device.as_any().downcast_ref())
    }
}

impl DeviceTensor for Blocked {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn element(&self) -> Element {
        Element::F32
    }

    fn read(&self) -> Result<HostArray, BackendError> {
        let rows = self.to_rows();
        let count = rows.len();
        ArcArray::from_shape_vec(IxDyn(self.shape.extents()), rows)
            .map(HostArray::F32)
            .map_err(|_| BackendError::WrongCount { shape: self.shape.clone(), count })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Sets lanes beyond the channels to zero again, after a function that does not map zero to zero.
pub(super) fn clear_lanes(values: &mut [f32], maps: Maps) {
    clear_lanes_between(values, maps, maps.image());
}

/// The same where so many numbers lie from one image to the next.
pub(super) fn clear_lanes_between(values: &mut [f32], maps: Maps, pitch: usize) {
    let lanes = maps.channels % BLOCK;
    if lanes == 0 {
        return;
    }
    for image in values.chunks_mut(pitch.max(1)) {
        let last = &mut image[maps.image() - maps.plane()..maps.image()];
        last.chunks_exact_mut(BLOCK).for_each(|cell| cell[lanes..].fill(0.0));
    }
}

/// Blocks that a tensor has, or that were made of its values.
#[derive(Debug)]
pub(super) enum Operand<'a> {
    Had(&'a Blocked),
    Made(Blocked),
}

impl Deref for Operand<'_> {
    type Target = Blocked;

    fn deref(&self) -> &Blocked {
        match self {
            Self::Had(blocked) => blocked,
            Self::Made(blocked) => blocked,
        }
    }
}

impl<'a> Operand<'a> {
    /// Returns the maps of a tensor in blocks.
    ///
    /// # Errors
    /// Fails when the tensor holds no maps of numbers, or lies on another device.
    pub(super) fn of(
        pool: &Pool,
        kernel: &'static str,
        tensor: &'a Tensor,
    ) -> Result<Self, BackendError> {
        if let Some(blocked) = Blocked::behind(tensor) {
            return Ok(Self::Had(blocked));
        }
        crate::backend::operand::maps(kernel, tensor.shape())?;
        let maps = Maps::of(tensor.shape()).ok_or(BackendError::NotOnHost)?;
        Ok(Self::Made(Blocked::from_rows(pool, maps, tensor.values()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_went_in_and_lanes_beyond_the_channels_are_zero() {
        let pool = Pool::default();
        for channels in [1, 3, 15, 16, 17, 33] {
            for [height, width] in [[3, 5], [9, 15]] {
                let maps = Maps { batch: 2, channels, height, width };
                let count = 2 * channels * height * width;
                let rows: Vec<f32> = (0..count).map(|x| x as f32 + 1.0).collect();
                let blocked = Blocked::from_rows(&pool, maps, &rows);
                assert_eq!(blocked.to_rows(), rows);
                let silent = blocked.values().iter().filter(|&&x| x == 0.0).count();
                assert_eq!(silent, blocked.values().len() - count, "{channels}");
            }
        }
    }

    #[test]
    fn empty_maps_have_no_values() {
        let maps = Maps { batch: 0, channels: 3, height: 4, width: 4 };
        let blocked = Blocked::from_rows(&Pool::default(), maps, &[]);
        assert!(blocked.to_rows().is_empty());
        assert_eq!(*blocked.into_tensor().shape(), Shape::from([0, 3, 4, 4]));
    }
}
