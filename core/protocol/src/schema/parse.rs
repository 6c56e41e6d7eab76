//! Reads a schema into forms.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::complete::check_default;
use super::{Alternative, Choice, Form, Kind, Limits, Parameter, Role, SchemaError};

/// Every keyword that a schema may use.
const ACCEPTED: [&str; 23] = [
    "$defs",
    "$ref",
    "additionalProperties",
    "anyOf",
    "const",
    "default",
    "description",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "items",
    "maxItems",
    "maximum",
    "minItems",
    "minimum",
    "oneOf",
    "properties",
    "required",
    "title",
    "type",
    "x-convscope",
    "x-unit",
];
/// Keywords that say which values are meant: none of them may stand beside a reference.
const SHAPING: [&str; 15] = [
    "additionalProperties",
    "anyOf",
    "const",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "items",
    "maxItems",
    "maximum",
    "minItems",
    "minimum",
    "oneOf",
    "properties",
    "type",
];
/// Nesting beyond this is a definition that contains itself.
const MAX_DEPTH: usize = 32;
/// The most parts that may be visited: references make small texts grow large.
const MAX_PARTS: usize = 10_000;

/// Reads the parameters of the object that the root describes.
pub(super) fn parameters(json: &Value) -> Result<Vec<Parameter>, SchemaError> {
    let root = json.as_object().ok_or(SchemaError::NotAnObject)?;
    let empty = Map::new();
    let definitions = match root.get("$defs") {
        None => &empty,
        Some(Value::Object(definitions)) => definitions,
        Some(_) => return Err(wrong("#", "$defs", "an object of schemas")),
    };
    let parser = Parser { definitions, parts: Cell::new(0) };
    if root.get("type") != Some(&Value::String("object".into())) {
        return Err(SchemaError::NotAnObject);
    }
    // What no parameter refers to is read too: a mistake in it is a mistake of the plugin's.
    for (name, definition) in definitions {
        parser.form(&format!("#/$defs/{name}"), definition, 0)?;
    }
    parser.keywords("#", json)?;
    parser.fields("#", root, 0)
}

struct Parser<'a> {
    definitions: &'a Map<String, Value>,
    parts: Cell<usize>,
}

