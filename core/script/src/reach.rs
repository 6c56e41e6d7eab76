//! What a script may read.

use std::path::{Component, Path, PathBuf};

use crate::suggest::did_you_mean;
use crate::{Failure, kind};

/// The folders and files that a script may read below: its own folder, the working folder, the
/// installed script library, and what the command line names.
///
/// Paths are compared after links are resolved, so that neither `..` nor a link leads out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    roots: Vec<PathBuf>,
}

impl Reach {
    /// Allows what lies below the given files and folders. Those that do not exist are left out.
    pub fn below(roots: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut roots: Vec<PathBuf> =
            roots.into_iter().filter_map(|root| fixed_part(&root).canonicalize().ok()).collect();
        roots.sort();
        roots.dedup();
        Self { roots }
    }

    /// Returns the path with its links resolved.
    ///
    /// # Errors
    ///
    /// Kind `not_found` when there is nothing, `out_of_reach` when it lies elsewhere.
    pub fn check(&self, path: &Path) -> Result<PathBuf, Failure> {
        let Ok(real) = path.canonicalize() else {
            return Err(not_found(path));
        };
        if self.roots.iter().any(|root| real.starts_with(root)) {
            return Ok(real);
        }
        let message = if lexical(path) == real {
            format!("this script may not read `{}`", path.display())
        } else {
            format!("this script may not read `{}`: it is `{}`", path.display(), real.display())
        };
        Err(Failure::new(kind::OUT_OF_REACH, message).with_help(
            "a script reads below its own folder and the working folder;\n\
             elsewhere only what `--set NAME=PATH` names, for `option(\"NAME\")`",
        ))
    }

    /// Checks a path that may hold wildcards: what stands before the first of them.
    ///
    /// # Errors
    ///
    /// As [`Reach::check`]; also when `..` follows a wildcard.
    pub fn check_pattern(&self, path: &Path) -> Result<PathBuf, Failure> {
        if !has_wildcard(path) || path.exists() {
            return self.check(path);
        }
        let fixed = fixed_part(path);
        let rest = path.strip_prefix(&fixed).unwrap_or(path);
        if rest.components().any(|part| part == Component::ParentDir) {
            let message = format!("`..` may not follow a wildcard: `{}`", path.display());
            return Err(Failure::new(kind::OUT_OF_REACH, message));
        }
        Ok(self.check(&fixed)?.join(rest))
    }
}

/// Returns the part of a path before its first component with a wildcard.
fn fixed_part(path: &Path) -> PathBuf {
    if path.exists() {
        return path.to_path_buf();
    }
    path.components().take_while(|part| !has_wildcard(Path::new(part.as_os_str()))).collect()
}

fn has_wildcard(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

/// Resolves `.` and `..` without looking at the disk.
pub(crate) fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

fn not_found(path: &Path) -> Failure {
    let path = lexical(path);
    let mut failure = Failure::new(kind::NOT_FOUND, format!("there is no `{}`", path.display()));
    failure.help = nearest_existing(&path);
    failure
}

/// Says how far a path that leads nowhere goes, and which name was perhaps meant there.
fn nearest_existing(path: &Path) -> Option<String> {
    let folder = path.ancestors().skip(1).find(|folder| folder.is_dir())?;
    let missing = path.strip_prefix(folder).ok()?.components().next()?.as_os_str();
    let names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .take(10_000)
        .collect();
    did_you_mean(&missing.to_string_lossy(), names.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["inside/photos", "outside"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        std::fs::write(root.join("inside/model.onnx"), "x").unwrap();
        std::fs::write(root.join("outside/secret.onnx"), "x").unwrap();
        (folder, root)
    }

    #[test]
    fn what_lies_below_a_root_is_allowed_however_it_is_written() {
        let (_folder, root) = folder();
        let reach = Reach::below([root.join("inside")]);

        let real = reach.check(&root.join("inside/photos/../model.onnx")).unwrap();

        assert_eq!(real, root.join("inside/model.onnx"));
    }

    #[test]
    fn parents_and_absolute_paths_do_not_lead_out() {
        let (_folder, root) = folder();
        let reach = Reach::below([root.join("inside")]);

        for path in ["inside/../outside/secret.onnx", "outside/secret.onnx"] {
            let failure = reach.check(&root.join(path)).unwrap_err();
            assert_eq!(failure.kind, "out_of_reach");
            assert!(failure.message.starts_with("this script may not read `"));
            assert!(failure.help.unwrap().contains("--set NAME=PATH"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_do_not_lead_out() {
        let (_folder, root) = folder();
        let link = root.join("inside/link.onnx");
        std::os::unix::fs::symlink(root.join("outside/secret.onnx"), &link).unwrap();

        let failure = Reach::below([root.join("inside")]).check(&link).unwrap_err();

        assert_eq!(failure.kind, "out_of_reach");
        assert!(failure.message.contains("link.onnx`: it is `"), "{}", failure.message);
    }

    #[test]
    fn wildcards_are_allowed_below_a_root_only() {
        let (_folder, root) = folder();
        let reach = Reach::below([root.join("inside")]);

        assert!(reach.check_pattern(&root.join("inside/photos/*.jpg")).is_ok());
        assert!(reach.check_pattern(&root.join("outside/*.onnx")).is_err());
        let failure = reach.check_pattern(&root.join("inside/*/../../outside")).unwrap_err();
        assert!(failure.message.starts_with("`..` may not follow a wildcard"));
    }

    #[test]
    fn a_missing_file_is_said_with_the_nearest_name() {
        let (_folder, root) = folder();
        let failure =
            Reach::below([root.join("inside")]).check(&root.join("inside/modle.onnx")).unwrap_err();

        assert_eq!(failure.kind, "not_found");
        assert!(failure.message.contains("there is no `"));
        assert_eq!(failure.help.unwrap(), "did you mean `model.onnx`?");
    }
}
