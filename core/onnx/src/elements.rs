//! From stored elements to numbers: every precision becomes single, every integer 64 bits wide.

use std::sync::Arc;

use half::{bf16, f16};

use crate::OnnxError;
use crate::limits::INTEGERS;
use crate::proto::{TensorProto, data_type};
use crate::store::Bytes;

/// The numbers of a tensor.
#[derive(Debug)]
pub(crate) enum Elements {
    Real(Vec<f32>),
    Integer(Arc<[i64]>),
}

/// Returns how many bytes an element takes.
///
/// # Errors
/// Fails for a type that is not supported.
pub(crate) fn width(kind: i32) -> Result<usize, String> {
    match kind {
        data_type::BOOL | data_type::INT8 | data_type::UINT8 => Ok(1),
        data_type::BFLOAT16 | data_type::FLOAT16 | data_type::INT16 | data_type::UINT16 => Ok(2),
        data_type::FLOAT | data_type::INT32 | data_type::UINT32 => Ok(4),
        data_type::DOUBLE | data_type::INT64 | data_type::UINT64 => Ok(8),
        _ => Err(format!("its type {} is not supported", data_type::name(kind))),
    }
}

/// Checks that bytes are as many as the shape wants.
///
/// # Errors
/// Says how they differ.
pub(crate) fn check_length(
    proto: &TensorProto,
    bytes: &Bytes<'_>,
    count: usize,
) -> Result<(), String> {
    let width = width(proto.data_type)?;
    let length = bytes.length();
    let wanted = count.checked_mul(width).map(|wanted| wanted as u64);
    if wanted != Some(length) || !bytes.holds_whole(width as u64) {
        return Err(format!(
            "its shape {:?} needs {count} elements of {width} bytes, but it holds {length} bytes",
            proto.dims
        ));
    }
    if !is_real(proto.data_type) && count > INTEGERS {
        return Err(format!("it holds {count} integers; at most {INTEGERS} are read"));
    }
    Ok(())
}

/// Checks that a field of a tensor is the one that holds elements of its type.
///
/// # Errors
/// Says that it is another one.
pub(crate) fn check_field(kind: i32, field: u32) -> Result<(), String> {
    match (field, kind) {
        (4, data_type::FLOAT) | (9, _) | (10, data_type::DOUBLE) => Ok(()),
        _ => {
            let name = data_type::name(kind);
            Err(format!("it holds its data in a field that is not for the type {name}"))
        }
    }
}

/// Makes zeros, of which the real ones take no memory before they are looked at.
///
/// # Errors
/// Fails for a type that is not supported.
pub(crate) fn zeros(kind: i32, count: usize) -> Result<Elements, String> {
    width(kind)?;
    if is_real(kind) {
        Ok(Elements::Real(vec![0.0; count]))
    } else {
        Ok(Elements::Integer(std::iter::repeat_n(0, count).collect()))
    }
}

/// Reads elements whose length is right.
///
/// # Errors
/// Fails when a number does not fit, or a file cannot be read.
pub(crate) fn read(
    proto: &TensorProto,
    bytes: &Bytes<'_>,
    count: usize,
) -> Result<Elements, OnnxError> {
    let failed = |reason: String| OnnxError::Tensor { name: proto.name.clone(), reason };
    let mut lost = None;
    let elements = match proto.data_type {
        data_type::FLOAT => Elements::Real(each(bytes, count, f32::from_le_bytes)?),
        data_type::DOUBLE => {
            Elements::Real(each(bytes, count, |b| narrow(f64::from_le_bytes(b), &mut lost))?)
        }
        kind @ (data_type::FLOAT16 | data_type::BFLOAT16) => {
            Elements::Real(each(bytes, count, |b| from_half(kind, u16::from_le_bytes(b)))?)
        }
        data_type::BOOL => integers(each(bytes, count, |[b]| i64::from(b != 0))?),
        data_type::INT8 => integers(each(bytes, count, |b| i8::from_le_bytes(b).into())?),
        data_type::INT16 => integers(each(bytes, count, |b| i16::from_le_bytes(b).into())?),
        data_type::INT32 => integers(each(bytes, count, |b| i32::from_le_bytes(b).into())?),
        data_type::INT64 => integers(each(bytes, count, i64::from_le_bytes)?),
        data_type::UINT8 => integers(each(bytes, count, |[b]| b.into())?),
        data_type::UINT16 => integers(each(bytes, count, |b| u16::from_le_bytes(b).into())?),
        data_type::UINT32 => integers(each(bytes, count, |b| u32::from_le_bytes(b).into())?),
        data_type::UINT64 => {
            integers(each(bytes, count, |b| signed(u64::from_le_bytes(b), &mut lost))?)
        }
        kind => return Err(failed(format!("its type {} is not supported", data_type::name(kind)))),
    };
    match lost {
        None => Ok(elements),
        Some(reason) => Err(failed(reason)),
    }
}

