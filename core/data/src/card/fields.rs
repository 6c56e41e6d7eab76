//! The fields of a card, whatever its format, taken one by one.

use std::path::Path;

use crate::DataError;
use crate::mistake::Mistake;
use crate::suggest::did_you_mean;
use crate::value::{Field, Value};

/// The fields of a table that have not been taken yet, and what was wrong with those that have.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// What stands before a field's name in messages, such as `[input] `.
    place: &'static str,
    left: Vec<Field>,
    lines: Vec<(String, Option<u64>)>,
    known: Vec<&'static str>,
    invalid: Vec<Mistake>,
    unsupported: Vec<Mistake>,
}

impl Fields {
    pub(super) fn new(place: &'static str, fields: Vec<Field>) -> Self {
        let lines = fields.iter().map(|field| (field.name.clone(), field.line)).collect();
        Self { place, left: fields, lines, ..Self::default() }
    }

    /// Says whether a field stands there and is not null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.left.iter().any(|field| field.name == name && field.value != Value::Nothing)
    }

    /// Takes a field of any type.
    pub(super) fn any(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        let place = self.left.iter().position(|field| field.name == name)?;
        let value = self.left.remove(place).value;
        (value != Value::Nothing).then_some(value)
    }

    /// Takes a field and turns it into something, or notes that it is of another type.
    pub(super) fn read<T>(
        &mut self,
        name: &'static str,
        needed: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.any(name)?;
        let read = read(&value);
        if read.is_none() {
            self.refuse(name, &format!("is {}; needed is {needed}", value.shown()));
        }
        read
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.read(name, "true or false", |value| match value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        })
    }

    pub(super) fn number(&mut self, name: &'static str) -> Option<f64> {
        self.read(name, "a number", Value::number)
    }

    /// Takes a list of numbers, or a single one.
    pub(super) fn numbers(&mut self, name: &'static str) -> Option<Vec<f64>> {
        self.read(name, "a list of numbers", |value| match value {
            Value::List(values) => values.iter().map(Value::number).collect(),
            value => value.number().map(|number| vec![number]),
        })
    }

    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.read(name, "text", |value| match value {
            Value::Text(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        })
    }

    /// Takes a text that is one of a few words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        name: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(name)?;
        let found = choices.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let hint = did_you_mean(&text, &words);
            self.refuse(name, &format!("{text:?} is none of {}{hint}", words.join(", ")));
        }
        found.map(|(_, choice)| *choice)
    }

    /// Notes that a field is wrong.
    pub(super) fn refuse(&mut self, name: &str, reason: &str) {
        let mistake = self.mistake(name, reason);
        self.invalid.push(mistake);
    }

    /// Notes that a field asks for something that is not supported.
    pub(super) fn refuse_unsupported(&mut self, name: &str, reason: &str) {
        let mistake = self.mistake(name, reason);
        self.unsupported.push(mistake);
    }

    /// Notes that the card as a whole is wrong.
    pub(super) fn refuse_all(&mut self, reason: &str) {
        self.invalid.push(Mistake::of_file(reason));
    }

    fn mistake(&self, name: &str, reason: &str) -> Mistake {
        let line = self.lines.iter().find(|(known, _)| known == name).and_then(|(_, line)| *line);
        Mistake { line, reason: format!("{}{name} {reason}", self.place) }
    }

    /// Notes every field that nobody took.
    pub(super) fn refuse_unknown(&mut self) {
        for field in std::mem::take(&mut self.left) {
            let hint = did_you_mean(&field.name, &self.known);
            self.refuse(&field.name, &format!("is unknown{hint}"));
        }
    }

    /// Removes the fields that a test accepts.
    pub(super) fn ignore(&mut self, is_ignored: impl Fn(&Field) -> bool) {
        self.left.retain(|field| !is_ignored(field));
    }

    /// Notes every field that nobody took as one that may change values in ways we do not know.
    pub(super) fn refuse_unread(&mut self) {
        for field in std::mem::take(&mut self.left) {
            let hint = did_you_mean(&field.name, &self.known);
            self.refuse_unsupported(&field.name, &format!("is not known here{hint}"));
        }
    }

    /// Adds what was wrong with another table of the same card.
    pub(super) fn join(&mut self, other: Self) {
        self.invalid.extend(other.invalid);
        self.unsupported.extend(other.unsupported);
    }

    /// Fails when something was wrong.
    pub(super) fn finish(self, path: &Path) -> Result<(), DataError> {
        let (path, mut mistakes) = (path.to_owned(), self.invalid);
        let is_invalid = !mistakes.is_empty();
        mistakes.extend(self.unsupported);
        mistakes.sort_by_key(|mistake| mistake.line);
        match (mistakes.is_empty(), is_invalid) {
            (true, _) => Ok(()),
            (false, true) => Err(DataError::Card { path, mistakes }),
            (false, false) => Err(DataError::UnsupportedCard { path, mistakes }),
        }
    }
}
