//! Which values a parameter takes.

use std::fmt;

use serde_json::Value;

use super::Parameter;

/// Which values a parameter takes: one alternative per JSON type.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// At least one; no two take the same JSON type.
    pub alternatives: Vec<Alternative>,
}

/// The values of one JSON type that a parameter takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternative {
    /// The type and its limits.
    pub kind: Kind,
    /// The only values, if they are listed; empty for no such list.
    pub choices: Vec<Choice>,
    /// What the value stands for.
    pub role: Option<Role>,
    /// Unit of its numbers, empty for none.
    pub unit: String,
}

/// A type and its limits.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Nothing.
    Null,
    /// True or false.
    Boolean,
    /// A whole number.
    Integer(Limits),
    /// A number.
    Number(Limits),
    /// Text.
    Text,
    /// A list.
    List {
        /// What each item must be.
        items: Box<Form>,
        /// Least number of items.
        least: usize,
        /// Largest number of items.
        most: Option<usize>,
    },
    /// An object with these fields and no others.
    Object(Vec<Parameter>),
    /// An object of the host's: its role says which.
    Handle,
}

/// A value that is listed, with what it means.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The value.
    pub value: Value,
    /// What it means; may be empty.
    pub doc: String,
}

/// The range of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Smallest value.
    pub minimum: Option<f64>,
    /// Largest value.
    pub maximum: Option<f64>,
    /// All values are larger.
    pub above: Option<f64>,
    /// All values are smaller.
    pub below: Option<f64>,
    /// Smallest and largest value that the plugin's type of number holds, where `format` says so.
    pub holds: Option<[f64; 2]>,
}

/// What a value stands for beside its JSON type: keyword `x-convscope`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A function of the script's.
    Callback,
    /// Pictures, or tensors in network-input units.
    Dataset,
    /// Name of a layer; the host completes and checks it.
    Layer,
    /// Name of a layer with feature maps, or features, which count as maps of one unit; the host
    /// completes and checks it.
    Maps,
    /// A model.
    Model,
    /// A class: number, label, or `"predicted"`; the host turns labels into numbers.
    Target,
    /// A tensor.
    Tensor,
}

impl Role {
    /// Every role, alphabetical.
    pub const ALL: [Self; 7] = [
        Self::Callback,
        Self::Dataset,
        Self::Layer,
        Self::Maps,
        Self::Model,
        Self::Target,
        Self::Tensor,
    ];

    /// Returns the name that schemas use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Callback => "callback",
            Self::Dataset => "dataset",
            Self::Layer => "layer",
            Self::Maps => "maps",
            Self::Model => "model",
            Self::Target => "target",
            Self::Tensor => "tensor",
        }
    }

    /// Finds a role by the name that schemas use.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Says whether the value is an object of the host's rather than JSON.
    pub const fn is_handle(self) -> bool {
        matches!(self, Self::Callback | Self::Dataset | Self::Model | Self::Tensor)
    }

    /// Says in words what is expected.
    const fn words(self) -> &'static str {
        match self {
            Self::Callback => "a function",
            Self::Dataset => "pictures or tensors",
            Self::Layer => "the name of a layer",
            Self::Maps => "the name of a layer with feature maps",
            Self::Model => "a model",
            Self::Target => "a class label",
            Self::Tensor => "a tensor",
        }
    }
}

impl Form {
    /// Returns the first role among the alternatives and, for lists, their items.
    pub fn role(&self) -> Option<Role> {
        self.alternatives.iter().find_map(|alternative| match &alternative.kind {
            Kind::List { items, .. } => alternative.role.or_else(|| items.role()),
            _ => alternative.role,
        })
    }

    /// Returns the unit of its numbers, empty for none.
    pub fn unit(&self) -> &str {
        let own = self.alternatives.iter().map(|alternative| match &alternative.kind {
            Kind::List { items, .. } if alternative.unit.is_empty() => items.unit(),
            _ => &alternative.unit,
        });
        own.into_iter().find(|unit| !unit.is_empty()).unwrap_or("")
    }

    /// Finds the alternative that takes a value's JSON type.
    pub fn alternative_for(&self, value: &Value) -> Option<&Alternative> {
        self.alternatives.iter().find(|alternative| alternative.kind.takes_type_of(value))
    }

