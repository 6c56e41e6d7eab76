//! `ERRORS.md` says of every error why it comes and what to do; it is made from the sources.

mod declared;
mod exits;
mod message;
mod page;
mod sources;
mod words;

use std::collections::BTreeSet;
use std::fs;
use std::sync::LazyLock;

use crate::support::root;

/// What the sources say.
static DECLARED: LazyLock<(Vec<declared::ErrorType>, Vec<exits::Exit>)> = LazyLock::new(|| {
    let sources = sources::all();
    let types = declared::all(&sources, &sources::constants(&sources));
    (types, exits::all(&sources))
});

#[test]
fn every_error_says_why_it_comes_and_what_to_do() {
    let (types, _) = &*DECLARED;

    let gaps: Vec<String> = types.iter().flat_map(page::gaps).collect();

    assert!(gaps.is_empty(), "in the comments of the errors:\n{}", gaps.join("\n"));
}

#[test]
fn every_type_of_errors_has_its_place_on_the_page() {
    let (types, _) = &*DECLARED;

    let declared: BTreeSet<(&str, &str)> =
        types.iter().map(|one| (one.part.as_str(), one.name.as_str())).collect();

    let placed: BTreeSet<(&str, &str)> =
        page::CHAPTERS.iter().flat_map(|(_, members)| members.iter().copied()).collect();
    assert_eq!(declared, placed, "CHAPTERS of tests/errors/page.rs");
}

/// `CONVSCOPE_BLESS=1` writes the page instead: read it.
#[test]
fn the_page_of_errors_says_what_the_sources_say() {
    let (types, exits) = &*DECLARED;
    let path = root().join("ERRORS.md");

    let page = page::page(types, exits);

    if std::env::var_os("CONVSCOPE_BLESS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    let same = stored.lines().zip(page.lines()).take_while(|(old, new)| old == new).count();
    assert!(
        stored == page,
        "ERRORS.md is stale from line {} on; CONVSCOPE_BLESS=1 cargo test --test integration \
         errors:: writes it anew",
        same + 1
    );
}
