//! Reading whole files of a bounded size.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::path::Path;

use crate::DataError;

/// Opens a regular file and returns it with what the system knows of it.
pub(crate) fn open(path: &Path) -> Result<(File, Metadata), DataError> {
    let failed = |source| DataError::Read { path: path.to_owned(), source };
    // Asked before opening: opening a pipe would wait for its other end.
    let about = fs::metadata(path).map_err(failed)?;
    if !about.is_file() {
        return Err(DataError::NotAFile { path: path.to_owned() });
    }
    let file = File::open(path).map_err(failed)?;
    // Another file may have this name by now.
    let about = file.metadata().map_err(failed)?;
    if !about.is_file() {
        return Err(DataError::NotAFile { path: path.to_owned() });
    }
    Ok((file, about))
}

/// Reads a regular file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, DataError> {
    let (file, about) = open(path)?;
    let size = about.len();
    let too_large = |bytes| DataError::FileTooLarge { path: path.to_owned(), bytes, limit };
    if size > limit {
        return Err(too_large(size));
    }
    let mut bytes = Vec::with_capacity(size as usize);
    // A file may grow while it is read.
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    let count = bytes.len() as u64;
    if count > limit { Err(too_large(count)) } else { Ok(bytes) }
}

/// Reads a text file of at most `limit` bytes, without the byte order mark some editors write.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<String, DataError> {
    let text = String::from_utf8(read(path, limit)?).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let lines = error.as_bytes()[..valid].split(|&byte| byte == b'\n').count();
        DataError::NotText { path: path.to_owned(), line: lines }
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("no/such.png"), 10).unwrap_err();
        assert!(error.to_string().starts_with("cannot read no/such.png: "), "{error}");
    }

    #[test]
    fn a_folder_is_not_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path(), 10).unwrap_err();
        assert_eq!(error.to_string(), format!("{} is not a file", folder.path().display()));
    }

    #[test]
    fn a_file_above_the_limit_is_refused_by_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        // A sparse file: it would not fit into memory.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let error = read(&path, 10).unwrap_err().to_string();
        assert!(error.ends_with("has 1099511627776 bytes; at most 10 are read"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_text_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.txt");
        fs::write(&path, b"cat\n\xff\n").unwrap();
        let error = read_text(&path, 10).unwrap_err().to_string();
        assert!(error.ends_with("labels.txt, line 2 is not UTF-8 text"), "{error}");
    }
}
