//! Names that were perhaps meant, and lists of names for people.

use convscope_protocol::suggest;

/// Asks whether one of the candidates was meant; nothing when none is like the name.
pub(crate) fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    suggest::did_you_mean(&suggest::nearest(name, candidates))
}

/// Joins names as a list for people, each in backquotes, cut after a number of them.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>, most: usize) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let shown = names.iter().take(most).map(|name| format!("`{name}`")).collect::<Vec<_>>();
    let shown = shown.join(", ");
    if names.len() > most { format!("{shown} and {} more", names.len() - most) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(listed(["a", "b", "c"], 2), "`a`, `b` and 1 more");
        assert_eq!(listed(["a"], 2), "`a`");
    }
}
