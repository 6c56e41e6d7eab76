//! Failures as Rhai errors: thrown as maps that scripts can catch.

use rhai::{Dynamic, EvalAltResult, Map, Position};

use crate::{Failure, kind};

/// What functions offered to scripts return.
pub(crate) type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// The token of the error that ends a script because the user wants so. It cannot be caught.
pub(crate) const STOPPED: &str = "stopped by the user";

/// The token of the error that ends a script which takes too much memory.
pub(crate) const TOO_MUCH_MEMORY: &str = "too much memory";

impl From<Failure> for Box<EvalAltResult> {
    fn from(failure: Failure) -> Self {
        if failure.kind == kind::CANCELLED {
            return Box::new(EvalAltResult::ErrorTerminated(STOPPED.into(), Position::NONE));
        }
        let mut map = Map::new();
        map.insert("kind".into(), failure.kind.into());
        map.insert("message".into(), failure.message.into());
        map.insert("key".into(), failure.key.map_or(Dynamic::UNIT, Into::into));
        map.insert("help".into(), failure.help.map_or(Dynamic::UNIT, Into::into));
        Box::new(EvalAltResult::ErrorRuntime(map.into(), Position::NONE))
    }
}

/// Reads a failure back from what was thrown, if it is one.
pub(crate) fn caught(value: &Dynamic) -> Option<Failure> {
    let map = value.read_lock::<Map>()?;
    let text = |key: &str| map.get(key)?.clone().into_string().ok();
    Some(Failure {
        kind: text("kind").unwrap_or_else(|| kind::THROWN.to_owned()),
        message: text("message")?,
        key: text("key"),
        help: text("help"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_being_thrown() {
        let failure =
            Failure::new("unknown_parameter", "no").with_key("windw").with_help("window?");

        let thrown: Box<EvalAltResult> = failure.clone().into();

        let EvalAltResult::ErrorRuntime(value, _) = *thrown else { panic!("not a map") };
        assert_eq!(caught(&value), Some(failure));
    }

    #[test]
    fn the_wish_to_stop_cannot_be_caught() {
        let thrown: Box<EvalAltResult> = Failure::cancelled().into();

        assert!(!thrown.is_catchable());
    }
}
