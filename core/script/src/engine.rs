//! The engine and its limits.

use std::sync::Arc;

use rhai::packages::{Package, StandardPackage};
use rhai::{Engine, OptimizationLevel};

use crate::ScriptOptions;
use crate::imports::Imports;
use crate::register;
use crate::state::State;
use crate::throw::{STOPPED, TOO_MUCH_MEMORY};

/// Calls inside one another.
pub(crate) const CALL_LEVELS: usize = 64;
/// Expressions inside one another, outside and inside of functions.
const EXPRESSION_DEPTHS: (usize, usize) = (64, 32);
/// Bytes of one string.
const STRING_BYTES: usize = 4 << 20;
/// Entries of one list.
const ARRAY_ENTRIES: usize = 1 << 20;
/// Entries of one map.
const MAP_ENTRIES: usize = 10_000;
/// Imports of one run.
pub(crate) const MODULES: usize = 64;

/// Makes an engine that knows everything a script may say, with its limits.
pub(crate) fn engine(state: &Arc<State>, options: &ScriptOptions) -> Engine {
    let mut engine = lenient();
    engine.register_global_module(StandardPackage::new().as_shared_module());
    engine.set_strict_variables(true);
    engine.set_max_operations(options.max_operations);

    let shared = Arc::clone(state);
    engine.on_progress(move |operations| {
        if shared.workbench.is_cancelled() {
            return Some(STOPPED.into());
        }
        shared.watch.is_exceeded(operations).then(|| TOO_MUCH_MEMORY.into())
    });

    register::register(&mut engine, state);
    engine
}

/// Makes an engine that knows the language and its limits, but no functions, and accepts names that
/// are unknown: to parse, not to run.
pub(crate) fn lenient() -> Engine {
    let mut engine = Engine::new_raw();
    // Keeps the positions of literal maps, which messages point at.
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_fail_on_invalid_map_property(true);
    engine.disable_symbol("eval");

    engine.set_max_call_levels(CALL_LEVELS);
    engine.set_max_expr_depths(EXPRESSION_DEPTHS.0, EXPRESSION_DEPTHS.1);
    engine.set_max_string_size(STRING_BYTES);
    engine.set_max_array_size(ARRAY_ENTRIES);
    engine.set_max_map_size(MAP_ENTRIES);
    engine.set_max_modules(MODULES);
    engine
}

/// Makes an engine that also knows where imports come from.
pub(crate) fn with_imports(mut engine: Engine, imports: Imports) -> Engine {
    engine.set_module_resolver(imports);
    engine
}
