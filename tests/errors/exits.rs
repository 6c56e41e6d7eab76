//! The exit codes.

use syn::{Expr, Item, Lit};

use super::sources::Source;
use super::words::docs;

/// A number with which the program ends.
pub(crate) struct Exit {
    /// The number.
    pub(crate) code: String,
    /// When.
    pub(crate) cause: String,
    /// What to do.
    pub(crate) cure: String,
}

/// Returns the exit codes, as the program declares them.
pub(crate) fn all(sources: &[Source]) -> Vec<Exit> {
    let file = sources.iter().find(|source| source.path == "core/cli/failure.rs").unwrap();
    let declared = file.file.items.iter().find_map(|item| match item {
        Item::Enum(item) if item.ident == "Exit" => Some(item),
        _ => None,
    });
    let exit = |variant: &syn::Variant| {
        let Some((_, Expr::Lit(literal))) = &variant.discriminant else {
            panic!("{} has no number", variant.ident)
        };
        let Lit::Int(number) = &literal.lit else { panic!("{} has no number", variant.ident) };
        let (cause, cure) = docs(&variant.attrs);
        let cure = cure.unwrap_or_else(|| panic!("Exit::{} has no cure", variant.ident));
        Exit { code: number.base10_digits().to_owned(), cause, cure }
    };
    declared.unwrap().variants.iter().map(exit).collect()
}
