//! Where the numbers of a model lie.

use std::path::PathBuf;

use crate::OnnxError;
use crate::external::{External, Outside};
use crate::overlay::Overlay;
use crate::source::{Source, Stretch};

/// What is read of large tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Everything.
    Values,
    /// Their shapes; zeros stand for their numbers.
    Shapes,
}

/// Where the numbers of a model lie: in its file, and in files beside it.
#[derive(Debug)]
pub(crate) struct Store {
    file: Source,
    external: External,
    overlay: Option<Overlay>,
    reading: Reading,
}

impl Store {
    /// Opens the store of a model in `file`, with the data outside of it.
    pub(crate) fn new(file: Source, external: External, reading: Reading) -> Self {
        Self { file, external, overlay: None, reading }
    }

    /// Lays a file of weights over the model.
    pub(crate) fn under(mut self, overlay: Option<Overlay>) -> Self {
        self.overlay = overlay;
        self
    }

    /// Returns the bytes of a tensor in the file of weights, if there is one that holds it.
    pub(crate) fn overlaid(&self, name: &str) -> Option<Bytes<'_>> {
        self.overlay.as_ref()?.find(name)
    }

    /// Makes a store of nothing.
    #[cfg(test)]
    pub(crate) fn empty() -> Self {
        Self::new(
            Source::of_bytes(Vec::new()),
            External::inside(std::path::Path::new("/nonexistent")),
            Reading::Values,
        )
    }

    pub(crate) fn file(&self) -> &Source {
        &self.file
    }

    pub(crate) fn external(&self) -> &External {
        &self.external
    }

    pub(crate) fn reading(&self) -> Reading {
        self.reading
    }

    /// Lists the files beside the model that held numbers: its own, sorted, then the weights that
    /// lie over it.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = self.external.files();
        files.extend(self.overlay.as_ref().map(|overlay| overlay.path().to_owned()));
        files
    }
}

/// The little-endian elements of a tensor, wherever they lie.
#[derive(Debug)]
pub(crate) enum Bytes<'a> {
    /// In memory.
    Here(&'a [u8]),
    /// In the file of the model, perhaps in several stretches.
    InFile(&'a Source, Vec<Stretch>),
    /// In a file beside it.
    Outside(Outside),
}

impl Bytes<'_> {
    /// Returns how many there are.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Here(bytes) => bytes.len() as u64,
            // Stretches lie one behind the other in a file whose length is a number.
            Self::InFile(_, stretches) => stretches.iter().map(|stretch| stretch.length).sum(),
            Self::Outside(outside) => outside.stretch.length,
        }
    }

    /// Returns whether every stretch holds whole elements of a width.
    pub(crate) fn holds_whole(&self, width: u64) -> bool {
        match self {
            Self::InFile(_, stretches) => {
                stretches.iter().all(|stretch| stretch.length.is_multiple_of(width))
            }
            Self::Here(_) | Self::Outside(_) => self.length().is_multiple_of(width),
        }
    }

    /// Hands out the bytes piece by piece; elements never lie in two pieces.
    ///
    /// # Errors
    /// Fails when a file cannot be read.
    pub(crate) fn each_piece(&self, mut take: impl FnMut(&[u8])) -> Result<(), OnnxError> {
        match self {
            Self::Here(bytes) => take(bytes),
            Self::InFile(file, stretches) => {
                for &stretch in stretches {
                    file.each_piece(stretch, &mut take)?;
                }
            }
            Self::Outside(Outside { file, stretch }) => file.each_piece(*stretch, take)?,
        }
        Ok(())
    }
}
