//! README.md's lists of operators are those of the code.

use convscope_onnx::{Support, support};

use crate::support::root;

/// Every operator that a set of ONNX's own up to 25 has had
/// (`tests/conformance/make_operators.py`).
const ALL: &str = include_str!("conformance/operators.txt");

/// Returns the names in a paragraph of README.md that begins with the given words.
fn listed<'a>(readme: &'a str, words: &str) -> Vec<&'a str> {
    let paragraph = readme.split("\n\n").find_map(|paragraph| paragraph.strip_prefix(words));
    let paragraph = paragraph.unwrap_or_else(|| panic!("README.md has no paragraph {words:?}"));
    let names = paragraph.trim_end().trim_end_matches('.').split(',');
    names.map(str::trim).collect()
}

#[test]
fn the_readme_lists_every_operator_as_the_loader_treats_it() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for (words, wanted) in [
        ("*Layers:*", Some(Support::Layers)),
        ("*On constants only:*", Some(Support::ConstantsOnly)),
        ("*Refused:*", None),
    ] {
        let names: Vec<&str> = ALL.lines().filter(|name| support(name) == wanted).collect();
        let paragraph = format!("{words} {}.", names.join(", "));
        assert_eq!(listed(&readme, words), names, "README.md should say:\n{paragraph}\n");
    }
}
