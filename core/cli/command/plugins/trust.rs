//! `convscope plugins trust` and `untrust`: which plugins may run.

use std::path::Path;

use convscope_host::{Before, Search, TrustEntry, TrustError, TrustFile};
use serde_json::{Map, json};

use super::WIDTH;
use crate::command::Outcome;
use crate::failure::Failure;
use crate::text::wrapped;

/// Trusts a file.
pub(super) fn trust(search: &Search, file: &Path) -> Result<Outcome, Failure> {
    let trust_file = trust_file(search)?;
    let trusting = trust_file.trust(file, search)?;
    let (entry, is_found) = (&trusting.entry, search.finds(Path::new(&trusting.entry.path)));
    let (state, mut text) = match &trusting.before {
        Before::Nothing => ("trusted", "trusted from now on\n".to_owned()),
        Before::Same => ("unchanged", "already trusted, nothing was changed\n".to_owned()),
        Before::Other(before) => {
            let before = format!("{}, blake3 {}", before.id, before.blake3);
            let words = format!("trusted from now on, instead of what was there before: {before}");
            ("replaced", wrapped(&words, WIDTH, 0))
        }
    };
    text += &facts(entry);
    text += "A plugin has all of your rights: it can do whatever you can.\n";
    if !is_found {
        text += "\nThis file is not looked for where it is, or under its name: see\n\
                 `convscope plugins list`. The same file in such a place will be trusted.\n";
    }
    let mut json = Map::new();
    json.insert("state".to_owned(), json!(state));
    json.insert("plugin".to_owned(), json!(entry));
    if let Before::Other(before) = &trusting.before {
        json.insert("before".to_owned(), json!(before));
    }
    json.insert("is_searched".to_owned(), json!(is_found));
    json.insert("trust_file".to_owned(), json!(trust_file.path()));
    Ok(Outcome { text, json })
}

/// Takes trust back.
pub(super) fn untrust(search: &Search, name: &str) -> Result<Outcome, Failure> {
    let trust_file = trust_file(search)?;
    let removed = trust_file.untrust(name)?;
    let text = format!("no longer trusted\n{}", removed.iter().map(facts).collect::<String>());
    let mut json = Map::new();
    json.insert("plugins".to_owned(), json!(removed));
    json.insert("trust_file".to_owned(), json!(trust_file.path()));
    Ok(Outcome { text, json })
}

fn trust_file(search: &Search) -> Result<&TrustFile, TrustError> {
    search.trust_file().ok_or(TrustError::NoFolder)
}

fn facts(entry: &TrustEntry) -> String {
    let TrustEntry { id, path, blake3 } = entry;
    format!("  id      {id}\n  file    {path}\n  blake3  {blake3}\n")
}

impl From<TrustError> for Failure {
    fn from(error: TrustError) -> Self {
        Self::new(error.kind(), error.to_string()).with_help(error.help())
    }
}
