//! Model cards: how a model wants its pictures, and what its outputs mean.

mod config;
mod fields;
mod hugging_face;
mod json;
mod table;
mod timm;

use std::path::{Path, PathBuf};

use crate::{DataError, Preprocessing};

pub use table::read_card;

/// The longest side that a card may ask for, in pixels.
const MAX_SIDE: usize = 65_535;

/// What is known about a model beside its file.
#[derive(Clone, Debug)]
pub struct Card {
    /// The file that says it.
    pub path: PathBuf,
    /// How the model wants its pictures, if the card says it.
    pub preprocessing: Option<Preprocessing>,
    /// The name of the value below the softmax, if the card says it.
    pub scores: Option<String>,
    /// The names of the classes, if the card says them.
    pub labels: Option<Labels>,
}

/// Where the names of the classes stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// In this file, for [`read_labels`](crate::read_labels).
    File(PathBuf),
    /// In the card itself, in the order of the classes.
    Names(Vec<String>),
}

/// A kind of card: looks for it beside a model and reads it. The input is the model's
/// `[channel, height, width]`, for cards that know several.
type Finder = fn(model: &Path, input: Option<[usize; 3]>) -> Result<Option<Card>, DataError>;

/// Every kind of card, the one that wins first.
const FINDERS: [Finder; 3] = [table::find, hugging_face::find, config::find];

/// Finds and reads the card of a model whose input is `[channel, height, width]`, if it is a
/// picture.
///
/// The first of these that lies in the model's folder is the card, alone:
///
/// * `STEM.toml` for `STEM.onnx`, convscope's own;
/// * `preprocessor_config.json` of a Hugging Face image processor, with the labels of the
///   `config.json` beside it;
/// * `config.json` of timm (`pretrained_cfg`), or of Hugging Face, which has labels (`id2label`)
///   but says nothing about pictures. Another program's `config.json` is no card.
///
/// # Errors
/// Fails when there is a card that cannot be read or understood, that contradicts itself, or that
/// asks for something that is not supported.
pub fn card_of(model: &Path, input: Option<[usize; 3]>) -> Result<Option<Card>, DataError> {
    for find in FINDERS {
        if let Some(card) = find(model, input)? {
            return Ok(Some(card));
        }
    }
    Ok(None)
}

/// Returns the files beside a model that [`card_of`] reads to find its card.
pub fn card_files(model: &Path) -> Vec<PathBuf> {
    let table = model.with_extension("toml");
    if table.exists() {
        return vec![table];
    }
    let others = ["preprocessor_config.json", "config.json"];
    others.iter().map(|name| model.with_file_name(name)).filter(|path| path.exists()).collect()
}

#[cfg(test)]
mod tests;
