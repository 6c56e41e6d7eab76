//! One pass over the wire format of a file, before anything is decoded.
//!
//! It counts what decoding would make, and copies all but the data of large tensors, of which it
//! notes where they lie. What it hands out is a message like the file's, but small.

use std::io::{BufReader, Read as _};

use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::OnnxError;
use crate::limits::{Counts, LARGE};
use crate::proto::{StretchProto, TensorProto};
use crate::source::{Reader, Source};

/// The numbers that protocol buffers allow for fields.
const FIELDS: std::ops::Range<u32> = 1..1 << 29;

/// The messages that are looked into.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Message(Message),
    /// A packed list of variable-length integers.
    Integers,
    /// The elements of a tensor, of a fixed width each.
    Elements,
    /// Nothing that a file may say.
    Ours,
    Other,
}

impl Message {
    fn content(self, field: u32) -> Content {
        use Content::{Elements, Integers, Message as Of, Ours};
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
            (Self::Attribute, 8) | (Self::Tensor, 1 | 5 | 7 | 11) => Integers,
            (Self::Tensor, 4 | 9 | 10) => Elements,
            (Self::Tensor, TensorProto::IN_FILE) => Ours,
            _ => Content::Other,
        }
    }
}

/// Copies all but the data of large tensors.
///
/// # Errors
/// Fails when a limit is passed, the bytes are no protocol buffer, or cannot be read.
pub(crate) fn skeleton(source: &Source, message: Message) -> Result<Vec<u8>, OnnxError> {
    let reader = BufReader::with_capacity(1 << 16, source.reader()?);
    let mut walk = Walk { source, reader, at: 0, counts: Counts::default() };
    let mut out = Vec::new();
    walk.message(message, source.length(), &mut out)?;
    Ok(out)
}

struct Walk<'s> {
    source: &'s Source,
    reader: BufReader<Box<dyn Reader + 's>>,
    /// Number of bytes that are behind.
    at: u64,
    counts: Counts,
}

