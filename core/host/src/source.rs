//! Sources of images, as a network's input.

use std::sync::Arc;

use convscope_data::ContentHash;
use convscope_runtime::{BackendError, Shape, Tensor};

use crate::HostError;

/// Images by number, as the network's input.
pub(crate) trait ImageSource: Send + Sync {
    /// Returns the number of images.
    fn len(&self) -> usize;
    /// Writes one image into its place in a batch, `[c, h, w]`.
    ///
    /// # Errors
    /// Fails when there is no such image, when it cannot be read, and when it does not fill the
    /// place.
    fn write(&self, index: usize, place: &mut [f32]) -> Result<(), HostError>;
    /// Returns a hash of everything that decides what [`write`](Self::write) writes.
    ///
    /// # Errors
    /// Fails when there is no such image, and when it cannot be read.
    fn content(&self, index: usize) -> Result<ContentHash, HostError>;
}

/// Images of a tensor `[n, c, h, w]` in network-input units.
#[derive(Clone, Debug)]
pub(crate) struct TensorImages(Tensor);

impl TensorImages {
    /// Takes a tensor whose rows fit an input.
    pub(crate) fn new(tensor: Tensor, input: &Shape) -> Result<Self, HostError> {
        check_rows("a tensor", tensor.shape(), input)?;
        Ok(Self(tensor))
    }
}

/// Checks that the rows of a tensor of some shape are images for an input; `name` says which tensor
/// it is.
pub(crate) fn check_rows(name: &str, shape: &Shape, input: &Shape) -> Result<(), HostError> {
    if *shape == input.with_batch(shape.batch()) {
        return Ok(());
    }
    Err(HostError::Images {
        what: format!("{name} of shape {shape}"),
        reason: format!("the model takes {input} for one image"),
    })
}

impl ImageSource for TensorImages {
    fn len(&self) -> usize {
        self.0.shape().batch()
    }

    fn write(&self, index: usize, place: &mut [f32]) -> Result<(), HostError> {
        write_values(row(&self.0, index)?, place)
    }

    fn content(&self, index: usize) -> Result<ContentHash, HostError> {
        let shape = self.0.shape().with_batch(1);
        Ok(ContentHash::of_values(shape.extents(), row(&self.0, index)?))
    }
}

/// Returns one image by itself, `[1, c, h, w]`, for an input.
///
/// # Errors
/// As [`ImageSource::write`].
pub(crate) fn image(
    images: &dyn ImageSource,
    index: usize,
    input: &Shape,
) -> Result<Tensor, HostError> {
    let shape = input.with_batch(1);
    let mut values = vec![0.0; shape.volume()];
    images.write(index, &mut values)?;
    Ok(Tensor::new(shape, values)?)
}

/// Borrows the values of one image of a host tensor.
pub(crate) fn row(tensor: &Tensor, index: usize) -> Result<&[f32], HostError> {
    tensor.row(index)?.ok_or_else(|| no_image(index, tensor.shape().batch()))
}

/// Copies the values of an image into its place in a batch.
pub(crate) fn write_values(values: &[f32], place: &mut [f32]) -> Result<(), HostError> {
    if values.len() != place.len() {
        let (shape, count) = (Shape::from([place.len()]), values.len());
        return Err(BackendError::WrongCount { shape, count }.into());
    }
    place.copy_from_slice(values);
    Ok(())
}

/// Says that there is no image of a number.
pub(crate) fn no_image(index: usize, count: usize) -> HostError {
    HostError::Images { what: format!("image {index}"), reason: format!("there are only {count}") }
}

/// Images of several sources in a chosen order.
pub(crate) struct Chosen {
    images: Arc<dyn ImageSource>,
    numbers: Vec<usize>,
}

impl Chosen {
    /// Chooses images by number.
    ///
    /// # Errors
    /// Fails when one does not exist.
    pub(crate) fn new(
        images: Arc<dyn ImageSource>,
        numbers: Vec<usize>,
    ) -> Result<Self, HostError> {
        match numbers.iter().find(|&&number| number >= images.len()) {
            None => Ok(Self { images, numbers }),
            Some(&number) => Err(no_image(number, images.len())),
        }
    }
}

impl ImageSource for Chosen {
    fn len(&self) -> usize {
        self.numbers.len()
    }

    fn write(&self, index: usize, place: &mut [f32]) -> Result<(), HostError> {
        match self.numbers.get(index) {
            Some(&number) => self.images.write(number, place),
            None => Err(no_image(index, self.numbers.len())),
        }
    }

    fn content(&self, index: usize) -> Result<ContentHash, HostError> {
        match self.numbers.get(index) {
            Some(&number) => self.images.content(number),
            None => Err(no_image(index, self.numbers.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn chosen_images_are_those_of_the_source() {
        let tensor = testing::images(3);
        let shape = tensor.shape().with_batch(1);
        let all = Arc::new(TensorImages::new(tensor.clone(), &shape).unwrap());
        let chosen = Chosen::new(all.clone(), vec![2, 0, 2]).unwrap();
        let mut place = vec![0.0; shape.volume()];
        chosen.write(2, &mut place).unwrap();
        assert_eq!(place, row(&tensor, 2).unwrap());
        let one = image(&chosen, 1, tensor.shape()).unwrap();
        assert_eq!(*one.shape(), shape);
        assert_eq!(one.values().unwrap(), row(&tensor, 0).unwrap());
        assert_eq!(chosen.content(2).unwrap(), all.content(2).unwrap());
        assert_ne!(chosen.content(1).unwrap(), all.content(2).unwrap());
        let error = chosen.content(3).unwrap_err();
        assert_eq!(error.to_string(), "image 3: there are only 3");
        let error = chosen.write(3, &mut place).unwrap_err();
        assert_eq!(error.to_string(), "image 3: there are only 3");
        let error = Chosen::new(all, vec![0, 7]).err().unwrap();
        assert_eq!(error.to_string(), "image 7: there are only 3");
    }

    #[test]
    fn an_image_must_fill_its_place() {
        let error = write_values(&[1.0, 2.0], &mut [0.0; 3]).unwrap_err();
        assert_eq!(error.to_string(), "shape [3] needs 3 values, got 2");
    }
}
