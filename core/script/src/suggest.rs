//! Names that were perhaps meant.

/// Returns the candidate most like a name, if one is like it at all.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
        .map(|candidate| (likeness(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= 0.75)
        // Of equally good ones the alphabetically first, whatever order they came in.
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, candidate)| candidate)
}

fn likeness(a: &str, b: &str) -> f64 {
    if a == b {
        return 1.0;
    }
    if a.chars().count() <= 2 {
        // Every other name of two letters is one change away.
        return 0.0;
    }
    strsim::jaro_winkler(a, b).max(strsim::normalized_damerau_levenshtein(a, b))
        - if strsim::damerau_levenshtein(a, b) > 1 + a.chars().count() / 3 { 0.5 } else { 0.0 }
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
    fn a_slip_of_the_pen_is_recognised() {
        assert_eq!(nearest("windw", ["images", "window", "stride"]), Some("window"));
        assert_eq!(nearest("Layers", ["layer", "layers"]), Some("layers"));
        assert_eq!(nearest("fire9", ["fire9/concat", "conv1"]), None);
    }

    #[test]
    fn something_else_is_not_taken_for_a_slip() {
        assert_eq!(nearest("colour", ["images", "window"]), None);
        assert_eq!(nearest("x", ["y"]), None);
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(listed(["a", "b", "c"], 2), "`a`, `b` and 1 more");
        assert_eq!(listed(["a"], 2), "`a`");
    }
}
