//! Operands that spread over maps.

use super::blocked::{Maps, Operand};
use super::buffer::{Buffer, Pool};
use super::lanes::{Lanes, cells};
use super::micro::BLOCK;
use super::strips::Strip;
use crate::{Computed, Shape, Tensor};

/// An operand that broadcasts to maps in blocks.
#[derive(Debug)]
pub(super) enum Broadcast<'a> {
    /// A value for each element.
    Maps(Operand<'a>),
    /// A value for each channel, the same in all cells.
    Channels {
        /// Values for the lanes of each block, zero beyond the channels.
        lanes: Buffer,
        /// Whose they are.
        images: Images,
    },
}

/// Which images share values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Images {
    /// All have the same.
    Same,
    /// Each has its own.
    Each,
}

/// What an operand has for the elements of a strip.
#[derive(Clone, Copy, Debug)]
pub(super) enum Along<'a> {
    /// A value for each.
    Cells(&'a [f32]),
    /// A value for each lane.
    Lanes(&'a Lanes),
}

/// Says whether an operand spreads over maps: it is as large, or has one cell: `[n, c, 1, 1]`, where
/// 1 may stand for n and c too and leading axes of 1 may be missing.
pub(super) fn spreads(shape: &Shape, maps: Maps) -> bool {
    Maps::of(shape) == Some(maps) || one_cell(shape, maps).is_some()
}

/// Returns the images and channels of an operand with one cell.
fn one_cell(shape: &Shape, maps: Maps) -> Option<[usize; 2]> {
    let mut aligned = [1; 4];
    let missing = 4_usize.checked_sub(shape.rank())?;
    aligned[missing..].copy_from_slice(shape.extents());
    let [batch, channels, 1, 1] = aligned else { return None };
    let fits = [1, maps.batch].contains(&batch) && [1, maps.channels].contains(&channels);
    fits.then_some([batch, channels])
}

impl<'a> Broadcast<'a> {
    /// Reads an operand that spreads over maps.
    ///
    /// # Errors
    /// Fails when it lies on another device or holds positions.
    pub(super) fn of(
        pool: &Pool,
        kernel: &'static str,
        tensor: &'a Tensor,
        maps: Maps,
    ) -> Computed<Self> {
        let Some([batch, channels]) = one_cell(tensor.shape(), maps) else {
            return Operand::of(pool, kernel, tensor).map(Self::Maps);
        };
        let host = tensor.to_host()?;
        let values = host.values()?;
        let width = maps.blocks() * BLOCK;
        let mut lanes = pool.zeros(batch * width);
        for (image, lanes) in lanes.chunks_mut(width.max(1)).enumerate() {
            let lanes = &mut lanes[..maps.channels];
            match values[image * channels..][..channels] {
                [same] => lanes.fill(same),
                ref values => lanes.copy_from_slice(values),
            }
        }
        let images = if batch == 1 { Images::Same } else { Images::Each };
        Ok(Self::Channels { lanes, images })
    }

    /// Returns what there is for a strip of the maps.
    pub(super) fn along(&self, strip: &Strip<'_, f32>, maps: Maps) -> Along<'_> {
        match self {
            Self::Maps(operand) => {
                Along::Cells(&operand.values()[strip.start(maps)..][..strip.values.len()])
            }
            Self::Channels { lanes, images } => {
                let image = if *images == Images::Each { strip.image } else { 0 };
                Along::Lanes(&cells(lanes)[image * maps.blocks() + strip.block])
            }
        }
    }
}
