//! The inputs of a model: their shapes, and which of them are bound to the values given for them.

use std::collections::{BTreeMap, BTreeSet};

use convscope_runtime::Shape;

use crate::constant::Constant;
use crate::integer_type::IntegerType;
use crate::proto::{DimensionProto, GraphProto, TensorTypeProto, ValueInfoProto, data_type};
use crate::tensor::checked_shape;
use crate::{LoadOptions, OnnxError, elements};

/// The inputs of a model.
#[derive(Debug, Default)]
pub(crate) struct Inputs<'m> {
    /// Those of the network.
    pub(crate) computed: Vec<Input<'m>>,
    /// Names and values of those that are constants of the network, by their place in the model.
    pub(crate) bound: BTreeMap<usize, (&'m str, Constant)>,
}

/// An input of a network.
#[derive(Debug)]
pub(crate) struct Input<'m> {
    pub(crate) name: &'m str,
    /// Its shape for one image.
    pub(crate) shape: Shape,
    pub(crate) batch: Batch,
}

/// For how many images a file writes down its shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Batch {
    /// For these.
    Written(usize),
    /// For any number.
    Open,
}

impl Batch {
    /// Returns the number that is written down; 1 where it is open.
    pub(crate) fn images(self) -> usize {
        match self {
            Self::Written(images) => images,
            Self::Open => 1,
        }
    }
}

/// Lists the inputs that are not stored, with their shapes: those given, or those of the file.
/// `demanded` names values that a node wants to be constant.
///
/// # Errors
/// Fails when a shape is open, impossible, or that of no tensor of numbers, or a given value is
/// none of its input.
pub(crate) fn of<'m>(
    graph: &'m GraphProto,
    options: &LoadOptions,
    demanded: &BTreeSet<String>,
) -> Result<Inputs<'m>, OnnxError> {
    let stored: BTreeSet<&str> =
        graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    // Files before IR version 4 list initializers among the inputs.
    let free: Vec<&ValueInfoProto> =
        graph.input.iter().filter(|input| !stored.contains(input.name.as_str())).collect();
    let LoadOptions { input_shapes, given, .. } = options;
    let expected = free.len();
    if !input_shapes.is_empty() && input_shapes.len() != expected {
        return Err(OnnxError::ShapeCount { expected, actual: input_shapes.len() });
    }
    if !given.is_empty() && given.len() != expected {
        return Err(OnnxError::InputCount { expected, actual: given.len() });
    }
    let mut inputs = Inputs::default();
    for (place, info) in free.into_iter().enumerate() {
        let stated = Stated::of(info)?;
        let value = given.get(place);
        if let Some(value) = value
            && (demanded.contains(&info.name) || stated.is_shared(inputs.computed.first()))
        {
            inputs.bound.insert(place, (&info.name, stated.bind(value)?));
            continue;
        }
        let first = inputs.computed.first();
        let shape = input_shapes.get(place).map(Vec::as_slice);
        let input = stated.read(shape, value, first.map_or(Batch::Open, |first| first.batch))?;
        if let Some(first) = first
            && first.batch.images() != input.batch.images()
        {
            let [own, other] = [input.batch, first.batch].map(Batch::images);
            let reason = format!("its batch is {own}, that of {} is {other}", first.name);
            return Err(OnnxError::InvalidInput { input: info.name.clone(), reason });
        }
        inputs.computed.push(input);
    }
    Ok(inputs)
}

/// What the file says of an input.
struct Stated<'m> {
    info: &'m ValueInfoProto,
    kind: Kind,
    /// Its extents where they are fixed; absent where not even their number is.
    extents: Option<Vec<Option<usize>>>,
    dimensions: Option<&'m [DimensionProto]>,
}

/// What an input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Real,
    /// Integers or conditions, of the named type.
    Integer(IntegerType),
}

