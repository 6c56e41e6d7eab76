//! What a file may hold. Checked on the raw bytes, before anything is decoded.
//!
//! Two bytes can say "an empty node", which takes a hundred times as much once decoded. One cheap
//! pass over the wire format counts what decoding would make.

use crate::OnnxError;

/// Largest file that is read, in bytes: what protocol buffers allow.
pub(crate) const FILE_BYTES: u64 = 1 << 31;
/// Largest sum of all data kept beside the file, in bytes.
pub(crate) const EXTERNAL_BYTES: u64 = 1 << 33;
/// Largest number of elements made by constant folding.
pub(crate) const FOLDED_ELEMENTS: usize = 1 << 27;
/// Largest number of axes of a tensor.
pub(crate) const RANK: usize = 8;

const NODES: usize = 1 << 16;
const ATTRIBUTES: usize = 1 << 18;
const TENSORS: usize = 1 << 16;
const FIELDS: usize = 1 << 20;
const LIST_NUMBERS: usize = 1 << 24;

/// The messages that are decoded, and so are looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    /// A message of a few plain fields.
    Small,
}

/// What a field of a message holds, where that matters here.
enum Content {
    Message(Message),
    /// A packed list of variable-length integers: one byte in the file may be eight in memory.
    Integers,
    Other,
}

impl Message {
    fn content(self, field: u64) -> Content {
        use Content::{Integers, Message as Of};
        match (self, field) {
            (Self::Model, 7) => Of(Self::Graph),
            (Self::Model, 8) | (Self::Node, 9) | (Self::Tensor, 13) | (Self::Shape, 1) => {
                Of(Self::Small)
            }
            (Self::Graph, 1) => Of(Self::Node),
            (Self::Graph | Self::Attribute, 5) => Of(Self::Tensor),
            (Self::Graph, 11 | 12) => Of(Self::ValueInfo),
            (Self::Node, 5) => Of(Self::Attribute),
            (Self::ValueInfo, 2) => Of(Self::Type),
            (Self::Type, 1) => Of(Self::TensorType),
            (Self::TensorType, 2) => Of(Self::Shape),
            (Self::Attribute, 8) | (Self::Tensor, 1 | 5 | 7) => Integers,
            _ => Content::Other,
        }
    }
}

/// How much has been met.
#[derive(Debug, Default)]
struct Counts {
    nodes: usize,
    attributes: usize,
    tensors: usize,
    fields: usize,
    numbers: usize,
}

impl Counts {
    fn check(&self) -> Result<(), OnnxError> {
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
        Ok(())
    }
}

/// Walks over the wire format of `bytes` and refuses what would grow beyond the limits.
///
/// # Errors
/// Fails when a limit is passed or the bytes are no protocol buffer.
pub(crate) fn check(bytes: &[u8], message: Message) -> Result<(), OnnxError> {
    walk(bytes, message, &mut Counts::default())
}

// The depth of the recursion is that of `Message::content`, six at most, whatever the file says.
fn walk(mut rest: &[u8], message: Message, counts: &mut Counts) -> Result<(), OnnxError> {
    while !rest.is_empty() {
        counts.fields += 1;
        let key = variable_length(&mut rest)?;
        match key & 7 {
            0 => {
                variable_length(&mut rest)?;
            }
            1 => skip(&mut rest, 8)?,
            2 => {
                let length = variable_length(&mut rest)?;
                let Some((inner, behind)) =
                    usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length))
                else {
                    return Err(damaged("a field reaches beyond the end of the file"));
                };
                rest = behind;
                match message.content(key >> 3) {
                    Content::Message(child) => {
                        match child {
                            Message::Node => counts.nodes += 1,
                            Message::Attribute => counts.attributes += 1,
                            Message::Tensor => counts.tensors += 1,
                            _ => {}
                        }
                        walk(inner, child, counts)?;
                    }
                    Content::Integers => {
                        counts.numbers += inner.iter().filter(|&&byte| byte < 0x80).count();
                    }
                    Content::Other => {}
                }
            }
            5 => skip(&mut rest, 4)?,
            _ => return Err(damaged("a field has an unknown wire type")),
        }
        counts.check()?;
    }
    Ok(())
}

fn skip(rest: &mut &[u8], count: usize) -> Result<(), OnnxError> {
    *rest = rest.get(count..).ok_or_else(|| damaged("the file ends within a number"))?;
    Ok(())
}

fn variable_length(rest: &mut &[u8]) -> Result<u64, OnnxError> {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let (&byte, behind) =
            rest.split_first().ok_or_else(|| damaged("the file ends within a number"))?;
        *rest = behind;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(damaged("a number has more than ten bytes"))
}

fn damaged(reason: &str) -> OnnxError {
    OnnxError::Damaged { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model whose graph holds `count` fields of two bytes each.
    fn model_of(field: &[u8], count: usize) -> Vec<u8> {
        let graph = field.repeat(count);
        let mut model = vec![7 << 3 | 2];
        prost::encoding::encode_varint(graph.len() as u64, &mut model);
        model.extend(graph);
        model
    }

    #[test]
    fn a_small_file_of_empty_nodes_is_refused_before_it_grows() {
        let bytes = model_of(&[1 << 3 | 2, 0], 2_000_000);
        let error = check(&bytes, Message::Model).unwrap_err();
        assert_eq!(error.to_string(), "the file holds more than 65536 nodes");
    }

    #[test]
    fn empty_tensors_attributes_and_values_are_counted_too() {
        let refusal = |bytes: &[u8]| check(bytes, Message::Model).unwrap_err().to_string();
        let tensors = model_of(&[5 << 3 | 2, 0], 70_000);
        assert_eq!(refusal(&tensors), "the file holds more than 65536 tensors");
        let inputs = model_of(&[11 << 3 | 2, 0], 2_000_000);
        assert_eq!(refusal(&inputs), "the file holds more than 1048576 fields");
        let mut node = vec![1 << 3 | 2];
        let attributes = [5 << 3 | 2, 0].repeat(300_000);
        prost::encoding::encode_varint(attributes.len() as u64, &mut node);
        node.extend(attributes);
        let attributes = model_of(&node, 1);
        assert_eq!(refusal(&attributes), "the file holds more than 262144 attributes");
    }

    #[test]
    fn long_lists_of_one_byte_integers_are_refused() {
        let mut tensor = vec![7 << 3 | 2];
        prost::encoding::encode_varint(20_000_000, &mut tensor);
        tensor.extend(vec![1; 20_000_000]);
        let error = check(&tensor, Message::Tensor).unwrap_err();
        assert_eq!(error.to_string(), "the file holds more than 16777216 numbers in integer lists");
    }

    #[test]
    fn a_file_that_ends_early_is_damaged() {
        for bytes in [&[0x3a, 5, 0][..], &[0x08], &[0x0d, 1, 2], &[0xff; 12], &[0x3b]] {
            let error = check(bytes, Message::Model).unwrap_err();
            assert!(matches!(error, OnnxError::Damaged { .. }), "{error}");
        }
    }
}
