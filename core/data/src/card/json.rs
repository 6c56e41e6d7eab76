//! Cards in JSON.

use std::path::Path;

use crate::mistake::Mistake;
use crate::value::{Field, Value};
use crate::{DataError, file, value};

/// The largest card in JSON that is read: twenty thousand labels make three megabytes.
const MAX_BYTES: u64 = 16 << 20;

/// Reads the fields of an object. No field may stand there twice.
pub(super) fn read(path: &Path) -> Result<Vec<Field>, DataError> {
    let refuse = |mistake| DataError::Card { path: path.to_owned(), mistakes: vec![mistake] };
    let text = file::read_text(path, MAX_BYTES)?;
    match value::read_json(&text) {
        Ok(Value::Table(fields)) => Ok(fields),
        Ok(_) => Err(refuse(Mistake::of_file("it holds no JSON object"))),
        Err(error) => {
            // Its words end with the place, which stands at the front already.
            let words = error.to_string();
            let reason = words.rsplit_once(" at line ").map_or(words.as_str(), |(words, _)| words);
            Err(refuse(Mistake::at(error.line() as u64, reason)))
        }
    }
}
