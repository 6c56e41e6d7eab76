//! Parameters and options: their names, and the values that are written in the script.

use convscope_protocol::Schema;
use convscope_protocol::schema::{Form, Kind, Parameter, ParameterError, Role};
use rhai::Position;

use super::known::{Content, Entry, Known};
use super::walk::Walker;
use crate::suggest::did_you_mean;
use crate::{Failure, ModelOutline, kind};

/// What the named values of a map are called.
#[derive(Clone, Copy)]
enum Word {
    Option,
    Parameter,
}

impl Word {
    const fn singular(self) -> &'static str {
        match self {
            Self::Option => "option",
            Self::Parameter => "parameter",
        }
    }
}

impl Walker<'_> {
    /// Checks the parameters of an analysis that is called on a model.
    pub(super) fn parameters(
        &mut self,
        schema: &Schema,
        given: &Known,
        of: &Known,
        call: Position,
    ) {
        let outline = match &of.content {
            Content::Model(Some(outline)) if self.is_certain() => Some(outline.as_ref()),
            _ => None,
        };
        self.named(schema.parameters(), given, outline, Word::Parameter, call);
    }

    /// Checks the options of a function that takes some as its last argument.
    pub(super) fn options(&mut self, function: &str, arguments: &[Known]) {
        let schema = self.check.options.iter().find(|(name, _)| *name == function);
        if let (Some((_, schema)), Some(last)) = (schema, arguments.last()) {
            self.named(schema.parameters(), last, None, Word::Option, last.position);
        }
    }

    fn named(
        &mut self,
        fields: &[Parameter],
        given: &Known,
        outline: Option<&dyn ModelOutline>,
        word: Word,
        call: Position,
    ) {
        let Content::Map(entries) = &given.content else { return };
        if !self.is_fatal() {
            return;
        }
        let mut fields_check = Fields { outline, problems: Vec::new() };
        // What is `()` counts as not given.
        let given: Vec<&Entry> = entries
            .iter()
            .filter(|entry| {
                !matches!(entry.value.content, Content::Unit) || !is_known(fields, entry)
            })
            .collect();
        fields_check.fields(fields, &given, "", word, call);
        for (failure, position) in fields_check.problems {
            self.report(failure, position);
        }
    }
}

fn is_known(fields: &[Parameter], entry: &Entry) -> bool {
    fields.iter().any(|field| field.name == entry.key.as_str())
}

/// Checks values against what is expected, and remembers what is wrong.
struct Fields<'m> {
    outline: Option<&'m dyn ModelOutline>,
    problems: Vec<(Failure, Position)>,
}

