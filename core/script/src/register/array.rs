//! Arrays: shape, parts, arithmetic, reductions.

use std::ops::Range;
use std::sync::Arc;

use rhai::{Dynamic, Engine, FLOAT, FnPtr, INT, ImmutableString, NativeCallContext};

use super::{Properties, function, indexer, properties, property};
use crate::state::State;
use crate::throw::Fallible;
use crate::value::{Reduction, Tensor};
use crate::{Failure, convert, kind};

/// A function of one number.
type Function = fn(f64) -> f64;
/// A function of two numbers.
type Operator = fn(f64, f64) -> f64;

/// Properties of arrays.
pub(crate) const TENSOR: Properties = ("Tensor", &["axes", "doc", "name", "shape", "unit"]);

pub(super) fn register(engine: &mut Engine, state: &Arc<State>) {
    engine.register_type_with_name::<Tensor>("Tensor");
    properties::<Tensor>(engine, TENSOR);
    facts(engine);
    comparisons(engine);
    parts(engine, state);
    arithmetic(engine, state);
    element_wise(engine, state);
    reductions(engine, state);
}

fn facts(engine: &mut Engine) {
    property("shape", &["array: Tensor", "Array"], "Extent of every axis, outermost first.")
        .register_into_engine(engine, |array: &mut Tensor| {
            array.shape().iter().map(|&n| Dynamic::from(convert::whole(n))).collect::<rhai::Array>()
        });
    property("axes", &["array: Tensor", "Array"], "Name of every axis, outermost first.")
        .register_into_engine(engine, |array: &mut Tensor| {
            let axes = array.get().meta.axes.iter();
            axes.map(|axis| Dynamic::from(axis.name.clone())).collect::<rhai::Array>()
        });
    property("name", &["array: Tensor", "String"], "Name of the array.")
        .register_into_engine(engine, |array: &mut Tensor| array.get().name.clone());
    property("unit", &["array: Tensor", "String"], "Unit of the values; empty for plain numbers.")
        .register_into_engine(engine, |array: &mut Tensor| array.get().meta.unit.clone());
    property("doc", &["array: Tensor", "String"], "What the values are.")
        .register_into_engine(engine, |array: &mut Tensor| array.get().meta.doc.clone());
    function("len", &["array: Tensor", "int"], "Extent of the leading axis.")
        .register_into_engine(engine, |array: &mut Tensor| {
            array.shape().first().map_or(1, |&extent| convert::whole(extent))
        });
    function("to_string", &["array: Tensor", "String"], "Name, shape, unit and range of values.")
        .register_into_engine(engine, |array: &mut Tensor| array.to_string());
    function("to_debug", &["array: Tensor", "String"], "As `to_string`.")
        .register_into_engine(engine, |array: &mut Tensor| array.to_string());
    function(
        "to_array",
        &["array: Tensor", "Array"],
        "The numbers as nested lists. For small arrays: at most 65536 numbers.",
    )
    .register_into_engine(engine, |array: &mut Tensor| -> Fallible<Dynamic> {
        Ok(array.to_lists()?)
    });
    function("==", &["a: Tensor", "b: Tensor", "bool"], "Whether shapes and numbers are the same.")
        .register_into_engine(engine, |a: Tensor, b: Tensor| same(&a, &b));
    function("!=", &["a: Tensor", "b: Tensor", "bool"], "Whether shapes or numbers differ.")
        .register_into_engine(engine, |a: Tensor, b: Tensor| !same(&a, &b));
}

/// Refuses to order arrays. Left alone, Rhai would answer `false` and go on.
fn comparisons(engine: &mut Engine) {
    fn refuse(sign: &str) -> Fallible<bool> {
        let message = format!("`{sign}` compares numbers, and this is an array");
        Err(Failure::new(kind::WRONG_TYPE, message)
            .with_help("take a number of it first: `.max()`, `.mean()`, `[0]`")
            .into())
    }
    fn against<T: rhai::Variant + Clone>(engine: &mut Engine, sign: &'static str) {
        let doc = "Refuses: an array is no number.";
        function(sign, &["a: Tensor", "b: ?", "bool"], doc)
            .register_into_engine(engine, move |_: Tensor, _: T| refuse(sign));
        function(sign, &["a: ?", "b: Tensor", "bool"], doc)
            .register_into_engine(engine, move |_: T, _: Tensor| refuse(sign));
    }
    for sign in ["<", "<=", ">", ">="] {
        function(sign, &["a: Tensor", "b: Tensor", "bool"], "Refuses: arrays have no order.")
            .register_into_engine(engine, move |_: Tensor, _: Tensor| refuse(sign));
    }
    for sign in ["<", "<=", ">", ">=", "==", "!="] {
        against::<INT>(engine, sign);
        against::<FLOAT>(engine, sign);
    }
}

