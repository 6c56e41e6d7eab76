//! `ERRORS.md` says of every error why it comes and what to do; it is made from the sources.

mod carriers;
mod declared;
mod entry;
mod exits;
mod functions;
mod kinds;
mod message;
mod page;
mod raised;
mod sources;
mod types;
mod words;

use std::collections::BTreeSet;
use std::fs;
use std::sync::LazyLock;

use crate::support::root;

/// What the sources say of errors.
struct Declared {
    types: Vec<declared::ErrorType>,
    kinds: Vec<kinds::Kinds>,
    exits: Vec<exits::Exit>,
    raised: raised::Raised,
}

impl Declared {
    fn by(sources: &[sources::Source]) -> Self {
        let constants = sources::constants(sources);
        let types = declared::all(sources, &constants);
        let names = types.iter().map(|one| (one.part.clone(), one.name.clone()));
        let raised = raised::all(sources, &constants, names.collect());
        let kinds = kinds::all(sources, &raised);
        Self { types, kinds, exits: exits::all(sources), raised }
    }
}

static DECLARED: LazyLock<Declared> = LazyLock::new(|| Declared::by(&sources::all()));

#[test]
fn every_error_says_why_it_comes_and_what_to_do() {
    let gaps = page::gaps(&DECLARED);

    assert!(gaps.is_empty(), "in the comments of the errors:\n{}", gaps.join("\n"));
}

#[test]
fn every_type_of_errors_has_its_place_on_the_page() {
    let types = DECLARED.types.iter().map(|one| (one.part.as_str(), one.name.as_str()));
    let kinds = DECLARED.kinds.iter().map(|kinds| (kinds.part.as_str(), "kind"));

    let declared: BTreeSet<(&str, &str)> = types.chain(kinds).collect();

    let placed: BTreeSet<(&str, &str)> =
        page::CHAPTERS.iter().flat_map(|(_, members)| members.iter().copied()).collect();
    assert_eq!(declared, placed, "CHAPTERS of tests/errors/page.rs");
}

/// `CONVSCOPE_BLESS=1` writes the page instead: read it.
#[test]
fn the_page_of_errors_says_what_the_sources_say() {
    let path = root().join("ERRORS.md");

    let page = page::page(&DECLARED);

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

#[test]
fn every_link_of_the_page_leads_somewhere() {
    let page = page::page(&DECLARED);
    let headings = page.lines().filter_map(|line| line.strip_prefix("## ")).map(page::anchor);
    let mut places: BTreeSet<String> = headings.collect();
    for piece in page.split("<a id=\"").skip(1) {
        let place = piece.split('"').next().unwrap().to_owned();
        assert!(places.insert(place.clone()), "two places are called {place}");
    }

    let links = page.split("](#").skip(1).map(|piece| piece.split(')').next().unwrap());
    let lost: BTreeSet<&str> = links.filter(|link| !places.contains(*link)).collect();

    assert!(lost.is_empty(), "{lost:?}");
    assert!(places.len() > 100, "the page holds little: {places:?}");
}

/// A source with an error whose words go through a closure, a function and a maker.
const SAMPLE: &str = r#"
    /// An error of trying.
    #[derive(Debug, Error)]
    pub enum TryError {
        /// It went wrong.
        ///
        /// Cure: Try again.
        #[error("{what}: {reason}")]
        Wrong { what: String, reason: String },
        /// It cannot be.
        #[error("cannot be")]
        Never,
        #[error("nothing is said")]
        Silent,
    }
    impl TryError {
        fn wrong(reason: &str) -> Self {
            Self::Wrong { what: "a maker".into(), reason: reason.to_owned() }
        }
    }
    fn first(place: usize) -> TryError {
        let failed = |reason: String| TryError::Wrong { what: format!("step {place}"), reason };
        if place > 3 { failed("too far".into()) } else { TryError::wrong("not far enough") }
    }
    fn second(words: &str) -> TryError {
        TryError::Wrong { what: "a function".into(), reason: words.to_owned() }
    }
    fn third() -> TryError {
        let words = if late() { "too late" } else { "too early" };
        second(words)
    }
    fn fourth(place: usize) -> Result<(), TryError> {
        let failed = |reason: String| TryError::Wrong { what: described(place), reason };
        if place > 9 { checked(place) } else { measured(place) }.map_err(failed)
    }
    fn described(place: usize) -> String {
        format!("what stands at {place}")
    }
    fn checked(place: usize) -> Result<(), String> {
        if place > 99 { Err("out of sight".to_owned()) } else { measured(place) }
    }
    fn measured(place: usize) -> Result<(), String> {
        (place != 7).then_some(()).ok_or_else(|| format!("{place} is odd"))
    }
"#;

fn sample() -> Declared {
    let sources = [sources::Source::of("core/try/src/lib.rs", SAMPLE)];
    let constants = sources::constants(&sources);
    let types = declared::all(&sources, &constants);
    let names = types.iter().map(|one| (one.part.clone(), one.name.clone()));
    let raised = raised::all(&sources, &constants, names.collect());
    Declared { types, kinds: Vec::new(), exits: Vec::new(), raised }
}

#[test]
fn an_error_without_cause_or_cure_is_found() {
    let expected = [
        "core/try TryError::Never: no paragraph `Cure: …`",
        "core/try TryError::Silent: no comment says why it comes",
        "core/try TryError::Silent: no paragraph `Cure: …`",
    ];
    assert_eq!(page::gaps(&sample()), expected);
}

#[test]
fn words_are_followed_to_where_they_are_written() {
    let declared = sample();
    let (of, mut page) = (&declared.types[0], String::new());

    entry::error(&mut page, of, &of.errors[0], &declared.raised);

    let expected = r#"
<a id="tryerror-wrong"></a>
#### *what*: *reason*

It went wrong.

**What to do:** Try again.

*reason* may be:

- not far enough
- out of sight
- *place* is odd
- too early
- too far
- too late

*what* may be:

- a function
- a maker
- step *place*
- what stands at *place*

<sub>`TryError::Wrong`</sub>
"#;
    assert_eq!(page, expected);
}
