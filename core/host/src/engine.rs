//! What a verb computes with: network, backend, threads, memory.

use std::sync::Arc;

use convscope_runtime::network::ValueId;
use convscope_runtime::{Backend, Network, Shape, Tensor};
use rayon::ThreadPool;

use crate::HostError;

/// Everything a verb computes with.
#[derive(Clone, Copy)]
pub(crate) struct Engine<'a> {
    /// The network.
    pub network: &'a Network,
    /// Where it is computed.
    pub backend: &'a dyn Backend,
    /// The session's threads.
    pub pool: &'a ThreadPool,
    /// Bytes that may be used.
    pub memory: u64,
    /// Says whether the user wants to stop.
    pub cancelled: &'a (dyn Fn() -> bool + Sync),
}

impl Engine<'_> {
    /// Computes on the session's threads.
    pub(crate) fn compute<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.pool.install(work)
    }

    /// Returns the number of the session's threads.
    pub(crate) fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Fails when the user wants to stop.
    pub(crate) fn check_cancelled(&self) -> Result<(), HostError> {
        if (self.cancelled)() { Err(HostError::Cancelled) } else { Ok(()) }
    }

    /// Returns the one input that takes images.
    pub(crate) fn image_input(&self) -> Result<ValueId, HostError> {
        image_input(self.network)
    }
}

/// Returns the one input of a network that takes images.
pub(crate) fn image_input(network: &Network) -> Result<ValueId, HostError> {
    match network.inputs() {
        [input] => Ok(*input),
        inputs => Err(HostError::Request {
            what: "the model".to_owned(),
            reason: format!("has {} inputs; images can only be given to one", inputs.len()),
        }),
    }
}

/// Images by number, as the network's input.
pub(crate) trait ImageSource: Send + Sync {
    /// Returns the number of images.
    fn len(&self) -> usize;
    /// Returns one image as the network's input, `[1, c, h, w]`.
    fn image(&self, index: usize) -> Result<Tensor, HostError>;
}

/// Images of a tensor `[n, c, h, w]` in network-input units.
#[derive(Clone, Debug)]
pub(crate) struct TensorImages(Tensor);

impl TensorImages {
    /// Takes a tensor whose rows fit an input.
    pub(crate) fn new(tensor: Tensor, input: &Shape) -> Result<Self, HostError> {
        check_rows("a tensor", &tensor, input)?;
        Ok(Self(tensor))
    }
}

/// Checks that the rows of a tensor are images for an input; `name` says which tensor it is.
pub(crate) fn check_rows(name: &str, tensor: &Tensor, input: &Shape) -> Result<(), HostError> {
    if *tensor.shape() == input.with_batch(tensor.shape().batch()) {
        return Ok(());
    }
    Err(HostError::Images {
        what: format!("{name} of shape {}", tensor.shape()),
        reason: format!("the model takes {input} for one image"),
    })
}

impl ImageSource for TensorImages {
    fn len(&self) -> usize {
        self.0.shape().batch()
    }

    fn image(&self, index: usize) -> Result<Tensor, HostError> {
        row_of(&self.0, index)
    }
}

/// Copies one row of a host tensor.
pub(crate) fn row_of(tensor: &Tensor, index: usize) -> Result<Tensor, HostError> {
    let each = tensor.shape().volume() / tensor.shape().batch().max(1);
    let start = index.saturating_mul(each);
    let row = tensor.values()?.get(start..start.saturating_add(each)).ok_or_else(|| {
        HostError::Images {
            what: format!("image {index}"),
            reason: format!("there are only {}", tensor.shape().batch()),
        }
    })?;
    Ok(Tensor::new(tensor.shape().with_batch(1), row.to_vec())?)
}

/// Loads batches of images, each distinct image of neighbouring batches once.
pub(crate) struct Rows<'a> {
    engine: &'a Engine<'a>,
    images: &'a dyn ImageSource,
    recent: Vec<(usize, Tensor)>,
}

impl<'a> Rows<'a> {
    /// Loads from the given images.
    pub(crate) fn new(engine: &'a Engine<'a>, images: &'a dyn ImageSource) -> Self {
        Self { engine, images, recent: Vec::new() }
    }

    /// Returns a batch of images by number, any number of times each.
    ///
    /// # Errors
    /// Fails when an image cannot be read, or the user cancels.
    pub(crate) fn load(&mut self, numbers: &[usize]) -> Result<Tensor, HostError> {
        use rayon::prelude::*;

        let mut distinct = numbers.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        self.recent.retain(|(number, _)| distinct.binary_search(number).is_ok());
        let missing: Vec<usize> = distinct
            .into_iter()
            .filter(|number| self.recent.iter().all(|(known, _)| known != number))
            .collect();
        let (engine, images) = (self.engine, self.images);
        let loaded: Vec<(usize, Tensor)> = missing
            .into_par_iter()
            .map(|number| {
                // Decoding a batch of large pictures takes longer than anybody wants to wait.
                engine.check_cancelled()?;
                Ok((number, images.image(number)?))
            })
            .collect::<Result<_, HostError>>()?;
        self.recent.extend(loaded);
        let each = self.recent.first().map_or(0, |(_, image)| image.shape().volume());
        let mut values = Vec::with_capacity(each.saturating_mul(numbers.len()));
        let mut shape = Shape::from([0]);
        for number in numbers {
            if let Some((_, image)) = self.recent.iter().find(|(known, _)| known == number) {
                shape = image.shape().with_batch(numbers.len());
                values.extend_from_slice(image.values()?);
            }
        }
        Ok(Tensor::new(shape, values)?)
    }
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
            Some(number) => Err(HostError::Images {
                what: format!("image {number}"),
                reason: format!("there are only {}", images.len()),
            }),
        }
    }
}

impl ImageSource for Chosen {
    fn len(&self) -> usize {
        self.numbers.len()
    }

    fn image(&self, index: usize) -> Result<Tensor, HostError> {
        match self.numbers.get(index) {
            Some(&number) => self.images.image(number),
            None => Err(HostError::Images {
                what: format!("image {index}"),
                reason: format!("there are only {}", self.numbers.len()),
            }),
        }
    }
}
