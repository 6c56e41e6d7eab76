//! Names that a user may have meant.

/// Returns those of the known names that look like the given one, nearest first, at most three.
///
/// ```
/// let known = ["window", "stride", "images"];
/// assert_eq!(convscope_protocol::suggest::nearest("windw", known), ["window"]);
/// assert!(convscope_protocol::suggest::nearest("colour", known).is_empty());
/// ```
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let given_lower = given.to_lowercase();
    let mut found: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = strsim::damerau_levenshtein(&given_lower, &lower);
            let length = lower.chars().count().max(given_lower.chars().count());
            // A third of the letters wrong is a slip; a name that contains the other is a memory.
            let is_part = given_lower.len() >= 3 && lower.contains(&given_lower);
            (distance * 3 <= length || is_part).then_some((distance, name))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Asks whether one of the names was meant: ``did you mean `a` or `b`?``; nothing without names.
pub fn did_you_mean(names: &[&str]) -> Option<String> {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let (last, others) = quoted.split_last()?;
    Some(match others {
        [] => format!("did you mean {last}?"),
        others => format!("did you mean {} or {last}?", others.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_comes_first_and_far_ones_stay_out() {
        let layers = ["fire3/concat", "fire9/concat", "conv1", "relu1"];
        assert_eq!(nearest("fire9/conca", layers), ["fire9/concat", "fire3/concat"]);
        assert_eq!(nearest("fire9", layers), ["fire9/concat"]);
        assert!(nearest("softmax", layers).is_empty());
    }

    #[test]
    fn suggestions_read_like_a_question() {
        assert_eq!(did_you_mean(&[]), None);
        assert_eq!(did_you_mean(&["a"]).unwrap(), "did you mean `a`?");
        assert_eq!(did_you_mean(&["a", "b", "c"]).unwrap(), "did you mean `a`, `b` or `c`?");
    }
}
