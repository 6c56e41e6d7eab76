//! The kinds of failures, and the messages of each.

use std::collections::BTreeSet;

use syn::{Expr, Item, Lit};

use super::raised::{Raised, Said, Sink};
use super::sources::Source;
use super::words::docs;

/// Kinds that a part of the project declares in its file `kind.rs`.
pub(crate) struct Kinds {
    /// The part.
    pub(crate) part: String,
    /// What they are about.
    pub(crate) about: String,
    /// The kinds, by name.
    pub(crate) list: Vec<Kind>,
}

/// A kind of failures.
pub(crate) struct Kind {
    /// What programs call it.
    pub(crate) name: String,
    /// Why it happens.
    pub(crate) cause: String,
    /// What to do about it.
    pub(crate) cure: Option<String>,
    /// Its messages.
    pub(crate) said: BTreeSet<Said>,
}

/// Returns all kinds that are declared.
pub(crate) fn all(sources: &[Source], raised: &Raised) -> Vec<Kinds> {
    let files = sources.iter().filter(|source| source.path.ends_with("/kind.rs"));
    let mut all: Vec<Kinds> = files.map(declared).collect();
    for (sink, said) in raised {
        let Sink::Kind(part, name) = sink else { continue };
        let kind = find(&mut all, part, name).unwrap_or_else(|| panic!("{part}: no kind {name}"));
        kind.said.extend(said.iter().cloned());
    }
    all
}

/// Finds a kind: that of the part itself, or else of another whose failures it makes.
fn find<'a>(all: &'a mut [Kinds], part: &str, name: &str) -> Option<&'a mut Kind> {
    let has = |kinds: &Kinds| kinds.list.iter().any(|kind| kind.name == name);
    let own = all.iter().position(|kinds| kinds.part == part && has(kinds));
    let place = own.or_else(|| all.iter().position(has))?;
    all[place].list.iter_mut().find(|kind| kind.name == name)
}

fn declared(source: &Source) -> Kinds {
    let constant = |item: &Item| {
        let Item::Const(item) = item else { return None };
        let Expr::Lit(literal) = &*item.expr else { return None };
        let Lit::Str(name) = &literal.lit else { return None };
        let name = name.value();
        assert_eq!(item.ident.to_string(), name.to_uppercase(), "{}", source.path);
        let (cause, cure) = docs(&item.attrs);
        Some(Kind { name, cause, cure, said: BTreeSet::new() })
    };
    let list = source.file.items.iter().filter_map(constant).collect();
    let (about, _) = docs(&source.file.attrs);
    Kinds { part: source.part(), about, list }
}
