//! From stored tensors to numbers.

use std::collections::BTreeSet;
use std::sync::Arc;

use convscope_runtime::{Shape, Tensor};
use half::{bf16, f16};

use crate::OnnxError;
use crate::constant::{Constant, Integers};
use crate::external::External;
use crate::limits::RANK;
use crate::proto::{TensorProto, data_location, data_type};

/// Reads a stored tensor. Nothing is allocated before the length of the data is known to fit.
///
/// # Errors
/// Fails when shape, type and data do not fit each other, or the type is not supported.
pub(crate) fn read(proto: &TensorProto, external: &External) -> Result<Constant, OnnxError> {
    let failed = |reason: String| OnnxError::Tensor { name: proto.name.clone(), reason };
    let shape = shape_of(&proto.dims).map_err(failed)?;
    let count = shape.volume();
    let outside;
    let stored = if proto.data_location == data_location::EXTERNAL {
        refuse_second_source(proto).map_err(failed)?;
        let width =
            width(proto.data_type).ok_or_else(|| failed(unsupported_type(proto.data_type)))?;
        let length = count
            .checked_mul(width)
            .ok_or_else(|| failed(format!("its shape {shape} is too large")))?;
        outside = external.read(&proto.name, &proto.external_data, length)?;
        Stored::Bytes(&outside)
    } else if !proto.external_data.is_empty() {
        return Err(failed("it names a file but says that its data are not there".into()));
    } else if proto.raw_data.is_empty() {
        Stored::Fields
    } else {
        refuse_second_source(proto).map_err(failed)?;
        Stored::Bytes(&proto.raw_data)
    };
    match elements(proto, &stored, count).map_err(failed)? {
        Elements::Real(values) => {
            let tensor = Tensor::new(shape, values).map_err(|error| failed(error.to_string()))?;
            Ok(Constant::Real(tensor))
        }
        Elements::Integer(values) => Ok(Constant::Integer(Integers { shape, values })),
    }
}

/// Checks the extents of a tensor in a file.
///
/// # Errors
/// Says what is wrong with them.
pub(crate) fn shape_of(extents: &[i64]) -> Result<Shape, String> {
    let checked: Result<Vec<usize>, _> =
        extents.iter().map(|&extent| usize::try_from(extent)).collect();
    match checked {
        Ok(checked) => checked_shape(&checked),
        Err(_) => Err(format!("its shape {extents:?} holds a negative extent")),
    }
}

/// Checks the number of axes and the product of their extents.
///
/// # Errors
/// Says what is wrong with them.
pub(crate) fn checked_shape(extents: &[usize]) -> Result<Shape, String> {
    if extents.len() > RANK {
        return Err(format!("it has {} axes; at most {RANK} are supported", extents.len()));
    }
    // An empty axis does not excuse the others: products of some of them are computed too.
    let product = extents
        .iter()
        .try_fold(1_usize, |product, &extent| product.checked_mul(extent.max(1)))
        .filter(|&product| isize::try_from(product).is_ok());
    match product {
        Some(_) => Ok(Shape::new(extents)),
        None => Err(format!("its shape {extents:?} is too large")),
    }
}

/// Where the numbers of a tensor lie.
enum Stored<'a> {
    Bytes(&'a [u8]),
    Fields,
}

enum Elements {
    Real(Vec<f32>),
    Integer(Arc<[i64]>),
}

/// Says how many bytes an element takes.
fn width(kind: i32) -> Option<usize> {
    match kind {
        data_type::BOOL | data_type::UINT8 => Some(1),
        data_type::FLOAT16 | data_type::BFLOAT16 => Some(2),
        data_type::FLOAT | data_type::INT32 => Some(4),
        data_type::DOUBLE | data_type::INT64 => Some(8),
        _ => None,
    }
}

fn unsupported_type(kind: i32) -> String {
    format!("its type {} is not supported", data_type::name(kind))
}

fn refuse_second_source(proto: &TensorProto) -> Result<(), String> {
    let typed = [
        proto.float_data.len(),
        proto.int32_data.len(),
        proto.int64_data.len(),
        proto.double_data.len(),
    ];
    let external = proto.data_location == data_location::EXTERNAL && !proto.raw_data.is_empty();
    if external || typed.iter().any(|&length| length > 0) {
        return Err("it holds its data in two places".into());
    }
    Ok(())
}

fn elements(proto: &TensorProto, stored: &Stored<'_>, count: usize) -> Result<Elements, String> {
    let kind = proto.data_type;
    let width = width(kind).ok_or_else(|| unsupported_type(kind))?;
    if let Stored::Bytes(bytes) = stored {
        if count.checked_mul(width) != Some(bytes.len()) {
            return Err(format!(
                "its shape {:?} needs {count} elements of {width} bytes, but it holds {} bytes",
                proto.dims,
                bytes.len()
            ));
        }
        return Ok(from_bytes(kind, bytes));
    }
    let fits = |length: usize| {
        if length == count {
            return Ok(());
        }
        let dims = &proto.dims;
        Err(format!("its shape {dims:?} needs {count} elements, but it holds {length}"))
    };
    match kind {
        data_type::FLOAT => {
            fits(proto.float_data.len())?;
            Ok(Elements::Real(proto.float_data.clone()))
        }
        data_type::DOUBLE => {
            fits(proto.double_data.len())?;
            Ok(Elements::Real(proto.double_data.iter().map(|&value| value as f32).collect()))
        }
        data_type::INT64 => {
            fits(proto.int64_data.len())?;
            Ok(Elements::Integer(proto.int64_data.as_slice().into()))
        }
        data_type::FLOAT16 | data_type::BFLOAT16 => {
            fits(proto.int32_data.len())?;
            let real = |&bits: &i32| from_half(kind, bits as u16);
            Ok(Elements::Real(proto.int32_data.iter().map(real).collect()))
        }
        _ => {
            fits(proto.int32_data.len())?;
            Ok(Elements::Integer(proto.int32_data.iter().map(|&value| value.into()).collect()))
        }
    }
}

