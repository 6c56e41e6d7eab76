//! The functions that the engine offers, by name.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};

use rhai::{Dynamic, Engine, FuncInfo, ImmutableString};

use super::handle::Handle;
use super::known::Known;

/// Names that the engine knows without a function of that name being registered, or that take what
/// no signature says.
const BUILT_IN: [&str; 10] = [
    "Fn",
    "call",
    "curry",
    "debug",
    "eval",
    "is_def_fn",
    "is_def_var",
    "is_shared",
    "print",
    "type_of",
];

/// The functions that the engine offers.
pub(crate) struct Catalogue {
    natives: BTreeMap<String, Vec<Native>>,
    /// Functions of convscope that are no methods.
    own: BTreeSet<String>,
}

/// One of the functions of a name.
struct Native {
    parameters: Vec<TypeId>,
    returns: String,
}

impl Catalogue {
    pub(crate) fn of(engine: &Engine) -> Self {
        let described = |info: FuncInfo<'_>| {
            let native = Native {
                parameters: info.metadata.param_types.to_vec(),
                returns: info.metadata.return_type.to_string(),
            };
            is_word(&info.metadata.name).then(|| (info.metadata.name.to_string(), native))
        };
        let mut natives: BTreeMap<String, Vec<Native>> = BTreeMap::new();
        for (name, native) in engine.collect_fn_metadata(None, described, true) {
            natives.entry(name).or_default().push(native);
        }
        let free = |info: FuncInfo<'_>| {
            let first = info.metadata.params_info.first();
            let kind = first.and_then(|first| first.split_once(": "));
            let is_method = kind.is_some_and(|(_, kind)| Handle::named(kind).is_some());
            let name = &info.metadata.name;
            (is_word(name) && !is_method).then(|| name.to_string())
        };
        let own = engine.collect_fn_metadata(None, free, false).into_iter().collect();
        Self { natives, own }
    }

    /// Returns the name of every function.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.natives.keys().map(String::as_str).chain(BUILT_IN)
    }

    /// Returns the names of the functions of convscope that are no methods.
    pub(super) fn own(&self) -> impl Iterator<Item = &str> {
        self.own.iter().map(String::as_str)
    }

    /// Returns whether there is a function of a name.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.natives.contains_key(name) || BUILT_IN.contains(&name)
    }

    /// Returns whether a function of a name takes the arguments, as far as they are known.
    pub(super) fn takes(&self, name: &str, arguments: &[Known]) -> bool {
        BUILT_IN.contains(&name) || self.fitting(name, arguments).next().is_some()
    }

    /// Returns what kind of value a function hands out, where all that may be meant agree.
    pub(super) fn returned(&self, name: &str, arguments: &[Known]) -> Option<Handle> {
        let mut kinds = self.fitting(name, arguments).map(|native| Handle::named(&native.returns));
        let first = kinds.next()??;
        kinds.all(|kind| kind == Some(first)).then_some(first)
    }

    fn fitting<'a>(
        &'a self,
        name: &str,
        arguments: &'a [Known],
    ) -> impl Iterator<Item = &'a Native> {
        let all = self.natives.get(name).map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(move |native| {
            native.parameters.len() == arguments.len()
                && native.parameters.iter().zip(arguments).all(|(wanted, given)| {
                    given.type_id().is_none_or(|given| accepts(*wanted, given))
                })
        })
    }
}

fn accepts(wanted: TypeId, given: TypeId) -> bool {
    let texts =
        [TypeId::of::<ImmutableString>(), TypeId::of::<String>(), TypeId::of::<&'static str>()];
    wanted == given
        || wanted == TypeId::of::<Dynamic>()
        || texts.contains(&wanted) && texts.contains(&given)
}

/// Returns whether a name is a word, not an operator or a property.
fn is_word(name: &str) -> bool {
    name.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}
