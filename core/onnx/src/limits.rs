//! What a file may hold.
//!
//! Two bytes can say "an empty node", which takes a hundred times as much once decoded: what
//! decoding would make is counted before anything is decoded.

use crate::OnnxError;

/// Largest file that is read, in bytes: what protocol buffers allow.
pub(crate) const FILE_BYTES: u64 = 1 << 31;
/// Largest sum of all data kept beside the file, in bytes.
pub(crate) const EXTERNAL_BYTES: u64 = 1 << 33;
/// Largest sum of what a file holds beside large tensors, in bytes.
pub(crate) const SMALL_BYTES: u64 = 1 << 28;
/// Bytes from which on the data of a tensor count as large: they stay in the file until needed.
pub(crate) const LARGE: u64 = 1 << 16;
/// Largest sum of what constant folding makes, in bytes.
pub(crate) const FOLDED_BYTES: usize = 1 << 29;
/// Largest extent of what constant folding reads and makes: moving along an axis takes a list of
/// its places.
pub(crate) const FOLDED_EXTENT: usize = 1 << 25;
/// Largest number of layers: what is said of each takes a walk through those before it.
pub(crate) const LAYERS: usize = 10_000;
/// Largest number of integers in one stored tensor; each takes eight bytes in memory.
pub(crate) const INTEGERS: usize = 1 << 26;
/// Largest number of axes of a tensor.
pub(crate) const RANK: usize = 8;

const NODES: usize = 1 << 16;
const ATTRIBUTES: usize = 1 << 18;
const TENSORS: usize = 1 << 16;
const FIELDS: usize = 1 << 20;
const LIST_NUMBERS: usize = 1 << 24;

/// How much has been met.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) nodes: usize,
    pub(crate) attributes: usize,
    pub(crate) tensors: usize,
    pub(crate) fields: usize,
    /// Numbers in packed lists of variable-length integers: one byte in the file may be eight in
    /// memory.
    pub(crate) numbers: usize,
    /// Bytes that are decoded.
    pub(crate) bytes: u64,
}

impl Counts {
    /// Refuses what would grow beyond the limits.
    ///
    /// # Errors
    /// Names what there is too much of.
    pub(crate) fn check(&self) -> Result<(), OnnxError> {
        for (what, actual, limit) in [
            ("nodes", self.nodes, NODES),
            ("attributes", self.attributes, ATTRIBUTES),
            ("tensors", self.tensors, TENSORS),
            ("fields", self.fields, FIELDS),
            ("numbers in integer lists", self.numbers, LIST_NUMBERS),
        ] {
            if actual > limit {
                return Err(OnnxError::Limit { what, limit: limit as u64 });
            }
        }
        if self.bytes > SMALL_BYTES {
            return Err(OnnxError::Limit {
                what: "bytes beside large tensors",
                limit: SMALL_BYTES,
            });
        }
        Ok(())
    }
}
