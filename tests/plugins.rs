//! Plugins of others: trusted, refused and listed by the whole program.

use std::path::{Path, PathBuf};
use std::process::Command as Process;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    assert_says, convscope, convscope_with, folder, json_of, refusal, root, written,
};

/// A user with a data folder of their own, and plugins in a folder of `CONVSCOPE_PLUGIN_PATH`.
struct User {
    data: TempDir,
    plugins: TempDir,
}

impl User {
    fn new() -> Self {
        Self { data: folder(), plugins: folder() }
    }

    /// The program as this user starts it.
    fn convscope(&self, arguments: &[&str]) -> Command {
        let mut command = convscope();
        self.starts(&mut command).args(arguments);
        command
    }

    /// Lets this user start a command.
    fn starts<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        for variable in ["APPDATA", "HOME", "XDG_DATA_HOME"] {
            command.env(variable, self.data.path());
        }
        command.env("CONVSCOPE_PLUGIN_PATH", self.plugins.path())
    }

    /// The row of the list that is about a file.
    fn row(&self, file: &Path) -> Value {
        let list = json_of(&mut self.convscope(&["plugins", "list"]));
        let rows = list["plugins"].as_array().unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let is_its = |row: &&Value| row["file"].as_str().unwrap().ends_with(name);
        rows.iter().find(is_its).unwrap_or_else(|| panic!("{name}: {list:#}")).clone()
    }

    /// What a command that must succeed prints.
    fn printed(&self, arguments: &[&str]) -> String {
        let output = self.convscope(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Compiles the plugin with which the host is tested; `None`, said aloud, where there is no
/// compiler.
fn compiled(folder: &Path, name: &str, definitions: &[&str]) -> Option<PathBuf> {
    let library = folder.join(format!("libconvscope_{name}.so"));
    let outcome = Process::new("cc")
        .args(["-std=c11", "-shared", "-fPIC", "-I"])
        .arg(root().join("core/abi/include"))
        .args(definitions.iter().map(|definition| format!("-D{definition}")))
        .arg(root().join("core/host/src/testing/plugin.c"))
        .arg("-o")
        .arg(&library)
        .output();
    match outcome {
        Ok(output) => {
            assert!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
            Some(library)
        }
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "no C compiler: {error}");
            eprintln!("skipped: no C compiler ({error})");
            None
        }
    }
}

#[test]
fn a_plugin_is_trusted_changed_trusted_anew_and_no_longer_trusted() {
    let user = User::new();
    let Some(file) = compiled(user.plugins.path(), "mine", &[]) else { return };
    let path = file.to_str().unwrap();
    let row = user.row(&file);
    assert_eq!((&row["state"], &row["trust"]), (&"refused".into(), &"missing".into()));
    assert_says(
        &refusal(&mut user.convscope(&["plugins", "describe", "look"]), 1),
        &[
            "libconvscope_mine.so: is not trusted: a plugin has all of your rights",
            "= help: if you know where it comes from, run `convscope plugins trust FILE`",
            "error: there is no plugin or analysis `look`",
        ],
    );

    let first = row["hash"].as_str().unwrap();
    let real = file.canonicalize().unwrap();
    let facts =
        format!("  id      org.example.test\n  file    {}\n  blake3  {first}\n", real.display());
    let rights = "A plugin has all of your rights: it can do whatever you can.\n";
    let said = user.printed(&["plugins", "trust", path]);
    assert_eq!(said, format!("trusted from now on\n{facts}{rights}"));
    let row = user.row(&file);
    assert_eq!((&row["state"], &row["trust"]), (&"used".into(), &"entry".into()));
    assert_says(&user.printed(&["plugins", "describe", "look"]), &["org.example.test/look"]);
    let said = user.printed(&["plugins", "trust", path]);
    assert_eq!(said, format!("already trusted, nothing was changed\n{facts}{rights}"));

    compiled(user.plugins.path(), "mine", &["ANALYSIS=\"see\""]).unwrap();
    let row = user.row(&file);
    assert_eq!((&row["state"], &row["trust"]), (&"refused".into(), &"changed".into()));
    let expected = "was trusted as org.example.test, but the file has changed since";
    assert_eq!(row["reason"], expected);
    let said = user.printed(&["plugins", "trust", path]).replace('\n', " ");
    assert_says(&said, &["instead of what was there before: org.example.test, blake3", first]);
    assert_eq!(user.row(&file)["analyses"], serde_json::json!(["see"]));

    let said = user.printed(&["plugins", "untrust", "org.example.test"]);
    assert_says(&said, &["no longer trusted\n  id      org.example.test\n  file    "]);
    assert_eq!(user.row(&file)["trust"], "missing");
    let words = refusal(&mut user.convscope(&["plugins", "untrust", path]), 1);
    assert_says(&words, &["libconvscope_mine.so` is not trusted anyway", "nothing is trusted by"]);
}

