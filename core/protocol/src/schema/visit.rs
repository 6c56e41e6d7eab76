//! Walks the values that stand for something beside their JSON type.

use serde_json::{Map, Value};

use super::{Form, Kind, Parameter, ParameterError, Role, Schema};

/// Where a value with a role stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// What the value stands for.
    pub role: Role,
    /// The parameter at the top level.
    pub key: &'a str,
    /// The exact place for messages: `layers[2]`.
    pub path: &'a str,
    /// How many values with a role stand before this one in the same parameter.
    pub index: usize,
}

pub(super) fn visit(
    schema: &Schema,
    values: &mut Map<String, Value>,
    visitor: &mut dyn FnMut(&Place<'_>, &mut Value) -> Result<(), ParameterError>,
) -> Result<(), Vec<ParameterError>> {
    let mut errors = Vec::new();
    for Parameter { name, form, .. } in schema.parameters() {
        if let Some(value) = values.get_mut(name) {
            let mut walk = Walk { key: name, index: 0, visitor: &mut *visitor, errors };
            walk.value(form, value, name);
            errors = walk.errors;
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

struct Walk<'a, 'v> {
    key: &'a str,
    index: usize,
    visitor: &'v mut dyn FnMut(&Place<'_>, &mut Value) -> Result<(), ParameterError>,
    errors: Vec<ParameterError>,
}

impl Walk<'_, '_> {
    fn value(&mut self, form: &Form, value: &mut Value, path: &str) {
        let Some(alternative) = form.alternative_for(value) else { return };
        if let Some(role) = alternative.role {
            let place = Place { role, key: self.key, path, index: self.index };
            self.index += 1;
            if let Err(error) = (self.visitor)(&place, value) {
                self.errors.push(error);
            }
            return;
        }
        match (&alternative.kind, value) {
            (Kind::List { items, .. }, Value::Array(values)) => {
                for (index, item) in values.iter_mut().enumerate() {
                    self.value(items, item, &format!("{path}[{index}]"));
                }
            }
            (Kind::Object(fields), Value::Object(values)) => {
                for field in fields {
                    if let Some(value) = values.get_mut(&field.name) {
                        self.value(&field.form, value, &format!("{path}.{}", field.name));
                    }
                }
            }
            _ => {}
        }
    }
}
