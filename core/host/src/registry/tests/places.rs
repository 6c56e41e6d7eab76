//! Files and folders that are refused for where they are.

use super::*;

#[test]
fn a_folder_that_was_named_must_exist_and_those_of_the_environment_be_absolute() {
    let places = crate::Places {
        plugin_path: Some(std::env::join_paths(["relative", "/nowhere/else"]).unwrap()),
        executable: Some("/nowhere/at/all/convscope".into()),
        user_data: None,
    };
    let registry = Registry::discover(&Search::new(&["/nowhere/named".into()], &places));
    let failures: Vec<_> = registry
        .failures()
        .iter()
        .map(|one| format!("{} {}: {}", one.path.display(), one.reason, one.reason.help()))
        .collect();
    let expected = [
        "relative CONVSCOPE_PLUGIN_PATH may only hold absolute folders: write the folder from the \
         root on",
        "/nowhere/named there is no such folder: see whether --plugin-dir names the folder that is \
         meant",
    ];
    assert_eq!(failures, expected);
}

#[test]
fn a_folder_that_was_named_must_hold_files_called_like_plugins() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("plugin.so"), "is not looked at").unwrap();
    fs::write(folder.path().join("libconvscope_a.txt"), "nor is this").unwrap();
    let (reason, help) = refusal(&folder);
    assert_eq!(reason, "no file in it is called [lib]convscope_*.so, .dylib or .dll");
    assert!(help.contains("files of other names are not looked at"), "{help}");
    assert_eq!(discover(&folder).failures()[0].path, folder.path().canonicalize().unwrap());
}

#[test]
fn a_file_in_the_place_of_a_folder_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("libconvscope_a.so");
    fs::write(&file, "x").unwrap();
    let registry = Registry::discover(&Search::new(&[file], &crate::Places::default()));
    let reason = &registry.failures()[0].reason;
    assert!(reason.to_string().starts_with("cannot be read: Not a directory"), "{reason}");
    assert_eq!(reason.help(), "give --plugin-dir the folder in which the plugin lies");
}

#[test]
fn what_is_no_regular_file_is_never_opened() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("libconvscope_a.so")).unwrap();
    let (reason, help) = refusal(&folder);
    assert_eq!(reason, "is no regular file");
    assert_eq!(help, "put the library itself there, or a link to it");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_socket_is_no_regular_file() {
        let folder = tempfile::tempdir().unwrap();
        let _socket = UnixListener::bind(folder.path().join("libconvscope_a.so")).unwrap();
        let registry = discover(&folder);
        let reason = &registry.failures()[0].reason;
        // A socket may be world-writable, which is looked at first.
        let kinds = ["not_a_file", "world_writable"];
        assert!(kinds.contains(&reason.kind()), "{reason}");
    }

    #[test]
    fn links_that_lead_nowhere_or_in_a_circle_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("libconvscope_a.so");
        symlink(folder.path().join("libconvscope_b.so"), &link).unwrap();
        let (reason, help) = refusal(&folder);
        assert!(reason.starts_with("cannot be read: No such file or directory"), "{reason}");
        assert_eq!(help, "see where the link leads: ls -l");
        symlink(&link, folder.path().join("libconvscope_b.so")).unwrap();
        let registry = discover(&folder);
        assert_eq!(registry.failures().len(), 2, "{registry:?}");
        for failure in registry.failures() {
            let reason = failure.reason.to_string();
            assert!(reason.contains("evels of symbolic links"), "{reason}");
            assert!(failure.reason.help().contains("where it leads"), "{failure:?}");
        }
    }

    #[test]
    fn a_file_that_may_not_be_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libconvscope_a.so");
        fs::write(&path, "x").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        if fs::read(&path).is_ok() {
            // Who may read everything meets other obstacles: the first page of a process.
            fs::remove_file(&path).unwrap();
            if !cfg!(target_os = "linux") {
                eprintln!("skipped: this user may read everything");
                return;
            }
            symlink("/proc/self/mem", &path).unwrap();
        }
        let (reason, help) = refusal(&folder);
        assert!(reason.starts_with("cannot be read: "), "{reason}");
        assert!(help.contains("who may read it"), "{help}");
    }

    #[test]
    fn files_and_folders_that_anyone_may_write_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libconvscope_a.so");
        fs::write(&path, "never looked at").unwrap();
        for (place, mode) in [(path.as_path(), 0o666), (folder.path(), 0o777)] {
            let before = place.metadata().unwrap().permissions();
            fs::set_permissions(place, fs::Permissions::from_mode(mode)).unwrap();
            let place = place.canonicalize().unwrap();
            let (reason, help) = refusal(&folder);
            assert_eq!(reason, format!("{} is writable by everyone", place.display()));
            let expected = format!("take that right away: chmod o-w {}", place.display());
            assert_eq!(help, expected);
            fs::set_permissions(place, before).unwrap();
        }
    }
}

#[test]
fn plugins_of_the_environment_are_found_but_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_) = plugin(&folder, "a", "") else { return };
    let places = crate::Places {
        plugin_path: Some(folder.path().as_os_str().to_owned()),
        ..crate::Places::default()
    };
    let registry = Registry::discover(&Search::new(&[], &places));
    assert!(registry.plugins().is_empty());
    let refused = &registry.failures()[0];
    assert!(refused.reason.to_string().starts_with("is not trusted"));
    assert_eq!((refused.origin, refused.trust()), (Origin::Environment, Trust::Missing));
    let bytes = fs::read(folder.path().join("libconvscope_a.so")).unwrap();
    assert_eq!(refused.hash.as_deref(), Some(blake3::hash(&bytes).to_hex().as_str()));
}
