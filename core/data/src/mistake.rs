//! Mistakes: what is wrong in a card or a list, all of it at once.

use std::fmt;

/// How many mistakes of one file are told.
pub(crate) const MAX_TOLD: usize = 20;

/// Something that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, counted from 1, where it has one.
    pub line: Option<u64>,
    /// What is wrong, and what to do.
    pub reason: String,
}

impl Mistake {
    /// Makes a mistake in a line.
    pub(crate) fn at(line: u64, reason: impl Into<String>) -> Self {
        Self { line: Some(line), reason: reason.into() }
    }

    /// Makes a mistake of a whole file.
    pub(crate) fn of_file(reason: impl Into<String>) -> Self {
        Self { line: None, reason: reason.into() }
    }
}

/// Says one mistake behind the name of its file, and several in one line each.
pub(crate) struct Told<'a>(pub(crate) &'a [Mistake]);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [Mistake { line, reason }] = self.0 {
            return match line {
                Some(line) => write!(f, ", line {line}: {reason}"),
                None => write!(f, ": {reason}"),
            };
        }
        write!(f, ": {} mistakes", self.0.len())?;
        for Mistake { line, reason } in self.0.iter().take(MAX_TOLD) {
            match line {
                Some(line) => write!(f, "\n  line {line}: {reason}")?,
                None => write!(f, "\n  {reason}")?,
            }
        }
        match self.0.len().checked_sub(MAX_TOLD) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "\n  and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mistake_is_told_in_its_line_and_many_below_each_other() {
        let told = |count: u64| {
            let mistakes: Vec<Mistake> = (0..count).map(|line| Mistake::at(line, "x")).collect();
            Told(&mistakes).to_string()
        };
        assert_eq!(told(1), ", line 0: x");
        assert_eq!(Told(&[Mistake::of_file("x")]).to_string(), ": x");
        assert_eq!(told(2), ": 2 mistakes\n  line 0: x\n  line 1: x");
        assert!(told(20).ends_with("\n  line 19: x"));
        assert!(told(22).ends_with("\n  line 19: x\n  and 2 more"));
    }
}
