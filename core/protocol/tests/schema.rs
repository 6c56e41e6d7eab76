//! What schemas accept and refuse, and in which words.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::needless_pass_by_value, reason = "json!(…) reads best as an argument")]

use convscope_protocol::{ParameterError, Role, Schema, SchemaError};
use serde_json::{Map, Value, json};

fn refused(schema: Value) -> String {
    Schema::from_json(schema).unwrap_err().to_string()
}

/// A schema with one parameter `p`.
fn of(property: Value) -> Schema {
    Schema::from_json(json!({ "type": "object", "properties": { "p": property } })).unwrap()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

fn completed(schema: &Schema, given: Value) -> Value {
    Value::Object(schema.complete(&object(given)).unwrap())
}

fn errors(schema: &Schema, given: Value) -> Vec<ParameterError> {
    schema.complete(&object(given)).unwrap_err()
}

fn message(property: Value, value: Value) -> String {
    let errors = errors(&of(property), json!({ "p": value }));
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].message.clone()
}

#[test]
fn every_mistake_in_a_schema_is_named_with_its_place() {
    let at =
        |property: Value| refused(json!({ "type": "object", "properties": { "p": property } }));
    assert!(matches!(Schema::parse("{").unwrap_err(), SchemaError::NotJson(_)));
    assert_eq!(Schema::parse("{").unwrap_err().to_string(), "the parameter schema is no JSON");
    assert_eq!(
        refused(json!({ "type": "string" })),
        "the parameter schema must describe an object: \"type\": \"object\""
    );
    assert_eq!(
        at(json!({ "type": "string", "pattern": "a+" })),
        "parameter schema: #/properties/p: keyword `pattern` is not accepted"
    );
    assert_eq!(
        at(json!({ "type": "integer", "minimum": "one" })),
        "parameter schema: #/properties/p: `minimum` must be a number"
    );
    assert_eq!(
        at(json!({ "type": "string", "x-convscope": "picture" })),
        "parameter schema: #/properties/p: `x-convscope` must be one of callback, dataset, layer, \
         maps, model, target, tensor"
    );
    assert_eq!(
        at(json!({ "type": "string", "maximum": 3 })),
        "parameter schema: #/properties/p: `maximum` must be absent: it does not fit the type"
    );
    assert_eq!(
        at(json!({ "type": "array" })),
        "parameter schema: #/properties/p: `items` must be given for a list"
    );
    assert_eq!(
        at(json!({ "type": "object", "additionalProperties": true })),
        "parameter schema: #/properties/p: `additionalProperties` must be false"
    );
    assert_eq!(
        at(json!({ "$ref": "#/$defs/Nowhere" })),
        "parameter schema: #/properties/p: `$ref` to `#/$defs/Nowhere`, which is not in `$defs`"
    );
    assert_eq!(
        at(json!({ "anyOf": [{ "type": "integer" }, { "type": "number" }] })),
        "parameter schema: #/properties/p: two alternatives take a number; they must differ in type"
    );
    assert_eq!(
        at(json!({ "description": "anything" })),
        "parameter schema: #/properties/p: says neither a type, nor values, nor a role"
    );
    assert_eq!(
        refused(json!({ "type": "object", "properties": {}, "required": ["q"] })),
        "parameter schema: #: `required` names `q`, which is no property"
    );
    assert_eq!(
        at(json!({ "type": "integer", "default": "many" })),
        "parameter schema: #/properties/p: the default is refused: `default`: expected a whole \
         number, got \"many\""
    );
}

#[test]
fn definitions_that_contain_themselves_are_refused() {
    let definition = json!({ "type": "array", "items": { "$ref": "#/$defs/T" } });
    let message = refused(json!({ "type": "object", "$defs": { "T": definition } }));
    assert!(message.ends_with("definitions nest too deeply or contain themselves"), "{message}");
}

