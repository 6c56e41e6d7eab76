//! Values of scripts as arguments of analyses, and JSON as values of scripts.

use std::collections::BTreeMap;

use rhai::{Dynamic, FLOAT, INT, Map};
use serde_json::{Number, Value};

use crate::value::{Images, Tensor};
use crate::{Argument, Failure, kind};

/// Turns a script's map of named parameters into arguments. A parameter that is `()` counts as not
/// given.
///
/// # Errors
///
/// Kind `wrong_type` when a value is something that no analysis can take, such as a closure.
pub(crate) fn arguments(map: Map) -> Result<BTreeMap<String, Argument>, Failure> {
    let given = map.into_iter().filter(|(_, value)| !value.is_unit());
    given
        .map(|(key, value)| match argument(&value) {
            Ok(argument) => Ok((key.to_string(), argument)),
            Err(what) => {
                let message = format!("`{key}` cannot be {what}");
                let help = "parameters are numbers, strings, images, arrays, lists and maps";
                Err(Failure::new(kind::WRONG_TYPE, message).with_key(&key).with_help(help))
            }
        })
        .collect()
}

/// Turns a value into an argument, or says what it is instead.
fn argument(value: &Dynamic) -> Result<Argument, String> {
    let value = value.flatten_clone();
    if let Some(images) = value.read_lock::<Images>() {
        return Ok(Argument::Images(images.shared()));
    }
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return Ok(Argument::Tensor(tensor.shared()));
    }
    if let Some(items) = value.read_lock::<rhai::Array>() {
        let items = items.iter().map(argument).collect::<Result<Vec<_>, _>>()?;
        let plain: Option<Vec<Value>> = items
            .iter()
            .map(|item| if let Argument::Json(value) = item { Some(value.clone()) } else { None })
            .collect();
        return Ok(plain.map_or(Argument::List(items), |values| Argument::Json(values.into())));
    }
    json(&value).map(Argument::Json)
}

/// Turns a value into JSON, or says what it is instead.
pub(crate) fn json(value: &Dynamic) -> Result<Value, String> {
    let value = value.flatten_clone();
    if let Some(items) = value.read_lock::<rhai::Array>() {
        return items.iter().map(json).collect::<Result<Vec<_>, _>>().map(Value::Array);
    }
    if let Some(map) = value.read_lock::<Map>() {
        let entries = map.iter().map(|(key, value)| Ok((key.to_string(), json(value)?)));
        return entries.collect::<Result<_, String>>().map(Value::Object);
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(value) = value.as_bool() {
        return Ok(value.into());
    }
    if let Ok(number) = value.as_int() {
        return Ok(number.into());
    }
    if let Ok(number) = value.as_float() {
        return Number::from_f64(number).map(Value::Number).ok_or(format!("the number {number}"));
    }
    match (value.as_char(), value.clone().into_string()) {
        (Ok(letter), _) => Ok(letter.to_string().into()),
        (_, Ok(text)) => Ok(text.into()),
        _ => Err(described(&value)),
    }
}

/// Turns JSON into a value; numbers without a fraction become whole numbers where they fit.
pub(crate) fn dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => {
            let float = || number.as_f64().unwrap_or(FLOAT::NAN).into();
            number.as_i64().map_or_else(float, |number| Dynamic::from(number as INT))
        }
        Value::String(text) => text.clone().into(),
        Value::Array(items) => items.iter().map(dynamic).collect::<rhai::Array>().into(),
        Value::Object(map) => {
            map.iter().map(|(key, value)| (key.into(), dynamic(value))).collect::<Map>().into()
        }
    }
}

/// Turns a count into a whole number of scripts.
pub(crate) fn whole(count: usize) -> INT {
    INT::try_from(count).unwrap_or(INT::MAX)
}

/// Says what a value is, with an article.
pub(crate) fn described(value: &Dynamic) -> String {
    let name = crate::value::type_name(value);
    match name.as_str() {
        "()" => "nothing".to_owned(),
        "i64" => "a whole number".to_owned(),
        "f64" => "a number".to_owned(),
        "bool" => "true or false".to_owned(),
        "array" => "a list".to_owned(),
        "Images" => "a set of images".to_owned(),
        "Fn" => "a function".to_owned(),
        _ => format!("a {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_maps_become_json() {
        let value = rhai::Engine::new().eval::<Dynamic>("#{ a: [1, 2.5, \"x\", ()], b: true }");

        let json = json(&value.unwrap()).unwrap();

        assert_eq!(json, serde_json::json!({ "a": [1, 2.5, "x", null], "b": true }));
        assert_eq!(super::json(&dynamic(&json)).unwrap(), json);
    }

    #[test]
    fn a_parameter_that_is_nothing_counts_as_not_given() {
        let map = Map::from([("layers".into(), Dynamic::UNIT), ("top".into(), 9_i64.into())]);

        let arguments = arguments(map).unwrap();

        assert_eq!(arguments.keys().collect::<Vec<_>>(), ["top"]);
    }

    #[test]
    fn what_no_analysis_can_take_is_refused_by_name() {
        let closure = rhai::Engine::new().eval::<Dynamic>("|x| x").unwrap();

        let failure = arguments(Map::from([("top".into(), closure)])).unwrap_err();

        assert_eq!(failure.message, "`top` cannot be a function");
        assert_eq!(failure.key.as_deref(), Some("top"));
        let failure = arguments(Map::from([("a".into(), f64::NAN.into())])).unwrap_err();
        assert_eq!(failure.message, "`a` cannot be the number NaN");
    }
}
