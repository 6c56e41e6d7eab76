//! What Rhai says went wrong, said to people: in plain words, at the right word of the script.

use std::path::{Path, PathBuf};

use convscope_protocol::PluginDescriptor;
use rhai::{Dynamic, Engine, EvalAltResult, LexError, ParseError, ParseErrorType, Position};

use crate::check::Catalogue;
use crate::engine::{CALL_LEVELS, MODULES};
use crate::error::Frame;
use crate::sources::Sources;
use crate::suggest::did_you_mean;
use crate::{Diagnostic, Failure, Place, ScriptError, check, kind, throw};

/// Turns an error of the engine into one for people.
pub(crate) fn explain(
    error: Box<EvalAltResult>,
    script: &Path,
    engine: &Engine,
    sources: &Sources,
    plugins: &[PluginDescriptor],
) -> ScriptError {
    let mut path = script.to_path_buf();
    let mut stack = Vec::new();
    let mut error = error;
    loop {
        let (function, within, inner, position) = match *error {
            EvalAltResult::ErrorInFunctionCall(function, within, inner, position) => {
                (called(&function), within, inner, position)
            }
            EvalAltResult::ErrorInModule(within, inner, position) => {
                ("import".to_owned(), within, inner, position)
            }
            other => {
                *error = other;
                break;
            }
        };
        stack.push(Frame { function, place: sources.place(&path, position) });
        if !within.is_empty() {
            path = PathBuf::from(within);
        }
        error = inner;
    }
    stack.reverse();
    if let EvalAltResult::ErrorTerminated(token, _) = &*error
        && token.clone().into_string().is_ok_and(|token| token == throw::STOPPED)
    {
        return ScriptError::Cancelled;
    }
    let position = error.take_position();
    let (failure, position) = match *error {
        EvalAltResult::ErrorParsing(kind, _) => {
            parse_failure(&ParseError(kind.into(), position), sources, &path)
        }
        error => (in_words(&error, engine, sources, plugins, &path), position),
    };
    place(failure, position, &path, sources, stack).into()
}

/// Says why a script cannot be parsed, and where.
pub(crate) fn parse_failure(
    ParseError(kind, position): &ParseError,
    sources: &Sources,
    path: &Path,
) -> (Failure, Position) {
    let failure = parse_error(kind, sources, path);
    let is_unknown = matches!(**kind, ParseErrorType::VariableUndefined(_));
    if is_unknown && sources.place(path, *position).as_ref().is_some_and(is_key) {
        let failure = Failure::new(kind::NAMED_ARGUMENT, failure.message)
            .with_help("parameters with names stand in a map: `#{ name: value }`");
        return (failure, *position);
    }
    (failure, *position)
}

/// Turns a failure at a position into a diagnostic: at the key that is to blame where it is
/// written there, else at the position.
pub(crate) fn place(
    failure: Failure,
    position: Position,
    path: &Path,
    sources: &Sources,
    stack: Vec<Frame>,
) -> Diagnostic {
    let tree = sources.get(path).and_then(|script| script.tree);
    let key = failure.key.as_deref().zip(tree.as_ref());
    let written = key.and_then(|(key, tree)| check::literal_key(tree, position, key));
    let unknown = failure.kind.starts_with("unknown_");
    let position = match written {
        Some((name, _)) if unknown => name,
        Some((_, value)) => value,
        None => position,
    };
    diagnostic(failure, sources.place(path, position), stack)
}

/// Turns a failure at a place into a diagnostic.
pub(crate) fn diagnostic(failure: Failure, place: Option<Place>, stack: Vec<Frame>) -> Diagnostic {
    // The suggestion stands at the word itself, what else there is to say below.
    let (label, help) = match failure.help {
        Some(help) if help.starts_with("did you mean") => match help.split_once('\n') {
            Some((label, rest)) => (Some(label.to_owned()), Some(rest.to_owned())),
            None => (Some(help), None),
        },
        help => (None, help),
    };
    Diagnostic {
        kind: failure.kind,
        message: failure.message,
        key: failure.key,
        place,
        label,
        help,
        stack,
    }
}

/// Returns whether the marked word is written as a parameter with a name, `word: value`.
fn is_key(place: &Place) -> bool {
    let mut rest = place.source.chars().skip(place.span.end).skip_while(|letter| *letter == ' ');
    rest.next() == Some(':') && rest.next() != Some(':')
}

fn called(function: &str) -> String {
    if function.starts_with("anon$") { "a closure".to_owned() } else { function.to_owned() }
}