#[test]
fn definitions_that_multiply_are_refused_before_they_fill_the_memory() {
    let mut definitions = Map::new();
    definitions.insert("T0".into(), json!({ "type": "integer" }));
    for level in 1..30 {
        let below = json!({ "$ref": format!("#/$defs/T{}", level - 1) });
        let both = json!({ "type": "object", "properties": { "a": below, "b": below } });
        definitions.insert(format!("T{level}"), both);
    }
    assert_eq!(
        refused(json!({ "type": "object", "$defs": definitions })),
        "parameter schema: more than 10000 parts when every `$ref` is followed"
    );
}

#[test]
fn a_mistake_in_an_unused_definition_is_found() {
    let schema =
        json!({ "type": "object", "$defs": { "T": { "type": "string", "minLength": 1 } } });
    assert_eq!(refused(schema), "parameter schema: #/$defs/T: keyword `minLength` is not accepted");
}

#[test]
fn defaults_are_filled_in_and_optional_parameters_stay_absent() {
    let schema = Schema::from_json(json!({
        "type": "object",
        "properties": {
            "window": { "type": "integer", "default": 32 },
            "stride": { "type": "integer", "default": 8 },
            "layer": { "type": ["string", "null"] },
        },
    }))
    .unwrap();
    assert_eq!(completed(&schema, json!({ "stride": 4 })), json!({ "window": 32, "stride": 4 }));
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let schema = Schema::from_json(json!({
        "type": "object",
        "properties": {
            "images": { "x-convscope": "dataset" },
            "window": { "type": "integer", "minimum": 1, "maximum": 512, "default": 32 },
            "start": { "enum": ["one", "activation"], "default": "one" },
        },
        "required": ["images"],
    }))
    .unwrap();
    let errors = errors(&schema, json!({ "windw": 3, "window": 0, "start": "activaton" }));
    let said: Vec<(&str, &str, Option<&str>)> =
        errors.iter().map(|e| (&*e.key, &*e.message, e.help.as_deref())).collect();
    assert_eq!(
        said,
        [
            ("windw", "unknown parameter `windw`", Some("did you mean `window`?")),
            ("images", "parameter `images` is required", Some("give pictures or tensors")),
            ("window", "`window`: expected a whole number from 1 to 512, got 0", None),
            (
                "start",
                "`start`: expected \"one\" or \"activation\", got \"activaton\"",
                Some("did you mean \"activation\"?")
            ),
        ]
    );
}

#[test]
fn an_unknown_parameter_far_from_all_lists_them() {
    let schema = of(json!({ "type": "boolean", "default": true }));
    let errors = errors(&schema, json!({ "colour": 1 }));
    assert_eq!(errors[0].help.as_deref(), Some("parameters: p = true"));
}

#[test]
fn mismatches_say_what_was_expected() {
    let list =
        json!({ "type": "array", "items": { "type": "integer" }, "minItems": 2, "maxItems": 2 });
    assert_eq!(
        message(list.clone(), json!([1])),
        "`p`: expected a list of 2: a whole number, got [1]"
    );
    assert_eq!(message(list, json!([1, "b"])), "`p[1]`: expected a whole number, got \"b\"");
    assert_eq!(
        message(json!({ "type": "integer" }), json!(1.5)),
        "`p`: expected a whole number, got 1.5"
    );
    assert_eq!(
        message(json!({ "type": "number", "exclusiveMinimum": 0, "x-unit": "px" }), json!(0)),
        "`p`: expected a number above 0 (px), got 0"
    );
    assert_eq!(
        message(json!({ "type": "integer", "format": "uint8" }), json!(256)),
        "`p`: 256 is out of range"
    );
    assert_eq!(
        message(json!({ "x-convscope": "dataset" }), json!("photos")),
        "`p`: expected pictures or tensors, got \"photos\""
    );
    let target = json!({ "x-convscope": "target", "type": ["integer", "string"] });
    assert_eq!(
        message(target, json!(true)),
        "`p`: expected a class number, or a class label, got true"
    );
    let long = message(json!({ "type": "boolean" }), json!("x".repeat(100)));
    assert!(long.ends_with("xxx…") && long.chars().count() < 100, "{long}");
}