#[test]
fn trust_is_told_to_programs_too() {
    let user = User::new();
    let Some(file) = compiled(user.plugins.path(), "mine", &[]) else { return };
    let path = file.to_str().unwrap();
    let trusted = json_of(&mut user.convscope(&["plugins", "trust", path]));
    assert_eq!((&trusted["state"], &trusted["is_searched"]), (&"trusted".into(), &true.into()));
    assert_eq!(trusted["plugin"]["id"], "org.example.test");
    assert_eq!(trusted["plugin"]["blake3"], user.row(&file)["hash"]);
    let again = json_of(&mut user.convscope(&["plugins", "trust", path]));
    assert_eq!(again["state"], "unchanged");
    compiled(user.plugins.path(), "mine", &["ID=\"org.example.other\""]).unwrap();
    let replaced = json_of(&mut user.convscope(&["plugins", "trust", path]));
    assert_eq!(replaced["state"], "replaced");
    assert_eq!(replaced["before"], trusted["plugin"]);
    let removed = json_of(&mut user.convscope(&["plugins", "untrust", path]));
    assert_eq!(removed["plugins"], serde_json::json!([replaced["plugin"]]));
    let output = user.convscope(&["plugins", "untrust", path, "--json"]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(answer["error"]["kind"], "unknown_plugin");
}

#[test]
fn a_file_that_lies_where_nobody_looks_is_trusted_and_that_is_said() {
    let (user, elsewhere) = (User::new(), folder());
    let Some(file) = compiled(elsewhere.path(), "mine", &[]) else { return };
    let said = user.printed(&["plugins", "trust", file.to_str().unwrap()]);
    assert_says(&said, &["trusted from now on", "not looked for where it is, or under its name"]);
}

#[test]
fn only_what_could_be_used_is_trusted() {
    let user = User::new();
    let broken = written(user.plugins.path(), "libconvscope_broken.so", b"no library");
    let words = refusal(user.convscope(&["plugins", "trust"]).arg(&broken), 1);
    let expected = format!(
        "error: {}: is no shared library\n  \
         = help: see whether it is the right file: a plugin is a shared library\n",
        broken.display()
    );
    assert_eq!(words, expected);
}

#[test]
fn a_broken_trust_file_stops_only_what_needs_it() {
    let user = User::new();
    let Some(file) = compiled(user.plugins.path(), "mine", &[]) else { return };
    let path = file.to_str().unwrap();
    let trusted = json_of(&mut user.convscope(&["plugins", "trust", path]));
    let trust_file = PathBuf::from(trusted["trust_file"].as_str().unwrap());
    let broken = std::fs::read_to_string(&trust_file).unwrap() + "what is this\n";
    std::fs::write(&trust_file, &broken).unwrap();
    for command in ["trust", "untrust"] {
        compiled(user.plugins.path(), "mine", &["ANALYSIS=\"see\""]).unwrap();
        let words = refusal(&mut user.convscope(&["plugins", command, path]), 1);
        assert_says(&words, &["trusted-plugins.jsonl, line 2: is no entry of a trusted plugin"]);
        assert_says(&words, &["= help: mend or delete that line; nothing was changed"]);
        assert_eq!(std::fs::read_to_string(&trust_file).unwrap(), broken);
    }
    assert_says(user.row(&file)["reason"].as_str().unwrap(), &["nothing says whether", "line 2"]);
    let list = user.printed(&["plugins", "list"]);
    assert_says(&list, &["org.convscope.deconvnet"]);
}

#[test]
fn the_list_fits_a_terminal_with_every_broken_file_in_it() {
    let (user, named) = (User::new(), folder());
    let deep = named.path().join("a-folder-whose-name-is-longer-than-any-terminal/".repeat(2));
    std::fs::create_dir_all(&deep).unwrap();
    written(&deep, "libconvscope_with_a_name_that_no_column_holds.so", b"");
    written(&deep, "libconvscope_windows.dll", b"MZ and more of it");
    written(user.plugins.path(), "libconvscope_unknown.so", b"nobody knows");
    let mut command = convscope_with(&deep);
    let output = user.starts(&mut command).args(["plugins", "list"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    let heading = lines.next().unwrap();
    let columns: Vec<&str> = heading.split_whitespace().collect();
    assert_eq!(columns, ["plugin", "version", "interface", "from", "trust", "state"]);
    for line in lines.filter(|line| !line.trim_start().starts_with('/')) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let deep = deep.canonicalize().unwrap();
    assert_says(
        &text,
        &[
            "  deconvolution, guided_backprop, saliency\n",
            &format!("\n  {}\n", deep.join("libconvscope_windows.dll").display()),
            "  the file is empty\n  = help: copy it again: it did not arrive whole\n",
            "  is made for Windows, this is ",
            "  = help: get it, or build it, for ",
            "  is not trusted: a plugin has all of your rights\n",
        ],
    );
    // Beside the program may lie what an earlier build put there.
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.ends_with("  not used") && !line.contains(" installation "))
        .collect();
    assert_eq!(rows.len(), 3, "{text}");
    let cells: Vec<&str> = rows[2].split_whitespace().collect();
    assert_eq!(cells, ["libconvscope_unknown.so", "-", "-", "environment", "no", "not", "used"]);
}

#[test]
fn every_row_of_the_list_has_the_same_facts_for_programs() {
    let place = folder();
    written(place.path(), "libconvscope_broken.so", b"no library");
    let newer = compiled(place.path(), "newer", &["MINOR=99"]);
    let list = json_of(convscope_with(place.path()).args(["plugins", "list"]));
    let rows = list["plugins"].as_array().unwrap();
    for row in rows {
        for key in ["state", "id", "version", "interface", "analyses", "origin", "trust", "file"] {
            assert!(row.get(key).is_some(), "{key}: {row:#}");
        }
        assert_eq!(row["hash"].as_str().unwrap().len(), 64, "{row:#}");
        let is_used = row["state"] == "used";
        assert_eq!(row["reason"].is_string() && row["help"].is_string(), !is_used, "{row:#}");
    }
    let named = |name: &str| rows.iter().find(|row| row["id"] == name).unwrap();
    let deconvnet = named("org.convscope.deconvnet");
    assert_eq!(deconvnet["analyses"], serde_json::json!(["deconvnet"]));
    assert_eq!(deconvnet["interface"], "0.1");
    if let Some(newer) = newer {
        let is_newer = |row: &&Value| row["kind"] == "newer_minor";
        let row = rows.iter().find(is_newer).unwrap();
        assert_eq!(row["interface"], "0.99");
        assert_eq!(row["help"], "use a newer convscope");
        let file = newer.canonicalize().unwrap();
        assert_eq!(row["file"], file.to_str().unwrap());
    }
}

#[test]
fn a_folder_without_plugins_says_what_was_looked_for() {
    let place = folder();
    written(place.path(), "plugin.so", b"of another name");
    let mut command = convscope_with(place.path());
    let output = command.args(["plugins", "describe", "deconvnet"]).output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{words}");
    let expected = format!(
        "warning: plugin {}: no file in it is called [lib]convscope_*.so, .dylib or .dll\n  \
         = help: give --plugin-dir the folder that holds the plugins; files of other names are \
         not looked at\n",
        place.path().canonicalize().unwrap().display()
    );
    assert_eq!(words, expected);
}

#[test]
fn words_of_the_script_language_are_no_names_of_analyses() {
    let place = folder();
    let Some(_) = compiled(place.path(), "loops", &["ANALYSIS=\"loop\""]) else { return };
    let list = json_of(convscope_with(place.path()).args(["plugins", "list"]));
    let rows = list["plugins"].as_array().unwrap();
    let row = rows.iter().find(|row| row["kind"] == "reserved_name").unwrap();
    assert_eq!(row["reason"], "its analysis `loop` is called like a word of the script language");
}

#[test]
fn an_analysis_of_two_plugins_needs_its_full_name() {
    let place = folder();
    let Some(_) = compiled(place.path(), "one", &["ID=\"org.one\""]) else { return };
    compiled(place.path(), "two", &["ID=\"org.two\""]);
    let describe = |name: &str| {
        let mut command = convscope_with(place.path());
        command.args(["plugins", "describe", name]);
        command
    };
    let words = refusal(&mut describe("look"), 1);
    let expected = "error: `look` is offered by org.one/look and org.two/look\n  \
                    = help: write the full name\n";
    assert_eq!(words, expected);
    let described = json_of(&mut describe("org.two/look"));
    assert_eq!(described["analysis"]["id"], "look");
}

#[test]
fn plugins_are_described_by_id_and_by_its_last_word() {
    for name in ["org.convscope.gradients", "gradients"] {
        let described = json_of(convscope().args(["plugins", "describe", name]));
        assert_eq!(described["plugin"]["id"], "org.convscope.gradients");
    }
    let words = refusal(convscope().args(["plugins", "describe", "org.convscope.gradient"]), 1);
    let expected = "error: there is no plugin or analysis `org.convscope.gradient`\n  \
                    = help: did you mean `org.convscope.gradients`";
    assert_says(&words, &[expected]);
    let words = refusal(convscope().args(["plugins", "describe", "nothing-like-it"]), 1);
    assert_says(&words, &["= help: see `convscope plugins list`"]);
}