fn in_words(
    error: &EvalAltResult,
    engine: &Engine,
    sources: &Sources,
    plugins: &[PluginDescriptor],
    path: &Path,
) -> Failure {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => thrown(value),
        EvalAltResult::ErrorVariableNotFound(name, _) => unknown_variable(name, sources, path),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            let text = sources.get(path).map(|script| script.text).unwrap_or_default();
            unknown_function(signature, &text, engine, plugins)
        }
        EvalAltResult::ErrorPropertyNotFound(name, _) => {
            Failure::new(kind::UNKNOWN_PROPERTY, format!("the map has no entry `{name}`"))
        }
        EvalAltResult::ErrorTooManyOperations(_) => {
            let message = format!("stopped after {} operations", engine.max_operations());
            Failure::new(kind::TOO_MANY_OPERATIONS, message).with_help(
                "is there a loop without end? `--max-operations N` allows more, 0 any number; an \
                 operation on a whole array counts as one",
            )
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            let message = format!("more than {CALL_LEVELS} calls inside one another");
            Failure::new(kind::TOO_MANY_CALLS, message)
                .with_help("does a function call itself without end?")
        }
        EvalAltResult::ErrorTerminated(..) => {
            Failure::new(kind::TOO_LARGE, "the script takes too much memory")
                .with_help("is there a list or a map that grows without end?")
        }
        EvalAltResult::ErrorTooManyModules(_) => {
            Failure::new(kind::TOO_MANY_IMPORTS, format!("more than {MODULES} imports"))
        }
        EvalAltResult::ErrorDataTooLarge(what, _) => too_large(what, engine),
        EvalAltResult::ErrorMismatchDataType(wanted, given, _)
        | EvalAltResult::ErrorMismatchOutputType(wanted, given, _) => {
            let (wanted, given) = (in_script_words(wanted), in_script_words(given));
            Failure::new(kind::WRONG_TYPE, format!("{wanted} is wanted here, not {given}"))
        }
        EvalAltResult::ErrorDotExpr(what, _) => dot(what),
        EvalAltResult::ErrorIndexingType(what, _) => indexing(what),
        EvalAltResult::ErrorFor(_) => {
            Failure::new(kind::WRONG_TYPE, "`for` needs a list, a range or a string")
        }
        other => Failure::new(kind::SCRIPT_ERROR, plain(&other.to_string())),
    }
}

fn thrown(value: &Dynamic) -> Failure {
    throw::caught(value).unwrap_or_else(|| {
        let text = value.to_string();
        Failure::new(
            kind::THROWN,
            if text.is_empty() { "the script gave up".to_owned() } else { text },
        )
    })
}

fn too_large(what: &str, engine: &Engine) -> Failure {
    let what = what.to_lowercase();
    if what.contains("string") {
        let limit = engine.max_string_size();
        return Failure::new(kind::TOO_LARGE, format!("a string grew beyond {limit} bytes"));
    }
    let (what, limit) = if what.contains("map") {
        ("a map", engine.max_map_size())
    } else {
        ("a list", engine.max_array_size())
    };
    Failure::new(kind::TOO_LARGE, format!("{what} grew beyond {limit} entries"))
        .with_help("numbers in bulk belong into the arrays of results")
}

/// Explains a property that something does not have, from Rhai's
/// `Unknown property 'x' - a getter is not registered for type 'T'`.
fn dot(what: &str) -> Failure {
    let mut quoted = what.split('\'').skip(1).step_by(2);
    match (quoted.next(), quoted.next().map(in_script_words)) {
        (Some(property), Some(kind)) if what.starts_with("Unknown property") => {
            let message = format!("a value of type {kind} has no property `{property}`");
            Failure::new(kind::UNKNOWN_PROPERTY, message)
        }
        (Some(property), Some(kind)) if what.starts_with("No writable property") => {
            let message = format!("`{property}` of a {kind} cannot be changed");
            Failure::new(kind::READ_ONLY, message)
        }
        _ => Failure::new(kind::SCRIPT_ERROR, plain(what)),
    }
}

/// Explains an index that something does not take, from Rhai's `T [I]` or `T [I] = V`.
fn indexing(what: &str) -> Failure {
    let what = in_script_words(what);
    match what.split_once(" [") {
        Some((kind, rest)) if rest.contains("] = ") => {
            Failure::new(kind::READ_ONLY, format!("parts of a {kind} cannot be changed"))
        }
        Some((kind, rest)) => {
            let index = rest.trim_end_matches(']');
            let message = format!("a value of type {kind} has no index of type {index}");
            Failure::new(kind::WRONG_TYPE, message)
        }
        None => Failure::new(kind::WRONG_TYPE, plain(&what)),
    }
}