impl Parser<'_> {
    /// Refuses keywords that are not accepted; returns the node as an object.
    fn keywords<'n>(
        &self,
        path: &str,
        node: &'n Value,
    ) -> Result<&'n Map<String, Value>, SchemaError> {
        self.parts.set(self.parts.get() + 1);
        if self.parts.get() > MAX_PARTS {
            return Err(SchemaError::TooLarge { limit: MAX_PARTS });
        }
        let Some(node) = node.as_object() else {
            return Err(SchemaError::Untyped { path: path.to_owned() });
        };
        for (keyword, value) in node {
            let known = ACCEPTED.contains(&keyword.as_str()) && (keyword != "$defs" || path == "#");
            if !known {
                return Err(SchemaError::UnknownKeyword {
                    path: path.to_owned(),
                    keyword: keyword.clone(),
                });
            }
            let is_text = matches!(
                keyword.as_str(),
                "$ref" | "description" | "format" | "title" | "x-convscope" | "x-unit"
            );
            if is_text && !value.is_string() {
                return Err(wrong(path, keyword, "text"));
            }
            if keyword == "additionalProperties" && value != &Value::Bool(false) {
                return Err(wrong(path, keyword, "false"));
            }
        }
        Ok(node)
    }

    /// Reads one place of the schema.
    fn form(&self, path: &str, node: &Value, depth: usize) -> Result<Form, SchemaError> {
        if depth > MAX_DEPTH {
            return Err(SchemaError::TooDeep { path: path.to_owned() });
        }
        let node = self.keywords(path, node)?;
        let role = match node.get("x-convscope").and_then(Value::as_str) {
            None => None,
            Some(name) => Some(Role::named(name).ok_or_else(|| {
                let names: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
                wrong(path, "x-convscope", &format!("one of {}", names.join(", ")))
            })?),
        };
        let alternatives = if let Some(target) = node.get("$ref").and_then(Value::as_str) {
            self.reference(path, node, target, depth)?
        } else if let Some(keyword) = ["oneOf", "anyOf"].into_iter().find(|k| node.contains_key(*k))
        {
            self.union(path, node, keyword, depth)?
        } else {
            self.plain(path, node, role, depth)?
        };
        let unit = node.get("x-unit").and_then(Value::as_str).unwrap_or("");
        let mut form = Form { alternatives };
        attach(&mut form, role, unit);
        Ok(form)
    }

    fn reference(
        &self,
        path: &str,
        node: &Map<String, Value>,
        target: &str,
        depth: usize,
    ) -> Result<Vec<Alternative>, SchemaError> {
        if let Some(keyword) = SHAPING.into_iter().find(|keyword| node.contains_key(*keyword)) {
            return Err(wrong(path, keyword, "absent beside `$ref`"));
        }
        let name = target.strip_prefix("#/$defs/");
        let definition = name.and_then(|name| self.definitions.get(name)).ok_or_else(|| {
            SchemaError::DanglingReference { path: path.to_owned(), target: target.to_owned() }
        })?;
        Ok(self.form(target, definition, depth + 1)?.alternatives)
    }

    fn union(
        &self,
        path: &str,
        node: &Map<String, Value>,
        keyword: &str,
        depth: usize,
    ) -> Result<Vec<Alternative>, SchemaError> {
        if let Some(other) =
            SHAPING.into_iter().find(|other| *other != keyword && node.contains_key(*other))
        {
            return Err(wrong(path, other, &format!("absent beside `{keyword}`")));
        }
        let members = match node.get(keyword) {
            Some(Value::Array(members)) if !members.is_empty() => members,
            _ => return Err(wrong(path, keyword, "a list of schemas")),
        };
        let mut merged: Vec<Alternative> = Vec::new();
        for (index, member) in members.iter().enumerate() {
            let form = self.form(&format!("{path}/{keyword}/{index}"), member, depth + 1)?;
            for alternative in form.alternatives {
                let kind = alternative.kind.type_name();
                match merged.iter_mut().find(|known| known.kind.type_name() == kind) {
                    None => merged.push(alternative),
                    // Lists of values, as enums write them, are one list.
                    Some(known)
                        if known.kind == alternative.kind
                            && known.role == alternative.role
                            && !known.choices.is_empty()
                            && !alternative.choices.is_empty() =>
                    {
                        known.choices.extend(alternative.choices);
                    }
                    Some(_) => {
                        let path = path.to_owned();
                        return Err(SchemaError::AmbiguousAlternatives { path, kind });
                    }
                }
            }
        }
        Ok(merged)
    }

    /// Reads a place that says its types or values itself.
    fn plain(
        &self,
        path: &str,
        node: &Map<String, Value>,
        role: Option<Role>,
        depth: usize,
    ) -> Result<Vec<Alternative>, SchemaError> {
        let choices = choices(path, node)?;
        let types = types(path, node, choices.as_deref())?;
        if types.is_empty() {
            if role.is_some_and(Role::is_handle) && choices.is_none() {
                return Ok(vec![plain(Kind::Handle)]);
            }
            return Err(SchemaError::Untyped { path: path.to_owned() });
        }
        require_types(path, node, &types)?;
        let mut alternatives = Vec::new();
        for name in types {
            let kind = self.kind(path, node, name, role, depth)?;
            let mut alternative = plain(kind);
            if let Some(choices) = &choices {
                alternative.choices = choices
                    .iter()
                    .filter(|choice| alternative.kind.takes_type_of(&choice.value))
                    .cloned()
                    .collect();
                if alternative.choices.is_empty() {
                    continue;
                }
            }
            alternatives.push(alternative);
        }
        let fitting: usize = alternatives.iter().map(|a| a.choices.len()).sum();
        if choices.is_some_and(|choices| choices.len() != fitting) {
            return Err(wrong(path, "enum", "values of the type that stands beside it"));
        }
        Ok(alternatives)
    }

    fn kind(
        &self,
        path: &str,
        node: &Map<String, Value>,
        name: &str,
        role: Option<Role>,
        depth: usize,
    ) -> Result<Kind, SchemaError> {
        let handle = role.filter(|role| role.is_handle());
        Ok(match name {
            "null" => Kind::Null,
            "array" => {
                let Some(items) = node.get("items") else {
                    return Err(wrong(path, "items", "given for a list"));
                };
                let items = self.form(&format!("{path}/items"), items, depth + 1)?;
                let least = count(path, node, "minItems")?.unwrap_or(0);
                let most = count(path, node, "maxItems")?;
                Kind::List { items: Box::new(items), least, most }
            }
            "object" if handle.is_some() => Kind::Handle,
            "object" => Kind::Object(self.fields(path, node, depth)?),
            _ if handle.is_some() => {
                return Err(wrong(path, "type", "object, array or null for this role"));
            }
            "boolean" => Kind::Boolean,
            "integer" => Kind::Integer(limits(path, node)?),
            "number" => Kind::Number(limits(path, node)?),
            "string" => Kind::Text,
            _ => return Err(wrong(path, "type", "one of the JSON types, or a list of them")),
        })
    }

    fn fields(
        &self,
        path: &str,
        node: &Map<String, Value>,
        depth: usize,
    ) -> Result<Vec<Parameter>, SchemaError> {
        let empty = Map::new();
        let properties = match node.get("properties") {
            None => &empty,
            Some(Value::Object(properties)) => properties,
            Some(_) => return Err(wrong(path, "properties", "an object of schemas")),
        };
        let required = names(path, node, "required")?;
        if let Some(name) = required.iter().find(|name| !properties.contains_key(**name)) {
            let name = (*name).to_owned();
            return Err(SchemaError::UnknownRequired { path: path.to_owned(), name });
        }
        let mut fields = Vec::new();
        for (name, property) in properties {
            let place = format!("{path}/properties/{name}");
            let form = self.form(&place, property, depth + 1)?;
            let default =
                match property.get("default") {
                    None => None,
                    Some(default) => Some(check_default(&form, default).map_err(|reason| {
                        SchemaError::WrongDefault { path: place.clone(), reason }
                    })?),
                };
            let doc = property.get("description").and_then(Value::as_str).unwrap_or("");
            fields.push(Parameter {
                name: name.clone(),
                doc: doc.to_owned(),
                required: default.is_none() && required.contains(&name.as_str()),
                default,
                form,
            });
        }
        Ok(fields)
    }
}