impl Walk<'_> {
    /// Copies a message that reaches to `end`.
    // The depth of the recursion is that of `Message::content`, six at most, whatever the file says.
    fn message(&mut self, message: Message, end: u64, out: &mut Vec<u8>) -> Result<(), OnnxError> {
        while self.at < end {
            self.counts.fields += 1;
            let key = self.variable_length(end)?;
            let kind = key & 7;
            let field = u32::try_from(key >> 3).ok().filter(|field| FIELDS.contains(field));
            let field = field.ok_or_else(|| damaged("a field has an impossible number"))?;
            let content = message.content(field);
            if content == Content::Ours {
                self.drop_field(kind, end)?;
                continue;
            }
            match kind {
                0 => {
                    let number = self.variable_length(end)?;
                    encode_varint(key, out);
                    encode_varint(number, out);
                    self.counts.bytes += 2;
                }
                1 | 5 => {
                    encode_varint(key, out);
                    self.copy(if kind == 1 { 8 } else { 4 }, end, out)?;
                }
                2 => self.delimited(field, content, end, out)?,
                _ => return Err(damaged("a field has an unknown wire type")),
            }
            self.counts.check()?;
        }
        Ok(())
    }

    /// Copies a field that states its length.
    fn delimited(
        &mut self,
        field: u32,
        content: Content,
        end: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), OnnxError> {
        let length = self.length(end)?;
        match content {
            Content::Message(child) => {
                match child {
                    Message::Node => self.counts.nodes += 1,
                    Message::Attribute => self.counts.attributes += 1,
                    Message::Tensor => self.counts.tensors += 1,
                    _ => {}
                }
                self.counts.check()?;
                let mut inner = Vec::new();
                self.message(child, self.at + length, &mut inner)?;
                encode_key(field, WireType::LengthDelimited, out);
                encode_varint(inner.len() as u64, out);
                out.append(&mut inner);
            }
            Content::Elements if length >= LARGE => {
                let stretch = StretchProto { field, offset: self.at, length };
                self.skip(length)?;
                encode_key(TensorProto::IN_FILE, WireType::LengthDelimited, out);
                let stretch = stretch.encode_to_vec();
                encode_varint(stretch.len() as u64, out);
                out.extend(stretch);
            }
            Content::Integers | Content::Elements | Content::Ours | Content::Other => {
                encode_key(field, WireType::LengthDelimited, out);
                encode_varint(length, out);
                let start = out.len();
                self.copy(length, end, out)?;
                if content == Content::Integers {
                    let copied = out.get(start..).unwrap_or_default();
                    self.counts.numbers += copied.iter().filter(|&&byte| byte < 0x80).count();
                }
            }
        }
        Ok(())
    }

    /// Passes a field over.
    fn drop_field(&mut self, kind: u64, end: u64) -> Result<(), OnnxError> {
        match kind {
            0 => self.variable_length(end).map(drop),
            1 => self.copy(8, end, &mut Vec::new()),
            2 => {
                let length = self.length(end)?;
                self.skip(length)
            }
            5 => self.copy(4, end, &mut Vec::new()),
            _ => Err(damaged("a field has an unknown wire type")),
        }
    }

    /// Reads the length of what follows, which ends before `end`.
    fn length(&mut self, end: u64) -> Result<u64, OnnxError> {
        let length = self.variable_length(end)?;
        if length > end - self.at {
            return Err(damaged("a field reaches beyond the end of the file"));
        }
        Ok(length)
    }

    /// Copies bytes. Memory is taken as they come, not for a length that the file states.
    fn copy(&mut self, count: u64, end: u64, out: &mut Vec<u8>) -> Result<(), OnnxError> {
        if count > end - self.at {
            return Err(damaged("the file ends within a number"));
        }
        self.counts.bytes = self.counts.bytes.saturating_add(count);
        self.counts.check()?;
        let copied = (&mut self.reader).take(count).read_to_end(out);
        let copied = copied.map_err(|error| self.source.failed(error))? as u64;
        self.at += copied;
        if copied == count { Ok(()) } else { Err(damaged("it became shorter while it was read")) }
    }

    fn skip(&mut self, count: u64) -> Result<(), OnnxError> {
        let step = i64::try_from(count).map_err(|_| damaged("a field is too long"))?;
        self.reader.seek_relative(step).map_err(|error| self.source.failed(error))?;
        self.at += count;
        Ok(())
    }

    fn variable_length(&mut self, end: u64) -> Result<u64, OnnxError> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            if self.at >= end {
                return Err(damaged("the file ends within a number"));
            }
            let mut byte = [0];
            self.reader.read_exact(&mut byte).map_err(|error| self.source.failed(error))?;
            self.at += 1;
            let [byte] = byte;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(damaged("a number has more than ten bytes"))
    }
}

