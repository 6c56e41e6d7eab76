use tempfile::TempDir;

use super::*;
use crate::testing::{PLUGIN, compile};
use crate::{Places, Registry, Trust};

/// A user's data folder, and a plugin that lies elsewhere.
struct Home {
    data: TempDir,
    plugins: TempDir,
}

impl Home {
    fn new() -> Self {
        Self { data: tempfile::tempdir().unwrap(), plugins: tempfile::tempdir().unwrap() }
    }

    /// Compiles a plugin with this id, in the place of one that was there.
    fn plugin(&self, id: &str) -> Option<PathBuf> {
        compile(self.plugins.path(), "a", &format!("#define ID \"{id}\"\n{PLUGIN}"))
    }

    fn search(&self) -> Search {
        let places = Places {
            plugin_path: Some(self.plugins.path().as_os_str().to_owned()),
            executable: None,
            user_data: Some(self.data.path().to_owned()),
        };
        Search::new(&[], &places)
    }

    fn file(&self) -> TrustFile {
        self.search().trust_file().unwrap().clone()
    }

    fn trust(&self, path: &Path) -> Result<Trusting, TrustError> {
        self.file().trust(path, &self.search())
    }

    /// The one reason for which the plugin is refused: its kind, itself, and what to do.
    fn refusal(&self) -> (&'static str, String, String) {
        let registry = Registry::discover(&self.search());
        assert!(registry.plugins().is_empty(), "{registry:?}");
        let [failure] = registry.failures() else { panic!("{registry:?}") };
        (failure.reason.kind(), failure.reason.to_string(), failure.reason.help())
    }

    fn write(&self, text: &str) {
        let file = self.file();
        private_folder(file.folder()).unwrap();
        fs::write(file.path(), text).unwrap();
    }
}

fn entry(id: &str) -> TrustEntry {
    let blake3 = blake3::hash(id.as_bytes()).to_hex().to_string();
    TrustEntry { blake3, id: id.to_owned(), path: format!("/nowhere/{id}.so") }
}

fn line(entry: &TrustEntry) -> String {
    serde_json::to_string(entry).unwrap() + "\n"
}

#[test]
fn a_plugin_runs_once_it_is_trusted_and_no_longer_when_trust_is_taken_back() {
    let home = Home::new();
    let Some(path) = home.plugin("org.example.one") else { return };
    assert_eq!(home.refusal().0, "not_trusted");
    let trusting = home.trust(&path).unwrap();
    assert_eq!(trusting.before, Before::Nothing);
    let entry = trusting.entry;
    assert_eq!(entry.id, "org.example.one");
    assert_eq!(entry.blake3, blake3::hash(&fs::read(&path).unwrap()).to_hex().as_str());
    assert_eq!(entry.path, path.canonicalize().unwrap().to_string_lossy());

    let registry = Registry::discover(&home.search());
    assert_eq!(registry.plugins()[0].trust(), Trust::Entry);
    assert_eq!(home.trust(&path).unwrap().before, Before::Same);

    for name in ["org.example.one", path.to_str().unwrap()] {
        home.trust(&path).unwrap();
        assert_eq!(home.file().untrust(name).unwrap(), std::slice::from_ref(&entry));
        assert_eq!(home.refusal().0, "not_trusted");
    }
}

#[test]
fn a_changed_file_needs_trust_anew() {
    let home = Home::new();
    let Some(path) = home.plugin("org.example.one") else { return };
    let first = home.trust(&path).unwrap().entry;
    home.plugin("org.example.two");
    let (kind, said, help) = home.refusal();
    assert_eq!(kind, "changed");
    assert_eq!(said, "was trusted as org.example.one, but the file has changed since");
    assert!(help.contains("run `convscope plugins trust FILE` again"), "{help}");
    let trusting = home.trust(&path).unwrap();
    assert_eq!(trusting.before, Before::Other(first));
    assert_eq!(home.file().read().unwrap().entries(), [trusting.entry]);
    assert_eq!(Registry::discover(&home.search()).plugins().len(), 1);
}

#[test]
fn a_copy_of_a_trusted_file_is_trusted_and_loses_trust_with_it() {
    let home = Home::new();
    let Some(path) = home.plugin("org.example.one") else { return };
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("convscope_copy.so");
    fs::copy(&path, &copy).unwrap();
    home.trust(&copy).unwrap();
    assert_eq!(Registry::discover(&home.search()).plugins().len(), 1);
    home.file().untrust(path.to_str().unwrap()).unwrap();
    assert_eq!(home.refusal().0, "not_trusted");
}

#[test]
fn what_would_be_refused_anyway_is_not_trusted() {
    let home = Home::new();
    let broken = home.plugins.path().join("libconvscope_broken.so");
    fs::write(&broken, "no library").unwrap();
    let error = home.trust(&broken).unwrap_err();
    assert_eq!(error.kind(), "plugin_refused");
    assert_eq!(error.to_string(), format!("{}: is no shared library", broken.display()));
    assert_eq!(error.help(), Refusal::NotALibrary.help());
    let error = home.trust(&home.plugins.path().join("nothing.so")).unwrap_err();
    assert!(error.to_string().contains("nothing.so: cannot be read: No such file"), "{error}");
    if let Some(path) = compile(home.plugins.path(), "b", &format!("#define MAGIC 7\n{PLUGIN}")) {
        let error = home.trust(&path).unwrap_err();
        assert!(error.to_string().contains("convscope's magic number"), "{error}");
    }
    assert!(!home.file().path().exists(), "nothing was written");
}