fn wrong(path: &str, keyword: &str, expected: &str) -> SchemaError {
    SchemaError::WrongKeyword {
        path: path.to_owned(),
        keyword: keyword.to_owned(),
        expected: expected.to_owned(),
    }
}

fn plain(kind: Kind) -> Alternative {
    Alternative { kind, choices: Vec::new(), role: None, unit: String::new() }
}

/// Hands a role and a unit down to the alternatives, and through lists to their items.
fn attach(form: &mut Form, role: Option<Role>, unit: &str) {
    for alternative in &mut form.alternatives {
        match &mut alternative.kind {
            Kind::Null => {}
            Kind::List { items, .. } => attach(items, role, unit),
            _ => {
                alternative.role = role.or(alternative.role);
                if !unit.is_empty() {
                    unit.clone_into(&mut alternative.unit);
                }
            }
        }
    }
}

fn choices(path: &str, node: &Map<String, Value>) -> Result<Option<Vec<Choice>>, SchemaError> {
    let doc = node.get("description").and_then(Value::as_str).unwrap_or("");
    match (node.get("const"), node.get("enum")) {
        (None, None) => Ok(None),
        (Some(value), None) => Ok(Some(vec![Choice { value: value.clone(), doc: doc.to_owned() }])),
        (None, Some(Value::Array(values))) if !values.is_empty() => Ok(Some(
            values
                .iter()
                .map(|value| Choice { value: value.clone(), doc: String::new() })
                .collect(),
        )),
        (None, Some(_)) => Err(wrong(path, "enum", "a list of values")),
        (Some(_), Some(_)) => Err(wrong(path, "enum", "absent beside `const`")),
    }
}

