//! What can go wrong with pictures, cards, labels and lists.

use std::io;
use std::path::PathBuf;

use convscope_runtime::{BackendError, Shape};
use thiserror::Error;

use crate::Origin;
use crate::mistake::{Mistake, Told};

/// An error of reading or preparing data.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A path names a folder, a pipe or a device where a file is needed.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// A file is larger than what is ever read of its kind.
    #[error("{} has {bytes} bytes; at most {limit} are read", path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The largest size that is read.
        limit: u64,
    },
    /// A text file holds something else than UTF-8.
    #[error("{}, line {line} is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The first such line, counted from 1.
        line: usize,
    },
    /// A file does not begin like any kind of picture.
    #[error(
        "{} is no picture: it begins like none of PNG, JPEG, WebP, BMP, TIFF and GIF",
        path.display()
    )]
    NotAPicture {
        /// The file.
        path: PathBuf,
    },
    /// A picture is truncated or broken.
    #[error("{} is damaged: {reason}", path.display())]
    DamagedPicture {
        /// The file.
        path: PathBuf,
        /// What the decoder met.
        reason: String,
    },
    /// A picture is of a kind that is not read.
    #[error("{} is a picture of a kind that is not read: {reason}", path.display())]
    UnsupportedPicture {
        /// The file.
        path: PathBuf,
        /// What is not read.
        reason: String,
    },
    /// A picture says in its header that it has no pixels.
    #[error("{} is empty: {width} × {height} pixels", path.display())]
    EmptyPicture {
        /// The file.
        path: PathBuf,
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
    },
    /// A picture says in its header that one of its sides is longer than is ever decoded.
    #[error(
        "{} has {width} × {height} pixels; sides of at most {limit} are decoded: cut or shrink it",
        path.display()
    )]
    SideTooLong {
        /// The file.
        path: PathBuf,
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
        /// The longest side that is decoded.
        limit: u64,
    },
    /// A picture says in its header that it has more pixels than are ever decoded.
    #[error(
        "{} has {width} × {height} pixels; at most {limit} are decoded: cut or shrink it",
        path.display()
    )]
    TooManyPixels {
        /// The file.
        path: PathBuf,
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
        /// The largest number of pixels that is decoded.
        limit: u64,
    },
    /// Pixels were made of too few or too many values.
    #[error("{width} × {height} pixels need three values each, got {count} values")]
    WrongCount {
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
        /// The number of values given.
        count: usize,
    },
    /// A model card cannot be understood, or contradicts itself.
    #[error("model card {}{}", path.display(), Told(mistakes))]
    Card {
        /// The card.
        path: PathBuf,
        /// Everything that is wrong, where, and what to do.
        mistakes: Vec<Mistake>,
    },
    /// A model card of another program asks for something that is not supported.
    #[error(
        "model card {} cannot be followed; write a card in TOML, which wins over it{}",
        path.display(),
        Told(mistakes)
    )]
    UnsupportedCard {
        /// The card.
        path: PathBuf,
        /// Everything that is not supported.
        mistakes: Vec<Mistake>,
    },
    /// There is no preset of that name.
    #[error("no preset is called {name:?}; there are imagenet, caffe, keras and raw")]
    UnknownPreset {
        /// The name given.
        name: String,
    },
    /// Preprocessing does not yield what the network reads.
    #[error("{field} of {origin}: {reason}")]
    Unfit {
        /// Where the preprocessing stands.
        origin: Origin,
        /// The field to look at.
        field: &'static str,
        /// What it yields, what is needed, what to do.
        reason: String,
    },
    /// A file of class names cannot be understood.
    #[error("labels {}: {reason}", path.display())]
    Labels {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// A folder, pattern or list yields nothing.
    #[error("no pictures in {place}: {reason}")]
    NoPictures {
        /// The folder, pattern or list.
        place: String,
        /// What was found instead.
        reason: String,
    },
    /// A pattern of file names cannot be understood.
    #[error("pattern {pattern}: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A listed file is no picture by its extension.
    #[error(
        "{} is no picture by its extension; read are png, jpg, jpeg, webp, bmp, tif, tiff, gif, \
         lists (.csv) and tensors (.npy, .pb)",
        path.display()
    )]
    UnknownExtension {
        /// The file.
        path: PathBuf,
    },
    /// A CSV list of pictures cannot be understood.
    #[error("list {}{}", path.display(), Told(mistakes))]
    List {
        /// The list.
        path: PathBuf,
        /// Everything that is wrong, with its line.
        mistakes: Vec<Mistake>,
    },
    /// The sources name more pictures than are ever listed.
    #[error("{place} holds more than {limit} pictures; give a part of them")]
    TooManyFiles {
        /// The folder, pattern or list.
        place: String,
        /// The largest number of pictures.
        limit: usize,
    },
    /// A part lies outside its picture.
    #[error(
        "part {part:?} of {} ends at row {bottom}, column {right}, outside the picture of {height} \
         rows and {width} columns",
        path.display()
    )]
    PartOutside {
        /// The picture.
        path: PathBuf,
        /// The part.
        part: String,
        /// The row behind the part's last.
        bottom: usize,
        /// The column behind the part's last.
        right: usize,
        /// Height of the picture in pixels.
        height: usize,
        /// Width of the picture in pixels.
        width: usize,
    },
    /// A `.npy` file is damaged.
    #[error("array {}: {reason}", path.display())]
    Array {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A `.npy` file holds elements that are not read.
    #[error(
        "array {} has elements of type {element}; read are float32, float64 and uint8: convert it \
         with array.astype(\"float32\")",
        path.display()
    )]
    UnsupportedElement {
        /// The file.
        path: PathBuf,
        /// The type as the file states it.
        element: String,
    },
    /// A tensor is not a batch of pictures.
    #[error(
        "tensor {}: pictures are [n, channel, height, width] with nothing empty, got {shape}",
        path.display()
    )]
    NotPictures {
        /// The file.
        path: PathBuf,
        /// The tensor's shape.
        shape: Shape,
    },
    /// A tensor cannot be made or read.
    #[error(transparent)]
    Tensor(#[from] BackendError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_a_tensor_keeps_its_words() {
        let error = DataError::from(BackendError::NotOnHost);
        assert_eq!(error.to_string(), "the tensor lies on a device; read it back first");
    }
}
