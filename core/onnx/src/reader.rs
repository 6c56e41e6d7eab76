//! Decodes the messages of a file, within limits.

use prost::bytes::Bytes;

use crate::OnnxError;
use crate::limits::FILE_BYTES;
use crate::source::Source;
use crate::wire::{self, Message};

/// How the first bytes of a pointer of Git LFS read.
const LFS_POINTER: &[u8] = b"version https://git-lfs";

/// Decodes a message once its size is known to be harmless. The data of large tensors stay in the
/// file.
///
/// # Errors
/// Fails when the bytes are damaged, cannot be read or pass a limit.
pub(crate) fn decode<M: prost::Message + Default>(
    source: &Source,
    message: Message,
) -> Result<M, OnnxError> {
    let damaged = |reason: String| OnnxError::Damaged { reason };
    if source.length() > FILE_BYTES {
        return Err(OnnxError::Limit { what: "bytes", limit: FILE_BYTES });
    }
    if source.length() == 0 {
        return Err(damaged("it is empty".into()));
    }
    let mut start = [0; LFS_POINTER.len()];
    if source.reader()?.read_exact(&mut start).is_ok() && start == LFS_POINTER {
        let help = "it is a pointer of Git LFS; fetch the file itself with `git lfs pull`";
        return Err(damaged(help.into()));
    }
    let skeleton = wire::skeleton(source, message)?;
    M::decode(Bytes::from(skeleton)).map_err(|error| damaged(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::proto::ModelProto;

    fn refusal(source: &Source) -> String {
        decode::<ModelProto>(source, Message::Model).unwrap_err().to_string()
    }

    #[test]
    fn a_pointer_of_git_lfs_is_recognised() {
        let bytes = b"version https://git-lfs.github.com/spec/v1\n".to_vec();
        assert_eq!(
            refusal(&Source::of_bytes(bytes)),
            "the file is damaged or not ONNX: it is a pointer of Git LFS; fetch the file itself \
             with `git lfs pull`"
        );
    }

    #[test]
    fn an_empty_file_is_damaged() {
        let refusal = refusal(&Source::of_bytes(Vec::new()));
        assert_eq!(refusal, "the file is damaged or not ONNX: it is empty");
    }

    #[test]
    fn a_file_above_the_limit_is_refused_by_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.onnx");
        // A sparse file: it would not fit into memory.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let refusal = refusal(&Source::open(&path).unwrap());
        assert_eq!(refusal, "the file holds more than 2147483648 bytes");
    }
}
