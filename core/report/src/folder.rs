//! The output folder: a report appears there whole or not at all.
//!
//! It is written beside its final name and renamed. An older report of convscope's is replaced;
//! anything else that stands there is left alone, and the write refused.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{ReportError, manifest};

/// What a report consists of at the top of its folder.
const PARTS: [&str; 4] = ["data", "figures", manifest::FILE, "report.html"];

/// Checks that a report may be written to `out`, before hours are spent on its content.
///
/// # Errors
///
/// When `out` is a file, or a folder that holds anything but a report of convscope's.
pub fn check_folder(out: &Path) -> Result<(), ReportError> {
    Target::open(out).map(|_| ())
}

/// A folder that may be written or replaced.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    out: PathBuf,
    parent: PathBuf,
    name: OsString,
}

impl Target {
    /// Resolves and checks the path that the user gave. Changes nothing.
    pub(crate) fn open(out: &Path) -> Result<Self, ReportError> {
        let resolved = match fs::metadata(out) {
            Ok(found) if found.is_dir() => {
                fs::canonicalize(out).map_err(|fault| storage("open", out, fault))?
            }
            Ok(_) => return Err(ReportError::NotAFolder { path: out.to_owned() }),
            // A link to nowhere is no free place.
            Err(_) if fs::symlink_metadata(out).is_ok() => {
                return Err(ReportError::NotAFolder { path: out.to_owned() });
            }
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => out.to_owned(),
            Err(fault) => return Err(storage("open", out, fault)),
        };
        let (Some(name), Some(parent)) = (resolved.file_name(), resolved.parent()) else {
            return Err(ReportError::NoName { path: out.to_owned() });
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let target =
            Self { name: name.to_owned(), parent: parent.to_owned(), out: resolved.clone() };
        target.check()?;
        Ok(target)
    }

    /// Lets `write` fill a new folder, and puts it in place of the old one. Returns warnings.
    pub(crate) fn fill(
        &self,
        write: impl FnOnce(&Path) -> Result<(), ReportError>,
    ) -> Result<Vec<String>, ReportError> {
        fs::create_dir_all(&self.parent).map_err(|fault| storage("create", &self.parent, fault))?;
        self.tidy();
        let partial = Partial(self.beside("partial", std::process::id()));
        fs::create_dir(&partial.0).map_err(|fault| storage("create", &partial.0, fault))?;
        write(&partial.0)?;
        // Much may have happened since the folder was checked first.
        self.check()?;
        self.put_in_place(&partial.0, &exchange, &|from, to| fs::rename(from, to))
    }

    fn beside(&self, word: &str, process: u32) -> PathBuf {
        let mut name = self.name.clone();
        name.push(format!(".{word}-{process}"));
        self.parent.join(name)
    }

    fn check(&self) -> Result<(), ReportError> {
        match first_foreign(&self.out) {
            Ok(None) => Ok(()),
            Ok(Some(file)) => Err(ReportError::ForeignFile { out: self.out.clone(), file }),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(fault) => Err(storage("read", &self.out, fault)),
        }
    }

    fn put_in_place(
        &self,
        partial: &Path,
        exchange: &Rename<'_>,
        rename: &Rename<'_>,
    ) -> Result<Vec<String>, ReportError> {
        if !self.out.exists() {
            rename(partial, &self.out).map_err(|fault| storage("create", &self.out, fault))?;
            return Ok(Vec::new());
        }
        if exchange(partial, &self.out).is_ok() {
            return Ok(remove_old(partial));
        }
        let old = self.beside("old", std::process::id());
        rename(&self.out, &old).map_err(|fault| storage("replace", &self.out, fault))?;
        if let Err(fault) = rename(partial, &self.out) {
            // The report that stood there is worth more than the reason it could not come back.
            let _ = rename(&old, &self.out);
            return Err(storage("replace", &self.out, fault));
        }
        Ok(remove_old(&old))
    }

    /// Removes what dead processes left beside the folder, and puts back a report that one of
    /// them had moved away. What cannot be removed is no reason to stop.
    fn tidy(&self) {
        let Ok(entries) = fs::read_dir(&self.parent) else { return };
        let mut names: Vec<OsString> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names {
            let path = self.parent.join(&name);
            if self.is_left_over(&name, "partial") && (looks_partial(&path) || is_report(&path)) {
                let _ = fs::remove_dir_all(&path);
            } else if self.is_left_over(&name, "old") && is_report(&path) {
                if self.out.exists() {
                    remove_old(&path);
                } else {
                    let _ = fs::rename(&path, &self.out);
                }
            }
        }
    }

    fn is_left_over(&self, name: &OsStr, word: &str) -> bool {
        let (Some(name), Some(own)) = (name.to_str(), self.name.to_str()) else { return false };
        let process = name.strip_prefix(own).and_then(|rest| rest.strip_prefix('.'));
        let process = process.and_then(|rest| rest.strip_prefix(word)?.strip_prefix('-'));
        process
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .is_some_and(is_dead)
    }
}

type Rename<'a> = dyn Fn(&Path, &Path) -> io::Result<()> + 'a;

/// Goes away with everything in it unless it was renamed.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // After success the path holds nothing, or what could not be removed.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Exchanges two folders in one step, so that there is no moment without a report.
#[cfg(target_os = "linux")]
fn exchange(new: &Path, old: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn exchange(_new: &Path, _old: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Says whether a process is gone. A process with our own number died before us.
fn is_dead(process: u32) -> bool {
    let known = cfg!(target_os = "linux");
    process == std::process::id() || (known && !Path::new(&format!("/proc/{process}")).exists())
}

fn remove_old(old: &Path) -> Vec<String> {
    let removed = fs::read_dir(old).and_then(|entries| {
        // The manifest goes last: as long as anything is left, it says whose it is.
        for entry in entries {
            let entry = entry?;
            if entry.file_name() == manifest::FILE {
                continue;
            }
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        fs::remove_dir_all(old)
    });
    match removed {
        Ok(()) => Vec::new(),
        Err(fault) => vec![format!("cannot remove the older report {}: {fault}", old.display())],
    }
}

/// Finds what in a folder belongs to no report of convscope's, in the order of names.
fn first_foreign(folder: &Path) -> io::Result<Option<PathBuf>> {
    let listed = fs::read_to_string(folder.join(manifest::FILE))
        .ok()
        .and_then(|text| manifest::files(&text))
        .unwrap_or_default();
    walk(folder, Path::new(""), &listed)
}

fn walk(folder: &Path, below: &Path, listed: &[String]) -> io::Result<Option<PathBuf>> {
    let entries = fs::read_dir(folder.join(below))?;
    let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if !listed.iter().any(|file| Path::new(file).starts_with(&path)) {
                return Ok(Some(path));
            }
            if let Some(foreign) = walk(folder, &path, listed)? {
                return Ok(Some(foreign));
            }
        } else if !listed.iter().any(|file| Path::new(file) == path) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn is_report(folder: &Path) -> bool {
    let text = fs::read_to_string(folder.join(manifest::FILE)).ok();
    text.and_then(|text| manifest::files(&text)).is_some()
        && matches!(first_foreign(folder), Ok(None))
}

fn looks_partial(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| {
        entries.all(|entry| {
            entry.is_ok_and(|entry| PARTS.iter().any(|part| entry.file_name() == *part))
        })
    })
}

fn storage(action: &'static str, path: &Path, source: io::Error) -> ReportError {
    ReportError::Storage { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(_: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// An older report in `report`, a newer one in `report.partial-1`.
    fn two() -> (tempfile::TempDir, Target, PathBuf) {
        let scratch = tempfile::tempdir().unwrap();
        let out = scratch.path().join("report");
        let partial = scratch.path().join("report.partial-1");
        for (folder, text) in [(&out, "old"), (&partial, "new")] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("report.html"), text).unwrap();
            let listed = "{\"convscope\": \"0\", \"files\": [\"report.html\", \"manifest.json\"]}";
            fs::write(folder.join(manifest::FILE), listed).unwrap();
        }
        let target = Target::open(&out).unwrap();
        (scratch, target, partial)
    }

    fn page(target: &Target) -> String {
        fs::read_to_string(target.out.join("report.html")).unwrap()
    }

    fn count(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn where_folders_cannot_be_exchanged_they_are_renamed_one_after_the_other() {
        let (scratch, target, partial) = two();
        let warnings = target.put_in_place(&partial, &refuse, &|a, b| fs::rename(a, b)).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(page(&target), "new");
        assert_eq!(count(scratch.path()), 1);
    }

    #[test]
    fn when_the_middle_step_fails_the_old_report_is_put_back() {
        let (_scratch, target, partial) = two();
        let rename = |from: &Path, to: &Path| {
            if from == partial { refuse(from, to) } else { fs::rename(from, to) }
        };
        let fault = target.put_in_place(&partial, &refuse, &rename).unwrap_err();
        assert!(fault.to_string().starts_with("cannot replace "), "{fault}");
        assert_eq!(page(&target), "old");
        assert!(!target.beside("old", std::process::id()).exists());
    }

    #[test]
    fn when_the_first_step_fails_the_old_report_stays() {
        let (_scratch, target, partial) = two();
        target.put_in_place(&partial, &refuse, &refuse).unwrap_err();
        assert_eq!(page(&target), "old");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn folders_are_exchanged_in_one_step() {
        let (scratch, target, partial) = two();
        target.put_in_place(&partial, &exchange, &refuse).unwrap();
        assert_eq!(page(&target), "new");
        assert_eq!(count(scratch.path()), 1);
    }

    #[test]
    fn what_fails_while_it_is_written_leaves_the_old_report() {
        let (scratch, target, partial) = two();
        fs::remove_dir_all(partial).unwrap();
        let fault = target.fill(|folder| {
            fs::write(folder.join("report.html"), "half").unwrap();
            Err(storage("write", folder, io::ErrorKind::StorageFull.into()))
        });
        assert!(fault.is_err());
        assert_eq!(page(&target), "old");
        assert_eq!(count(scratch.path()), 1);
    }

    #[test]
    fn a_foreign_file_that_appears_while_the_report_is_written_is_kept() {
        let (_scratch, target, _) = two();
        let foreign = target.out.join("notes.txt");
        let fault = target.fill(|_| {
            fs::write(&foreign, "mine").unwrap();
            Ok(())
        });
        assert!(matches!(fault, Err(ReportError::ForeignFile { .. })), "{fault:?}");
        assert_eq!(page(&target), "old");
        assert!(foreign.exists());
    }

    #[test]
    fn a_report_that_was_moved_away_comes_back_when_the_new_one_fails() {
        let (_scratch, target, _) = two();
        fs::rename(&target.out, target.beside("old", std::process::id())).unwrap();
        let fault =
            target.fill(|folder| Err(storage("write", folder, io::ErrorKind::StorageFull.into())));
        assert!(fault.is_err());
        assert_eq!(page(&target), "old");
    }
}
