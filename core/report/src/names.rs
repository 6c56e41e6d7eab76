//! Names of files, made from names that people and plugins gave.

use std::collections::BTreeSet;

/// Longer names are cut; file systems take 255 bytes.
const LONGEST: usize = 120;

/// Replaces every character other than letters, digits, `.`, `_` and `-` by `_`. A name never
/// begins with a dot: it would be hidden, or lead out of its folder.
pub(crate) fn safe(name: &str) -> String {
    let kept =
        |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
    let mut safe: String = name.chars().map(kept).take(LONGEST).collect();
    if safe.is_empty() || safe.starts_with('.') {
        safe.insert(0, '_');
    }
    safe
}

/// Hands out names within a folder, each only once; `-2`, `-3` and so on follow a name that is
/// taken, also where only capitals differ, which some file systems do not tell apart.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    /// Returns a safe name that nothing else in the folder has.
    pub(crate) fn take(&mut self, name: &str) -> String {
        let wanted = safe(name);
        let mut taken = wanted.clone();
        let mut count = 2;
        while !self.0.insert(taken.to_lowercase()) {
            taken = format!("{wanted}-{count}");
            count += 1;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusual_characters_become_underscores() {
        assert_eq!(safe("projection.fire3/concat"), "projection.fire3_concat");
        assert_eq!(safe("a b:é"), "a_b__");
        assert_eq!(safe("../../etc"), "_.._.._etc");
        assert_eq!(safe(""), "_");
        assert!(safe(&"x".repeat(4000)).len() < 255);
    }

    #[test]
    fn names_that_collide_get_a_number() {
        let mut names = Names::default();
        let taken: Vec<String> =
            ["a/b", "a_b", "A_B", "a_b-2"].iter().map(|n| names.take(n)).collect();
        assert_eq!(taken, ["a_b", "a_b-2", "A_B-3", "a_b-2-2"]);
    }
}
