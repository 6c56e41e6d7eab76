//! Model cards: how a model wants its pictures, and what its outputs mean.

mod table;

use std::path::{Path, PathBuf};

use crate::{DataError, Preprocessing, file};
use table::Table;

/// The largest card that is read.
const MAX_BYTES: u64 = 1 << 20;

/// What is known about a model beside its file.
#[derive(Clone, Debug)]
pub struct Card {
    /// How the model wants its pictures.
    pub preprocessing: Preprocessing,
    /// The name of the value below the softmax, if the card says it.
    pub scores: Option<String>,
    /// The file of class names, if the card says it.
    pub labels: Option<PathBuf>,
}

/// A kind of card: looks for it beside a model and reads it.
type Finder = fn(model: &Path) -> Result<Option<Card>, DataError>;

/// Every kind of card, the one that wins first.
const FINDERS: [Finder; 1] = [toml_beside];

/// Finds and reads the card of a model: `STEM.toml` beside it.
///
/// # Errors
/// Fails when there is a card that cannot be read or understood, or that contradicts itself.
pub fn card_of(model: &Path) -> Result<Option<Card>, DataError> {
    for find in FINDERS {
        if let Some(card) = find(model)? {
            return Ok(Some(card));
        }
    }
    Ok(None)
}

fn toml_beside(model: &Path) -> Result<Option<Card>, DataError> {
    let path = model.with_extension("toml");
    if path.exists() { read_card(&path).map(Some) } else { Ok(None) }
}

/// Reads a card. File names in it are relative to its folder.
///
/// # Errors
/// As [`card_of`].
pub fn read_card(path: &Path) -> Result<Card, DataError> {
    let refuse = |reason: String| DataError::Card { path: path.to_owned(), reason };
    let text = file::read_text(path, MAX_BYTES)?;
    let table: Table =
        toml::from_str(&text).map_err(|error| refuse(error.to_string().trim_end().to_owned()))?;
    table.into_card(path)
}

#[cfg(test)]
mod tests;
