//! Pictures, preprocessing, labels and model cards.
//!
//! A picture file becomes [`Pixels`], a [`Preprocessing`] turns those into what a network reads,
//! and [`Prepared`] says where each of its pixels came from. How a model wants its pictures is
//! never guessed: it stands in a model [`Card`] or the user names a [`Preset`].

#![forbid(unsafe_code)]

pub mod card;
pub mod decode;
pub mod entry;
pub mod error;
mod file;
pub mod hash;
pub mod labels;
pub mod list;
pub mod mistake;
pub mod npy;
pub mod pixels;
pub mod preprocessing;
pub mod rows;
mod suggest;
mod value;

pub use card::{Card, Labels, card_files, card_of, read_card};
pub use decode::{Picture, decode, decode_bytes, read_picture};
pub use entry::{Entry, Part, check_parts, tensor_entries};
pub use error::DataError;
pub use hash::ContentHash;
pub use labels::read_labels;
pub use list::list_images;
pub use mistake::Mistake;
pub use npy::{read_npy, write_npy};
pub use pixels::Pixels;
pub use preprocessing::{
    Centre, Channels, Interpolation, LongSide, Mean, Normalization, Origin, Prepared,
    Preprocessing, Preset, Resize,
};
pub use rows::TensorRows;
