//! The inputs of a model and their shapes.

use std::collections::BTreeSet;

use convscope_runtime::Shape;

use crate::OnnxError;
use crate::proto::{DimensionProto, GraphProto, ValueInfoProto, data_type};
use crate::tensor::checked_shape;

/// An input of a model.
#[derive(Debug)]
pub(crate) struct Input<'m> {
    pub(crate) name: &'m str,
    /// Its shape for one image.
    pub(crate) shape: Shape,
    /// Number of images for which the file writes down its shapes; 1 where that is open.
    pub(crate) batch: usize,
}

/// Lists the inputs that are not stored, with their shapes: those given, or those of the file.
///
/// # Errors
/// Fails when a shape is open, impossible, or that of no tensor of numbers.
pub(crate) fn of<'m>(
    graph: &'m GraphProto,
    given: &[Vec<usize>],
) -> Result<Vec<Input<'m>>, OnnxError> {
    let stored: BTreeSet<&str> =
        graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    // Files before IR version 4 list initializers among the inputs.
    let free: Vec<&ValueInfoProto> =
        graph.input.iter().filter(|input| !stored.contains(input.name.as_str())).collect();
    if !given.is_empty() && given.len() != free.len() {
        return Err(OnnxError::ShapeCount { expected: free.len(), actual: given.len() });
    }
    let mut inputs: Vec<Input<'m>> = Vec::with_capacity(free.len());
    for (index, info) in free.into_iter().enumerate() {
        let input = read(info, given.get(index).map(Vec::as_slice))?;
        if let Some(first) = inputs.first()
            && first.batch != input.batch
        {
            let reason =
                format!("its batch is {}, that of {} is {}", input.batch, first.name, first.batch);
            return Err(OnnxError::InvalidInput { input: info.name.clone(), reason });
        }
        inputs.push(input);
    }
    Ok(inputs)
}

fn read<'m>(info: &'m ValueInfoProto, given: Option<&[usize]>) -> Result<Input<'m>, OnnxError> {
    let invalid = |reason: String| OnnxError::InvalidInput { input: info.name.clone(), reason };
    let Some(kind) = info.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref()) else {
        return Err(invalid("it is not a tensor".into()));
    };
    match kind.elem_type {
        data_type::FLOAT | data_type::FLOAT16 | data_type::BFLOAT16 | data_type::DOUBLE => {}
        other => {
            let name = data_type::name(other);
            return Err(invalid(format!("its type {name} is not supported; real numbers are")));
        }
    }
    let stated = kind.shape.as_ref().map(|shape| shape.dim.as_slice());
    let extents: Vec<Option<usize>> = stated.unwrap_or_default().iter().map(extent).collect();
    let batch = extents.first().copied().flatten().unwrap_or(1);
    let rank = stated.map(<[_]>::len);
    let chosen = if let Some(given) = given {
        if rank.is_some_and(|rank| rank != given.len()) {
            let stated = written(stated);
            return Err(invalid(format!("the shape {given:?} does not fit the model's {stated}")));
        }
        given.to_vec()
    } else {
        let behind = extents.iter().skip(1).copied().collect::<Option<Vec<usize>>>();
        let (Some(behind), false) = (behind, extents.is_empty()) else {
            return Err(open(info, stated, &extents));
        };
        [vec![batch], behind].concat()
    };
    let shape = checked_shape(&chosen).map_err(invalid)?;
    if shape.rank() == 0 || shape.volume() == 0 {
        return Err(invalid(format!("its shape {shape} holds no numbers")));
    }
    Ok(Input { name: &info.name, shape: shape.with_batch(1), batch })
}

fn open(
    info: &ValueInfoProto,
    stated: Option<&[DimensionProto]>,
    extents: &[Option<usize>],
) -> OnnxError {
    let defaults = [1, 3, 224, 224];
    let extents = if extents.is_empty() { &[None; 4] } else { extents };
    let example = extents
        .iter()
        .enumerate()
        .map(|(axis, extent)| extent.unwrap_or(*defaults.get(axis).unwrap_or(&1)).to_string())
        .collect::<Vec<_>>()
        .join(",");
    OnnxError::OpenShape { input: info.name.clone(), shape: written(stated), example }
}