fn damaged(reason: &str) -> OnnxError {
    OnnxError::Damaged { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ModelProto;
    use crate::testing::{Is, graph, integers, model, node, reals};

    fn check(bytes: &[u8], message: Message) -> Result<Vec<u8>, OnnxError> {
        skeleton(&Source::of_bytes(bytes.to_vec()), message)
    }

    fn refusal(bytes: &[u8], message: Message) -> String {
        check(bytes, message).unwrap_err().to_string()
    }

    /// A model whose graph holds `count` fields of two bytes each.
    fn model_of(field: &[u8], count: usize) -> Vec<u8> {
        let graph = field.repeat(count);
        let mut model = vec![7 << 3 | 2];
        encode_varint(graph.len() as u64, &mut model);
        model.extend(graph);
        model
    }

    #[test]
    fn small_messages_are_copied_as_they_are() {
        let constant = node("Constant", "c", &[], &["v"])
            .with("value", Is::Tensor(reals("", &[2], &[1.0, 2.0])))
            .with_metadata("key", "value");
        let mut graph = graph(vec![constant], "x", "v");
        graph.initializer = vec![reals("w", &[3], &[1.0; 3]), integers("i", &[1, -1])];
        let model = model(graph);
        let bytes = model.encode_to_vec();
        let copied = check(&bytes, Message::Model).unwrap();
        assert_eq!(ModelProto::decode(copied.as_slice()).unwrap(), model);
    }

    #[test]
    fn large_data_stay_where_they_are() {
        let count = 100_000;
        let values: Vec<f32> = (0..count).map(|index| index as f32).collect();
        let raw = reals("w", &[count], &values);
        let typed = TensorProto { float_data: values, raw_data: <_>::default(), ..raw.clone() };
        for (tensor, field) in [(raw, 9), (typed, 4)] {
            let bytes = tensor.encode_to_vec();
            let copied = check(&bytes, Message::Tensor).unwrap();
            assert!(copied.len() < 100);
            let tensor = TensorProto::decode(copied.as_slice()).unwrap();
            let [stretch] = tensor.in_file.as_slice() else { panic!("one stretch") };
            assert_eq!((stretch.field, stretch.length), (field, 400_000));
            let at = usize::try_from(stretch.offset).unwrap();
            assert_eq!(bytes[at + 4..at + 8], 1.0_f32.to_le_bytes());
        }
    }

    #[test]
    fn a_file_cannot_say_where_data_lie() {
        let stretch = StretchProto { field: 9, offset: 0, length: 8 };
        let forged = TensorProto { in_file: vec![stretch], ..TensorProto::default() };
        assert_eq!(check(&forged.encode_to_vec(), Message::Tensor).unwrap(), [0; 0]);
    }

    #[test]
    fn a_small_file_of_empty_nodes_is_refused_before_it_grows() {
        let bytes = model_of(&[1 << 3 | 2, 0], 2_000_000);
        let refusal = refusal(&bytes, Message::Model);
        assert_eq!(refusal, "the file holds more than 65536 nodes");
    }

    #[test]
    fn empty_tensors_attributes_and_values_are_counted_too() {
        let refusal = |bytes: &[u8]| refusal(bytes, Message::Model);
        let tensors = model_of(&[5 << 3 | 2, 0], 70_000);
        assert_eq!(refusal(&tensors), "the file holds more than 65536 tensors");
        let inputs = model_of(&[11 << 3 | 2, 0], 2_000_000);
        assert_eq!(refusal(&inputs), "the file holds more than 1048576 fields");
        let mut node = vec![1 << 3 | 2];
        let attributes = [5 << 3 | 2, 0].repeat(300_000);
        encode_varint(attributes.len() as u64, &mut node);
        node.extend(attributes);
        let attributes = model_of(&node, 1);
        assert_eq!(refusal(&attributes), "the file holds more than 262144 attributes");
    }

    #[test]
    fn long_lists_of_one_byte_integers_are_refused() {
        let mut tensor = vec![7 << 3 | 2];
        encode_varint(20_000_000, &mut tensor);
        tensor.extend(vec![1; 20_000_000]);
        let refusal = refusal(&tensor, Message::Tensor);
        assert_eq!(refusal, "the file holds more than 16777216 numbers in integer lists");
    }

    #[test]
    fn a_long_text_is_refused_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.onnx");
        let mut bytes = vec![6 << 3 | 2];
        encode_varint(1 << 30, &mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len((1 << 30) + bytes.len() as u64).unwrap();
        let error = skeleton(&Source::open(&path).unwrap(), Message::Model).unwrap_err();
        let limit = "the file holds more than 268435456 bytes beside large tensors";
        assert_eq!(error.to_string(), limit);
    }

    #[test]
    fn a_file_that_ends_early_is_damaged() {
        for (bytes, reason) in [
            (&[0x3a, 5, 0][..], "a field reaches beyond the end of the file"),
            (&[0x08], "the file ends within a number"),
            (&[0x0d, 1, 2], "the file ends within a number"),
            (&[0xff; 12], "a number has more than ten bytes"),
            (&[0x3b], "a field has an unknown wire type"),
            (&[0xf8, 0xff, 0xff, 0xff, 0x7f, 0], "a field has an impossible number"),
            (&[0x02, 0], "a field has an impossible number"),
        ] {
            let refusal = refusal(bytes, Message::Model);
            assert_eq!(refusal, format!("the file is damaged or not ONNX: {reason}"));
        }
    }
}
