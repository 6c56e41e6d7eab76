//! What can go wrong with pictures, cards, labels and lists.

use std::io;
use std::path::PathBuf;

use convscope_runtime::{BackendError, Shape};
use thiserror::Error;

use crate::Origin;
use crate::mistake::{Mistake, Told};

/// An error of reading pictures, labels, lists and model cards, or of preparing pictures.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder cannot be read.
    ///
    /// Cure: Check the path and that you may read it (`ls -l`). Paths in a script are relative to
    /// the script, in a card or a list to the file in which they stand, on the command line to the
    /// working folder.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A file cannot be written.
    ///
    /// Cure: See whether the folder exists, is yours to write (`ls -ld`), and has room (`df`).
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A path names a folder, a pipe or a device where a file is needed.
    ///
    /// Cure: Give the file itself. Folders are taken where pictures are listed, and nowhere else.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// A file is larger than what is ever read of its kind.
    ///
    /// Cure: See whether it is the right file. A picture larger than that can be shrunk, a list
    /// split in several.
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
    ///
    /// Cure: Save the file as UTF-8: `iconv -f latin1 -t utf8`.
    #[error("{}, line {line} is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The first such line, counted from 1.
        line: usize,
    },
    /// A file does not begin like any kind of picture.
    ///
    /// Cure: See what the file is (`file NAME`), and fetch or convert it: the content counts, not
    /// the extension.
    #[error(
        "{} is no picture: it begins like none of PNG, JPEG, WebP, BMP, TIFF and GIF",
        path.display()
    )]
    NotAPicture {
        /// The file.
        path: PathBuf,
    },
    /// A picture is truncated or broken.
    ///
    /// Cure: Fetch or save the file again. Pictures that are cut off are refused and not filled in,
    /// since what is missing would be analysed as if it were there.
    #[error("{} is damaged: {reason}", path.display())]
    DamagedPicture {
        /// The file.
        path: PathBuf,
        /// What the decoder met.
        reason: String,
    },
    /// A picture is of a kind that is not read.
    ///
    /// Cure: Save it as an 8-bit PNG: `magick NAME -depth 8 new.png`.
    #[error("{} is a picture of a kind that is not read: {reason}", path.display())]
    UnsupportedPicture {
        /// The file.
        path: PathBuf,
        /// What is not read.
        reason: String,
    },
    /// A picture says in its header that it has no pixels.
    ///
    /// Cure: Fetch or save the file again.
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
    ///
    /// Cure: Cut or shrink it: `magick NAME -resize 4096x4096 new.png`. Networks see a few hundred
    /// pixels of it anyway.
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
    ///
    /// Cure: Cut or shrink it: `magick NAME -resize 4096x4096 new.png`. Networks see a few hundred
    /// pixels of it anyway.
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
    ///
    /// Cure: Hand over height × width × 3 values. Users cannot cause this; please report it.
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
    ///
    /// Cure: Correct each line that the message names. README describes the fields under "Model and
    /// pictures".
    #[error("model card {}{}", path.display(), Told(mistakes))]
    Card {
        /// The card.
        path: PathBuf,
        /// Everything that is wrong, where, and what to do.
        mistakes: Vec<Mistake>,
    },
    /// A model card of another program asks for something that is not supported.
    ///
    /// Cure: Write a card in TOML beside the model, `my.toml` for `my.onnx`, which says what the
    /// other card means; README describes its fields under "Model and pictures".
    #[error(
        "model card {} cannot be followed (a card in TOML would win over it){}",
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
    ///
    /// Cure: Give one of these four, or write a model card.
    #[error("no preset is called {name:?}; there are imagenet, caffe, keras and raw")]
    UnknownPreset {
        /// The name given.
        name: String,
    },
    /// Preprocessing does not yield what the network reads.
    ///
    /// Cure: Correct the field, in the model card or by another `--preprocess`: what is prepared
    /// must have the height, width and channels that `convscope inspect` shows for the input.
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
    ///
    /// Cure: Correct the file: one class a line, in the order of the model's classes, or JSON like
    /// `imagenet_class_index.json`.
    #[error("labels {}: {reason}", path.display())]
    Labels {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// A folder, pattern or list yields nothing.
    ///
    /// Cure: See what is in the place (`ls`). Pictures count by their extension: png, jpg, jpeg,
    /// webp, bmp, tif, tiff, gif.
    #[error("no pictures in {place}: {reason}")]
    NoPictures {
        /// The folder, pattern or list.
        place: String,
        /// What was found instead.
        reason: String,
    },
    /// A pattern of file names cannot be understood.
    ///
    /// Cure: Write `*` for any part of a name, `**` for any folders, `[ab]` for one of some
    /// letters. Put the pattern in quotes, so that it is not the shell that reads it; a bracket
    /// that is meant as such is written `[[]`.
    #[error("pattern {pattern}: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A listed file is no picture by its extension.
    ///
    /// Cure: Give the file the extension of what it holds, or convert it into one of these.
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
    ///
    /// Cure: Correct each line that the message names. The header names the columns
    /// `file,label,part,x,y,width,height`, of which only `file` is required.
    #[error("list {}{}", path.display(), Told(mistakes))]
    List {
        /// The list.
        path: PathBuf,
        /// Everything that is wrong, with its line.
        mistakes: Vec<Mistake>,
    },
    /// The sources name more pictures than are ever listed.
    ///
    /// Cure: Name a part of them: a subfolder, a pattern, or a list.
    #[error("{place} holds more than {limit} pictures; give a part of them")]
    TooManyFiles {
        /// The folder, pattern or list.
        place: String,
        /// The largest number of pictures.
        limit: usize,
    },
    /// A part lies outside its picture.
    ///
    /// Cure: Correct `x`, `y`, `width` and `height` in the list: they are pixels of the picture as
    /// it is shown, turned as EXIF says, counted from its upper left corner.
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
    ///
    /// Cure: Save the array again with `numpy.save`, without pickled objects.
    #[error("array {}: {reason}", path.display())]
    Array {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A `.npy` file holds elements that are not read.
    ///
    /// Cure: Convert it: `numpy.save("new.npy", array.astype("float32"))`.
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
    ///
    /// Cure: Save the tensor with four axes, `[n, channel, height, width]`, and at least one
    /// picture. One picture alone is `array[None]`; channels that are last are moved by
    /// `array.transpose(0, 3, 1, 2)`.
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
    /// A file of tensors is another than when it was listed.
    ///
    /// Cure: Start the run again, and leave the file alone until it ends.
    #[error("{} changed while it was in use", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
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