/// Converts little-endian bytes whose length is right.
fn from_bytes(kind: i32, bytes: &[u8]) -> Elements {
    match kind {
        data_type::FLOAT => Elements::Real(chunks(bytes).map(f32::from_le_bytes).collect()),
        data_type::DOUBLE => {
            Elements::Real(chunks(bytes).map(|b| f64::from_le_bytes(b) as f32).collect())
        }
        data_type::FLOAT16 | data_type::BFLOAT16 => {
            let real = |b| from_half(kind, u16::from_le_bytes(b));
            Elements::Real(chunks(bytes).map(real).collect())
        }
        data_type::INT32 => {
            Elements::Integer(chunks(bytes).map(|b| i32::from_le_bytes(b).into()).collect())
        }
        data_type::INT64 => Elements::Integer(chunks(bytes).map(i64::from_le_bytes).collect()),
        _ => Elements::Integer(bytes.iter().map(|&byte| byte.into()).collect()),
    }
}

fn chunks<const N: usize>(bytes: &[u8]) -> impl ExactSizeIterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

fn from_half(kind: i32, bits: u16) -> f32 {
    if kind == data_type::FLOAT16 {
        f16::from_bits(bits).to_f32()
    } else {
        bf16::from_bits(bits).to_f32()
    }
}

/// Refuses two stored tensors of the same name.
///
/// # Errors
/// Names the second one.
pub(crate) fn refuse_duplicates(tensors: &[TensorProto]) -> Result<(), OnnxError> {
    let mut names = BTreeSet::new();
    for TensorProto { name, .. } in tensors {
        if name.is_empty() || !names.insert(name) {
            let reason = "initializers need names of their own".into();
            return Err(OnnxError::Tensor { name: name.clone(), reason });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(kind: i32, raw: &[u8], dims: &[i64]) -> TensorProto {
        TensorProto {
            name: "w".into(),
            data_type: kind,
            dims: dims.to_vec(),
            raw_data: raw.to_vec().into(),
            ..TensorProto::default()
        }
    }

    fn real(proto: &TensorProto) -> Vec<f32> {
        let constant = read(proto, &External::nowhere()).unwrap();
        constant.real().unwrap().values().unwrap().to_vec()
    }

    fn refusal(proto: &TensorProto) -> String {
        read(proto, &External::nowhere()).unwrap_err().to_string()
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
    fn typed_fields_are_read_like_raw_bytes() {
        let empty = stored(data_type::FLOAT, &[], &[2]);
        let single = TensorProto { float_data: vec![1.5, -2.0], ..empty.clone() };
        assert_eq!(real(&single), [1.5, -2.0]);
        let bits = vec![f16::from_f32(1.5).to_bits().into(), f16::from_f32(-2.0).to_bits().into()];
        let half = TensorProto { data_type: data_type::FLOAT16, int32_data: bits, ..empty.clone() };
        assert_eq!(real(&half), [1.5, -2.0]);
        let long = TensorProto { data_type: data_type::INT64, int64_data: vec![3, -1], ..empty };
        let constant = read(&long, &External::nowhere()).unwrap();
        assert_eq!(constant.integers(), Some(&[3, -1][..]));
    }

    #[test]
    fn data_of_another_length_than_the_shape_are_refused() {
        let short = stored(data_type::FLOAT, &[0; 12], &[2, 2]);
        assert_eq!(
            refusal(&short),
            "tensor w: its shape [2, 2] needs 4 elements of 4 bytes, but it holds 12 bytes"
        );
        let none = stored(data_type::FLOAT, &[], &[1 << 40]);
        assert!(refusal(&none).ends_with("but it holds 0"), "{}", refusal(&none));
    }

    #[test]
    fn impossible_shapes_and_types_are_refused() {
        let negative = stored(data_type::FLOAT, &[0; 4], &[-1]);
        assert_eq!(refusal(&negative), "tensor w: its shape [-1] holds a negative extent");
        let huge = stored(data_type::FLOAT, &[0; 4], &[1 << 40, 1 << 40]);
        assert!(refusal(&huge).contains("too large"));
        let deep = stored(data_type::FLOAT, &[0; 4], &[1; 9]);
        assert_eq!(refusal(&deep), "tensor w: it has 9 axes; at most 8 are supported");
        let string = stored(8, &[0; 4], &[1]);
        assert_eq!(refusal(&string), "tensor w: its type STRING is not supported");
    }

    #[test]
    fn stored_tensors_need_names_of_their_own() {
        let twice = [stored(data_type::FLOAT, &[0; 4], &[1]), stored(data_type::FLOAT, &[], &[0])];
        assert!(refuse_duplicates(&twice[..1]).is_ok());
        let error = refuse_duplicates(&twice).unwrap_err();
        assert_eq!(error.to_string(), "tensor w: initializers need names of their own");
    }

    #[test]
    fn data_in_two_places_are_refused() {
        let twice = TensorProto {
            float_data: vec![1.0],
            ..stored(data_type::FLOAT, &1.0_f32.to_le_bytes(), &[1])
        };
        assert_eq!(refusal(&twice), "tensor w: it holds its data in two places");
    }
}
