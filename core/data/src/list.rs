//! Lists of pictures: files, folders, patterns, CSV files and raw tensors.

mod folder;
mod pattern;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use crate::entry::row_entries;
use crate::npy::read_rows;
use crate::{DataError, Entry};

/// The extensions of picture files, in lower case.
const EXTENSIONS: [&str; 10] =
    ["png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "tif", "tiff", "gif"];

/// The largest number of pictures that sources may name together.
const MAX_FILES: usize = 1_000_000;

/// Lists the pictures and tensors that the sources name, in their order.
///
/// * A **file** must be a picture by its extension, a list (`.csv`) or a tensor (`.npy`). What kind
///   of picture it is, its content says.
/// * A **folder** yields its pictures. Other files, hidden files and the folders in it are ignored.
///   A folder without pictures but with folders is a set of classes, as torchvision's `ImageFolder`
///   is: every picture in such a folder, however deep, is labelled with the folder's name. Links
///   are followed, but into no folder twice.
/// * A **pattern** (`photos/*.png`, `**/*.jpg`) yields the pictures it matches, hidden ones only if
///   it writes their dot. `**` enters no folder twice either.
/// * A **CSV** has the columns `file,label,part,x,y,width,height` in any order; only `file` is
///   required, and it is relative to the CSV. Several lines of one file give it several parts,
///   whose regions are in pixels of the original picture.
/// * A **tensor** `[n, channel, height, width]` yields one entry per row. Tensors of other formats
///   become entries by [`tensor_entries`](crate::tensor_entries).
///
/// What a folder or pattern yields is sorted by path, folder by folder, in the order of bytes, so
/// that `10.png` stands before `9.png`. Nothing is decoded here.
///
/// # Errors
/// Fails when a source yields nothing, cannot be read, or is of an unknown kind, and when the
/// sources name more than a million pictures.
pub fn list_images(sources: &[PathBuf]) -> Result<Vec<Entry>, DataError> {
    let mut entries = Vec::new();
    for source in sources {
        list_source(source, &mut entries)?;
        check_count(source, entries.len())?;
    }
    Ok(entries)
}

fn check_count(place: &Path, count: usize) -> Result<(), DataError> {
    if count <= MAX_FILES {
        return Ok(());
    }
    Err(DataError::TooManyFiles { place: place.display().to_string(), limit: MAX_FILES })
}

fn list_source(source: &Path, entries: &mut Vec<Entry>) -> Result<(), DataError> {
    let about = match fs::metadata(source) {
        Ok(about) => about,
        Err(_) if is_pattern(source) => return pattern::list(source, entries),
        Err(error) => {
            return Err(DataError::Read { path: source.to_owned(), source: error });
        }
    };
    if about.is_dir() {
        return folder::list(source, entries);
    }
    match extension(source).as_deref() {
        Some("csv") => entries.extend(table::read(source)?),
        Some("npy") => entries.extend(row_entries(source, read_rows(source)?)?),
        _ => entries.push(Entry::picture(picture_file(source)?)),
    }
    Ok(())
}

/// Returns the path of a listed file that exists and is a picture by its extension.
fn picture_file(path: &Path) -> Result<PathBuf, DataError> {
    let about =
        fs::metadata(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    if !about.is_file() {
        Err(DataError::NotAFile { path: path.to_owned() })
    } else if is_picture(path) {
        Ok(path.to_owned())
    } else {
        Err(DataError::UnknownExtension { path: path.to_owned() })
    }
}

fn extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

fn is_picture(path: &Path) -> bool {
    extension(path).is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// Some systems put a hidden `._photo.jpg` beside `photo.jpg`.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_pattern(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|byte| b"*?[".contains(byte))
}

#[cfg(test)]
mod tests;
