//! Folders of pictures, and folders of classes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{check_count, is_hidden, is_picture};
use crate::{DataError, Entry};

/// What lies in a folder, each sorted. What is hidden is among the others.
pub(super) struct Contents {
    pub(super) pictures: Vec<PathBuf>,
    pub(super) folders: Vec<PathBuf>,
    pub(super) others: Vec<PathBuf>,
}

/// Lists the pictures of a folder, or of its folders as classes if it has none itself.
pub(super) fn list(folder: &Path, entries: &mut Vec<Entry>) -> Result<(), DataError> {
    let contents = Contents::of(folder)?;
    if !contents.pictures.is_empty() {
        check_count(folder, entries.len() + contents.pictures.len())?;
        entries.extend(contents.pictures.into_iter().map(Entry::picture));
        return Ok(());
    }
    let before = entries.len();
    for class in &contents.folders {
        let label = class.file_name().unwrap_or_default().to_string_lossy();
        let mut seen = BTreeSet::from([real(folder)?]);
        list_class(class, &label, &mut seen, entries)?;
    }
    if entries.len() > before {
        return Ok(());
    }
    let reason = match (contents.others.len(), contents.folders.len()) {
        (0, 0) => "it is empty".to_owned(),
        (0, folders) => format!("it holds {}", without_pictures(folders)),
        (others, 0) => format!("it holds {}", of_other_kinds(others)),
        (others, folders) => {
            format!("it holds {} and {}", of_other_kinds(others), without_pictures(folders))
        }
    };
    Err(DataError::NoPictures { place: folder.display().to_string(), reason })
}

/// Lists every picture below a folder. A link may lead back: no folder is listed twice.
fn list_class(
    folder: &Path,
    class: &str,
    seen: &mut BTreeSet<PathBuf>,
    entries: &mut Vec<Entry>,
) -> Result<(), DataError> {
    if !seen.insert(real(folder)?) {
        return Ok(());
    }
    let contents = Contents::of(folder)?;
    check_count(folder, entries.len() + contents.pictures.len())?;
    entries.extend(contents.pictures.into_iter().map(|path| Entry::Picture {
        path,
        label: Some(class.to_owned()),
        parts: Vec::new(),
    }));
    contents.folders.iter().try_for_each(|folder| list_class(folder, class, seen, entries))
}

impl Contents {
    pub(super) fn of(folder: &Path) -> Result<Self, DataError> {
        let failed = |source| DataError::Read { path: folder.to_owned(), source };
        let mut contents = Self { pictures: Vec::new(), folders: Vec::new(), others: Vec::new() };
        for item in fs::read_dir(folder).map_err(failed)? {
            let path = item.map_err(failed)?.path();
            // Asked of the path, not of the item: a link counts as what it leads to.
            if is_hidden(&path) {
                contents.others.push(path);
            } else if path.is_dir() {
                contents.folders.push(path);
            } else if path.is_file() && is_picture(&path) {
                contents.pictures.push(path);
                check_count(folder, contents.pictures.len())?;
            } else {
                contents.others.push(path);
            }
        }
        contents.pictures.sort();
        contents.folders.sort();
        contents.others.sort();
        Ok(contents)
    }
}

/// Returns the one path of a folder that has many by links.
pub(super) fn real(folder: &Path) -> Result<PathBuf, DataError> {
    folder.canonicalize().map_err(|source| DataError::Read { path: folder.to_owned(), source })
}

fn of_other_kinds(files: usize) -> String {
    match files {
        1 => "1 file of another kind".to_owned(),
        _ => format!("{files} files of other kinds"),
    }
}

fn without_pictures(folders: usize) -> String {
    match folders {
        1 => "1 folder without pictures".to_owned(),
        _ => format!("{folders} folders without pictures"),
    }
}