impl<'m> Stated<'m> {
    fn of(info: &'m ValueInfoProto) -> Result<Self, OnnxError> {
        let invalid = |reason: String| OnnxError::InvalidInput { input: info.name.clone(), reason };
        let tensor = info.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
        let Some(TensorTypeProto { elem_type, shape }) = tensor else {
            return Err(invalid("it is not a tensor".into()));
        };
        let kind = match *elem_type {
            real if elements::is_real(real) => Kind::Real,
            other => match IntegerType::of(other) {
                Some(integer) => Kind::Integer(integer),
                None => return Err(invalid(unsupported(&data_type::name(other)))),
            },
        };
        let dimensions = shape.as_ref().map(|shape| shape.dim.as_slice());
        let extents = dimensions.map(|dimensions| dimensions.iter().map(extent).collect());
        Ok(Self { info, kind, extents, dimensions })
    }

    /// Says whether the input is the same for every image of the `first` one: it holds integers, is
    /// a single number, or has another extent where the first has its batch.
    fn is_shared(&self, first: Option<&Input<'_>>) -> bool {
        let batch = match (self.kind, self.extents.as_deref()) {
            (Kind::Integer(_), _) | (_, Some([])) => return true,
            (Kind::Real, extents) => extents.and_then(|extents| *extents.first()?),
        };
        batch.zip(first).is_some_and(|(batch, first)| batch != first.batch.images())
    }

    /// Makes a constant of the value given for the input.
    fn bind(&self, value: &Constant) -> Result<Constant, OnnxError> {
        let given = value.shape().extents();
        let fits = |extents: &Vec<Option<usize>>| {
            let mut pairs = extents.iter().zip(given);
            extents.len() == given.len()
                && pairs.all(|(stated, given)| stated.is_none_or(|stated| stated == *given))
        };
        if !self.extents.as_ref().is_none_or(fits) {
            return Err(self.misfit(given));
        }
        match self.kind {
            Kind::Real => {
                let tensor = value.clone().into_tensor();
                Ok(Constant::Real(tensor.map_err(|error| self.invalid(error.to_string()))?))
            }
            Kind::Integer(kind) => {
                let integers = value.clone().into_integers(kind);
                let name = kind.name();
                let none = || self.invalid(format!("a given number is no {name}, which it takes"));
                Ok(Constant::Integer(integers.ok_or_else(none)?))
            }
        }
    }

    /// Makes an input of the network, of the given shape, else that of the file, in which the
    /// extents of a given value, or of an open batch `usual`, stand for those that are open.
    fn read(
        &self,
        shape: Option<&[usize]>,
        value: Option<&Constant>,
        usual: Batch,
    ) -> Result<Input<'m>, OnnxError> {
        if let Kind::Integer(kind) = self.kind {
            return Err(self.invalid(unsupported(&kind.name())));
        }
        let extents = self.extents.as_deref();
        let single = value.is_some_and(|value| value.shape().extents().first() == Some(&1));
        let batch = match extents.and_then(|extents| *extents.first()?) {
            Some(images) => Batch::Written(images),
            None if single && usual == Batch::Open => Batch::Written(1),
            None => usual,
        };
        let given = shape.or(value.map(|value| value.shape().extents()));
        if let (Some(given), Some(extents)) = (given, extents)
            && given.len() != extents.len()
        {
            return Err(self.misfit(given));
        }
        let chosen = match (shape, given, extents) {
            (Some(shape), _, _) => shape.to_vec(),
            (None, Some(given), Some(extents)) => {
                let filled =
                    extents.iter().zip(given).map(|(stated, &given)| stated.unwrap_or(given));
                filled.collect()
            }
            (None, Some(given), None) => given.to_vec(),
            (None, None, extents) => {
                let behind =
                    extents.and_then(|extents| extents.get(1..)?.iter().copied().collect());
                let behind: Vec<usize> = behind.ok_or_else(|| self.open())?;
                [vec![batch.images()], behind].concat()
            }
        };
        let shape = checked_shape(&chosen).map_err(|reason| self.invalid(reason))?;
        if shape.rank() == 0 || shape.volume() == 0 {
            return Err(self.invalid(format!("its shape {shape} holds no numbers")));
        }
        Ok(Input { name: &self.info.name, shape: shape.with_batch(1), batch })
    }

    fn invalid(&self, reason: String) -> OnnxError {
        OnnxError::InvalidInput { input: self.info.name.clone(), reason }
    }

    fn misfit(&self, given: &[usize]) -> OnnxError {
        let stated = written(self.dimensions);
        self.invalid(format!("the shape {given:?} does not fit the model's {stated}"))
    }

    fn open(&self) -> OnnxError {
        let extents = self.extents.as_deref().filter(|extents| !extents.is_empty());
        let extents = extents.unwrap_or(&[None; 4]);
        let channels_last = matches!(extents, [_, _, _, Some(1 | 3)]);
        let defaults = if channels_last { [1, 224, 224, 3] } else { [1, 3, 224, 224] };
        let example = extents
            .iter()
            .enumerate()
            .map(|(axis, extent)| extent.unwrap_or(*defaults.get(axis).unwrap_or(&1)).to_string())
            .collect::<Vec<_>>()
            .join(",");
        let input = self.info.name.clone();
        OnnxError::OpenShape { input, shape: written(self.dimensions), example }
    }
}

