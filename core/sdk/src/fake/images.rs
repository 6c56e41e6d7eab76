//! Images of the fake host.

use convscope_protocol::Item;
use convscope_protocol::item::Mapping;
use ndarray::{Array3, Array4, ArrayD, Axis, Ix4};

use super::network::EDGE;
use super::{ColourOrder, FakeError, Fault};

/// A data set in memory.
#[derive(Clone, Debug)]
pub(crate) struct ImageSet {
    values: ArrayD<f32>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Picture,
    Tensor,
}

/// The images that a verb is called for.
#[derive(Clone, Debug)]
pub(crate) struct Picked {
    values: Array4<f32>,
}

impl ImageSet {
    pub(super) fn tensors(values: ArrayD<f32>) -> Self {
        Self { values, kind: Kind::Tensor }
    }

    pub(super) fn pictures(values: ArrayD<f32>) -> Self {
        Self { values, kind: Kind::Picture }
    }

    fn fits(&self, channels: usize) -> bool {
        let shape = self.values.shape();
        shape.len() == 4 && shape[1..] == [channels, EDGE, EDGE]
    }

    pub(super) fn check(&self, key: &str, channels: usize) -> Result<(), FakeError> {
        if self.fits(channels) {
            return Ok(());
        }
        let shape = self.values.shape().to_vec();
        Err(FakeError::Images { key: key.to_owned(), shape, channels })
    }

    /// Makes a data set for a plugin.
    pub(super) fn of_plugin(values: ArrayD<f32>, channels: usize) -> Result<Self, Fault> {
        let set = Self::tensors(values);
        if set.fits(channels) {
            return Ok(set);
        }
        let shape = set.values.shape();
        Err(Fault::invalid(format!("images of shape {shape:?} instead of [n, {channels}, 6, 6]")))
    }

    pub(super) fn len(&self) -> usize {
        self.values.shape().first().copied().unwrap_or(0)
    }

    fn row(&self, index: u64) -> Result<Array3<f32>, Fault> {
        let count = self.len();
        let row = usize::try_from(index).ok().filter(|row| *row < count);
        let row = row.ok_or_else(|| Fault::invalid(format!("image {index} of {count} images")))?;
        let values = self.values.index_axis(Axis(0), row).to_owned();
        values.into_dimensionality().map_err(Fault::broken)
    }

    /// Network input of an item, `[1, c, h, w]`.
    pub(super) fn input(&self, index: u64) -> Result<ArrayD<f32>, Fault> {
        Ok(self.row(index)?.insert_axis(Axis(0)).into_dyn())
    }

    pub(super) fn item(&self, index: u64) -> Result<Item, Fault> {
        self.row(index)?;
        let item = Item { input_size: [EDGE; 2], ..Item::default() };
        Ok(match self.kind {
            Kind::Tensor => Item { name: format!("tensor {index}"), ..item },
            Kind::Picture => Item {
                name: format!("picture {index}"),
                original_size: Some([2 * EDGE; 2]),
                mapping: Some(Mapping { offset: [0.0; 2], step: [2.0; 2] }),
                ..item
            },
        })
    }

    /// Pixels of an item, `[h, w, 3]`; the network takes colours in the given order.
    pub(super) fn pixels(
        &self,
        index: u64,
        order: Option<ColourOrder>,
    ) -> Result<ArrayD<u8>, Fault> {
        let row = self.row(index)?;
        if self.kind == Kind::Tensor {
            return Err(Fault::unsupported("raw tensors have no pixels"));
        }
        let pixel = |value: f32| (128.0 + 64.0 * value).round().clamp(0.0, 255.0) as u8;
        let channels = row.len_of(Axis(0));
        Ok(Array3::from_shape_fn((EDGE, EDGE, 3), |(y, x, colour)| {
            let channel = if order == Some(ColourOrder::Bgr) { 2 - colour } else { colour };
            if channel < channels { pixel(row[[channel, y, x]]) } else { 128 }
        })
        .into_dyn())
    }

    /// Picks the images of a verb; all without indices.
    pub(super) fn pick(&self, indices: Option<&[u64]>) -> Result<Picked, Fault> {
        let all: Vec<u64>;
        let indices = if let Some(indices) = indices {
            indices
        } else {
            all = (0..self.len() as u64).collect();
            &all
        };
        let channels = self.values.shape()[1];
        let mut values = Array4::zeros((indices.len(), channels, EDGE, EDGE));
        for (mut target, &index) in values.outer_iter_mut().zip(indices) {
            target.assign(&self.row(index)?);
        }
        Ok(Picked { values })
    }
}

impl Picked {
    /// Takes a tensor as images.
    pub(super) fn of_tensor(values: ArrayD<f32>, channels: usize) -> Result<Self, Fault> {
        let set = ImageSet::of_plugin(values, channels)?;
        let values = set.values.into_dimensionality::<Ix4>().map_err(Fault::broken)?;
        Ok(Self { values })
    }

    pub(super) fn len(&self) -> usize {
        self.values.len_of(Axis(0))
    }

    pub(super) fn channels(&self) -> usize {
        self.values.len_of(Axis(1))
    }

    pub(super) fn get(&self, image: usize) -> Result<Array3<f32>, Fault> {
        if image >= self.len() {
            return Err(Fault::invalid(format!("image {image} of {} images", self.len())));
        }
        Ok(self.values.index_axis(Axis(0), image).to_owned())
    }
}