/// Returns the types that a place names, or that its listed values have.
fn types<'n>(
    path: &str,
    node: &'n Map<String, Value>,
    choices: Option<&[Choice]>,
) -> Result<Vec<&'n str>, SchemaError> {
    let mut found = match node.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(_) => names(path, node, "type")?,
        None => choices.into_iter().flatten().map(|choice| type_of(&choice.value)).collect(),
    };
    if node.contains_key("type") {
        if found.contains(&"integer") && found.contains(&"number") {
            let path = path.to_owned();
            return Err(SchemaError::AmbiguousAlternatives { path, kind: "a number" });
        }
    } else if found.contains(&"number") {
        found.retain(|name| *name != "integer");
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Refuses limits of a type that the place does not have: they would never be looked at.
fn require_types(path: &str, node: &Map<String, Value>, types: &[&str]) -> Result<(), SchemaError> {
    let numeric = types.contains(&"integer") || types.contains(&"number");
    let misplaced = [
        ("exclusiveMaximum", numeric),
        ("exclusiveMinimum", numeric),
        ("items", types.contains(&"array")),
        ("maxItems", types.contains(&"array")),
        ("maximum", numeric),
        ("minItems", types.contains(&"array")),
        ("minimum", numeric),
        ("properties", types.contains(&"object")),
        ("required", types.contains(&"object")),
    ];
    match misplaced.into_iter().find(|(keyword, fits)| node.contains_key(*keyword) && !fits) {
        Some((keyword, _)) => Err(wrong(path, keyword, "absent: it does not fit the type")),
        None => Ok(()),
    }
}

fn names<'n>(
    path: &str,
    node: &'n Map<String, Value>,
    keyword: &str,
) -> Result<Vec<&'n str>, SchemaError> {
    match node.get(keyword) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => {
            items.iter().map(Value::as_str).collect::<Option<_>>().ok_or(())
        }
        Some(_) => Err(()),
    }
    .map_err(|()| wrong(path, keyword, "a list of names"))
}

fn count(
    path: &str,
    node: &Map<String, Value>,
    keyword: &str,
) -> Result<Option<usize>, SchemaError> {
    let Some(value) = node.get(keyword) else { return Ok(None) };
    let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
    count.map(Some).ok_or_else(|| wrong(path, keyword, "a count"))
}

fn limits(path: &str, node: &Map<String, Value>) -> Result<Limits, SchemaError> {
    let limit = |keyword: &str| match node.get(keyword) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or_else(|| wrong(path, keyword, "a number")),
    };
    let whole = match node.get("format").and_then(Value::as_str) {
        Some("int8") => Some([f64::from(i8::MIN), f64::from(i8::MAX)]),
        Some("int16") => Some([f64::from(i16::MIN), f64::from(i16::MAX)]),
        Some("int32") => Some([f64::from(i32::MIN), f64::from(i32::MAX)]),
        Some("uint8") => Some([0.0, f64::from(u8::MAX)]),
        Some("uint16") => Some([0.0, f64::from(u16::MAX)]),
        Some("uint32") => Some([0.0, f64::from(u32::MAX)]),
        Some("float") => Some([f64::from(f32::MIN), f64::from(f32::MAX)]),
        _ => None,
    };
    Ok(Limits {
        minimum: limit("minimum")?,
        maximum: limit("maximum")?,
        above: limit("exclusiveMinimum")?,
        below: limit("exclusiveMaximum")?,
        holds: whole,
    })
}
