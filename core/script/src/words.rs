//! Names that a script cannot give to a method.

use rhai::{Engine, Map, Scope};

/// Says whether an analysis of this name could not be called as `model.name(#{ … })`, because it
/// is a word of the language. The name must be in snake case.
///
/// No list is kept: the engine is asked to call a method of that name.
pub fn is_reserved(name: &str) -> bool {
    #[derive(Clone)]
    struct Model;

    let mut engine = Engine::new_raw();
    engine.register_fn(name, |_: &mut Model, _: Map| true);
    let mut scope = Scope::new();
    scope.push("model", Model);
    let call = format!("model.{name}(#{{}})");
    !matches!(engine.eval_with_scope::<bool>(&mut scope, &call), Ok(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_language_are_reserved() {
        for name in ["if", "let", "fn", "loop", "in", "this", "true", "type_of", "eval", "async"] {
            assert!(is_reserved(name), "{name}");
        }
    }

    #[test]
    fn names_of_methods_are_not() {
        for name in ["deconvnet", "guided_backprop", "look", "iffy", "run", "x1"] {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