/// Returns a stated extent; zero and less stand for an open one in some files.
fn extent(dimension: &DimensionProto) -> Option<usize> {
    usize::try_from(dimension.dim_value?).ok().filter(|&extent| extent > 0)
}

/// Writes a shape as the file states it.
fn written(stated: Option<&[DimensionProto]>) -> String {
    let Some(stated) = stated else { return "of any rank".into() };
    let parts: Vec<String> = stated
        .iter()
        .map(|dimension| match (extent(dimension), &dimension.dim_param) {
            (Some(extent), _) => extent.to_string(),
            (None, Some(name)) if !name.is_empty() => name.clone(),
            _ => "?".into(),
        })
        .collect();
    format!("[{}]", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{graph, node, reals, value_info};

    fn graph_of(input: ValueInfoProto) -> GraphProto {
        let nodes = vec![node("Relu", "n", &["x"], &["y"])];
        GraphProto { input: vec![input], ..graph(nodes, "x", "y") }
    }

    fn refusal(input: ValueInfoProto, given: &[Vec<usize>]) -> String {
        of(&graph_of(input), given).unwrap_err().to_string()
    }

    #[test]
    fn an_open_batch_is_no_question_and_an_open_size_is() {
        let fixed = graph_of(value_info("x", &[-1, 3, 8, 8]));
        let inputs = of(&fixed, &[]).unwrap();
        assert_eq!((inputs[0].shape.extents(), inputs[0].batch), (&[1, 3, 8, 8][..], 1));
        assert_eq!(
            refusal(value_info("x", &[-1, 3, -1, -1]), &[]),
            "input x has the shape [n, 3, n, n]: say which size to use, such as 1,3,224,224"
        );
    }

    #[test]
    fn a_given_shape_answers_and_a_written_batch_is_kept_in_mind() {
        let open = graph_of(value_info("x", &[4, 3, -1, -1]));
        let inputs = of(&open, &[vec![1, 3, 16, 20]]).unwrap();
        assert_eq!((inputs[0].shape.extents(), inputs[0].batch), (&[1, 3, 16, 20][..], 4));
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let info = || value_info("x", &[-1, 3, 8, 8]);
        assert_eq!(
            refusal(info(), &[vec![3, 8, 8]]),
            "input x: the shape [3, 8, 8] does not fit the model's [n, 3, 8, 8]"
        );
        assert_eq!(
            refusal(info(), &[vec![1], vec![1]]),
            "the model has 1 inputs, but 2 shapes were given"
        );
        assert_eq!(
            refusal(info(), &[vec![1, 3, 0, 8]]),
            "input x: its shape [1, 3, 0, 8] holds no numbers"
        );
        let huge = vec![1, 3, 1 << 40, 1 << 40];
        assert!(refusal(info(), &[huge]).ends_with("is too large"));
    }

    #[test]
    fn inputs_that_are_no_real_numbers_are_refused() {
        let mut integers = value_info("x", &[1, 3]);
        integers.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().elem_type = 7;
        assert_eq!(
            refusal(integers, &[]),
            "input x: its type INT64 is not supported; real numbers are"
        );
        let none = ValueInfoProto { r#type: None, ..value_info("x", &[]) };
        assert_eq!(refusal(none, &[]), "input x: it is not a tensor");
    }

    #[test]
    fn stored_tensors_among_the_inputs_are_not_asked_for() {
        let mut old = graph_of(value_info("x", &[1, 3, 8, 8]));
        old.input.push(value_info("w", &[1]));
        old.initializer.push(reals("w", &[1], &[1.0]));
        assert_eq!(of(&old, &[]).unwrap().len(), 1);
    }

    #[test]
    fn batches_that_differ_are_refused() {
        let mut two = graph_of(value_info("x", &[2, 3]));
        two.input.push(value_info("z", &[3, 3]));
        let error = of(&two, &[]).unwrap_err();
        assert_eq!(error.to_string(), "input z: its batch is 3, that of x is 2");
    }
}
