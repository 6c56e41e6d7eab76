//! Images of a run.

use convscope_protocol::Item;
use ndarray::{Array3, ArrayD, Ix3};

use crate::AnalysisError;
use crate::boundary::{Connection, Mapped, Selection};

/// Images of a run: pictures, or tensors in network-input units. The host decodes one when it is
/// asked for, so that a large set costs no memory.
#[derive(Clone)]
pub struct Images<'host> {
    connection: &'host Connection<'host>,
    dataset: u64,
    /// Absent for all of the data set in order.
    indices: Option<Vec<u64>>,
    len: usize,
}

impl<'host> Images<'host> {
    pub(crate) fn new(
        connection: &'host Connection<'_>,
        dataset: u64,
    ) -> Result<Self, AnalysisError> {
        let len = connection.dataset_len(dataset)?;
        Ok(Self { connection, dataset, indices: None, len })
    }

    /// Counts the images.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns some of the images, in the given order; the same one may come several times.
    ///
    /// # Errors
    /// Fails when there is no such image.
    pub fn select(&self, indices: &[usize]) -> Result<Self, AnalysisError> {
        let indices =
            indices.iter().map(|&index| self.place(index)).collect::<Result<Vec<_>, _>>()?;
        let len = indices.len();
        Ok(Self { indices: Some(indices), len, ..*self })
    }

    /// Returns what is known about an image.
    ///
    /// # Errors
    /// Fails when there is no such image.
    pub fn item(&self, index: usize) -> Result<Item, AnalysisError> {
        let json = self.connection.item(self.dataset, self.place(index)?)?;
        serde_json::from_str(&json)
            .map_err(|error| AnalysisError::Interface(format!("item {index}: {error}")))
    }

    /// Returns the names of all images.
    ///
    /// # Errors
    /// As [`item`](Self::item).
    pub fn names(&self) -> Result<Vec<String>, AnalysisError> {
        (0..self.len).map(|index| Ok(self.item(index)?.name)).collect()
    }

    /// Returns an image as the network takes it, `[1, c, h, w]`.
    ///
    /// # Errors
    /// Fails when there is no such image, or it cannot be read.
    pub fn input(&self, index: usize) -> Result<ArrayD<f32>, AnalysisError> {
        let tensor = self.connection.item_input(self.dataset, self.place(index)?)?;
        let values = Mapped::read(self.connection, tensor)
            .and_then(|mapped| Ok(mapped.view::<f32>()?.to_owned()));
        self.connection.release(tensor);
        values
    }

    /// Returns the picture as the network sees it, before normalization: `[height, width, 3]`, RGB,
    /// at the size of the network's input. Nothing for raw tensors.
    ///
    /// # Errors
    /// Fails when there is no such image, or it cannot be read.
    pub fn pixels(&self, index: usize) -> Result<Option<Array3<u8>>, AnalysisError> {
        let Some(tensor) = self.connection.pixels(self.dataset, self.place(index)?)? else {
            return Ok(None);
        };
        let pixels = Mapped::read(self.connection, tensor)
            .and_then(|mapped| Ok(mapped.view::<u8>()?.into_dimensionality::<Ix3>()?.to_owned()));
        self.connection.release(tensor);
        pixels.map(Some)
    }

    pub(crate) fn selection(&self) -> Selection<'_> {
        Selection { dataset: self.dataset, indices: self.indices.as_deref() }
    }

    /// Finds the place of an image in the data set.
    fn place(&self, index: usize) -> Result<u64, AnalysisError> {
        if index >= self.len {
            let count = self.len;
            return Err(AnalysisError::Invalid(format!("image {index} of {count} images")));
        }
        Ok(self.indices.as_ref().map_or(index as u64, |indices| indices[index]))
    }
}
