//! What is wrong with a schema, and what is wrong with values for it.

use thiserror::Error;

/// A schema that cannot be used. Paths are JSON pointers into the schema.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The text is no JSON.
    #[error("the parameter schema is no JSON")]
    NotJson(#[source] serde_json::Error),
    /// The root does not describe an object with properties.
    #[error("the parameter schema must describe an object: \"type\": \"object\"")]
    NotAnObject,
    /// A keyword that plugins may not use.
    #[error("parameter schema: {path}: keyword `{keyword}` is not accepted")]
    UnknownKeyword {
        /// Where.
        path: String,
        /// The keyword.
        keyword: String,
    },
    /// A keyword with a value it cannot have.
    #[error("parameter schema: {path}: `{keyword}` must be {expected}")]
    WrongKeyword {
        /// Where.
        path: String,
        /// The keyword.
        keyword: String,
        /// What it must be, in words.
        expected: String,
    },
    /// A reference that leads nowhere.
    #[error("parameter schema: {path}: `$ref` to `{target}`, which is not in `$defs`")]
    DanglingReference {
        /// Where.
        path: String,
        /// What was referred to.
        target: String,
    },
    /// Definitions that contain themselves, or nest without end.
    #[error("parameter schema: {path}: definitions nest too deeply or contain themselves")]
    TooDeep {
        /// Where.
        path: String,
    },
    /// Definitions that refer to each other so often that the whole grows without measure.
    #[error("parameter schema: more than {limit} parts when every `$ref` is followed")]
    TooLarge {
        /// The most parts a schema may have.
        limit: usize,
    },
    /// Two alternatives that a value's JSON type cannot tell apart.
    #[error("parameter schema: {path}: two alternatives take {kind}; they must differ in type")]
    AmbiguousAlternatives {
        /// Where.
        path: String,
        /// What both take, in words.
        kind: &'static str,
    },
    /// A place that says neither a type nor a role.
    #[error("parameter schema: {path}: says neither a type, nor values, nor a role")]
    Untyped {
        /// Where.
        path: String,
    },
    /// A required name that is no property.
    #[error("parameter schema: {path}: `required` names `{name}`, which is no property")]
    UnknownRequired {
        /// Where.
        path: String,
        /// The name.
        name: String,
    },
    /// A default that the schema itself refuses.
    #[error("parameter schema: {path}: the default is refused: {reason}")]
    WrongDefault {
        /// Where.
        path: String,
        /// Why.
        reason: String,
    },
}

/// A parameter that was given wrongly, or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ParameterError {
    /// The key at the top level, for those who point at it.
    pub key: String,
    /// What is wrong, with the value and the exact place.
    pub message: String,
    /// What to do about it, if something can be said.
    pub help: Option<String>,
}
