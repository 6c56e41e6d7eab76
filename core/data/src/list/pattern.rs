//! Patterns of file names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern, PatternError};

use super::folder::{Contents, real};
use super::{check_count, is_picture};
use crate::{DataError, Entry};

/// Hidden files are matched only by a pattern that writes their dot.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// Lists the pictures that a pattern matches.
///
/// The search is ours: the one of `glob` follows links that lead back for ever, and finds no
/// hidden files.
pub(super) fn list(pattern: &Path, entries: &mut Vec<Entry>) -> Result<(), DataError> {
    let shown = pattern.display().to_string();
    let refuse = |reason: String| DataError::Pattern { pattern: shown.clone(), reason };
    let text = pattern.to_str().ok_or_else(|| refuse("it is not UTF-8".to_owned()))?;
    // Asked of the whole, so that the place of a mistake is right.
    Pattern::new(text).map_err(|error| refuse(error.to_string()))?;
    let mut fixed = PathBuf::new();
    let mut steps: Vec<Step> = Vec::new();
    for part in pattern.components() {
        let name = part.as_os_str();
        if steps.is_empty() && !super::is_pattern(Path::new(name)) {
            fixed.push(name);
        } else {
            let step = Step::new(&name.to_string_lossy());
            steps.push(step.map_err(|error| refuse(error.to_string()))?);
        }
    }
    if matches!(steps.last(), Some(Step::Folders)) {
        steps.push(Step::new("*").map_err(|error| refuse(error.to_string()))?);
    }
    let mut search = Search { pattern, seen: BTreeSet::new(), pictures: Vec::new(), others: 0 };
    search.below(&fixed, &steps)?;
    let mut pictures = search.pictures;
    if pictures.is_empty() {
        let reason = match search.others {
            0 => "nothing matches".to_owned(),
            1 => "1 match, which is no picture".to_owned(),
            others => format!("{others} matches, but no picture among them"),
        };
        return Err(DataError::NoPictures { place: shown, reason });
    }
    pictures.sort();
    pictures.dedup();
    entries.extend(pictures.into_iter().map(Entry::picture));
    Ok(())
}

/// One component of a pattern.
enum Step {
    /// `**`: any number of folders.
    Folders,
    /// `..`
    Parent,
    /// A name, with or without wildcards.
    Name(Pattern),
}

impl Step {
    fn new(text: &str) -> Result<Self, PatternError> {
        Ok(match text {
            "**" => Self::Folders,
            ".." => Self::Parent,
            name => Self::Name(Pattern::new(name)?),
        })
    }
}

struct Search<'a> {
    pattern: &'a Path,
    /// Folders in which the search went on with so many steps left: links may lead back.
    seen: BTreeSet<(PathBuf, usize)>,
    pictures: Vec<PathBuf>,
    others: usize,
}

impl Search<'_> {
    fn below(&mut self, folder: &Path, steps: &[Step]) -> Result<(), DataError> {
        // The path of no components is the working folder.
        let place = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let Some((step, rest)) = steps.split_first() else { return Ok(()) };
        if !place.is_dir() || !self.seen.insert((real(place)?, steps.len())) {
            return Ok(());
        }
        let name = match step {
            Step::Parent => return self.below(&folder.join(".."), rest),
            Step::Folders => {
                self.below(folder, rest)?;
                let contents = Contents::of(place)?;
                let mut folders = contents.folders.iter().filter_map(|path| path.file_name());
                return folders.try_for_each(|name| self.below(&folder.join(name), steps));
            }
            Step::Name(name) => name,
        };
        let contents = Contents::of(place)?;
        let all = contents.pictures.iter().chain(&contents.folders).chain(&contents.others);
        for found in all.filter_map(|path| path.file_name()) {
            if !name.matches_with(&found.to_string_lossy(), OPTIONS) {
                continue;
            }
            let path = folder.join(found);
            if !rest.is_empty() {
                self.below(&path, rest)?;
            } else if path.is_file() && is_picture(&path) {
                self.pictures.push(path);
                check_count(self.pattern, self.pictures.len())?;
            } else {
                self.others += 1;
            }
        }
        Ok(())
    }
}
