//! Reads whole files, within limits.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use prost::bytes::Bytes;

use crate::OnnxError;
use crate::limits::{self, FILE_BYTES, Message};

/// Reads a regular file.
///
/// # Errors
/// Fails when the path is no regular file, is too large, or cannot be read.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, OnnxError> {
    let failed = |source| OnnxError::Read { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(OnnxError::NotAFile { path: path.to_owned() });
    }
    let too_large = OnnxError::Limit { what: "bytes", limit: FILE_BYTES };
    if metadata.len() > FILE_BYTES {
        return Err(too_large);
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize + 1);
    // The file may grow while it is read.
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES { Err(too_large) } else { Ok(bytes) }
}

/// Decodes a message once its size is known to be harmless. Large data share the memory of
/// `bytes`.
///
/// # Errors
/// Fails when the bytes are damaged or pass a limit.
pub(crate) fn decode<M: prost::Message + Default>(
    bytes: Vec<u8>,
    message: Message,
) -> Result<M, OnnxError> {
    let damaged = |reason: String| OnnxError::Damaged { reason };
    if bytes.is_empty() {
        return Err(damaged("it is empty".into()));
    }
    if bytes.starts_with(b"version https://git-lfs") {
        let help = "it is a pointer of Git LFS; fetch the file itself with `git lfs pull`";
        return Err(damaged(help.into()));
    }
    limits::check(&bytes, message)?;
    M::decode(Bytes::from(bytes)).map_err(|error| damaged(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ModelProto;

    #[test]
    fn a_missing_file_and_a_folder_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path()).unwrap_err();
        assert!(error.to_string().ends_with("is not a regular file"), "{error}");
        let error = read(&folder.path().join("none.onnx")).unwrap_err();
        assert!(error.to_string().starts_with("cannot read "), "{error}");
    }

    #[test]
    fn a_pointer_of_git_lfs_is_recognised() {
        let bytes = b"version https://git-lfs.github.com/spec/v1\n".to_vec();
        let error = decode::<ModelProto>(bytes, Message::Model).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the file is damaged or not ONNX: it is a pointer of Git LFS; fetch the file itself \
             with `git lfs pull`"
        );
    }

    #[test]
    fn an_empty_file_is_damaged() {
        let error = decode::<ModelProto>(Vec::new(), Message::Model).unwrap_err();
        assert_eq!(error.to_string(), "the file is damaged or not ONNX: it is empty");
    }
}
