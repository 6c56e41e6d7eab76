//! Checks values against a schema and fills in the defaults.

use serde_json::{Map, Value};

use super::form::show;
use super::{Alternative, Form, Kind, Parameter, ParameterError, Schema};
use crate::suggest::{did_you_mean, nearest};

/// Values longer than this are shortened in messages.
const SHOWN: usize = 60;

pub(super) fn complete(
    schema: &Schema,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<ParameterError>> {
    let mut checker = Checker { key: None, problems: Vec::new() };
    let completed = checker.fields(schema.parameters(), given, "");
    if checker.problems.is_empty() { Ok(completed) } else { Err(checker.problems) }
}

/// Checks a default; returns it in its normal form, or the first thing that is wrong with it.
pub(super) fn check_default(form: &Form, default: &Value) -> Result<Value, String> {
    let mut checker = Checker { key: None, problems: Vec::new() };
    let value = checker.value(form, default, "default");
    match checker.problems.into_iter().next() {
        None => Ok(value),
        Some(problem) => Err(problem.message),
    }
}

impl Form {
    /// Checks one value as [`Schema::complete`] checks those of parameters; `path` says in messages
    /// which it is.
    pub fn problems(&self, value: &Value, path: &str) -> Vec<ParameterError> {
        let mut checker = Checker { key: None, problems: Vec::new() };
        checker.value(self, value, path);
        checker.problems
    }

    /// Says that something else was given than what is expected; `got` is shown shortened.
    pub fn refusal(&self, path: &str, got: &str) -> ParameterError {
        let mut got = got.to_owned();
        if got.chars().count() > SHOWN {
            got = got.chars().take(SHOWN).chain(['…']).collect();
        }
        let message = format!("`{path}`: expected {self}, got {got}");
        ParameterError { key: path.to_owned(), message, help: None }
    }
}

struct Checker {
    /// The parameter at the top level that is being checked.
    key: Option<String>,
    problems: Vec<ParameterError>,
}

impl Checker {
    fn refuse(&mut self, key: &str, message: String, help: Option<String>) {
        let key = self.key.clone().unwrap_or_else(|| key.to_owned());
        self.problems.push(ParameterError { key, message, help });
    }

    /// Checks the fields of an object; `path` ends in a point or is empty.
    fn fields(
        &mut self,
        fields: &[Parameter],
        given: &Map<String, Value>,
        path: &str,
    ) -> Map<String, Value> {
        let is_top = path.is_empty();
        for key in given.keys().filter(|key| !fields.iter().any(|field| field.name == **key)) {
            let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            let help = did_you_mean(&nearest(key, names.iter().copied())).or_else(|| {
                let known: Vec<String> = fields.iter().map(Parameter::summary).collect();
                (!known.is_empty()).then(|| format!("parameters: {}", known.join(", ")))
            });
            self.refuse(key, format!("unknown parameter `{path}{key}`"), help);
        }
        let mut completed = Map::new();
        for field in fields {
            let name = &field.name;
            if is_top {
                self.key = Some(name.clone());
            }
            match (given.get(name), &field.default) {
                (Some(value), _) => {
                    let value = self.value(&field.form, value, &format!("{path}{name}"));
                    completed.insert(name.clone(), value);
                }
                (None, Some(default)) => {
                    completed.insert(name.clone(), default.clone());
                }
                (None, None) if field.required => {
                    let help = format!("give {}", field.form);
                    let message = format!("parameter `{path}{name}` is required");
                    self.refuse(name, message, Some(help));
                }
                (None, None) => {}
            }
            if is_top {
                self.key = None;
            }
        }
        completed
    }

    /// Checks one value; returns it in its normal form.
    fn value(&mut self, form: &Form, value: &Value, path: &str) -> Value {
        let Some(alternative) = form.alternative_for(value) else {
            self.mismatch(form, value, path, None);
            return value.clone();
        };
        match (&alternative.kind, value) {
            (Kind::Integer(limits), Value::Number(number)) => {
                let Some(whole) = whole_number(value) else {
                    self.mismatch(form, value, path, None);
                    return value.clone();
                };
                let double = number.as_f64().unwrap_or(f64::NAN);
                if !limits.contain(double) {
                    self.mismatch(form, value, path, None);
                } else if !limits.can_hold(double) {
                    let message = format!("`{path}`: {} is out of range", show(value));
                    self.refuse(path, message, None);
                }
                self.choice(alternative, form, &whole, path);
                whole
            }
            (Kind::Number(limits), Value::Number(number)) => {
                let double = number.as_f64().unwrap_or(f64::NAN);
                if !limits.contain(double) {
                    self.mismatch(form, value, path, None);
                } else if !limits.can_hold(double) {
                    let message = format!("`{path}`: {} is out of range", show(value));
                    self.refuse(path, message, None);
                }
                let value = Value::from(double);
                self.choice(alternative, form, &value, path);
                value
            }
            (Kind::List { items, least, most }, Value::Array(values)) => {
                let fits = values.len() >= *least && most.is_none_or(|most| values.len() <= most);
                if !fits {
                    self.mismatch(form, value, path, None);
                }
                let values = values.iter().enumerate();
                values.map(|(i, item)| self.value(items, item, &format!("{path}[{i}]"))).collect()
            }
            (Kind::Object(fields), Value::Object(given)) => {
                Value::Object(self.fields(fields, given, &format!("{path}.")))
            }
            _ => {
                self.choice(alternative, form, value, path);
                value.clone()
            }
        }
    }

    /// Refuses a value that is not among those listed.
    fn choice(&mut self, alternative: &Alternative, form: &Form, value: &Value, path: &str) {
        let choices = &alternative.choices;
        let is_same = |choice: &Value| match (choice.as_f64(), value.as_f64()) {
            (Some(choice), Some(value)) => choice.total_cmp(&value).is_eq(),
            _ => choice == value,
        };
        if choices.is_empty() || choices.iter().any(|choice| is_same(&choice.value)) {
            return;
        }
        let words = choices.iter().filter_map(|choice| choice.value.as_str());
        let near = nearest(value.as_str().unwrap_or(""), words);
        let help = near.first().map(|word| format!("did you mean \"{word}\"?"));
        self.mismatch(form, value, path, help);
    }

    fn mismatch(&mut self, form: &Form, value: &Value, path: &str, help: Option<String>) {
        let refusal = form.refusal(path, &show(value));
        self.refuse(path, refusal.message, help);
    }
}

/// Writes a number without a fraction as a whole number.
fn whole_number(value: &Value) -> Option<Value> {
    if value.is_i64() || value.is_u64() {
        return Some(value.clone());
    }
    let double = value.as_f64()?;
    // Beyond 2^53 a double no longer says which whole number was meant.
    let is_whole = double.trunc().total_cmp(&double).is_eq();
    (is_whole && double.abs() <= 9_007_199_254_740_992.0).then(|| Value::from(double as i64))
}