/// Converts the typed fields of a tensor.
///
/// # Errors
/// Fails when they are not as many as the shape wants, or a number does not fit.
pub(crate) fn typed(proto: &TensorProto, count: usize) -> Result<Elements, String> {
    let kind = proto.data_type;
    let fits = |length: usize| {
        if length == count {
            return Ok(());
        }
        let dims = &proto.dims;
        Err(format!("its shape {dims:?} needs {count} elements, but it holds {length}"))
    };
    let mut lost = None;
    width(kind)?;
    let elements = match kind {
        data_type::FLOAT => {
            fits(proto.float_data.len())?;
            Elements::Real(proto.float_data.clone())
        }
        data_type::DOUBLE => {
            fits(proto.double_data.len())?;
            let values = proto.double_data.iter().map(|&value| narrow(value, &mut lost));
            Elements::Real(values.collect())
        }
        data_type::INT64 => {
            fits(proto.int64_data.len())?;
            Elements::Integer(proto.int64_data.as_slice().into())
        }
        data_type::UINT32 | data_type::UINT64 => {
            fits(proto.uint64_data.len())?;
            let limit = if kind == data_type::UINT32 { u32::MAX.into() } else { u64::MAX };
            if let Some(value) = proto.uint64_data.iter().find(|&&value| value > limit) {
                return Err(no_number_of(kind, *value));
            }
            let values = proto.uint64_data.iter().map(|&value| signed(value, &mut lost));
            Elements::Integer(values.collect())
        }
        data_type::FLOAT16 | data_type::BFLOAT16 => {
            fits(proto.int32_data.len())?;
            let real = |&bits: &i32| match u16::try_from(bits) {
                Ok(bits) => Ok(from_half(kind, bits)),
                Err(_) => Err(no_number_of(kind, bits)),
            };
            Elements::Real(proto.int32_data.iter().map(real).collect::<Result<_, _>>()?)
        }
        _ => {
            fits(proto.int32_data.len())?;
            if let Some(value) = proto.int32_data.iter().find(|&&value| !is_of(kind, value)) {
                return Err(no_number_of(kind, *value));
            }
            Elements::Integer(proto.int32_data.iter().map(|&value| value.into()).collect())
        }
    };
    lost.map_or(Ok(elements), Err)
}

fn each<const N: usize, T>(
    bytes: &Bytes<'_>,
    count: usize,
    mut convert: impl FnMut([u8; N]) -> T,
) -> Result<Vec<T>, OnnxError> {
    let mut values = Vec::with_capacity(count);
    bytes.each_piece(|piece| {
        values.extend(piece.as_chunks::<N>().0.iter().map(|&element| convert(element)));
    })?;
    Ok(values)
}

fn integers(values: Vec<i64>) -> Elements {
    Elements::Integer(values.into())
}

/// Says whether a type is one of real numbers.
pub(crate) fn is_real(kind: i32) -> bool {
    [data_type::BFLOAT16, data_type::DOUBLE, data_type::FLOAT, data_type::FLOAT16].contains(&kind)
}

/// Says whether a number in `int32_data` is one of a type of at most 32 bits.
fn is_of(kind: i32, value: i32) -> bool {
    match kind {
        data_type::BOOL => (0..=1).contains(&value),
        data_type::INT8 => i8::try_from(value).is_ok(),
        data_type::INT16 => i16::try_from(value).is_ok(),
        data_type::UINT8 => u8::try_from(value).is_ok(),
        data_type::UINT16 => u16::try_from(value).is_ok(),
        _ => true,
    }
}

