//! Options of the script, progress, printing, waiting.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rhai::{Dynamic, Engine, FLOAT, INT, ImmutableString, Position};
use serde_json::Value;

use super::function;
use crate::state::{FROM_COMMAND_LINE, State};
use crate::throw::Fallible;
use crate::{Failure, convert, kind};

/// How often a waiting script looks whether the user wants to stop.
const GLANCE: Duration = Duration::from_millis(20);

pub(super) fn register(engine: &mut Engine, state: &Arc<State>) {
    options(engine, state);

    let shared = Arc::clone(state);
    function("progress", &["text: String"], "Shows what the script is doing.")
        .register_into_engine(engine, move |text: ImmutableString| {
            shared.workbench.progress(&text);
        });

    let shared = Arc::clone(state);
    engine.on_print(move |text| shared.workbench.print(text));
    let shared = Arc::clone(state);
    engine.on_debug(move |text, _source, position: Position| {
        shared.workbench.debug(&match position.line() {
            Some(line) => format!("line {line}: {text}"),
            None => text.to_owned(),
        });
    });

    // Rhai's own cannot be interrupted.
    let shared = Arc::clone(state);
    function("sleep", &["seconds: int"], "Waits.")
        .register_into_engine(engine, move |seconds: INT| -> Fallible<()> {
            Ok(sleep(&shared, seconds as FLOAT)?)
        });
    let shared = Arc::clone(state);
    function("sleep", &["seconds: float"], "Waits.")
        .register_into_engine(engine, move |seconds: FLOAT| -> Fallible<()> {
            Ok(sleep(&shared, seconds)?)
        });
}

fn sleep(state: &State, seconds: FLOAT) -> Result<(), Failure> {
    let Ok(duration) = Duration::try_from_secs_f64(seconds) else {
        return Err(Failure::new(kind::WRONG_TYPE, format!("cannot wait for {seconds} seconds")));
    };
    let start = Instant::now();
    while let Some(left) = duration.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
        if state.workbench.is_cancelled() {
            return Err(Failure::cancelled());
        }
        std::thread::sleep(left.min(GLANCE));
    }
    Ok(())
}

fn options(engine: &mut Engine, state: &Arc<State>) {
    let shared = Arc::clone(state);
    function(
        "option",
        &["name: String", "?"],
        "What `--set name=…` gives on the command line, which is required then.",
    )
    .register_into_engine(engine, move |name: ImmutableString| -> Fallible<Dynamic> {
        let given = setting(&shared, &name).ok_or_else(|| {
            Failure::new(kind::MISSING_OPTION, format!("this script needs `--set {name}=…`"))
        });
        Ok(free(&given?))
    });
    let shared = Arc::clone(state);
    function(
        "option",
        &["name: String", "default: ?", "?"],
        "What `--set name=…` gives on the command line, else the default. It must be of the\n\
         default's kind; when the default is `()`, anything goes. Relative paths that come from\n\
         the command line start at the working folder.",
    )
    .register_into_engine(
        engine,
        move |name: ImmutableString, default: Dynamic| -> Fallible<Dynamic> {
            let Some(given) = setting(&shared, &name) else { return Ok(default) };
            Ok(like(&name, &given, &default)?)
        },
    );
}

fn setting(state: &State, name: &str) -> Option<String> {
    state.ledger().used_settings.insert(name.to_owned());
    state.settings.get(name).cloned()
}

/// Reads a setting as JSON, or as a plain string when it is none.
fn free(text: &str) -> Dynamic {
    let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    marked(convert::dynamic(&value))
}

/// Marks strings as coming from the command line.
fn marked(mut value: Dynamic) -> Dynamic {
    if value.is_string() {
        value.set_tag(FROM_COMMAND_LINE);
    } else if value.is_array()
        && let Some(mut items) = value.write_lock::<rhai::Array>()
    {
        for item in items.iter_mut() {
            *item = marked(std::mem::take(item));
        }
    }
    value
}

/// Reads a setting as what the default is.
pub(crate) fn like(name: &str, text: &str, default: &Dynamic) -> Result<Dynamic, Failure> {
    if default.is_unit() {
        return Ok(free(text));
    }
    let json = serde_json::from_str::<Value>(text).ok();
    let wrong = |wanted: &str| {
        Err(Failure::new(kind::WRONG_TYPE, format!("`--set {name}={text}`: {wanted} is wanted")))
    };
    if default.is_string() {
        // Only a string in quotes is JSON here: `--set model=2024` names a file.
        let plain = match json {
            Some(Value::String(inner)) => inner,
            _ => text.to_owned(),
        };
        return Ok(marked(plain.into()));
    }
    if default.is_bool() {
        return match json {
            Some(Value::Bool(value)) => Ok(value.into()),
            _ => wrong("`true` or `false`"),
        };
    }
    if default.is_int() {
        return match json.as_ref().and_then(Value::as_i64) {
            Some(number) => Ok(Dynamic::from(number as INT)),
            None => wrong("a whole number"),
        };
    }
    if default.is_float() {
        return match json.as_ref().and_then(Value::as_f64) {
            Some(number) => Ok(number.into()),
            None => wrong("a number"),
        };
    }
    if default.is_array() {
        return Ok(match json {
            Some(Value::Array(_)) => free(text),
            _ => vec![free(text)].into(),
        });
    }
    match json {
        Some(value @ Value::Object(_)) if default.is_map() => Ok(convert::dynamic(&value)),
        _ if default.is_map() => wrong("a JSON object"),
        _ => {
            let message =
                format!("the default of option `{name}` cannot be {}", convert::described(default));
            Err(Failure::new(kind::WRONG_TYPE, message))
        }
    }
}
