//! The project's own sources, parsed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::{Attribute, Expr, ExprLit, File, Item, Lit};

use crate::support::root;

/// A source file.
pub(crate) struct Source {
    /// Its path below the project's folder, with `/`.
    pub(crate) path: String,
    /// What stands in it, without tests.
    pub(crate) file: File,
}

impl Source {
    /// Parses the text of a file.
    pub(crate) fn of(path: &str, text: &str) -> Self {
        let mut file = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        drop_tests(&mut file.items);
        Self { path: path.to_owned(), file }
    }

    /// Returns the part of the project: `core/onnx`.
    pub(crate) fn part(&self) -> String {
        self.path.split('/').take(2).collect::<Vec<_>>().join("/")
    }
}

/// Reads all sources of the program, its libraries and its plugins, in the order of their paths.
pub(crate) fn all() -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in ["core", "plugins"] {
        collect(&root().join(folder), &mut paths);
    }
    paths.sort();
    let read = |path: &String| Source::of(path, &fs::read_to_string(root().join(path)).unwrap());
    paths.iter().map(read).collect()
}

fn collect(folder: &Path, paths: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_test = ["benches", "target", "testing", "testing.rs", "tests", "tests.rs"]
            .contains(&name.as_str());
        if path.is_dir() && !is_test {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            let below = path.strip_prefix(root()).unwrap();
            let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
            paths.push(parts.join("/"));
        }
    }
}

/// Drops what is compiled for tests only.
fn drop_tests(items: &mut Vec<Item>) {
    items.retain(|item| match item {
        Item::Fn(item) => !is_test(&item.attrs),
        Item::Impl(item) => !is_test(&item.attrs),
        Item::Mod(item) => !is_test(&item.attrs),
        _ => true,
    });
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

/// Returns the constants that are plain numbers or strings, where all of one name agree.
pub(crate) fn constants(sources: &[Source]) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for item in sources.iter().flat_map(|source| &source.file.items) {
        let Item::Const(item) = item else { continue };
        let Expr::Lit(ExprLit { lit, .. }) = &*item.expr else { continue };
        let value = match lit {
            Lit::Int(number) => number.base10_digits().to_owned(),
            Lit::Str(text) => text.value(),
            _ => continue,
        };
        found.entry(item.ident.to_string()).or_default().insert(value);
    }
    found.retain(|_, values| values.len() == 1);
    found
        .into_iter()
        .filter_map(|(name, values)| Some((name, values.into_iter().next()?)))
        .collect()
}
