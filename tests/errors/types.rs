//! The types and the functions of the project, by their names.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::Visit;
use syn::{Item, Signature};

use super::sources::Source;

/// Types of the project, as (part, name).
pub(crate) struct Types {
    /// Those that are errors.
    pub(crate) errors: BTreeSet<(String, String)>,
    /// All of them.
    all: BTreeSet<(String, String)>,
    /// In how many files of a part a function has a name.
    functions: BTreeMap<(String, String), BTreeSet<String>>,
}

impl Types {
    /// Collects all types; `errors` are those whose words are wanted.
    pub(crate) fn of(sources: &[Source], errors: BTreeSet<(String, String)>) -> Self {
        let mut all = BTreeSet::new();
        for source in sources {
            for item in &source.file.items {
                let name = match item {
                    Item::Enum(item) => &item.ident,
                    Item::Struct(item) => &item.ident,
                    _ => continue,
                };
                all.insert((source.part(), name.to_string()));
            }
        }
        let mut names = Names::default();
        for source in sources {
            names.at = (source.part(), source.path.clone());
            names.visit_file(&source.file);
        }
        Self { errors, all, functions: names.found }
    }

    /// Says whether functions of a name stand in one file of a part only.
    pub(crate) fn is_alone(&self, part: &str, function: &str) -> bool {
        let name = (part.to_owned(), function.to_owned());
        self.functions.get(&name).is_some_and(|files| files.len() == 1)
    }

    /// Returns the error type that a part calls by a name.
    pub(crate) fn find(&self, part: &str, name: &str) -> Option<(String, String)> {
        let own = (part.to_owned(), name.to_owned());
        if self.all.contains(&own) {
            return self.errors.contains(&own).then_some(own);
        }
        self.errors.iter().find(|(_, other)| other == name).cloned()
    }
}

/// The names of functions.
#[derive(Default)]
struct Names {
    at: (String, String),
    found: BTreeMap<(String, String), BTreeSet<String>>,
}

impl<'e> Visit<'e> for Names {
    fn visit_signature(&mut self, signature: &'e Signature) {
        let (part, file) = self.at.clone();
        self.found.entry((part, signature.ident.to_string())).or_default().insert(file);
    }
}
