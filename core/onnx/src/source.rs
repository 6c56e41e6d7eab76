//! The bytes of a file, of which no more is held than is asked for.

use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::OnnxError;

/// Bytes that are read at once: a multiple of every element's width.
const PIECE: usize = 1 << 17;

/// The bytes of a file, of which no more is held than is asked for.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    data: Data,
    length: u64,
}

#[derive(Debug)]
enum Data {
    File(File),
    Bytes(Vec<u8>),
}

/// A stretch of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// What can be read from some place on.
pub(crate) trait Reader: Read + Seek {}

impl<T: Read + Seek> Reader for T {}

impl Source {
    /// Opens a regular file.
    ///
    /// # Errors
    /// Fails when the path is none, or cannot be opened.
    pub(crate) fn open(path: &Path) -> Result<Self, OnnxError> {
        let failed = |source| OnnxError::Read { path: path.to_owned(), source };
        // Asked before opening: opening a pipe would wait for its other end.
        let regular = fs::metadata(path).map_err(failed)?.is_file();
        if !regular {
            return Err(OnnxError::NotAFile { path: path.to_owned() });
        }
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        Ok(Self { path: path.to_owned(), data: Data::File(file), length })
    }

    /// Wraps the bytes of a file that somebody else has read.
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Self {
        let length = bytes.len() as u64;
        Self { path: PathBuf::from("the model"), data: Data::Bytes(bytes), length }
    }

    /// Returns the number of bytes, as it was when the file was opened.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Says that reading failed.
    pub(crate) fn failed(&self, source: io::Error) -> OnnxError {
        OnnxError::Read { path: self.path.clone(), source }
    }

    /// Returns a reader that starts at the first byte.
    ///
    /// # Errors
    /// Fails when the file cannot be read.
    pub(crate) fn reader(&self) -> Result<Box<dyn Reader + '_>, OnnxError> {
        match &self.data {
            Data::File(file) => {
                let mut reader: &File = file;
                reader.seek(SeekFrom::Start(0)).map_err(|error| self.failed(error))?;
                Ok(Box::new(reader))
            }
            Data::Bytes(bytes) => Ok(Box::new(Cursor::new(bytes.as_slice()))),
        }
    }

    /// Hands out the bytes of a stretch, piece by piece; all pieces but the last hold a multiple of
    /// eight bytes.
    ///
    /// # Errors
    /// Fails when the file cannot be read or has become shorter.
    pub(crate) fn each_piece(
        &self,
        stretch: Stretch,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), OnnxError> {
        let mut reader = self.reader()?;
        reader.seek(SeekFrom::Start(stretch.offset)).map_err(|error| self.failed(error))?;
        let mut left = stretch.length;
        let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
        while left > 0 {
            let count = piece.len().min(usize::try_from(left).unwrap_or(PIECE));
            let (piece, _) = piece.split_at_mut(count);
            reader.read_exact(piece).map_err(|error| self.failed(error))?;
            take(piece);
            left -= count as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch_of(source: &Source, offset: u64, length: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        source.each_piece(Stretch { offset, length }, |piece| bytes.extend(piece)).unwrap();
        bytes
    }

    #[test]
    fn a_file_and_its_bytes_are_read_alike() {
        let bytes: Vec<u8> = (0..3 * PIECE + 5).map(|index| (index % 251) as u8).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes");
        fs::write(&path, &bytes).unwrap();
        for source in [Source::open(&path).unwrap(), Source::of_bytes(bytes.clone())] {
            assert_eq!(source.length(), bytes.len() as u64);
            assert_eq!(stretch_of(&source, 0, bytes.len() as u64), bytes);
            assert_eq!(stretch_of(&source, 7, 3), bytes[7..10]);
            assert_eq!(stretch_of(&source, 7, 0), [0; 0]);
        }
    }

    #[test]
    fn a_file_that_has_become_shorter_is_an_error() {
        let source = Source::of_bytes(vec![0; 8]);
        let stretch = Stretch { offset: 4, length: 8 };
        let error = source.each_piece(stretch, |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the model: failed to fill whole buffer");
    }

    #[test]
    fn a_missing_file_and_a_folder_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let error = Source::open(folder.path()).unwrap_err();
        assert!(error.to_string().ends_with("is not a regular file"), "{error}");
        let error = Source::open(&folder.path().join("none.onnx")).unwrap_err();
        assert!(error.to_string().starts_with("cannot read "), "{error}");
    }
}