    /// Says whether null is among the values.
    pub fn is_nullable(&self) -> bool {
        self.alternatives.iter().any(|alternative| alternative.kind == Kind::Null)
    }
}

impl Kind {
    /// Says whether the value's JSON type is the kind's; limits aside.
    pub fn takes_type_of(&self, value: &Value) -> bool {
        matches!(
            (self, value),
            (Self::Null, Value::Null)
                | (Self::Boolean, Value::Bool(_))
                | (Self::Integer(_) | Self::Number(_), Value::Number(_))
                | (Self::Text, Value::String(_))
                | (Self::List { .. }, Value::Array(_))
                | (Self::Object(_) | Self::Handle, Value::Object(_))
        )
    }

    /// Names the JSON type, with an article.
    pub(super) const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Integer(_) | Self::Number(_) => "a number",
            Self::Text => "text",
            Self::List { .. } => "a list",
            Self::Object(_) | Self::Handle => "an object",
        }
    }
}

impl Limits {
    /// Says whether a number lies inside.
    pub fn contain(&self, number: f64) -> bool {
        self.minimum.is_none_or(|limit| number >= limit)
            && self.maximum.is_none_or(|limit| number <= limit)
            && self.above.is_none_or(|limit| number > limit)
            && self.below.is_none_or(|limit| number < limit)
    }

    /// Says whether the plugin's type of number can hold a number.
    pub fn can_hold(&self, number: f64) -> bool {
        self.holds.is_none_or(|[least, most]| (least..=most).contains(&number))
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.minimum, self.maximum) {
            (Some(minimum), Some(maximum)) => write!(f, " from {minimum} to {maximum}")?,
            (Some(minimum), None) => write!(f, " of at least {minimum}")?,
            (None, Some(maximum)) => write!(f, " of at most {maximum}")?,
            (None, None) => {}
        }
        match (self.above, self.below) {
            (Some(above), Some(below)) => write!(f, " above {above} and below {below}"),
            (Some(above), None) => write!(f, " above {above}"),
            (None, Some(below)) => write!(f, " below {below}"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Display for Form {
    /// Says in words which values are expected.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<&Alternative> =
            self.alternatives.iter().filter(|shown| shown.kind != Kind::Null).collect();
        if shown.is_empty() {
            return f.write_str("nothing");
        }
        for (index, alternative) in shown.into_iter().enumerate() {
            if index > 0 {
                f.write_str(", or ")?;
            }
            write!(f, "{alternative}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Alternative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.choices.is_empty() {
            let choices: Vec<String> =
                self.choices.iter().map(|choice| show(&choice.value)).collect();
            return f.write_str(&choices.join(" or "));
        }
        match &self.kind {
            Kind::Null => f.write_str("null")?,
            Kind::Boolean => f.write_str("true or false")?,
            Kind::Integer(_) if self.role == Some(Role::Target) => f.write_str("a class number")?,
            Kind::Integer(limits) => write!(f, "a whole number{limits}")?,
            Kind::Number(limits) => write!(f, "a number{limits}")?,
            Kind::Text | Kind::Handle => f.write_str(self.role.map_or("text", Role::words))?,
            Kind::List { items, least, most } => {
                f.write_str("a list of ")?;
                match (*least, *most) {
                    (least, Some(most)) if least == most => write!(f, "{least}: ")?,
                    (0, Some(most)) => write!(f, "at most {most}: ")?,
                    (least, Some(most)) => write!(f, "{least} to {most}: ")?,
                    (0 | 1, None) => {}
                    (least, None) => write!(f, "at least {least}: ")?,
                }
                write!(f, "{items}")?;
            }
            Kind::Object(fields) => {
                let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
                write!(f, "an object with {}", names.join(", "))?;
            }
        }
        if self.unit.is_empty() { Ok(()) } else { write!(f, " ({})", self.unit) }
    }
}

/// Shows a JSON value as a user would write it; numbers that came from `f32` without the digits
/// that only `f64` has.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(double) if number.is_f64() && f64::from(double as f32).eq(&double) => {
                (double as f32).to_string()
            }
            _ => number.to_string(),
        },
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(show).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}
