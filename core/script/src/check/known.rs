//! What is known about a value before the script runs.

use std::any::TypeId;
use std::rc::Rc;
use std::sync::Arc;

use rhai::{Dynamic, FLOAT, FnPtr, INT, ImmutableString, Map, Position};
use serde_json::Value;

use super::handle::Handle;
use crate::ModelOutline;
use crate::state::{FROM_COMMAND_LINE, Origin};

/// What is known about a value, and where it is written.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) position: Position,
    pub(super) content: Content,
}

/// What a value is, as far as that can be seen.
#[derive(Clone, Default)]
pub(super) enum Content {
    /// It depends on what happens.
    #[default]
    Unknown,
    Unit,
    Boolean(bool),
    Integer(INT),
    Float(FLOAT),
    Letter(char),
    Text(ImmutableString, Origin),
    /// A string that is put together.
    SomeText,
    List(Rc<[Known]>),
    Map(Rc<[Entry]>),
    Function,
    Handle(Handle),
    /// A model, and what it consists of where its file is known.
    Model(Option<Arc<dyn ModelOutline>>),
}

/// An entry of a map.
pub(super) struct Entry {
    pub(super) key: ImmutableString,
    /// Where the key is written.
    pub(super) position: Position,
    pub(super) value: Known,
}

impl Content {
    /// Returns a string that is written in the script.
    pub(super) fn text(text: &ImmutableString) -> Self {
        Self::Text(text.clone(), Origin::Script)
    }
}

impl Known {
    pub(super) fn new(content: Content, position: Position) -> Self {
        Self { position, content }
    }

    /// Knows everything about a value that exists, such as one of the command line.
    pub(super) fn of(value: &Dynamic, position: Position) -> Self {
        let content = if let Some(text) = value.read_lock::<ImmutableString>() {
            let is_setting = value.tag() == FROM_COMMAND_LINE;
            Content::Text(
                text.clone(),
                if is_setting { Origin::CommandLine } else { Origin::Script },
            )
        } else if let Some(items) = value.read_lock::<rhai::Array>() {
            Content::List(items.iter().map(|item| Self::of(item, position)).collect())
        } else if value.is_unit() {
            Content::Unit
        } else if let Ok(value) = value.as_bool() {
            Content::Boolean(value)
        } else if let Ok(number) = value.as_int() {
            Content::Integer(number)
        } else if let Ok(number) = value.as_float() {
            Content::Float(number)
        } else {
            Content::Unknown
        };
        Self::new(content, position)
    }

    /// Returns what stands for nothing known at a place.
    pub(super) fn nothing(position: Position) -> Self {
        Self::new(Content::Unknown, position)
    }

    /// Returns the type of the value, if it is known.
    pub(super) fn type_id(&self) -> Option<TypeId> {
        Some(match &self.content {
            Content::Unknown => return None,
            Content::Unit => TypeId::of::<()>(),
            Content::Boolean(_) => TypeId::of::<bool>(),
            Content::Integer(_) => TypeId::of::<INT>(),
            Content::Float(_) => TypeId::of::<FLOAT>(),
            Content::Letter(_) => TypeId::of::<char>(),
            Content::Text(..) | Content::SomeText => TypeId::of::<ImmutableString>(),
            Content::List(_) => TypeId::of::<rhai::Array>(),
            Content::Map(_) => TypeId::of::<Map>(),
            Content::Function => TypeId::of::<FnPtr>(),
            Content::Handle(handle) => handle.type_id(),
            Content::Model(_) => Handle::Model.type_id(),
        })
    }

    /// Returns the name of the value's type, a question mark where it is not known.
    pub(super) fn type_name(&self) -> &'static str {
        match &self.content {
            Content::Unknown => "?",
            Content::Unit => "()",
            Content::Boolean(_) => "bool",
            Content::Integer(_) => "int",
            Content::Float(_) => "float",
            Content::Letter(_) => "char",
            Content::Text(..) | Content::SomeText => "string",
            Content::List(_) => "array",
            Content::Map(_) => "map",
            Content::Function => "Fn",
            Content::Handle(handle) => handle.name(),
            Content::Model(_) => Handle::Model.name(),
        }
    }

    /// Says what the value is, with an article.
    pub(super) fn described(&self) -> String {
        match &self.content {
            Content::Unit => "nothing".to_owned(),
            Content::Boolean(_) => "true or false".to_owned(),
            Content::Integer(_) => "a whole number".to_owned(),
            Content::Float(_) => "a number".to_owned(),
            Content::List(_) => "a list".to_owned(),
            Content::Function => "a function".to_owned(),
            Content::Handle(Handle::Images) => "a set of images".to_owned(),
            _ => format!("a {}", self.type_name()),
        }
    }

    /// Returns the string that the value is, if it is one and known.
    pub(super) fn text(&self) -> Option<(&ImmutableString, Origin)> {
        match &self.content {
            Content::Text(text, origin) => Some((text, *origin)),
            _ => None,
        }
    }

    /// Returns the value as JSON where all of it is known and can be said so.
    pub(super) fn json(&self) -> Option<Value> {
        Some(match &self.content {
            Content::Unit => Value::Null,
            Content::Boolean(value) => (*value).into(),
            Content::Integer(number) => (*number).into(),
            Content::Float(number) => serde_json::Number::from_f64(*number)?.into(),
            Content::Letter(letter) => letter.to_string().into(),
            Content::Text(text, _) => text.as_str().into(),
            Content::List(items) => {
                items.iter().map(Self::json).collect::<Option<Vec<_>>>()?.into()
            }
            Content::Map(entries) => {
                let entry = |entry: &Entry| Some((entry.key.to_string(), entry.value.json()?));
                Value::Object(entries.iter().map(entry).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }
}
