//! Which plugins may run at all: they have all of the user's rights.

mod error;
mod file;

use std::path::Path;

pub use error::TrustError;
pub use file::{Before, TrustEntry, TrustFile, Trusted, Trusting};

use crate::refusal::Refusal;
use crate::search::Origin;

/// Why a plugin may run, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It lies in the installation, or in a folder that was named for this run.
    Place,
    /// The user has said so: the trust file names its very bytes.
    Entry,
    /// Nobody has said that it may.
    Missing,
    /// The user said so of other bytes in the same place.
    Changed,
    /// It was refused before anyone asked.
    Unknown,
}

/// Refuses files that anyone could have changed. Returns warnings.
///
/// `path` is the file itself, `folder` where it was found, which may hold only a link to it.
pub(crate) fn check_places(
    path: &Path,
    folder: &Path,
    origin: Origin,
) -> Result<Vec<String>, Refusal> {
    let mut warnings = Vec::new();
    let mut places = vec![path, folder];
    places.extend(path.parent().filter(|parent| *parent != folder));
    for place in places {
        if is_world_writable(place).map_err(Refusal::Unreadable)? {
            let refusal = Refusal::WorldWritable { path: place.to_owned() };
            // Volumes of containers and of WSL are world-writable: beside the program itself,
            // which could be exchanged just as well, a warning is enough.
            if origin != Origin::Installation {
                return Err(refusal);
            }
            warnings.push(refusal.to_string());
        }
    }
    Ok(warnings)
}

/// Refuses files that nobody has vouched for.
///
/// The installation and folders named for this run are trusted. Those of the environment and of
/// the user's data folder are not by themselves: other programs can write there.
pub(crate) fn check(
    path: &Path,
    hash: &blake3::Hash,
    origin: Origin,
    trusted: Result<&Trusted, &TrustError>,
) -> Result<Trust, Refusal> {
    match origin {
        Origin::Explicit | Origin::Installation => Ok(Trust::Place),
        Origin::Environment | Origin::User => match trusted {
            Ok(trusted) => trusted.check(path, hash).map(|()| Trust::Entry),
            Err(error) => Err(Refusal::TrustFile(error.to_string())),
        },
    }
}

#[cfg(unix)]
fn is_world_writable(path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(path.metadata()?.permissions().mode() & 0o002 != 0)
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "the same signature as on Unix")]
fn is_world_writable(_path: &Path) -> std::io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plugins_of_other_places_need_an_entry() {
        let (path, hash) = (Path::new("/nowhere/libconvscope_a.so"), blake3::hash(b"x"));
        let none = Trusted::default();
        for origin in [Origin::Explicit, Origin::Installation] {
            assert_eq!(check(path, &hash, origin, Ok(&none)).unwrap(), Trust::Place);
        }
        for origin in [Origin::Environment, Origin::User] {
            let refusal = check(path, &hash, origin, Ok(&none)).unwrap_err();
            assert_eq!(refusal.to_string(), "is not trusted: a plugin has all of your rights");
            assert!(refusal.help().contains("convscope plugins trust"), "{}", refusal.help());
        }
    }
}

#[cfg(all(test, unix))]
mod unix_tests {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_world_writable_file_is_refused_but_beside_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libconvscope_a.so");
        write(&file, "x").unwrap();
        set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
        for origin in [Origin::Explicit, Origin::Environment, Origin::User] {
            let refusal = check_places(&file, folder.path(), origin).unwrap_err();
            assert!(refusal.to_string().contains("libconvscope_a.so is writable by everyone"));
        }
        assert_eq!(check_places(&file, folder.path(), Origin::Installation).unwrap().len(), 1);
    }

    #[test]
    fn a_world_writable_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libconvscope_a.so");
        write(&file, "x").unwrap();
        set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert!(check_places(&file, folder.path(), Origin::Explicit).unwrap().is_empty());
        set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(
            check_places(&file, folder.path(), Origin::Explicit),
            Err(Refusal::WorldWritable { .. })
        ));
    }

    #[test]
    fn a_link_in_a_world_writable_folder_is_refused() {
        let (safe, open) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = safe.path().join("libconvscope_a.so");
        write(&file, "x").unwrap();
        set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert!(check_places(&file, open.path(), Origin::Explicit).is_ok());
        set_permissions(open.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(
            check_places(&file, open.path(), Origin::Explicit),
            Err(Refusal::WorldWritable { .. })
        ));
    }
}
