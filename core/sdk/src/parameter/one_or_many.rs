use std::borrow::Cow;
use std::slice;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::AnalysisError;

/// One value, or a list of them. `T` must not be a list itself: JSON could not tell them apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One, for everything.
    One(T),
    /// A list.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// Returns the values as a list.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(value) => slice::from_ref(value),
            Self::Many(values) => values,
        }
    }

    /// Returns one value for each of `count` things, such as pictures: the one for all, or the
    /// list when it has as many. `key` is the parameter's name for the message.
    ///
    /// # Errors
    /// Fails when the list has another length.
    pub fn for_each(&self, count: usize, key: &str) -> Result<Vec<&T>, AnalysisError> {
        match self {
            Self::One(value) => Ok(vec![value; count]),
            Self::Many(values) if values.len() == count => Ok(values.iter().collect()),
            Self::Many(values) => Err(AnalysisError::parameter(
                key,
                format!(
                    "a list needs one value per picture, {count}, not {}; one value alone is for \
                     all",
                    values.len()
                ),
            )),
        }
    }
}

impl<T: Default> Default for OneOrMany<T> {
    fn default() -> Self {
        Self::One(T::default())
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_for_all_and_a_list_is_one_each() {
        let one = OneOrMany::One(7);
        assert_eq!(one.for_each(3, "target").unwrap(), [&7, &7, &7]);
        let many = OneOrMany::Many(vec![1, 2]);
        assert_eq!(many.for_each(2, "target").unwrap(), [&1, &2]);
        assert_eq!(
            many.for_each(3, "target").unwrap_err().to_string(),
            "`target`: a list needs one value per picture, 3, not 2; one value alone is for all"
        );
    }
}
