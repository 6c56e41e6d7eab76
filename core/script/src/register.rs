//! What is offered to scripts, one file per kind of value.

mod analysis;
mod array;
mod images;
mod model;
mod report;
mod result;
mod system;

use std::sync::Arc;

use convscope_protocol::Schema;
use rhai::{Dynamic, Engine, FuncRegistration, ImmutableString, Map};

pub(crate) use analysis::{full_name, unknown_analysis};
pub(crate) use array::TENSOR;
pub(crate) use images::IMAGES;
pub(crate) use model::MODEL;
pub(crate) use report::REPORT;
pub(crate) use result::{FIGURE, RESULT, TABLE};
pub(crate) use system::like;

use crate::state::State;
use crate::suggest::{did_you_mean, listed};
use crate::throw::Fallible;
use crate::{Failure, convert, kind};

/// Offers everything.
pub(crate) fn register(engine: &mut Engine, state: &Arc<State>) {
    analysis::register(engine, state);
    array::register(engine, state);
    images::register(engine, state);
    model::register(engine, state);
    report::register(engine, state);
    result::register(engine, state);
    system::register(engine, state);
}

/// Describes the options of the functions that take a map of them as their last argument.
pub(crate) fn options(presets: &[String]) -> Vec<(&'static str, Schema)> {
    let described = [
        ("add", report::options()),
        ("load_images", images::options()),
        ("load_model", model::options(presets)),
    ];
    let schema = |properties| {
        let json = serde_json::json!({ "type": "object", "properties": properties });
        // The tests read each of them.
        Schema::from_json(json).unwrap_or_default()
    };
    described.into_iter().map(|(name, properties)| (name, schema(properties))).collect()
}

/// What a type is called in messages, and the names of its properties.
pub(crate) type Properties = (&'static str, &'static [&'static str]);

/// Begins a function: its name, its parameters as `name: Type` with the type of the result at the
/// end, and what it does.
fn function(name: &str, signature: &[&str], doc: &str) -> FuncRegistration {
    documented(FuncRegistration::new(name), signature, doc)
}

/// Begins a property.
fn property(name: &str, signature: &[&str], doc: &str) -> FuncRegistration {
    documented(FuncRegistration::new_getter(name), signature, doc)
}

/// Begins an index operator.
fn indexer(signature: &[&str], doc: &str) -> FuncRegistration {
    documented(FuncRegistration::new_index_getter(), signature, doc)
}

fn documented(function: FuncRegistration, signature: &[&str], doc: &str) -> FuncRegistration {
    function
        .in_global_namespace()
        .with_params_info(signature)
        .with_comments(doc.lines().map(|line| format!("/// {line}").trim_end().to_owned()))
}

/// Makes a type answer unknown properties with a list of those it has.
fn properties<T: rhai::Variant + Clone>(engine: &mut Engine, (what, names): Properties) {
    let answer = move |_: &mut T, name: ImmutableString| -> Fallible<Dynamic> {
        Err(unknown_property(what, &name, names).into())
    };
    FuncRegistration::new_index_getter().in_global_namespace().register_into_engine(engine, answer);
}

/// Says that something has no property of a name.
pub(crate) fn unknown_property(what: &str, name: &str, names: &[&str]) -> Failure {
    let help = did_you_mean(name, names.iter().copied()).unwrap_or_else(|| match names {
        [] => format!("a {what} has none"),
        _ => format!("properties: {}", listed(names.iter().copied(), 20)),
    });
    let message = format!("a {what} has no property `{name}`");
    Failure::new(kind::UNKNOWN_PROPERTY, message).with_help(help)
}

/// A map of options while it is read.
struct Options {
    map: Map,
}

impl Options {
    /// Begins to read options.
    ///
    /// # Errors
    ///
    /// When there is one that the function does not know.
    fn new(map: Map, known: &[&str]) -> Result<Self, Failure> {
        if let Some(key) = map.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(unknown_option(key, known));
        }
        Ok(Self { map })
    }

    /// Takes an option; nothing when it is absent or `()`.
    fn take(&mut self, key: &str) -> Option<Dynamic> {
        self.map.remove(key).filter(|value| !value.is_unit())
    }

    /// Takes an option that is a string.
    fn string(&mut self, key: &str) -> Result<Option<String>, Failure> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let other = convert::described(&value);
        value.into_string().map(Some).map_err(|_| wrong_type(key, "a string", &other))
    }

    /// Takes an option that is a whole number from 1 on.
    fn count(&mut self, key: &str) -> Result<Option<usize>, Failure> {
        self.take(key).map(|value| count(key, &value)).transpose()
    }
}

/// Reads a whole number from 1 on.
fn count(key: &str, value: &Dynamic) -> Result<usize, Failure> {
    let number = value
        .as_int()
        .map_err(|_| wrong_type(key, "a whole number", &convert::described(value)))?;
    usize::try_from(number)
        .ok()
        .filter(|&number| number > 0)
        .ok_or_else(|| wrong_type(key, "at least 1", &number.to_string()))
}

fn wrong_type(key: &str, wanted: &str, given: &str) -> Failure {
    Failure::new(kind::WRONG_TYPE, format!("`{key}` must be {wanted}, not {given}")).with_key(key)
}

/// Says that an option is not known.
fn unknown_option(key: &str, known: &[&str]) -> Failure {
    let all = format!("options: {}", listed(known.iter().copied(), 20));
    let help = match did_you_mean(key, known.iter().copied()) {
        Some(question) => format!("{question}\n{all}"),
        None => all,
    };
    Failure::new(kind::UNKNOWN_OPTION, format!("unknown option `{key}`"))
        .with_key(key)
        .with_help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_described_as_they_are_read() {
        let described = options(&["raw".to_owned()]);

        let names = |function: &str| -> Vec<String> {
            let (_, schema) = described.iter().find(|(name, _)| *name == function).unwrap();
            schema.parameters().iter().map(|option| option.name.clone()).collect()
        };
        assert_eq!(names("add"), report::OPTIONS);
        assert_eq!(names("load_images"), images::OPTIONS);
        assert_eq!(names("load_model"), model::OPTIONS);
    }
}
