//! Where the maxima of windows stood, in blocks.

use std::any::Any;

use ndarray::{ArcArray, IxDyn};

use super::blocked::Maps;
use super::buffer::Buffer;
use super::micro::BLOCK;
use crate::backend::axis::Axis;
use crate::{BackendError, DeviceTensor, Element, HostArray, Shape, Tensor};

/// The switches of a max pooling: for every lane of the pooled maps the tap of its window, counted
/// row by row, under which the maximum stood. What stands in lanes beyond the channels is without
/// meaning.
#[derive(Debug)]
pub(super) struct Switches {
    shape: Shape,
    maps: Maps,
    axes: [Axis; 2],
    taps: Buffer<u8>,
}

impl Switches {
    /// Taps that can be told apart.
    pub(super) const TAPS: usize = 1 << u8::BITS;

    /// Takes the taps that a kernel has found.
    pub(super) fn new(maps: Maps, axes: [Axis; 2], taps: Buffer<u8>) -> Self {
        debug_assert_eq!(taps.len(), maps.len());
        Self { shape: maps.shape(), maps, axes, taps }
    }

    /// Returns the extents of the pooled maps.
    pub(super) fn maps(&self) -> Maps {
        self.maps
    }

    /// Returns the windows.
    pub(super) fn axes(&self) -> &[Axis; 2] {
        &self.axes
    }

    /// Says whether they are switches of the images and channels of maps, of the same size.
    pub(super) fn lie_on(&self, maps: &Shape) -> bool {
        let [down, across] = self.axes;
        let Maps { batch, channels, .. } = self.maps;
        maps.extents() == [batch, channels, down.size, across.size]
    }

    pub(super) fn taps(&self) -> &[u8] {
        &self.taps
    }

    /// Returns the taps of a block of an image.
    pub(super) fn plane(&self, image: usize, block: usize) -> &[u8] {
        let plane = self.maps.plane();
        &self.taps[(image * self.maps.blocks() + block) * plane..][..plane]
    }

    pub(super) fn into_tensor(self) -> Tensor {
        Tensor::on_device(std::sync::Arc::new(self))
    }

    /// Finds the switches behind a tensor, if it has any.
    pub(super) fn behind(tensor: &Tensor) -> Option<&Self> {
        tensor.device().and_then(|device| device.as_any().downcast_ref())
    }

    fn to_positions(&self) -> Vec<u32> {
        let (maps, [down, across]) = (self.maps, self.axes);
        let mut positions = Vec::with_capacity(maps.batch * maps.channels * maps.cells());
        for image in 0..maps.batch {
            for channel in 0..maps.channels {
                let taps = self.plane(image, channel / BLOCK);
                for (cell, taps) in taps.chunks_exact(BLOCK).enumerate() {
                    let tap = usize::from(taps[channel % BLOCK]);
                    let row = down.cell(cell / maps.width, tap / across.kernel);
                    let column = across.cell(cell % maps.width, tap % across.kernel);
                    positions.push((row * across.size + column) as u32);
                }
            }
        }
        positions
    }
}

impl DeviceTensor for Switches {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn element(&self) -> Element {
        Element::U32
    }

    fn read(&self) -> Result<HostArray, BackendError> {
        let positions = self.to_positions();
        let count = positions.len();
        ArcArray::from_shape_vec(IxDyn(self.shape.extents()), positions)
            .map(HostArray::U32)
            .map_err(|_| BackendError::WrongCount { shape: self.shape.clone(), count })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
