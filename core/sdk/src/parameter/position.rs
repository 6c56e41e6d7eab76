use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::OneOrMany;

/// A cell of a feature map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Position {
    /// Where the map is largest: `"max"`.
    #[default]
    Max,
    /// `[row, column]`.
    At([usize; 2]),
}

/// One position for all pictures, or a list of them: `"max"`, `[row, column]`, or a list of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions(pub OneOrMany<Position>);

impl Position {
    fn to_json(self) -> Value {
        match self {
            Self::Max => Value::from("max"),
            Self::At(place) => Value::from(place.as_slice()),
        }
    }

    fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::String(word) => (word == "max").then_some(Self::Max),
            Value::Array(place) => match place.as_slice() {
                [row, column] => {
                    let index = |value: &Value| usize::try_from(value.as_u64()?).ok();
                    Some(Self::At([index(row)?, index(column)?]))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

impl Serialize for Positions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            OneOrMany::One(position) => position.to_json().serialize(serializer),
            OneOrMany::Many(positions) => {
                serializer.collect_seq(positions.iter().map(|position| position.to_json()))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Positions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let one = Position::from_json(&value).map(OneOrMany::One);
        let many = || {
            let list = value.as_array()?;
            list.iter().map(Position::from_json).collect::<Option<_>>().map(OneOrMany::Many)
        };
        one.or_else(many).map(Self).ok_or_else(|| {
            D::Error::custom(format!(
                "expected \"max\", [row, column], or a list of these as position, got {value}"
            ))
        })
    }
}

impl JsonSchema for Positions {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Positions".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let index = json_schema!({ "type": "integer", "minimum": 0 });
        json_schema!({ "anyOf": [
            { "const": "max" },
            { "type": "array", "minItems": 1, "items": { "anyOf": [
                index,
                { "const": "max" },
                { "type": "array", "items": index, "minItems": 2, "maxItems": 2 },
            ] } },
        ] })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn positions_are_read_and_written_in_all_their_forms() {
        let at = Position::At([2, 3]);
        for (json, positions) in [
            (json!("max"), OneOrMany::One(Position::Max)),
            (json!([2, 3]), OneOrMany::One(at)),
            (json!([[2, 3], "max"]), OneOrMany::Many(vec![at, Position::Max])),
        ] {
            let positions = Positions(positions);
            assert_eq!(serde_json::to_value(&positions).unwrap(), json);
            assert_eq!(serde_json::from_value::<Positions>(json).unwrap(), positions);
        }
    }

    #[test]
    fn a_position_of_three_numbers_is_refused() {
        let error = serde_json::from_value::<Positions>(json!([1, 2, 3])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected \"max\", [row, column], or a list of these as position, got [1,2,3]"
        );
    }
}