fn same(a: &Tensor, b: &Tensor) -> bool {
    a.shape() == b.shape() && a.numbers().eq(b.numbers())
}

fn parts(engine: &mut Engine, state: &Arc<State>) {
    let budget = Arc::clone(&state.budget);
    indexer(
        &["array: Tensor", "index: int", "?"],
        "The part at an index of the leading axis; a number when there is but one axis.\n\
         Negative indices count from the end.",
    )
    .register_into_engine(engine, move |array: &mut Tensor, index: INT| -> Fallible<Dynamic> {
        Ok(array.at(index, &budget)?)
    });

    let doc =
        "The part of the leading axis, or of an axis given by number or name, within a range.";
    let budget = Arc::clone(&state.budget);
    function("slice", &["array: Tensor", "range: Range", "Tensor"], doc).register_into_engine(
        engine,
        move |array: &mut Tensor, range: Range<INT>| -> Fallible<Tensor> {
            let axis = array.axis(&Dynamic::from(0 as INT))?;
            Ok(array.slice(axis, range.start, range.end, &budget)?)
        },
    );
    let budget = Arc::clone(&state.budget);
    function("slice", &["array: Tensor", "axis: ?", "range: Range", "Tensor"], doc)
        .register_into_engine(
            engine,
            move |array: &mut Tensor, axis: Dynamic, range: Range<INT>| -> Fallible<Tensor> {
                let axis = array.axis(&axis)?;
                Ok(array.slice(axis, range.start, range.end, &budget)?)
            },
        );
}

/// The four operators, between arrays of one shape or an array and a number.
fn arithmetic(engine: &mut Engine, state: &Arc<State>) {
    let operators: [(&str, Operator); 4] =
        [("+", |a, b| a + b), ("-", |a, b| a - b), ("*", |a, b| a * b), ("/", |a, b| a / b)];
    for (sign, operation) in operators {
        let doc = "Number by number; both arrays have the same shape.";
        let budget = Arc::clone(&state.budget);
        function(sign, &["a: Tensor", "b: Tensor", "Tensor"], doc).register_into_engine(
            engine,
            move |a: Tensor, b: Tensor| -> Fallible<Tensor> {
                let unit = &a.get().meta.unit;
                let kept = matches!(sign, "+" | "-") && *unit == b.get().meta.unit;
                Ok(a.paired(&b, &budget, if kept { unit } else { "" }, operation)?)
            },
        );
        with_number::<INT>(engine, state, sign, operation, |number| number as f64);
        with_number::<FLOAT>(engine, state, sign, operation, |number| number);
    }
    let budget = Arc::clone(&state.budget);
    function("-", &["array: Tensor", "Tensor"], "Every number with the other sign.")
        .register_into_engine(engine, move |array: Tensor| -> Fallible<Tensor> {
            Ok(array.each(&budget, &array.get().meta.unit, |number| -number)?)
        });
}

fn with_number<N: rhai::Variant + Clone>(
    engine: &mut Engine,
    state: &Arc<State>,
    sign: &'static str,
    operation: Operator,
    number: fn(N) -> f64,
) {
    let doc = "Number by number.";
    let budget = Arc::clone(&state.budget);
    function(sign, &["a: Tensor", "b: ?", "Tensor"], doc).register_into_engine(
        engine,
        move |a: Tensor, b: N| -> Fallible<Tensor> {
            let b = number(b);
            Ok(a.each(&budget, &a.get().meta.unit, |value| operation(value, b))?)
        },
    );
    let budget = Arc::clone(&state.budget);
    function(sign, &["a: ?", "b: Tensor", "Tensor"], doc).register_into_engine(
        engine,
        move |a: N, b: Tensor| -> Fallible<Tensor> {
            let a = number(a);
            let unit = if sign == "/" { "" } else { b.get().meta.unit.as_str() };
            Ok(b.each(&budget, unit, |value| operation(a, value))?)
        },
    );
}

