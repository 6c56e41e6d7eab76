//! Stored tensors: their shapes, and where their data lie.

use std::collections::BTreeSet;

use convscope_runtime::{Shape, Tensor};

use crate::OnnxError;
use crate::constant::{Constant, Integers};
use crate::elements::{self, Elements};
use crate::integer_type::IntegerType;
use crate::limits::{LARGE, RANK};
use crate::proto::{TensorProto, data_location};
use crate::source::Stretch;
use crate::store::{Bytes, Reading, Store};

/// Reads a tensor that the graph stores under a name: from the file of weights that lies over the
/// model, if there is one and it holds the name.
///
/// # Errors
/// As [`read`].
pub(crate) fn initializer(proto: &TensorProto, store: &Store) -> Result<Constant, OnnxError> {
    match store.overlaid(&proto.name) {
        Some(bytes) => of_bytes(proto, &bytes, store.reading()),
        None => read(proto, store),
    }
}

/// Reads a stored tensor. Nothing is allocated before the length of the data is known to fit.
///
/// # Errors
/// Fails when shape, type and data do not fit each other, or the type is not supported.
pub(crate) fn read(proto: &TensorProto, store: &Store) -> Result<Constant, OnnxError> {
    let shape = extents(proto)?;
    if let Some(bytes) = stored(proto, &shape, store)? {
        return of_bytes(proto, &bytes, store.reading());
    }
    let elements = elements::typed(proto, shape.volume());
    constant(proto, shape, elements.map_err(|reason| failed(proto, reason))?)
}

fn failed(proto: &TensorProto, reason: String) -> OnnxError {
    OnnxError::Tensor { name: proto.name.clone(), reason }
}

fn extents(proto: &TensorProto) -> Result<Shape, OnnxError> {
    shape_of(&proto.dims).map_err(|reason| failed(proto, reason))
}

/// Makes a constant of bytes that lie somewhere; the tensor says their type and shape.
fn of_bytes(
    proto: &TensorProto,
    bytes: &Bytes<'_>,
    reading: Reading,
) -> Result<Constant, OnnxError> {
    let shape = extents(proto)?;
    let count = shape.volume();
    let failed = |reason| failed(proto, reason);
    elements::check_length(proto, bytes, count).map_err(failed)?;
    let elements = if reading == Reading::Shapes && bytes.length() >= LARGE {
        elements::zeros(proto.data_type, count).map_err(failed)?
    } else {
        elements::read(proto, bytes, count)?
    };
    constant(proto, shape, elements)
}

fn constant(proto: &TensorProto, shape: Shape, elements: Elements) -> Result<Constant, OnnxError> {
    match elements {
        Elements::Real(values) => {
            let tensor = Tensor::new(shape, values);
            Ok(Constant::Real(tensor.map_err(|error| failed(proto, error.to_string()))?))
        }
        Elements::Integer(values) => {
            let kind = IntegerType::of(proto.data_type);
            let kind = kind.ok_or_else(|| failed(proto, "its type holds no integers".into()))?;
            Ok(Constant::Integer(Integers { kind, shape, values }))
        }
    }
}

/// Says where the bytes of a tensor lie, if it has no typed fields that hold its numbers.
fn stored<'a>(
    proto: &'a TensorProto,
    shape: &Shape,
    store: &'a Store,
) -> Result<Option<Bytes<'a>>, OnnxError> {
    let failed = |reason: String| failed(proto, reason);
    let here = !proto.raw_data.is_empty();
    let outside = proto.data_location == data_location::EXTERNAL;
    if !outside && !proto.external_data.is_empty() {
        return Err(failed("it names a file but says that its data are not there".into()));
    }
    let sources = [outside, here, !proto.in_file.is_empty(), has_typed_fields(proto)];
    if sources.into_iter().filter(|&source| source).count() > 1 {
        return Err(failed("it holds its data in two places".into()));
    }
    if outside {
        let width = elements::width(proto.data_type).map_err(failed)?;
        let length = shape
            .volume()
            .checked_mul(width)
            .ok_or_else(|| failed(format!("its shape {shape} is too large")))?;
        let found = store.external().find(&proto.name, &proto.external_data, length as u64)?;
        return Ok(Some(Bytes::Outside(found)));
    }
    if here {
        return Ok(Some(Bytes::Here(&proto.raw_data)));
    }
    let Some(first) = proto.in_file.first() else { return Ok(None) };
    if proto.in_file.iter().any(|stretch| stretch.field != first.field) {
        return Err(failed("it holds its data in two places".into()));
    }
    elements::check_field(proto.data_type, first.field).map_err(failed)?;
    let stretch = |stretch: &crate::proto::StretchProto| Stretch {
        offset: stretch.offset,
        length: stretch.length,
    };
    Ok(Some(Bytes::InFile(store.file(), proto.in_file.iter().map(stretch).collect())))
}

fn has_typed_fields(proto: &TensorProto) -> bool {
    !(proto.float_data.is_empty()
        && proto.int32_data.is_empty()
        && proto.int64_data.is_empty()
        && proto.double_data.is_empty()
        && proto.uint64_data.is_empty())
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
    use crate::proto::data_type;
    use crate::testing::stored;

    fn refusal(proto: &TensorProto) -> String {
        read(proto, &Store::empty()).unwrap_err().to_string()
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

    #[test]
    fn a_file_that_is_named_but_not_used_is_refused() {
        let entry =
            crate::proto::StringStringEntryProto { key: "location".into(), value: "w.bin".into() };
        let unused =
            TensorProto { external_data: vec![entry], ..stored(data_type::FLOAT, &[0; 4], &[1]) };
        assert_eq!(
            refusal(&unused),
            "tensor w: it names a file but says that its data are not there"
        );
    }
}
