//! The name that a user may have meant.

/// Asks whether the nearest known name was meant, ``; did you mean `resize`?``; says nothing where
/// none is near: at most a third of the letters may differ.
pub(crate) fn did_you_mean(given: &str, known: &[&str]) -> String {
    let lower = given.to_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&lower, &name.to_lowercase());
    let nearest = known.iter().map(|name| (distance(name), *name)).min();
    match nearest {
        Some((distance, name)) if distance * 3 <= name.len().max(given.len()) => {
            format!("; did you mean `{name}`?")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_that_is_near_is_suggested() {
        assert_eq!(did_you_mean("Resise", &["crop", "resize"]), "; did you mean `resize`?");
        assert_eq!(did_you_mean("colour", &["crop", "resize"]), "");
    }
}