/// Functions of every single number.
fn element_wise(engine: &mut Engine, state: &Arc<State>) {
    let functions: [(&str, &str, Function); 4] = [
        ("abs", "The magnitude of every number.", f64::abs),
        ("exp", "The exponential of every number.", f64::exp),
        ("ln", "The natural logarithm of every number.", f64::ln),
        ("sqrt", "The square root of every number.", f64::sqrt),
    ];
    for (name, doc, operation) in functions {
        let budget = Arc::clone(&state.budget);
        function(name, &["array: Tensor", "Tensor"], doc).register_into_engine(
            engine,
            move |array: &mut Tensor| -> Fallible<Tensor> {
                let unit = if name == "abs" { array.get().meta.unit.as_str() } else { "" };
                Ok(array.each(&budget, unit, operation)?)
            },
        );
    }
    let budget = Arc::clone(&state.budget);
    function(
        "normalize",
        &["array: Tensor", "Tensor"],
        "Divides by the largest magnitude: everything lies between -1 and 1, zero stays zero.",
    )
    .register_into_engine(engine, move |array: &mut Tensor| -> Fallible<Tensor> {
        Ok(array.normalized(&budget)?)
    });
    let budget = Arc::clone(&state.budget);
    function(
        "map",
        &["array: Tensor", "function: Fn", "Tensor"],
        "What a function makes of every number. For small arrays: operators and functions of whole\n\
         arrays are a hundred times faster.",
    )
    .register_into_engine(
        engine,
        move |context: NativeCallContext, array: &mut Tensor, closure: FnPtr| -> Fallible<Tensor> {
            let mut mapped = Vec::new();
            for number in array.numbers() {
                let value = closure.call_within_context::<Dynamic>(&context, (number,))?;
                mapped.push(number_of(&value)?);
            }
            Ok(array.same_shape(mapped.into_iter(), "", &budget)?)
        },
    );
}

fn number_of(value: &Dynamic) -> Result<f64, Failure> {
    value.as_float().or_else(|_| value.as_int().map(|number| number as f64)).map_err(|_| {
        let message =
            format!("the function of `map` returned {}, not a number", convert::described(value));
        Failure::new(kind::WRONG_TYPE, message)
    })
}

fn reductions(engine: &mut Engine, state: &Arc<State>) {
    let reductions = [
        ("min", Reduction::Minimum, "The smallest number, of all or along an axis."),
        ("max", Reduction::Maximum, "The largest number, of all or along an axis."),
        ("mean", Reduction::Mean, "The mean, of all or along an axis."),
        ("sum", Reduction::Sum, "The sum, of all or along an axis."),
    ];
    for (name, reduction, doc) in reductions {
        let doc = format!("{doc} Entries that are NaN are left out.");
        function(name, &["array: Tensor", "float"], &doc)
            .register_into_engine(engine, move |array: &mut Tensor| -> Fallible<FLOAT> {
                Ok(array.reduced(reduction)?)
            });
        let budget = Arc::clone(&state.budget);
        function(name, &["array: Tensor", "axis: int", "?"], &doc).register_into_engine(
            engine,
            move |array: &mut Tensor, axis: INT| -> Fallible<Dynamic> {
                let axis = array.axis(&axis.into())?;
                Ok(array.reduced_along(reduction, axis, &budget)?)
            },
        );
        let budget = Arc::clone(&state.budget);
        function(name, &["array: Tensor", "axis: String", "?"], &doc).register_into_engine(
            engine,
            move |array: &mut Tensor, axis: ImmutableString| -> Fallible<Dynamic> {
                let axis = array.axis(&axis.into())?;
                Ok(array.reduced_along(reduction, axis, &budget)?)
            },
        );
    }
    function(
        "top_k",
        &["array: Tensor", "count: int", "Array"],
        "The largest numbers as maps `#{ index, value }`, the largest first. The index is a number\n\
         when there is but one axis, else a list with one per axis.",
    )
    .register_into_engine(engine, |array: &mut Tensor, count: INT| -> Fallible<rhai::Array> {
        Ok(array.largest(count)?)
    });
}
