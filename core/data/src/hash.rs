//! Hashes of content, by which manifests and caches know what went in.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use convscope_runtime::{Element, Tensor};

use crate::{DataError, file};

/// Bytes of floating-point values that are handed to the hash function together; BLAKE3 hashes many
/// pieces of a large block at once.
const BLOCK: usize = 1 << 16;

/// The BLAKE3 hash of some content, printed as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Hashes bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Hashes the bytes of a file, without holding them.
    ///
    /// # Errors
    /// Fails when the file cannot be read.
    pub fn of_file(path: &Path) -> Result<Self, DataError> {
        let (file, _) = file::open(path)?;
        let mut hasher = blake3::Hasher::new();
        hasher
            .update_reader(file)
            .map_err(|source| DataError::Read { path: path.to_owned(), source })?;
        Ok(Self(*hasher.finalize().as_bytes()))
    }

    /// Hashes what consists of several parts, in their order: the hash of their hashes, or the
    /// hash of the one part there is.
    pub fn of_parts(parts: &[Self]) -> Self {
        match parts {
            &[only] => only,
            parts => {
                Self::of_bytes(parts.iter().map(|part| part.0).collect::<Vec<_>>().as_flattened())
            }
        }
    }

    /// Hashes the shape, the element type and the values of a host tensor.
    ///
    /// # Errors
    /// Fails when the tensor lies on a device.
    pub fn of_tensor(tensor: &Tensor) -> Result<Self, DataError> {
        let extents = tensor.shape().extents();
        match tensor.element() {
            Element::F32 => Ok(Self::of_values(extents, tensor.values()?)),
            Element::U32 => {
                let mut hasher = hasher_of(b"u32", extents);
                for value in tensor.positions()? {
                    hasher.update(&value.to_le_bytes());
                }
                Ok(Self(*hasher.finalize().as_bytes()))
            }
        }
    }

    /// Hashes floating-point values of a shape as [`of_tensor`](Self::of_tensor) does.
    pub fn of_values(extents: &[usize], values: &[f32]) -> Self {
        let mut hasher = hasher_of(b"f32", extents);
        let mut block = Vec::with_capacity(BLOCK);
        for values in values.chunks(BLOCK / size_of::<f32>()) {
            block.clear();
            block.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            hasher.update(&block);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// Hashes the little-endian bytes of floating-point values as [`of_values`](Self::of_values)
    /// does the values.
    pub(crate) fn of_value_bytes(extents: &[usize], bytes: &mut impl Read) -> io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        // Whole blocks from the first byte on: pieces in pairs, pairs of pairs and so on are hashed
        // together where they begin at a multiple of their size.
        let mut block = head(b"f32", extents);
        block.reserve(BLOCK);
        loop {
            let room = BLOCK.saturating_sub(block.len());
            bytes.take(room as u64).read_to_end(&mut block)?;
            hasher.update(&block);
            if block.len() < BLOCK {
                return Ok(Self(*hasher.finalize().as_bytes()));
            }
            block.clear();
        }
    }

    /// Returns the 32 bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn hasher_of(element: &[u8], extents: &[usize]) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&head(element, extents));
    hasher
}

/// Returns what is hashed before the values.
fn head(element: &[u8], extents: &[usize]) -> Vec<u8> {
    let mut head = element.to_vec();
    for count in std::iter::once(extents.len()).chain(extents.iter().copied()) {
        head.extend((count as u64).to_le_bytes());
    }
    head
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_its_bytes_have_one_hash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"abc").unwrap();
        let hash = ContentHash::of_file(&path).unwrap();
        assert_eq!(hash, ContentHash::of_bytes(b"abc"));
        // The published BLAKE3 of "abc".
        assert_eq!(
            hash.to_string(),
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
        );
    }

    #[test]
    fn a_hash_of_parts_knows_each_of_them_and_their_order() {
        let [a, b] = [&b"a"[..], b"b"].map(ContentHash::of_bytes);
        assert_eq!(ContentHash::of_parts(&[a]), a);
        let both = [*a.bytes(), *b.bytes()].concat();
        assert_eq!(ContentHash::of_parts(&[a, b]), ContentHash::of_bytes(&both));
        assert_ne!(ContentHash::of_parts(&[a, b]), ContentHash::of_parts(&[b, a]));
    }

    #[test]
    fn a_tensors_hash_knows_its_shape_and_its_type() {
        let zeros = |shape: &[usize]| ContentHash::of_tensor(&Tensor::zeros(shape)).unwrap();
        assert_eq!(zeros(&[2, 3]), zeros(&[2, 3]));
        assert_ne!(zeros(&[2, 3]), zeros(&[3, 2]));
        let positions = Tensor::indices([2, 3], vec![0; 6]).unwrap();
        assert_ne!(zeros(&[2, 3]), ContentHash::of_tensor(&positions).unwrap());
    }
}