#[test]
fn trust_that_was_never_given_cannot_be_taken_back() {
    let home = Home::new();
    let error = home.file().untrust("org.example.one").unwrap_err();
    assert_eq!(error.to_string(), "`org.example.one` is not trusted anyway");
    assert_eq!(error.help(), "nothing is trusted by an entry");
    home.write(&(line(&entry("org.example.one")) + &line(&entry("net.other"))));
    let error = home.file().untrust("org.exmaple.one").unwrap_err();
    assert_eq!(error.kind(), "unknown_plugin");
    assert_eq!(error.help(), "did you mean `org.example.one`?");
    let expected = "trusted are\n  org.example.one (/nowhere/org.example.one.so)\n  \
                    net.other (/nowhere/net.other.so)";
    assert_eq!(home.file().untrust("what").unwrap_err().help(), expected);
    // A file that is gone is known by its path.
    assert_eq!(home.file().untrust("/nowhere/net.other.so").unwrap(), [entry("net.other")]);
    assert_eq!(home.file().read().unwrap().entries(), [entry("org.example.one")]);
}

#[test]
fn a_broken_trust_file_is_named_with_its_line_and_left_as_it_is() {
    let home = Home::new();
    let good = line(&entry("org.example.one"));
    let short = good.replace(&entry("org.example.one").blake3, "abc");
    for (text, expected) in [
        (format!("{good}{{\"blake3\": 3}}\n"), "line 2: is no entry of a trusted plugin: "),
        (format!("{good}\n\n{short}"), "line 4: `abc` is no blake3 hash in hex"),
        (
            good.replace("\"id\"", "\"di\""),
            "line 1: is no entry of a trusted plugin: unknown field",
        ),
    ] {
        home.write(&text);
        let error = home.file().untrust("org.example.one").unwrap_err();
        assert_eq!(error.kind(), "trust_file");
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.help(), "mend or delete that line; nothing was changed");
        assert_eq!(fs::read_to_string(home.file().path()).unwrap(), text);
        let Some(path) = home.plugin("org.example.one") else { return };
        assert!(matches!(home.trust(&path), Err(TrustError::Broken { .. })));
        let (_, said, help) = home.refusal();
        assert!(said.starts_with("nothing says whether it is trusted: "), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(help.contains("mend the trust file"), "{help}");
        assert_eq!(fs::read_to_string(home.file().path()).unwrap(), text);
    }
    home.write("\u{ff}");
    fs::write(home.file().path(), b"\xff\xfe\n").unwrap();
    assert!(matches!(home.file().read(), Err(TrustError::Broken { line: 1, .. })));
}

#[test]
fn a_trust_file_that_is_no_file_is_not_read() {
    let home = Home::new();
    fs::create_dir_all(home.file().path()).unwrap();
    let error = home.file().untrust("x").unwrap_err();
    assert!(error.to_string().ends_with("it is no regular file"), "{error}");
    assert_eq!(error.help(), "see who may read it, and what it is: ls -l");
}

#[test]
fn two_programs_do_not_write_at_once() {
    let home = Home::new();
    let text = line(&entry("org.example.one"));
    home.write(&text);
    let draft = Draft::open(&home.file().clone()).err();
    assert!(draft.is_none(), "a draft that is not finished goes: {draft:?}");
    let file = home.file();
    let draft = Draft::open(&file).unwrap();
    let error = file.untrust("org.example.one").unwrap_err();
    assert!(error.to_string().starts_with("another convscope is writing"), "{error}");
    assert!(
        error.help().ends_with(&format!("delete {}", draft.path.display())),
        "{}",
        error.help()
    );
    assert_eq!(fs::read_to_string(file.path()).unwrap(), text);
    drop(draft);
    file.untrust("org.example.one").unwrap();
    assert_eq!(file.folder().read_dir().unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let home = Home::new();
    let Some(path) = home.plugin("org.example.one") else { return };
    fs::write(home.data.path().join("convscope"), "a file in its place").unwrap();
    let error = home.trust(&path).unwrap_err();
    assert_eq!(error.kind(), "trust_file");
    assert!(error.to_string().contains("the trust file"), "{error}");
}

#[test]
fn without_a_data_folder_there_is_a_way_out() {
    let error = TrustError::NoFolder;
    assert_eq!(error.kind(), "no_data_folder");
    let expected = "there is no place for the trust file: the user's data folder is not known";
    assert_eq!(error.to_string(), expected);
    assert!(error.help().ends_with("to an absolute folder"), "{}", error.help());
}

#[cfg(unix)]
#[test]
fn a_trust_file_that_anyone_could_have_written_is_not_used() {
    use std::os::unix::fs::PermissionsExt;

    let home = Home::new();
    let Some(path) = home.plugin("org.example.one") else { return };
    home.trust(&path).unwrap();
    let file = home.file();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(file.path()), mode(file.folder())), (0o600, 0o700));
    for place in [file.path(), file.folder()] {
        let before = mode(place);
        fs::set_permissions(place, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(home.refusal().0, "trust_file");
        let error = file.untrust("org.example.one").unwrap_err();
        let expected = format!("{} is writable by everyone", place.display());
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(error.help().contains("chmod o-w"), "{}", error.help());
        fs::set_permissions(place, fs::Permissions::from_mode(before)).unwrap();
    }
    assert_eq!(Registry::discover(&home.search()).plugins().len(), 1);
}
