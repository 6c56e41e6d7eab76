//! Where plugins are looked for.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use convscope_protocol::PluginDescriptor;

use crate::refusal::Refusal;
use crate::trust::TrustFile;

/// Who put a plugin where it is. Decides whether it is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A folder that the user named for this run (`--plugin-dir`).
    Explicit,
    /// A folder of `CONVSCOPE_PLUGIN_PATH`.
    Environment,
    /// Beside the program, or where an installation keeps its plugins.
    Installation,
    /// The user's data folder.
    User,
}

/// A folder in which plugins are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// The folder.
    pub path: PathBuf,
    /// Who put the plugins there.
    pub origin: Origin,
}

/// The folders in which plugins are looked for, in order, and what is looked for: the first file of
/// a plugin wins.
///
/// The current directory is never among the folders by itself.
#[derive(Clone, Debug, Default)]
pub struct Search {
    folders: Vec<Folder>,
    relative: Vec<PathBuf>,
    trust_file: Option<TrustFile>,
    is_reserved: Option<fn(&str) -> bool>,
}

/// What the environment says about places. [`Places::of_process`] asks the process.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The value of `CONVSCOPE_PLUGIN_PATH`, folders separated as in `PATH`.
    pub plugin_path: Option<std::ffi::OsString>,
    /// The program's own file.
    pub executable: Option<PathBuf>,
    /// The user's data folder.
    pub user_data: Option<PathBuf>,
}

impl Places {
    /// Reads the places from the process and its environment.
    pub fn of_process() -> Self {
        Self {
            plugin_path: std::env::var_os("CONVSCOPE_PLUGIN_PATH"),
            executable: std::env::current_exe().ok().and_then(|path| path.canonicalize().ok()),
            user_data: user_data_folder(),
        }
    }
}

impl Search {
    /// Searches `plugin_dirs` first, then the places of the process.
    pub fn standard(plugin_dirs: &[PathBuf]) -> Self {
        Self::new(plugin_dirs, &Places::of_process())
    }

    /// Searches `plugin_dirs` first, then the given places.
    pub fn new(plugin_dirs: &[PathBuf], places: &Places) -> Self {
        let mut search = Self::default();
        for path in plugin_dirs {
            search.add(path.clone(), Origin::Explicit);
        }
        for path in split(places.plugin_path.as_deref()) {
            if path.is_absolute() {
                search.add(path, Origin::Environment);
            } else {
                search.relative.push(path);
            }
        }
        if let Some(folder) = places.executable.as_deref().and_then(Path::parent) {
            search.add(folder.to_owned(), Origin::Installation);
            search.add(folder.join("../lib/convscope/plugins"), Origin::Installation);
        }
        if let Some(folder) = &places.user_data {
            let folder = folder.join("convscope");
            search.add(folder.join("plugins"), Origin::User);
            search.trust_file = Some(TrustFile::at(folder.join("trusted-plugins.jsonl")));
        }
        search
    }

    /// Refuses plugins with an analysis for whose id `is_reserved` holds, such as words of the
    /// script language.
    #[must_use]
    pub fn reserving(self, is_reserved: fn(&str) -> bool) -> Self {
        Self { is_reserved: Some(is_reserved), ..self }
    }

    /// Returns the file that says which plugins of the environment and of the user's data folder
    /// are trusted; nothing where that folder is not known.
    pub fn trust_file(&self) -> Option<&TrustFile> {
        self.trust_file.as_ref()
    }

    /// Says whether a file lies where plugins are looked for and is called as one must be.
    pub fn finds(&self, file: &Path) -> bool {
        let folder = file.parent().and_then(|folder| folder.canonicalize().ok());
        file.file_name().is_some_and(is_plugin_name)
            && self.folders.iter().any(|known| Some(&known.path) == folder.as_ref())
    }

    /// Says what speaks against a plugin because of what it calls itself.
    pub(crate) fn refuse(&self, plugin: &PluginDescriptor) -> Option<Refusal> {
        let is_reserved = self.is_reserved?;
        let named = plugin.analyses.iter().find(|analysis| is_reserved(&analysis.id))?;
        Some(Refusal::ReservedName { analysis: named.id.clone() })
    }

