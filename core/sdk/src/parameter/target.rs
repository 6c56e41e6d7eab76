use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The class an analysis is about. A user may give its label; the host turns that into the number
/// before the analysis runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// The class with the largest score: `"predicted"`.
    #[default]
    Predicted,
    /// A class number.
    Class(usize),
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Predicted => serializer.serialize_str("predicted"),
            Self::Class(class) => serializer.serialize_u64(*class as u64),
        }
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TargetVisitor)
    }
}

struct TargetVisitor;

impl Visitor<'_> for TargetVisitor {
    type Value = Target;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a class number or \"predicted\"")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Target, E> {
        match word {
            "predicted" => Ok(Target::Predicted),
            label => Err(E::custom(format!("the host left the label {label:?} unresolved"))),
        }
    }

    fn visit_u64<E: Error>(self, class: u64) -> Result<Target, E> {
        usize::try_from(class).map(Target::Class).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, class: i64) -> Result<Target, E> {
        usize::try_from(class).map(Target::Class).map_err(E::custom)
    }
}

impl JsonSchema for Target {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-convscope": "target",
            "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string" }],
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn targets_are_numbers_or_predicted() {
        let read = |json| serde_json::from_value::<Target>(json);
        assert_eq!(read(json!(281)).unwrap(), Target::Class(281));
        assert_eq!(read(json!("predicted")).unwrap(), Target::Predicted);
        assert_eq!(serde_json::to_value(Target::Class(3)).unwrap(), json!(3));
        assert_eq!(
            read(json!("tabby")).unwrap_err().to_string(),
            "the host left the label \"tabby\" unresolved"
        );
    }
}
