//! Parameters of an analysis, as JSON Schema.
//!
//! One text serves checking, signatures in scripts, help and the plugin boundary. The accepted
//! keywords are `type`, `properties`, `required`, `additionalProperties: false`, `description`,
//! `title`, `default`, `enum`, `const`, `oneOf` and `anyOf` (their members told apart by JSON
//! type), `items`, `minItems`, `maxItems`, `minimum`, `maximum`, `exclusiveMinimum`,
//! `exclusiveMaximum`, `format`, `$ref` into `$defs`, `x-convscope` (a [`Role`]) and `x-unit`.
//! Any other keyword is refused: what is not understood cannot be checked.

mod complete;
mod error;
mod form;
mod parse;
mod visit;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use error::{ParameterError, SchemaError};
pub use form::{Alternative, Choice, Form, Kind, Limits, Role};
pub use visit::Place;

/// The parameters of an analysis: a JSON Schema restricted to the keywords that plugins may use.
///
/// It keeps the text it was made of, so that it serializes to what the plugin wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Schema {
    json: Value,
    parameters: Vec<Parameter>,
}

/// One parameter, or one field of a parameter that is an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its key.
    pub name: String,
    /// What it means; Markdown, may be empty.
    pub doc: String,
    /// Whether it must be given.
    pub required: bool,
    /// What stands in when it is not given.
    pub default: Option<Value>,
    /// Which values it takes.
    pub form: Form,
}

impl Schema {
    /// Parses the text of a schema.
    ///
    /// # Errors
    /// Fails where the text is no JSON, uses a keyword that is not accepted, or contradicts
    /// itself, naming the place and the keyword.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        let json = serde_json::from_str(text).map_err(SchemaError::NotJson)?;
        Self::from_json(json)
    }

    /// Reads a schema from JSON that was parsed already.
    ///
    /// # Errors
    /// As [`Schema::parse`].
    pub fn from_json(json: Value) -> Result<Self, SchemaError> {
        let parameters = parse::parameters(&json)?;
        Ok(Self { json, parameters })
    }

    /// Returns the schema as it was written.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// Returns the parameters in the order in which the schema lists them.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Finds a parameter by its key.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// Checks what was given and fills in the defaults; keys come out in the schema's order.
    ///
    /// Values that stand for the host's objects ([`Role::is_handle`]) may be any JSON object: the
    /// host knows what it put there. A number with no fraction is a whole number however it was
    /// written. A parameter that is neither given nor has a default stays absent.
    ///
    /// # Errors
    /// Returns everything that is wrong, not only the first of it.
    pub fn complete(
        &self,
        given: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Vec<ParameterError>> {
        complete::complete(self, given)
    }

    /// Shows every value that has a [`Role`] to `visitor`, which may replace it: labels by class
    /// numbers, short layer names by full ones.
    ///
    /// # Errors
    /// Returns everything the visitor refused.
    pub fn visit_roles(
        &self,
        values: &mut Map<String, Value>,
        visitor: &mut dyn FnMut(&Place<'_>, &mut Value) -> Result<(), ParameterError>,
    ) -> Result<(), Vec<ParameterError>> {
        visit::visit(self, values, visitor)
    }

    /// Lists the parameters on one line: `images, window = 32, layer`.
    pub fn summary(&self) -> String {
        let parts: Vec<String> = self.parameters.iter().map(Parameter::summary).collect();
        parts.join(", ")
    }
}

impl Default for Schema {
    /// No parameters at all.
    fn default() -> Self {
        let json = serde_json::json!({ "type": "object", "properties": {} });
        Self { json, parameters: Vec::new() }
    }
}

impl Parameter {
    /// Shows the parameter with its default: `window = 32`.
    pub fn summary(&self) -> String {
        match &self.default {
            None | Some(Value::Null) => self.name.clone(),
            Some(default) => format!("{} = {}", self.name, form::show(default)),
        }
    }

    /// Returns the first role among the alternatives and, for lists, their items.
    pub fn role(&self) -> Option<Role> {
        self.form.role()
    }

    /// Returns the unit of its numbers, empty for none.
    pub fn unit(&self) -> &str {
        self.form.unit()
    }
}

impl TryFrom<Value> for Schema {
    type Error = SchemaError;

    fn try_from(json: Value) -> Result<Self, SchemaError> {
        Self::from_json(json)
    }
}

impl From<Schema> for Value {
    fn from(schema: Schema) -> Self {
        schema.json
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn occlusion() -> Schema {
        Schema::from_json(json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "images": { "description": "Pictures.", "x-convscope": "dataset" },
                "window": { "type": "integer", "minimum": 1, "default": 32, "x-unit": "px" },
                "scale": { "type": "number", "default": 0.1_f32 },
                "layer": { "type": ["string", "null"], "x-convscope": "layer", "default": null },
                "target": { "$ref": "#/$defs/Target", "default": "predicted" },
            },
            "required": ["images"],
            "$defs": {
                "Target": {
                    "x-convscope": "target",
                    "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string" }],
                },
            },
        }))
        .unwrap()
    }

    #[test]
    fn the_summary_shows_defaults_and_leaves_absent_ones_bare() {
        assert_eq!(
            occlusion().summary(),
            r#"images, window = 32, scale = 0.1, layer, target = "predicted""#
        );
    }

    #[test]
    fn parameters_know_their_role_unit_and_default() {
        let schema = occlusion();
        let window = schema.parameter("window").unwrap();
        assert_eq!((window.unit(), window.role(), window.required), ("px", None, false));
        assert_eq!(window.form.to_string(), "a whole number of at least 1 (px)");
        let target = schema.parameter("target").unwrap();
        assert_eq!(target.role(), Some(Role::Target));
        assert_eq!(schema.parameter("images").unwrap().doc, "Pictures.");
    }

    #[test]
    fn a_schema_serializes_to_what_was_written() {
        let schema = occlusion();
        let text = serde_json::to_string(&schema).unwrap();
        assert_eq!(serde_json::from_str::<Schema>(&text).unwrap(), schema);
    }
}
