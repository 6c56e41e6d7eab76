//! Lists of pictures: files, folders, patterns, CSV files and raw tensors.

mod table;

use std::fs;
use std::path::{Path, PathBuf};

use crate::{DataError, Entry, read_npy, tensor_entries};

/// The extensions of picture files, in lower case.
const EXTENSIONS: [&str; 10] =
    ["png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "tif", "tiff", "gif"];

/// Lists the pictures and tensors that the sources name, in their order.
///
/// * A **file** must be a picture by its extension, a list (`.csv`) or a tensor (`.npy`).
/// * A **folder** yields its pictures sorted by name. Other files, hidden files and folders inside
///   it are ignored.
/// * A **pattern** (`photos/*.png`, `**/*.jpg`) yields the pictures it matches, sorted by path.
/// * A **CSV** has the columns `file,label,part,x,y,width,height` in any order; only `file` is
///   required, and it is relative to the CSV. Several lines of one file give it several parts,
///   whose regions are in pixels of the original picture.
/// * A **tensor** `[n, channel, height, width]` yields one entry per row. Tensors of other formats
///   become entries by [`tensor_entries`].
///
/// Nothing is decoded here.
///
/// # Errors
/// Fails when a source yields nothing, cannot be read, or is of an unknown kind.
pub fn list_images(sources: &[PathBuf]) -> Result<Vec<Entry>, DataError> {
    let mut entries = Vec::new();
    for source in sources {
        list_source(source, &mut entries)?;
    }
    Ok(entries)
}

fn list_source(source: &Path, entries: &mut Vec<Entry>) -> Result<(), DataError> {
    let about = match fs::metadata(source) {
        Ok(about) => about,
        Err(_) if is_pattern(source) => return list_pattern(source, entries),
        Err(error) => {
            return Err(DataError::Read { path: source.to_owned(), source: error });
        }
    };
    if about.is_dir() {
        return list_folder(source, entries);
    }
    match extension(source).as_deref() {
        Some("csv") => entries.extend(table::read(source)?),
        Some("npy") => entries.extend(tensor_entries(source, &read_npy(source)?)?),
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

fn list_folder(folder: &Path, entries: &mut Vec<Entry>) -> Result<(), DataError> {
    let failed = |source| DataError::Read { path: folder.to_owned(), source };
    let (mut pictures, mut folders, mut others) = (Vec::new(), 0, 0);
    for item in fs::read_dir(folder).map_err(failed)? {
        let path = item.map_err(failed)?.path();
        // Asked of the path, not of the item: a link counts as what it leads to.
        if path.is_dir() {
            folders += 1;
        } else if path.is_file() && is_picture(&path) && !is_hidden(&path) {
            pictures.push(path);
        } else {
            others += 1;
        }
    }
    if pictures.is_empty() {
        let reason = match (others, folders) {
            (0, 0) => "it is empty".to_owned(),
            (0, _) => format!("it holds {}", unsearched(folders)),
            (_, 0) => format!("it holds {}", of_other_kinds(others)),
            _ => format!("it holds {} and {}", of_other_kinds(others), unsearched(folders)),
        };
        return Err(DataError::NoPictures { place: folder.display().to_string(), reason });
    }
    pictures.sort();
    entries.extend(pictures.into_iter().map(Entry::picture));
    Ok(())
}

fn of_other_kinds(files: usize) -> String {
    match files {
        1 => "1 file of another kind".to_owned(),
        _ => format!("{files} files of other kinds"),
    }
}

fn unsearched(folders: usize) -> String {
    match folders {
        1 => "1 folder, which is not searched".to_owned(),
        _ => format!("{folders} folders, which are not searched"),
    }
}

fn list_pattern(pattern: &Path, entries: &mut Vec<Entry>) -> Result<(), DataError> {
    let shown = pattern.display().to_string();
    let refuse = |reason: String| DataError::Pattern { pattern: shown.clone(), reason };
    let text = pattern.to_str().ok_or_else(|| refuse("it is not UTF-8".to_owned()))?;
    let options =
        glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let matches = glob::glob_with(text, options).map_err(|error| refuse(error.to_string()))?;
    let (mut pictures, mut others) = (Vec::new(), 0);
    for found in matches {
        let path = found.map_err(|error| DataError::Read {
            path: error.path().to_owned(),
            source: error.into(),
        })?;
        if path.is_file() && is_picture(&path) {
            pictures.push(path);
        } else {
            others += 1;
        }
    }
    if pictures.is_empty() {
        let reason = match others {
            0 => "nothing matches".to_owned(),
            _ => format!("{others} matches, but no picture among them"),
        };
        return Err(DataError::NoPictures { place: shown, reason });
    }
    pictures.sort();
    entries.extend(pictures.into_iter().map(Entry::picture));
    Ok(())
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
