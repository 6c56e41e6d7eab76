//! Batches of images.

use convscope_runtime::{Shape, Tensor};
use rayon::prelude::*;

use crate::HostError;
use crate::engine::Engine;
use crate::source::{self, ImageSource, write_values};

/// Loads batches of images, each distinct image of neighbouring batches once.
///
/// Every image is written where the network reads it, and the memory of a batch serves the next
/// one: fresh memory costs the system as much as the images themselves.
pub(crate) struct Rows<'a> {
    engine: &'a Engine<'a>,
    images: &'a dyn ImageSource,
    shape: Shape,
    /// What the batch at hand consists of.
    numbers: Vec<usize>,
    batch: Tensor,
}

impl<'a> Rows<'a> {
    /// Loads from the given images.
    ///
    /// # Errors
    /// Fails when the network takes other things than images.
    pub(crate) fn new(
        engine: &'a Engine<'a>,
        images: &'a dyn ImageSource,
    ) -> Result<Self, HostError> {
        let shape = engine.network.value(engine.image_input()?).shape.clone();
        let batch = Tensor::zeros(shape.with_batch(0));
        Ok(Self { engine, images, shape, numbers: Vec::new(), batch })
    }

    /// Returns a batch of images by number, any number of times each.
    ///
    /// # Errors
    /// Fails when an image cannot be read, or the user cancels.
    pub(crate) fn load(&mut self, numbers: &[usize]) -> Result<Tensor, HostError> {
        if numbers != self.numbers {
            let known = std::mem::take(&mut self.numbers);
            let none = Tensor::zeros(self.shape.with_batch(0));
            let last = std::mem::replace(&mut self.batch, none);
            self.batch = self.next(numbers, &known, last)?;
            self.numbers = numbers.to_vec();
        }
        Ok(self.batch.clone())
    }

    /// Makes a batch after the `last` one, which consists of the images `known`.
    fn next(&self, numbers: &[usize], known: &[usize], last: Tensor) -> Result<Tensor, HostError> {
        let first = |number: &usize| numbers.iter().position(|other| other == number);
        let (mut values, last) = if numbers.iter().any(|number| known.contains(number)) {
            (Vec::new(), Some(last))
        } else {
            (last.into_values().unwrap_or_default(), None)
        };
        let shape = self.shape.with_batch(numbers.len());
        values.resize(shape.volume(), 0.0);
        let each = self.shape.with_batch(1).volume().max(1);
        values.par_chunks_mut(each).zip(numbers).enumerate().try_for_each(
            |(index, (place, number))| {
                if first(number) != Some(index) {
                    return Ok(());
                }
                // Decoding a batch of large pictures takes longer than anybody wants to wait.
                self.engine.check_cancelled()?;
                let known = known.iter().position(|known| known == number);
                match (&last, known) {
                    (Some(last), Some(row)) => write_values(source::row(last, row)?, place),
                    _ => self.images.write(*number, place),
                }
            },
        )?;
        for (index, number) in numbers.iter().enumerate() {
            if let Some(first) = first(number).filter(|&first| first != index) {
                values.copy_within(first * each..(first + 1) * each, index * each);
            }
        }
        Ok(Tensor::new(shape, values)?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::source::TensorImages;
    use crate::testing::{Bench, images};

    /// Images that note which ones are read.
    struct Noted(TensorImages, Mutex<Vec<usize>>);

    impl Noted {
        fn new(count: usize) -> Self {
            let tensor = images(count);
            let shape = tensor.shape().with_batch(1);
            Self(TensorImages::new(tensor, &shape).unwrap(), Mutex::default())
        }

        fn read(&self) -> Vec<usize> {
            std::mem::take(&mut self.1.lock().unwrap())
        }
    }

    impl ImageSource for Noted {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn write(&self, index: usize, place: &mut [f32]) -> Result<(), HostError> {
            self.1.lock().unwrap().push(index);
            self.0.write(index, place)
        }

        fn content(&self, index: usize) -> Result<convscope_data::ContentHash, HostError> {
            self.0.content(index)
        }
    }

    #[test]
    fn every_image_of_neighbouring_batches_is_read_once_and_stands_in_its_place() {
        let (bench, source) = (Bench::new(1, 1 << 30), Noted::new(6));
        let engine = bench.engine();
        let mut rows = Rows::new(&engine, &source).unwrap();
        let batches: [(&[usize], &[usize]); 7] = [
            (&[3, 1, 3], &[3, 1]),
            (&[3, 1, 3], &[]),
            (&[1, 5, 5, 1], &[5]),
            (&[0, 2], &[0, 2]),
            (&[2], &[]),
            (&[4, 3, 1, 4], &[4, 3, 1]),
            (&[], &[]),
        ];
        for (numbers, read) in batches {
            let batch = rows.load(numbers).unwrap();
            assert_eq!(*batch.shape(), images(numbers.len()).shape().clone());
            assert_eq!(source.read(), read);
            for (row, &number) in numbers.iter().enumerate() {
                assert_eq!(batch.row(row).unwrap(), images(6).row(number).unwrap());
            }
        }
    }

    #[test]
    fn a_batch_that_nobody_holds_gives_its_memory_to_the_next() {
        let (bench, source) = (Bench::new(1, 1 << 30), Noted::new(6));
        let engine = bench.engine();
        let mut rows = Rows::new(&engine, &source).unwrap();
        let place = |tensor: &Tensor| tensor.values().unwrap().as_ptr();
        let first = place(&rows.load(&[0, 1]).unwrap());
        let held = rows.load(&[2, 3]).unwrap();
        assert_eq!(place(&held), first);
        let next = rows.load(&[4, 5]).unwrap();
        assert_ne!(place(&next), first);
        assert_eq!(held.row(1).unwrap(), images(6).row(3).unwrap());
    }

    #[test]
    fn after_an_image_that_cannot_be_read_the_next_batch_is_whole() {
        let (bench, source) = (Bench::new(1, 1 << 30), Noted::new(2));
        let engine = bench.engine();
        let mut rows = Rows::new(&engine, &source).unwrap();
        rows.load(&[0, 1]).unwrap();
        let error = rows.load(&[0, 2]).unwrap_err();
        assert_eq!(error.to_string(), "image 2: there are only 2");
        let batch = rows.load(&[0, 1]).unwrap();
        assert_eq!(batch.values().unwrap(), images(2).values().unwrap());
    }
}