fn unsupported(kind: &str) -> String {
    format!("its type {kind} is not supported; real numbers are")
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
    use convscope_runtime::Tensor;

    use super::*;
    use crate::testing::{graph, node, reals, value_info};

    fn graph_of(input: ValueInfoProto) -> GraphProto {
        let nodes = vec![node("Relu", "n", &["x"], &["y"])];
        GraphProto { input: vec![input], ..graph(nodes, "x", "y") }
    }

    fn shapes(shapes: &[&[usize]]) -> LoadOptions {
        let input_shapes = shapes.iter().map(|shape| shape.to_vec()).collect();
        LoadOptions { input_shapes, ..LoadOptions::default() }
    }

    fn given(values: Vec<Constant>) -> LoadOptions {
        LoadOptions { given: values, ..LoadOptions::default() }
    }

    fn zeros(extents: &[usize]) -> Constant {
        Constant::Real(Tensor::zeros(Shape::new(extents)))
    }

    fn inputs<'m>(graph: &'m GraphProto, options: &LoadOptions) -> Result<Inputs<'m>, OnnxError> {
        of(graph, options, &BTreeSet::new())
    }

    fn refusal(input: ValueInfoProto, options: &LoadOptions) -> String {
        inputs(&graph_of(input), options).unwrap_err().to_string()
    }

    /// A graph with a further input.
    fn two(second: ValueInfoProto) -> GraphProto {
        let mut two = graph_of(value_info("x", &[2, 3]));
        two.input.push(second);
        two
    }

    fn integers_of(name: &str, extents: &[i64]) -> ValueInfoProto {
        let mut info = value_info(name, extents);
        info.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().elem_type = 7;
        info
    }

    #[test]
    fn an_open_batch_is_no_question_and_an_open_size_is() {
        let fixed = graph_of(value_info("x", &[-1, 3, 8, 8]));
        let input = &inputs(&fixed, &shapes(&[])).unwrap().computed[0];
        assert_eq!((input.shape.extents(), input.batch), (&[1, 3, 8, 8][..], Batch::Open));
        let one = &inputs(&fixed, &given(vec![zeros(&[1, 3, 8, 8])])).unwrap().computed[0];
        assert_eq!(one.batch, Batch::Written(1));
        let two = &inputs(&fixed, &given(vec![zeros(&[2, 3, 8, 8])])).unwrap().computed[0];
        assert_eq!(two.batch, Batch::Open);
        assert_eq!(
            refusal(value_info("x", &[-1, 3, -1, -1]), &shapes(&[])),
            "input x has the shape [n, 3, n, n]: say which size to use, such as 1,3,224,224"
        );
        assert_eq!(
            refusal(value_info("x", &[-1, -1, -1, 1]), &shapes(&[])),
            "input x has the shape [n, n, n, 1]: say which size to use, such as 1,224,224,1"
        );
    }

    #[test]
    fn a_given_shape_answers_and_a_written_batch_is_kept_in_mind() {
        let open = graph_of(value_info("x", &[4, 3, -1, -1]));
        for options in [shapes(&[&[1, 3, 16, 20]]), given(vec![zeros(&[1, 3, 16, 20])])] {
            let input = &inputs(&open, &options).unwrap().computed[0];
            assert_eq!(
                (input.shape.extents(), input.batch),
                (&[1, 3, 16, 20][..], Batch::Written(4))
            );
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let info = || value_info("x", &[-1, 3, 8, 8]);
        assert_eq!(
            refusal(info(), &shapes(&[&[3, 8, 8]])),
            "input x: the shape [3, 8, 8] does not fit the model's [n, 3, 8, 8]"
        );
        assert_eq!(
            refusal(info(), &shapes(&[&[1], &[1]])),
            "the model has 1 inputs, but 2 shapes were given"
        );
        assert_eq!(
            refusal(info(), &shapes(&[&[1, 3, 0, 8]])),
            "input x: its shape [1, 3, 0, 8] holds no numbers"
        );
        let huge = &[1, 3, 1 << 40, 1 << 40];
        assert!(refusal(info(), &shapes(&[huge])).ends_with("is too large"));
    }

    #[test]
    fn inputs_that_are_no_real_numbers_are_refused() {
        assert_eq!(
            refusal(integers_of("x", &[1, 3]), &shapes(&[])),
            "input x: its type INT64 is not supported; real numbers are"
        );
        let none = ValueInfoProto { r#type: None, ..value_info("x", &[]) };
        assert_eq!(refusal(none, &shapes(&[])), "input x: it is not a tensor");
    }

    #[test]
    fn stored_tensors_among_the_inputs_are_not_asked_for() {
        let mut old = graph_of(value_info("x", &[1, 3, 8, 8]));
        old.input.push(value_info("w", &[1]));
        old.initializer.push(reals("w", &[1], &[1.0]));
        assert_eq!(inputs(&old, &shapes(&[])).unwrap().computed.len(), 1);
        let given = inputs(&old, &given(vec![zeros(&[1, 3, 8, 8])])).unwrap();
        assert_eq!((given.computed.len(), given.bound.len()), (1, 0));
    }

    #[test]
    fn batches_that_differ_are_refused_where_no_values_are_given() {
        let two = two(value_info("z", &[3, 3]));
        let error = inputs(&two, &shapes(&[])).unwrap_err();
        assert_eq!(error.to_string(), "input z: its batch is 3, that of x is 2");
    }

    #[test]
    fn what_cannot_be_one_value_per_image_is_bound() {
        let whole = || Constant::Real(Tensor::filled([1], 7.0));
        for (second, value) in [
            (integers_of("k", &[1]), Constant::list([7])),
            (integers_of("k", &[1]), whole()),
            (value_info("k", &[1]), whole()),
            (value_info("k", &[]), zeros(&[])),
        ] {
            let graph = two(second);
            let inputs = inputs(&graph, &given(vec![zeros(&[2, 3]), value])).unwrap();
            assert_eq!((inputs.computed.len(), inputs.bound[&1].0), (1, "k"));
        }
    }

    #[test]
    fn what_can_be_one_value_per_image_is_not_bound_unless_a_node_demands_it() {
        for second in [value_info("k", &[2, 4]), value_info("k", &[-1, 4])] {
            let (graph, options) = (two(second), given(vec![zeros(&[2, 3]), zeros(&[2, 4])]));
            assert_eq!(inputs(&graph, &options).unwrap().computed.len(), 2);
            let demanded = BTreeSet::from(["k".to_owned()]);
            let inputs = of(&graph, &options, &demanded).unwrap();
            assert_eq!((inputs.computed.len(), inputs.bound.len()), (1, 1));
        }
    }

    #[test]
    fn values_that_do_not_fit_are_refused() {
        let says = |second: ValueInfoProto, value: Constant, words: &str| {
            let error = inputs(&two(second), &given(vec![zeros(&[2, 3]), value])).unwrap_err();
            assert_eq!(error.to_string(), words);
        };
        let axes = || integers_of("k", &[2]);
        let words = "input k: the shape [1] does not fit the model's [2]";
        says(axes(), Constant::list([7]), words);
        let half = Constant::Real(Tensor::filled([2], 0.5));
        says(axes(), half, "input k: a given number is no INT64, which it takes");
        let words = "input k: the shape [3] does not fit the model's [2, 3]";
        says(value_info("k", &[2, 3]), zeros(&[3]), words);
        let two = two(axes());
        let error = inputs(&two, &given(vec![zeros(&[2, 3])])).unwrap_err();
        assert_eq!(error.to_string(), "the model takes 2 inputs: 1 tensor was given");
    }
}
