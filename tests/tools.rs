//! What the program writes for other tools: definitions for editors, completions for shells.

use std::io::Write as _;
use std::process::{Command as Process, Stdio};

use crate::support::{convscope, folder, json_of, refusal};

/// The shells, with a line that each completion script holds.
const SHELLS: [(&str, &str); 5] = [
    ("bash", "complete -F _convscope"),
    ("elvish", "set edit:completion:arg-completer[convscope]"),
    ("fish", "complete -c convscope"),
    ("powershell", "Register-ArgumentCompleter -Native -CommandName 'convscope'"),
    ("zsh", "#compdef convscope"),
];

#[test]
fn definitions_name_every_analysis_with_its_comment() {
    let place = folder();
    let out = place.path().join("editor");

    let written = json_of(convscope().arg("definitions").arg("--out").arg(&out));

    let files = written["files"].as_array().unwrap().iter();
    let read = |file: &serde_json::Value| std::fs::read_to_string(file.as_str().unwrap()).unwrap();
    let text: String = files.map(read).collect();
    let plugins = json_of(convscope().args(["plugins", "list"]));
    let plugins = plugins["plugins"].as_array().unwrap().iter();
    let analyses: Vec<(&str, &str)> = plugins
        .flat_map(|plugin| {
            let analyses = plugin["analyses"].as_array().unwrap().iter();
            analyses.map(|id| (plugin["id"].as_str().unwrap(), id.as_str().unwrap()))
        })
        .collect();
    assert!(analyses.len() >= 4, "{analyses:?}");
    for (plugin, id) in analyses {
        let comment =
            format!("/// Offered by `{plugin}/{id}`.\nfn {id}(model: Model, parameters: map)");
        assert!(text.contains(&comment), "{comment}");
        assert!(text.contains(&format!("/// `model.{id}(#{{ images")), "{id}");
    }
    assert!(text.contains("/// * `top = 9`: How many of the strongest activations"));
}

#[test]
fn definitions_that_cannot_be_written_are_said_so() {
    let place = folder();
    let file = place.path().join("taken");
    std::fs::write(&file, "mine").unwrap();

    let words = refusal(convscope().arg("definitions").arg("--out").arg(&file), 1);

    assert!(words.starts_with("error: cannot write ") && words.contains("taken: "), "{words}");
}

#[test]
fn every_shell_gets_its_completions() {
    for (shell, line) in SHELLS {
        let output = convscope().args(["completions", shell]).output().unwrap();
        assert!(output.status.success());
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains(line), "{shell}");
        assert!(script.contains("definitions") && script.contains("max-operations"), "{shell}");
    }
    let words = refusal(convscope().args(["completions", "tcsh"]), 2);
    assert!(words.contains("bash, elvish, fish, powershell, zsh"), "{words}");
}

#[test]
fn bash_accepts_its_completions() {
    let script = convscope().args(["completions", "bash"]).output().unwrap().stdout;
    let mut bash = Process::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(&script).unwrap();

    assert!(bash.wait().unwrap().success());
}
