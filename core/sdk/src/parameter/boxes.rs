use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::OneOrMany;

/// One box for all pictures, or a list of them: `[top, left, height, width]` in pixels, or a list of
/// these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boxes(pub OneOrMany<[usize; 4]>);

fn box_of(value: &Value) -> Option<[usize; 4]> {
    let numbers = value.as_array()?.iter();
    let numbers = numbers.map(|value| usize::try_from(value.as_u64()?).ok());
    numbers.collect::<Option<Vec<_>>>()?.try_into().ok()
}

impl Serialize for Boxes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Boxes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let many = || value.as_array()?.iter().map(box_of).collect::<Option<_>>();
        let one = box_of(&value).map(OneOrMany::One);
        one.or_else(|| many().map(OneOrMany::Many)).map(Self).ok_or_else(|| {
            D::Error::custom(format!(
                "expected [top, left, height, width], or a list of these as box, got {value}"
            ))
        })
    }
}

impl JsonSchema for Boxes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Boxes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let number = json_schema!({ "type": "integer", "minimum": 0 });
        json_schema!({ "type": "array", "minItems": 1, "items": { "anyOf": [
            number,
            { "type": "array", "items": number, "minItems": 4, "maxItems": 4 },
        ] } })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn boxes_are_read_and_written_in_both_forms() {
        for json in [json!([1, 2, 3, 4]), json!([[1, 2, 3, 4], [5, 6, 7, 8]])] {
            let boxes = serde_json::from_value::<Boxes>(json.clone()).unwrap();
            assert_eq!(serde_json::to_value(boxes).unwrap(), json);
        }
        let error = serde_json::from_value::<Boxes>(json!([1, 2, 3])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected [top, left, height, width], or a list of these as box, got [1,2,3]"
        );
    }
}
