//! Standard output and standard error that do not take what is written, and Ctrl-C.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{await_readiness, ended, fixture, folder, interrupt, photo, squeezenet};

fn program() -> Command {
    let plugins = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("convscope"));
    command.arg("--plugin-dir").arg(plugins).arg("--no-cache");
    command
}

/// A device on which nothing fits, where the system has one.
fn full() -> Option<Stdio> {
    let file = OpenOptions::new().write(true).open("/dev/full");
    if file.is_err() {
        eprintln!("skipped: there is no /dev/full here");
    }
    file.ok().map(Stdio::from)
}

#[test]
fn a_full_standard_output_is_a_failure_that_standard_error_tells() {
    for extra in [&[][..], &["--json"]] {
        let Some(output) = full() else { return };
        let run = program().arg("inspect").arg(squeezenet()).args(extra).stdout(output).output();
        let run = run.unwrap();
        let words = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(1), "{words}");
        assert!(words.starts_with("error: cannot write the output: No space left"), "{words}");
    }
}

#[test]
fn a_failure_keeps_its_exit_code_when_nobody_can_read_it() {
    let Some(output) = full() else { return };
    let status = program().args(["inspect", "nowhere.onnx"]).stderr(output).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn the_first_lines_of_a_long_answer_are_enough() {
    let line = format!(
        "'{}' predict '{}' '{}' --top 1000 --quiet | head -1",
        assert_cmd::cargo::cargo_bin("convscope").display(),
        squeezenet().display(),
        photo("chelsea.png").display()
    );
    let output = Command::new("sh").arg("-c").arg(line).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "chelsea.png\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_terminal_sees_no_progress_of_what_is_done_at_once() {
    let inspect = format!(
        "'{}' inspect '{}'",
        assert_cmd::cargo::cargo_bin("convscope").display(),
        fixture("alexish").join("model.onnx").display()
    );
    // `script` of util-linux lends a terminal.
    let run = Command::new("script").args(["-qec", &inspect, "/dev/null"]).output();
    let Some(run) = run.ok().filter(|run| run.status.success()) else {
        eprintln!("skipped: there is no program `script` that lends a terminal");
        return;
    };
    let seen = String::from_utf8(run.stdout).unwrap();
    assert!(seen.starts_with("model.onnx\r\n"), "{seen:?}");
    assert!(!seen.contains('\u{1b}'), "{seen:?}");
}

/// Starts a long analysis, interrupts it, and returns what it says on standard output and standard
/// error.
fn interrupted(out: &Path, extra: &[&str]) -> [String; 2] {
    let mut child = program()
        .args(["analyze", "deconvnet", "--threads", "1", "--quiet", "--set", "maps=60", "--model"])
        .arg(squeezenet())
        .arg("--images")
        .arg(photo(""))
        .arg("--out")
        .arg(out)
        .args(extra)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    await_readiness(&mut child);
    interrupt(&child);
    ended(&mut child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn an_interrupted_run_says_that_nothing_was_written() {
    let place = folder();
    let out = place.path().join("out");
    let [results, words] = interrupted(&out, &[]);
    assert_eq!(results, "");
    assert_eq!(words, "error: interrupted; nothing was written\n");
    let [results, _] = interrupted(&out, &["--json"]);
    let answer: Value = serde_json::from_str(&results).unwrap();
    assert_eq!(answer["ok"], false);
    assert_eq!(answer["error"]["kind"], "cancelled");
    assert_eq!(place.path().read_dir().unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn inference_on_a_full_disk_leaves_no_part_of_a_file() {
    let place = folder();
    let out = place.path().join("out");
    // A limit on the size of files stands for a disk that is full.
    let line = format!(
        "trap '' XFSZ; ulimit -f 1; exec '{}' infer '{}' --input '{}' --capture /conv1/Conv \
         --out '{}'",
        assert_cmd::cargo::cargo_bin("convscope").display(),
        fixture("alexish").join("model.onnx").display(),
        fixture("alexish").join("input.npy").display(),
        out.display()
    );
    let output = Command::new("sh").arg("-c").arg(line).output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.starts_with("error: cannot write"), "{words}");
    assert!(words.contains("File too large"), "{words}");
    assert_eq!(out.read_dir().unwrap().count(), 0, "nothing is left behind");
}