fn unknown_variable(name: &str, sources: &Sources, path: &Path) -> Failure {
    let failure = Failure::new(kind::UNKNOWN_VARIABLE, format!("unknown variable `{name}`"));
    let text = sources.get(path).map(|script| script.text).unwrap_or_default();
    let declared = declared(&text);
    helped(failure, did_you_mean(name, declared.iter().map(String::as_str)))
}

/// Adds help, if there is some.
fn helped(mut failure: Failure, help: Option<String>) -> Failure {
    failure.help = help;
    failure
}

/// Returns the words after `let`, `const`, `for` and `as`. For suggestions: a script that does not
/// parse has no tree to ask.
fn declared(text: &str) -> Vec<String> {
    let words: Vec<&str> = text
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
        .filter(|word| !word.is_empty())
        .collect();
    words
        .windows(2)
        .filter(|pair| ["let", "const", "for", "as"].contains(&pair[0]))
        .map(|pair| pair[1].to_owned())
        .collect()
}

/// Explains a call to which no function fits, from Rhai's `name (type, type)`.
pub(crate) fn unknown_function(
    signature: &str,
    text: &str,
    engine: &Engine,
    plugins: &[PluginDescriptor],
) -> Failure {
    let (name, types) = signature.split_once(" (").unwrap_or((signature, ")"));
    let types = &in_script_words(types.trim_end_matches(')'));
    if let Some(schema) = check::schema(plugins, name) {
        let message =
            format!("`{name}` takes one map of named parameters, not {}", or_nothing(types));
        return Failure::new(kind::WRONG_TYPE, message).with_help(format!(
            "write `model.{name}(#{{ … }})`\nparameters: {}",
            schema.summary()
        ));
    }
    let is_word = name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    let signatures: Vec<String> = engine
        .collect_fn_metadata(
            None,
            |info| (info.metadata.name == name).then(|| info.metadata.gen_signature(Into::into)),
            false,
        )
        .into_iter()
        .collect();
    if !is_word {
        let message = format!("`{name}` does not work with {}", or_nothing(types));
        return Failure::new(kind::WRONG_TYPE, message);
    }
    let catalogue = Catalogue::of(engine);
    if catalogue.knows(name) {
        let failure =
            Failure::new(kind::WRONG_TYPE, format!("`{name}` does not take {}", or_nothing(types)));
        let signatures: Vec<String> =
            signatures.iter().take(4).map(|signature| format!("`{signature}`")).collect();
        let help = in_script_words(&format!("it is {}", signatures.join("\nor ")));
        return helped(failure, (!signatures.is_empty()).then_some(help));
    }
    let failure = Failure::new(kind::UNKNOWN_FUNCTION, format!("unknown function `{name}`"));
    if declared(text).iter().any(|variable| variable == name) {
        let help = format!("`{name}` is a variable: what it holds is called by `{name}.call(…)`");
        return failure.with_help(help);
    }
    helped(failure, did_you_mean(name, catalogue.names()))
}

/// Replaces Rust's names of types by those that Rhai's own documentation uses.
fn in_script_words(types: &str) -> String {
    types
        .replace("&str | ImmutableString | String", "string")
        .replace("String", "string")
        .replace("i64", "int")
        .replace("f64", "float")
}

fn or_nothing(types: &str) -> String {
    if types.is_empty() { "no arguments".to_owned() } else { format!("({types})") }
}

fn parse_error(kind: &ParseErrorType, sources: &Sources, path: &Path) -> Failure {
    let failure = |message: String| Failure::new(kind::SYNTAX, message);
    match kind {
        ParseErrorType::VariableUndefined(name) => unknown_variable(name, sources, path),
        ParseErrorType::ModuleUndefined(name) => {
            Failure::new(kind::UNKNOWN_MODULE, format!("nothing is imported as `{name}`"))
                .with_help(format!("begin with `import \"…\" as {name};`"))
        }
        ParseErrorType::Reserved(word) if word == "eval" => {
            failure("`eval` is switched off".to_owned())
                .with_help("scripts are checked before they run, and text made by a script is not")
        }
        ParseErrorType::BadInput(LexError::ImproperSymbol(word, _)) if word == "eval" => {
            failure("`eval` is switched off".to_owned())
                .with_help("scripts are checked before they run, and text made by a script is not")
        }
        ParseErrorType::UnexpectedEOF => failure("the script ends in the middle".to_owned())
            .with_help("is a bracket or brace not closed?"),
        ParseErrorType::ExprTooDeep => {
            failure("too many expressions inside one another".to_owned())
                .with_help("give parts of it names with `let`")
        }
        other => failure(plain(&other.to_string())),
    }
}

/// Brings Rhai's words into the form of ours: no capital at the beginning, code in backquotes.
fn plain(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    let text = first + letters.as_str();
    if text.matches('\'').count().is_multiple_of(2) { text.replace('\'', "`") } else { text }
}