impl Fields<'_> {
    /// Checks the fields of an object; `path` ends in a point or is empty.
    fn fields(
        &mut self,
        fields: &[Parameter],
        given: &[&Entry],
        path: &str,
        word: Word,
        place: Position,
    ) {
        for entry in given {
            let name = entry.key.as_str();
            match fields.iter().find(|field| field.name == name) {
                Some(field) => self.value(&field.form, &entry.value, &format!("{path}{name}")),
                None => {
                    self.problems.push((unknown(fields, path, name, word), entry.position));
                }
            }
        }
        let missing = fields.iter().filter(|field| field.required && field.default.is_none());
        for field in missing {
            if !given.iter().any(|entry| entry.key.as_str() == field.name) {
                let message = format!("{} `{path}{}` is required", word.singular(), field.name);
                let failure = Failure::new(kind::MISSING_PARAMETER, message)
                    .with_key(&field.name)
                    .with_help(format!("give {}", field.form));
                self.problems.push((failure, place));
            }
        }
    }

    fn value(&mut self, form: &Form, known: &Known, path: &str) {
        let takes = |wanted: fn(&Kind) -> bool| {
            form.alternatives.iter().find(|alternative| wanted(&alternative.kind))
        };
        match &known.content {
            Content::Unknown => {}
            Content::SomeText => {
                if takes(|kind| matches!(kind, Kind::Text)).is_none() {
                    self.refuse(form, known, path, "a string");
                }
            }
            Content::Function | Content::Handle(_) | Content::Model(_) => {
                if takes(|kind| matches!(kind, Kind::Handle | Kind::Object(_))).is_none() {
                    self.refuse(form, known, path, &known.described());
                }
            }
            Content::List(items) => match takes(|kind| matches!(kind, Kind::List { .. })) {
                Some(alternative) => {
                    let Kind::List { items: form_of_items, least, most } = &alternative.kind else {
                        return;
                    };
                    let count = items.len();
                    if count < *least || most.is_some_and(|most| count > most) {
                        self.refuse(form, known, path, &counted(count));
                    }
                    for (index, item) in items.iter().enumerate() {
                        self.value(form_of_items, item, &format!("{path}[{index}]"));
                    }
                }
                None => self.refuse(form, known, path, &shown(known)),
            },
            Content::Map(entries) => match takes(|kind| matches!(kind, Kind::Object(_))) {
                Some(alternative) => {
                    let Kind::Object(fields) = &alternative.kind else { return };
                    let given: Vec<&Entry> = entries.iter().collect();
                    let path = format!("{path}.");
                    self.fields(fields, &given, &path, Word::Parameter, known.position);
                }
                None => self.refuse(form, known, path, &shown(known)),
            },
            _ => self.scalar(form, known, path),
        }
    }

    fn scalar(&mut self, form: &Form, known: &Known, path: &str) {
        let Some(value) = known.json() else { return };
        let problems = form.problems(&value, path);
        let is_right = problems.is_empty();
        for problem in problems {
            self.problem(problem, known.position);
        }
        let role = form.alternative_for(&value).and_then(|alternative| alternative.role);
        if let (true, Some(role @ (Role::Layer | Role::Maps | Role::Target)), Some(outline)) =
            (is_right, role, self.outline)
            && let Err(problem) = outline.check(role, path, &value)
        {
            let kind =
                if role == Role::Target { kind::UNKNOWN_TARGET } else { kind::UNKNOWN_LAYER };
            let mut failure = failure(problem);
            kind.clone_into(&mut failure.kind);
            self.problems.push((failure, known.position));
        }
    }

    fn refuse(&mut self, form: &Form, known: &Known, path: &str, got: &str) {
        self.problem(form.refusal(path, got), known.position);
    }

    fn problem(&mut self, problem: ParameterError, position: Position) {
        self.problems.push((failure(problem), position));
    }
}

fn failure(problem: ParameterError) -> Failure {
    let key = problem.key.split(['.', '[']).next().unwrap_or_default().to_owned();
    let failure = Failure::new(kind::INVALID_PARAMETER, problem.message).with_key(&key);
    Failure { help: problem.help, ..failure }
}

fn unknown(fields: &[Parameter], path: &str, name: &str, word: Word) -> Failure {
    let kind = match word {
        Word::Option => kind::UNKNOWN_OPTION,
        Word::Parameter => kind::UNKNOWN_PARAMETER,
    };
    let word = word.singular();
    let all = if fields.is_empty() {
        "the analysis takes none".to_owned()
    } else {
        let known: Vec<String> = fields.iter().map(Parameter::summary).collect();
        format!("{word}s: {}", known.join(", "))
    };
    let known = fields.iter().map(|field| field.name.as_str());
    let help = match did_you_mean(name, known) {
        Some(question) => format!("{question}\n{all}"),
        None => all,
    };
    Failure::new(kind, format!("unknown {word} `{path}{name}`")).with_key(name).with_help(help)
}

fn shown(known: &Known) -> String {
    known.json().map_or_else(|| known.described(), |value| value.to_string())
}

fn counted(count: usize) -> String {
    match count {
        0 => "an empty list".to_owned(),
        1 => "a list of 1".to_owned(),
        _ => format!("a list of {count}"),
    }
}
