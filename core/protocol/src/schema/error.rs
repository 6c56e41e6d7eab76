//! What is wrong with a schema, and what is wrong with values for it.

use thiserror::Error;

/// A schema that cannot be used. Paths are JSON pointers into the schema.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The text is no JSON.
    ///
    /// Cure: Hand over the schema as JSON; in Rust derive `JsonSchema`, which does.
    #[error("the parameter schema is no JSON")]
    NotJson(#[source] serde_json::Error),
    /// The root does not describe an object with properties.
    ///
    /// Cure: Describe a struct with named fields: `"type": "object"` with `properties`.
    #[error("the parameter schema must describe an object: \"type\": \"object\"")]
    NotAnObject,
    /// A keyword that plugins may not use.
    ///
    /// Cure: Leave the keyword out, or say the same with those that are accepted: `type`,
    /// `properties`, `required`, `enum`, `const`, `oneOf`, `anyOf`, `items`, `minItems`,
    /// `maxItems`, the four limits of numbers, `default`, `$ref`, `x-convscope`, `x-unit`.
    #[error("parameter schema: {path}: keyword `{keyword}` is not accepted")]
    UnknownKeyword {
        /// Where.
        path: String,
        /// The keyword.
        keyword: String,
    },
    /// A keyword with a value it cannot have.
    ///
    /// Cure: Give the keyword a value of that kind.
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
    ///
    /// Cure: Put the definition into `$defs` of the same schema, or mend the name.
    #[error("parameter schema: {path}: `$ref` to `{target}`, which is not in `$defs`")]
    DanglingReference {
        /// Where.
        path: String,
        /// What was referred to.
        target: String,
    },
    /// Definitions that contain themselves, or nest without end.
    ///
    /// Cure: Describe parameters without recursion and with fewer levels.
    #[error("parameter schema: {path}: definitions nest too deeply or contain themselves")]
    TooDeep {
        /// Where.
        path: String,
    },
    /// Definitions that refer to each other so often that the whole grows without measure.
    ///
    /// Cure: Refer to fewer definitions, or to smaller ones: each `$ref` counts with all that it
    /// holds.
    #[error("parameter schema: more than {limit} parts when every `$ref` is followed")]
    TooLarge {
        /// The most parts a schema may have.
        limit: usize,
    },
    /// Two alternatives that a value's JSON type cannot tell apart.
    ///
    /// Cure: Let alternatives differ in their JSON type, or join them: several strings are one
    /// `enum`.
    #[error("parameter schema: {path}: two alternatives take {kind}; they must differ in type")]
    AmbiguousAlternatives {
        /// Where.
        path: String,
        /// What both take, in words.
        kind: &'static str,
    },
    /// A place that says neither a type nor a role.
    ///
    /// Cure: Say a `type`, an `enum`, a `const`, alternatives, or a role with `x-convscope`.
    #[error("parameter schema: {path}: says neither a type, nor values, nor a role")]
    Untyped {
        /// Where.
        path: String,
    },
    /// A required name that is no property.
    ///
    /// Cure: Mend the name in `required`, or describe the property.
    #[error("parameter schema: {path}: `required` names `{name}`, which is no property")]
    UnknownRequired {
        /// Where.
        path: String,
        /// The name.
        name: String,
    },
    /// A default that the schema itself refuses.
    ///
    /// Cure: Let `default` be a value that the schema itself accepts.
    #[error("parameter schema: {path}: the default is refused: {reason}")]
    WrongDefault {
        /// Where.
        path: String,
        /// Why.
        reason: String,
    },
}

/// A parameter that was given wrongly, or not at all.
///
/// Cure: Give a value of the kind that the message expects. `convscope plugins describe NAME` shows
/// every parameter with its type, limits and default; in a script they are the entries of the map,
/// on the command line `--set NAME=VALUE`.
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
