//! Which plugins may run at all: they have all of the user's rights.

use std::path::Path;

use crate::refusal::Refusal;
use crate::search::Origin;

/// Refuses files that nobody has vouched for or that anyone could have changed. Returns warnings.
///
/// The installation and folders named for this run are trusted. Those of the environment and of
/// the user's data folder are not by themselves: other programs can write there.
///
/// `path` is the file itself, `folder` where it was found, which may hold only a link to it.
pub(crate) fn check(path: &Path, folder: &Path, origin: Origin) -> Result<Vec<String>, Refusal> {
    match origin {
        Origin::Explicit | Origin::Installation => {}
        Origin::Environment | Origin::User => return Err(Refusal::NotTrusted),
    }
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

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn plugins_of_the_environment_are_not_trusted() {
        for origin in [Origin::Environment, Origin::User] {
            let refusal = check(Path::new("/nowhere"), Path::new("/"), origin).unwrap_err();
            assert!(refusal.to_string().contains("not trusted"), "{refusal}");
            assert!(refusal.to_string().contains("--plugin-dir"), "{refusal}");
        }
    }

    #[test]
    fn a_world_writable_file_is_refused_but_beside_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libconvscope_a.so");
        write(&file, "x").unwrap();
        set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
        let refusal = check(&file, folder.path(), Origin::Explicit).unwrap_err();
        assert!(refusal.to_string().contains("libconvscope_a.so is writable by everyone"));
        assert_eq!(check(&file, folder.path(), Origin::Installation).unwrap().len(), 1);
    }

    #[test]
    fn a_world_writable_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libconvscope_a.so");
        write(&file, "x").unwrap();
        set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert!(check(&file, folder.path(), Origin::Explicit).unwrap().is_empty());
        set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(
            check(&file, folder.path(), Origin::Explicit),
            Err(Refusal::WorldWritable { .. })
        ));
    }

    #[test]
    fn a_link_in_a_world_writable_folder_is_refused() {
        let (safe, open) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = safe.path().join("libconvscope_a.so");
        write(&file, "x").unwrap();
        set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert!(check(&file, open.path(), Origin::Explicit).is_ok());
        set_permissions(open.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(
            check(&file, open.path(), Origin::Explicit),
            Err(Refusal::WorldWritable { .. })
        ));
    }
}