    /// Returns the folders in order.
    pub fn folders(&self) -> &[Folder] {
        &self.folders
    }

    /// Returns the entries of `CONVSCOPE_PLUGIN_PATH` that are not absolute and are not searched.
    pub fn relative(&self) -> &[PathBuf] {
        &self.relative
    }

    fn add(&mut self, path: PathBuf, origin: Origin) {
        // Of two names of one folder the earlier, more trusted one stays.
        let path = path.canonicalize().unwrap_or(path);
        if self.folders.iter().all(|folder| folder.path != path) {
            self.folders.push(Folder { path, origin });
        }
    }
}

impl Folder {
    /// Lists the files whose names are those of plugins, sorted by name.
    ///
    /// # Errors
    /// Fails when the folder cannot be read.
    pub(crate) fn candidates(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            if is_plugin_name(&entry.file_name()) {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    }
}

/// Says whether a file is called `[lib]convscope_*.{so,dylib,dll}`.
fn is_plugin_name(name: &OsStr) -> bool {
    let Some((stem, extension)) = name.to_str().and_then(|name| name.rsplit_once('.')) else {
        return false;
    };
    let stem = stem.strip_prefix("lib").unwrap_or(stem);
    stem.strip_prefix("convscope_").is_some_and(|rest| !rest.is_empty())
        && matches!(extension, "so" | "dylib" | "dll")
}

fn split(path: Option<&OsStr>) -> Vec<PathBuf> {
    let entries = path.map(|path| std::env::split_paths(path).collect::<Vec<_>>());
    entries.unwrap_or_default().into_iter().filter(|path| !path.as_os_str().is_empty()).collect()
}

fn user_data_folder() -> Option<PathBuf> {
    let absolute =
        |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        absolute("APPDATA")
    } else if cfg!(target_os = "macos") {
        absolute("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_named_like_plugins_are_candidates() {
        for name in ["libconvscope_a.so", "convscope_a.dll", "libconvscope_a-b.dylib"] {
            assert!(is_plugin_name(OsStr::new(name)), "{name}");
        }
        for name in ["libconvscope_.so", "convscope_a.rlib", "libother_a.so", "convscope_a", "so"] {
            assert!(!is_plugin_name(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn explicit_folders_come_first_and_relative_entries_of_the_environment_are_left_out() {
        let places = Places {
            plugin_path: Some(std::env::join_paths(["/from/environment", "relative", ""]).unwrap()),
            executable: Some("/prefix/bin/convscope".into()),
            user_data: Some("/home/me/data".into()),
        };
        let search = Search::new(&["named".into()], &places);
        let order: Vec<_> =
            search.folders().iter().map(|f| (f.path.to_str().unwrap(), f.origin)).collect();
        assert_eq!(
            order,
            [
                ("named", Origin::Explicit),
                ("/from/environment", Origin::Environment),
                ("/prefix/bin", Origin::Installation),
                ("/prefix/bin/../lib/convscope/plugins", Origin::Installation),
                ("/home/me/data/convscope/plugins", Origin::User),
            ]
        );
        assert_eq!(search.relative(), [PathBuf::from("relative")]);
    }

    #[test]
    fn a_folder_named_twice_is_searched_once() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places {
            plugin_path: Some(folder.path().join(".").into_os_string()),
            ..Places::default()
        };
        let search = Search::new(&[folder.path().to_owned()], &places);
        assert_eq!(search.folders().len(), 1);
        assert_eq!(search.folders()[0].origin, Origin::Explicit);
    }

    #[test]
    fn a_file_is_found_by_its_folder_and_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let search = Search::new(&[folder.path().to_owned()], &Places::default());
        assert!(search.finds(&folder.path().join("libconvscope_a.so")));
        assert!(!search.finds(&folder.path().join("liba.so")));
        assert!(!search.finds(Path::new("/nowhere/libconvscope_a.so")));
    }

    #[test]
    fn candidates_are_sorted() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["libconvscope_b.so", "libconvscope_a.so", "readme.txt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let folder = Folder { path: folder.path().to_owned(), origin: Origin::Explicit };
        let names: Vec<_> = folder
            .candidates()
            .unwrap()
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["libconvscope_a.so", "libconvscope_b.so"]);
    }
}