fn no_number_of(kind: i32, value: impl std::fmt::Display) -> String {
    format!("it holds {value}, which is no {}", data_type::name(kind))
}

/// Rounds to single precision; notes a number that would become infinite.
fn narrow(value: f64, lost: &mut Option<String>) -> f32 {
    let narrow = value as f32;
    if narrow.is_infinite() && value.is_finite() && lost.is_none() {
        *lost = Some(format!("its value {value:e} is too large for single precision"));
    }
    narrow
}

/// Makes a signed number; notes one that is too large.
fn signed(value: u64, lost: &mut Option<String>) -> i64 {
    i64::try_from(value).unwrap_or_else(|_| {
        lost.get_or_insert_with(|| format!("its value {value} is too large"));
        0
    })
}

fn from_half(kind: i32, bits: u16) -> f32 {
    if kind == data_type::FLOAT16 {
        f16::from_bits(bits).to_f32()
    } else {
        bf16::from_bits(bits).to_f32()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constant::Constant;
    use crate::store::Store;
    use crate::tensor;
    use crate::testing::stored;

    fn constant(proto: &TensorProto) -> Result<Constant, OnnxError> {
        tensor::read(proto, &Store::empty())
    }

    fn real(proto: &TensorProto) -> Vec<f32> {
        constant(proto).unwrap().real().unwrap().values().unwrap().to_vec()
    }

    fn integral(proto: &TensorProto) -> Vec<i64> {
        constant(proto).unwrap().integers().unwrap().to_vec()
    }

    fn refusal(proto: &TensorProto) -> String {
        constant(proto).unwrap_err().to_string()
    }

    #[test]
    fn every_precision_becomes_single() {
        let single = [1.5_f32.to_le_bytes(), (-2.0_f32).to_le_bytes()].concat();
        assert_eq!(real(&stored(data_type::FLOAT, &single, &[2])), [1.5, -2.0]);
        let double = [1.5_f64.to_le_bytes(), (-2.0_f64).to_le_bytes()].concat();
        assert_eq!(real(&stored(data_type::DOUBLE, &double, &[2])), [1.5, -2.0]);
        let half = [f16::from_f32(1.5).to_le_bytes(), f16::from_f32(-2.0).to_le_bytes()].concat();
        assert_eq!(real(&stored(data_type::FLOAT16, &half, &[2])), [1.5, -2.0]);
        let brain =
            [bf16::from_f32(1.5).to_le_bytes(), bf16::from_f32(-2.0).to_le_bytes()].concat();
        assert_eq!(real(&stored(data_type::BFLOAT16, &brain, &[2])), [1.5, -2.0]);
    }

    #[test]
    fn every_width_of_integers_is_read() {
        for (kind, raw, expected) in [
            (data_type::BOOL, &[0, 1, 7][..], &[0, 1, 1][..]),
            (data_type::INT8, &[0x80, 0x7f], &[-128, 127]),
            (data_type::UINT8, &[0x80, 0x7f], &[128, 127]),
            (data_type::INT16, &[0, 0x80, 1, 0], &[-32768, 1]),
            (data_type::UINT16, &[0, 0x80, 1, 0], &[32768, 1]),
            (data_type::INT32, &[0xff; 4], &[-1]),
            (data_type::UINT32, &[0xff; 4], &[0xffff_ffff]),
            (data_type::INT64, &[0xff; 8], &[-1]),
            (data_type::UINT64, &[1, 0, 0, 0, 0, 0, 0, 0], &[1]),
        ] {
            let tensor = stored(kind, raw, &[expected.len().cast_signed() as i64]);
            assert_eq!(integral(&tensor), expected, "{}", data_type::name(kind));
        }
    }

    #[test]
    fn typed_fields_are_read_like_raw_bytes() {
        let of = |kind| stored(kind, &[], &[2]);
        let single = TensorProto { float_data: vec![1.5, -2.0], ..of(data_type::FLOAT) };
        assert_eq!(real(&single), [1.5, -2.0]);
        let double = TensorProto { double_data: vec![1.5, -2.0], ..of(data_type::DOUBLE) };
        assert_eq!(real(&double), [1.5, -2.0]);
        let bits = vec![f16::from_f32(1.5).to_bits().into(), f16::from_f32(-2.0).to_bits().into()];
        let half = TensorProto { int32_data: bits, ..of(data_type::FLOAT16) };
        assert_eq!(real(&half), [1.5, -2.0]);
        let bits =
            vec![bf16::from_f32(1.5).to_bits().into(), bf16::from_f32(-2.0).to_bits().into()];
        let brain = TensorProto { int32_data: bits, ..of(data_type::BFLOAT16) };
        assert_eq!(real(&brain), [1.5, -2.0]);
        let long = TensorProto { int64_data: vec![3, -1], ..of(data_type::INT64) };
        assert_eq!(integral(&long), [3, -1]);
        for kind in [data_type::INT8, data_type::INT16, data_type::INT32] {
            let short = TensorProto { int32_data: vec![3, -1], ..of(kind) };
            assert_eq!(integral(&short), [3, -1], "{}", data_type::name(kind));
        }
        for kind in [data_type::BOOL, data_type::UINT8, data_type::UINT16] {
            let short = TensorProto { int32_data: vec![1, 0], ..of(kind) };
            assert_eq!(integral(&short), [1, 0], "{}", data_type::name(kind));
        }
        for kind in [data_type::UINT32, data_type::UINT64] {
            let wide = TensorProto { uint64_data: vec![3, 1], ..of(kind) };
            assert_eq!(integral(&wide), [3, 1], "{}", data_type::name(kind));
        }
    }

    #[test]
    fn numbers_that_are_not_of_their_type_are_refused() {
        for (kind, value, name) in [
            (data_type::BOOL, 2, "BOOL"),
            (data_type::BFLOAT16, -1, "BFLOAT16"),
            (data_type::FLOAT16, 65536, "FLOAT16"),
            (data_type::INT8, 128, "INT8"),
            (data_type::INT16, -32769, "INT16"),
            (data_type::UINT8, -1, "UINT8"),
            (data_type::UINT16, 65536, "UINT16"),
        ] {
            let wrong = TensorProto { int32_data: vec![value], ..stored(kind, &[], &[1]) };
            let expected = format!("tensor w: it holds {value}, which is no {name}");
            assert_eq!(refusal(&wrong), expected);
        }
        let wide = stored(data_type::UINT32, &[], &[1]);
        let wide = TensorProto { uint64_data: vec![1 << 32], ..wide };
        assert_eq!(refusal(&wide), "tensor w: it holds 4294967296, which is no UINT32");
    }

    #[test]
    fn numbers_that_would_change_are_refused() {
        let message = "tensor w: its value 1e300 is too large for single precision";
        let raw = [0.0_f64.to_le_bytes(), 1e300_f64.to_le_bytes()].concat();
        assert_eq!(refusal(&stored(data_type::DOUBLE, &raw, &[2])), message);
        let typed = stored(data_type::DOUBLE, &[], &[1]);
        assert_eq!(refusal(&TensorProto { double_data: vec![1e300], ..typed }), message);
        let infinite = stored(data_type::DOUBLE, &f64::INFINITY.to_le_bytes(), &[1]);
        assert_eq!(real(&infinite), [f32::INFINITY]);
        let message = "tensor w: its value 18446744073709551615 is too large";
        assert_eq!(refusal(&stored(data_type::UINT64, &[0xff; 8], &[1])), message);
        let typed = stored(data_type::UINT64, &[], &[1]);
        assert_eq!(refusal(&TensorProto { uint64_data: vec![u64::MAX], ..typed }), message);
    }

    #[test]
    fn large_data_in_the_field_of_another_type_are_refused() {
        assert_eq!(check_field(data_type::FLOAT, 4), Ok(()));
        assert_eq!(
            check_field(data_type::FLOAT16, 4).unwrap_err(),
            "it holds its data in a field that is not for the type FLOAT16"
        );
    }
}