#[test]
fn numbers_come_out_in_one_form_however_they_were_written() {
    assert_eq!(
        completed(&of(json!({ "type": "integer" })), json!({ "p": 3.0 })),
        json!({ "p": 3 })
    );
    let number = completed(&of(json!({ "type": "number" })), json!({ "p": 3 }));
    assert!(number["p"].is_f64());
}

#[test]
fn one_value_or_a_list_of_them_are_told_apart_by_type() {
    let layer = json!({ "type": "string", "x-convscope": "layer" });
    let schema = of(json!({ "anyOf": [layer, { "type": "array", "items": layer }] }));
    assert_eq!(completed(&schema, json!({ "p": "a" })), json!({ "p": "a" }));
    assert_eq!(completed(&schema, json!({ "p": ["a", "b"] })), json!({ "p": ["a", "b"] }));
    assert_eq!(schema.parameter("p").unwrap().role(), Some(Role::Layer));
}

#[test]
fn enums_with_documented_values_are_one_list() {
    let schema = of(json!({ "oneOf": [
        { "type": "string", "const": "sum", "description": "Adds." },
        { "type": "string", "const": "overwrite" },
    ] }));
    let choices = &schema.parameter("p").unwrap().form.alternatives[0].choices;
    assert_eq!((choices[0].doc.as_str(), choices.len()), ("Adds.", 2));
    assert_eq!(completed(&schema, json!({ "p": "overwrite" })), json!({ "p": "overwrite" }));
}

#[test]
fn nested_objects_are_completed_and_checked_too() {
    let schema = of(json!({
        "type": "object",
        "properties": { "depth": { "type": "integer", "default": 2 }, "name": { "type": "string" } },
        "required": ["name"],
    }));
    assert_eq!(
        completed(&schema, json!({ "p": { "name": "a" } })),
        json!({ "p": { "depth": 2, "name": "a" } })
    );
    let errors = errors(&schema, json!({ "p": { "nam": "a" } }));
    assert_eq!(errors[0].message, "unknown parameter `p.nam`");
    assert_eq!(errors[1].message, "parameter `p.name` is required");
    assert!(errors.iter().all(|error| error.key == "p"));
}

#[test]
fn roles_are_visited_wherever_they_stand() {
    let schema = Schema::from_json(json!({
        "type": "object",
        "properties": {
            "images": { "x-convscope": "dataset" },
            "layers": { "type": ["array", "null"], "items": { "type": "string" }, "x-convscope": "layer" },
            "unit": { "type": "object", "properties": {
                "layer": { "type": "string", "x-convscope": "layer" },
                "channel": { "type": "integer" },
            } },
        },
    }))
    .unwrap();
    let mut values = object(json!({
        "images": { "$dataset": 0 },
        "layers": ["a", "b"],
        "unit": { "layer": "c", "channel": 1 },
    }));
    let mut seen = Vec::new();
    let outcome = schema.visit_roles(&mut values, &mut |place, value| {
        seen.push(format!("{} {} {}", place.role.name(), place.path, place.index));
        match value.as_str() {
            Some("b") => Err(ParameterError {
                key: place.key.to_owned(),
                message: "no layer `b`".into(),
                help: None,
            }),
            Some(name) => {
                *value = json!(format!("full/{name}"));
                Ok(())
            }
            None => Ok(()),
        }
    });
    assert_eq!(
        seen,
        ["dataset images 0", "layer layers[0] 0", "layer layers[1] 1", "layer unit.layer 0"]
    );
    assert_eq!(outcome.unwrap_err()[0].to_string(), "no layer `b`");
    assert_eq!(values["layers"], json!(["full/a", "b"]));
    assert_eq!(values["unit"]["layer"], "full/c");
}
