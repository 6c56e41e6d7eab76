//! Bad input at the level of the whole program: each message is read, with its exit code.

use std::path::Path;
use std::process::{Command as Process, Stdio};

use assert_cmd::Command;
use serde_json::Value;

use crate::support::{
    assert_says, await_words, convscope, convscope_with, ended, fixture, folder, interrupt, photo,
    refusal, squeezenet, written,
};

fn predict(model: &Path, picture: &Path) -> Command {
    let mut command = convscope();
    command.arg("predict").arg(model).arg(picture);
    command
}

fn analyze(analysis: &str, out: &Path, settings: &[&str]) -> Command {
    let mut command = convscope();
    command.arg("analyze").arg(analysis).arg("--model").arg(squeezenet());
    command.arg("--images").arg(photo("chelsea.png")).arg("--out").arg(out);
    for setting in settings {
        command.arg("--set").arg(setting);
    }
    command
}

/// Writes a script and returns the command that runs it.
fn script(folder: &Path, text: &str) -> Command {
    let path = folder.join("mistake.rhai");
    std::fs::write(&path, text).unwrap();
    let mut command = convscope();
    command.arg("run").arg(path).arg("--out").arg(folder.join("out"));
    command
}

#[test]
fn a_model_that_is_missing_or_damaged_is_named() {
    let place = folder();
    let missing = place.path().join("none.onnx");
    let words = refusal(&mut predict(&missing, &photo("chelsea.png")), 1);
    assert_says(&words, &["error: cannot read", "none.onnx: No such file or directory"]);
    let whole = std::fs::read(squeezenet()).unwrap();
    for (name, bytes) in [("cut.onnx", &whole[..3000]), ("text.onnx", b"hello\n")] {
        let model = written(place.path(), name, bytes);
        let words = refusal(&mut predict(&model, &photo("chelsea.png")), 1);
        assert_says(&words, &[name, "the file is damaged or not ONNX"]);
    }
}

#[test]
fn a_model_without_a_card_is_never_guessed_at() {
    let place = folder();
    let model = place.path().join("bare.onnx");
    std::fs::copy(squeezenet(), &model).unwrap();
    let words = refusal(&mut predict(&model, &photo("chelsea.png")), 1);
    assert_says(&words, &["nothing says how pictures become the input", "= help:", "bare.toml"]);
    let words = refusal(predict(&model, &photo("chelsea.png")).args(["--preprocess", "pil"]), 2);
    assert_says(&words, &["--preprocess", "pil"]);
}

#[test]
fn an_unknown_instruction_set_is_answered_with_those_there_are() {
    let mut command = predict(&squeezenet(), &photo("chelsea.png"));
    let words = refusal(command.env("CONVSCOPE_ISA", "sse9"), 1);
    assert_says(&words, &["CONVSCOPE_ISA asks for sse9", "kernels for portable"]);
}

#[test]
fn pictures_that_are_none_are_named() {
    let place = folder();
    let whole = std::fs::read(photo("chelsea.png")).unwrap();
    let cut = written(place.path(), "cut.png", &whole[..900]);
    let words = refusal(&mut predict(&squeezenet(), &cut), 1);
    assert_says(&words, &["cut.png is damaged"]);
    let text = written(place.path(), "text.png", b"no picture");
    let words = refusal(&mut predict(&squeezenet(), &text), 1);
    assert_says(&words, &["text.png is no picture", "PNG, JPEG, WebP"]);
    let empty = place.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let words = refusal(&mut predict(&squeezenet(), &empty), 1);
    assert_says(&words, &["no pictures in", "it is empty"]);
    let words = refusal(&mut predict(&squeezenet(), &place.path().join("nowhere")), 1);
    assert_says(&words, &["cannot read", "nowhere"]);
}

#[test]
fn tensors_of_a_wrong_shape_are_refused() {
    let place = folder();
    let mut command = convscope();
    command.arg("infer").arg(squeezenet()).arg("--out").arg(place.path().join("out"));
    command.arg("--input").arg(fixture("alexish").join("input.npy"));
    let words = refusal(&mut command, 1);
    let expected = "input data: the model takes [1, 3, 227, 227] for one image, got [2, 3, 67, 67]";
    assert_says(&words, &[expected]);
    assert!(!place.path().join("out").exists());
}

#[test]
fn unknown_names_come_with_the_nearest_ones() {
    let place = folder();
    let out = place.path().join("out");
    for (analysis, settings, expected) in [
        ("salience", &[][..], ["there is no analysis `salience`", "did you mean `saliency`?"]),
        ("saliency", &["targt=3"], ["unknown parameter `targt`", "did you mean `target`?"]),
        ("saliency", &["target=Egyptian_cat"], ["Egyptian_cat", "did you mean `Egyptian cat`?"]),
        ("deconvnet", &["layers=fire9/conct"], ["fire9/conct", "`fire9/concat`"]),
        ("deconvnet", &["top=many"], ["`top`", "whole number"]),
    ] {
        let words = refusal(&mut analyze(analysis, &out, settings), 1);
        assert_says(&words, &expected);
        assert!(!out.exists(), "nothing is written");
    }
}

#[test]
fn failures_are_one_json_object_when_asked_for() {
    let place = folder();
    let output = analyze("saliency", &place.path().join("out"), &["targt=3"])
        .arg("--json")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["ok"], false);
    assert_eq!(answer["error"]["kind"], "invalid_parameter");
    assert_eq!(answer["error"]["key"], "targt");
    let output = convscope().args(["predict", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["error"]["kind"], "usage");
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    for arguments in [&["explain"][..], &["predict"], &["run", "a.rhai", "--memory", "much"]] {
        refusal(convscope().args(arguments), 2);
    }
    let place = folder();
    let words = refusal(&mut analyze("saliency", &place.path().join("out"), &["target"]), 2);
    assert_says(&words, &["--set target: expected NAME=VALUE"]);
    let twice = ["plugins", "list", "--plugin-dir=elsewhere"];
    let expected = "error: --plugin-dir stands both before and after the command\n  \
                    = help: give them all before it, or all after it\n";
    assert_eq!(refusal(convscope().args(twice), 2), expected);
}

#[test]
fn mistakes_in_scripts_are_shown_where_they_are() {
    let place = folder();
    let model = squeezenet();
    let load = format!("let model = load_model(\"{}\");\n", model.display());
    for (text, expected) in [
        (format!("{load}model.deconvnet(#{{ imges: 1 }});"), ["mistake.rhai:2:", "`images`"]),
        ("let x = lod_model(\"a\");".to_owned(), ["mistake.rhai:1:", "`load_model`"]),
        ("let x = ;".to_owned(), ["mistake.rhai:1:", "error"]),
        ("load_model(\"nowhere.onnx\");".to_owned(), ["mistake.rhai:1:", "nowhere.onnx"]),
    ] {
        let words = refusal(&mut script(place.path(), &text), 1);
        assert_says(&words, &expected);
    }
    let endless = refusal(
        script(place.path(), "let i = 0; loop { i += 1; }").args(["--max-operations", "10000"]),
        1,
    );
    assert_says(&endless, &["operations"]);
    assert!(!place.path().join("out").exists());
}

#[test]
fn a_broken_plugin_is_a_row_and_stops_nobody() {
    let place = folder();
    written(place.path(), "libconvscope_broken.so", b"no library");
    let output = convscope_with(place.path()).args(["plugins", "list"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert_says(&text, &["org.convscope.deconvnet", "not used", "libconvscope_broken.so"]);
}

#[test]
fn a_program_without_plugins_says_where_it_looked() {
    let place = folder();
    let program = place.path().join("convscope");
    std::fs::copy(assert_cmd::cargo::cargo_bin("convscope"), &program).unwrap();
    let output = Process::new(&program).args(["plugins", "list"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let folder = place.path().canonicalize().unwrap();
    assert_says(&text, &["no plugins found; looked in", &folder.display().to_string()]);
}

#[test]
fn a_closed_pipe_ends_the_program_quietly() {
    let mut child = Process::new(assert_cmd::cargo::cargo_bin("convscope"))
        .arg("inspect")
        .arg(squeezenet())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn an_interrupted_run_leaves_nothing_behind() {
    let place = folder();
    let plugins = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let mut child = Process::new(assert_cmd::cargo::cargo_bin("convscope"))
        .arg("--plugin-dir")
        .arg(plugins)
        .args([
            "analyze",
            "deconvnet",
            "--no-cache",
            "--threads",
            "1",
            "--set",
            "maps=60",
            "--model",
        ])
        .arg(squeezenet())
        .arg("--images")
        .arg(photo(""))
        .arg("--out")
        .arg(place.path().join("out"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first line of progress: the analysis is at work.
    await_words(&mut child);
    interrupt(&child);
    let status = ended(&mut child);
    assert_eq!(status.code(), Some(130));
    assert_eq!(place.path().read_dir().unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let place = folder();
    let out = place.path().join("out");
    let plugins = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    // A limit on the size of files stands for a disk that is full: 64 blocks are less than a figure.
    let line = format!(
        "trap '' XFSZ; ulimit -f 64; exec '{}' --plugin-dir '{}' analyze saliency --no-cache --model '{}' \
         --images '{}' --out '{}'",
        assert_cmd::cargo::cargo_bin("convscope").display(),
        plugins.display(),
        squeezenet().display(),
        photo("chelsea.png").display(),
        out.display()
    );
    let output = Process::new("sh").arg("-c").arg(line).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert_says(&words, &["File too large"]);
    assert_eq!(place.path().read_dir().unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn a_tensor_among_the_pictures_must_fit_the_model() {
    let place = folder();
    let out = place.path().join("out");
    let tensor = fixture("alexish").join("input.npy");
    let mut command = convscope();
    command.args(["analyze", "saliency", "--model"]).arg(squeezenet());
    command.arg("--images").arg(&tensor).arg("--out").arg(&out);
    let words = refusal(&mut command, 1);
    let shapes = "of shape [2, 3, 67, 67]: the model takes [1, 3, 227, 227] for one image";
    assert_says(&words, &["input.npy of shape", shapes]);
    assert!(!out.exists());
}

#[test]
fn everything_wrong_with_the_parameters_is_said_at_once() {
    let place = folder();
    let settings = ["layesr=conv1", "top=0", "start=two"];
    let words = refusal(&mut analyze("deconvnet", &place.path().join("out"), &settings), 1);
    let expected = "\
error: deconvnet: 3 parameters are wrong:
    unknown parameter `layesr`: did you mean `layers`?
    `top`: expected a whole number from 1 to 100, got 0
    `start`: expected \"one\" or \"activation\", got \"two\"
";
    assert_eq!(words, expected);
}

#[test]
fn inference_needs_its_tensors_and_known_layers() {
    let place = folder();
    let tensor = fixture("alexish").join("input.npy");
    let out = place.path().join("out");
    let infer = || {
        let mut command = convscope();
        command.arg("infer").arg(fixture("alexish").join("model.onnx")).arg("--out").arg(&out);
        command.arg("--input").arg(&tensor);
        command
    };
    let words = refusal(infer().arg(&tensor), 1);
    assert_says(&words, &["model.onnx: the model takes 1 input: 2 tensors were given"]);
    let words = refusal(infer().args(["--capture", "/conv1/Cov"]), 1);
    assert_says(&words, &["the model has no layer `/conv1/Cov`", "= help: did you mean `/conv1/"]);
    let words = refusal(infer().args(["--capture", "nothing-like-it"]), 1);
    assert_says(&words, &["= help: `convscope inspect` shows them all"]);
    assert!(!out.exists(), "nothing is written");
}

#[test]
fn a_file_in_the_place_of_the_folder_is_left_alone() {
    let place = folder();
    let out = written(place.path(), "out", b"mine");
    let words = refusal(&mut analyze("saliency", &out, &[]), 1);
    assert_says(&words, &["out is a file, not a folder: give another folder with --out"]);
    let mut command = convscope();
    command.arg("infer").arg(fixture("alexish").join("model.onnx")).arg("--out").arg(&out);
    let words = refusal(command.arg("--input").arg(fixture("alexish").join("input.npy")), 1);
    assert_says(&words, &["out is a file, not a folder", "= help: give another folder"]);
    assert_eq!(std::fs::read(&out).unwrap(), b"mine");
}

#[test]
fn a_mistake_in_a_model_card_is_shown() {
    let place = folder();
    let model = place.path().join("carded.onnx");
    std::fs::copy(squeezenet(), &model).unwrap();
    written(place.path(), "carded.toml", b"[input]\nresise = 3\n");
    let words = refusal(&mut predict(&model, &photo("chelsea.png")), 1);
    assert_says(
        &words,
        &["model card", "carded.toml, line 2: [input] resise is unknown", "`resize`"],
    );
}

#[test]
fn an_analysis_without_plugins_says_where_they_were_looked_for() {
    let place = folder();
    let program = place.path().join("convscope");
    std::fs::copy(assert_cmd::cargo::cargo_bin("convscope"), &program).unwrap();
    let mut command = Command::new(&program);
    command.args(["analyze", "deconvnet", "--model"]).arg(squeezenet());
    command.arg("--images").arg(photo("chelsea.png"));
    let words = refusal(command.current_dir(place.path()), 1);
    let folder = place.path().canonicalize().unwrap().display().to_string();
    let expected = ["there is no analysis `deconvnet`", "no plugin was found at all", &folder];
    assert_says(&words, &expected);
}

#[test]
fn the_rest_works_beside_a_broken_plugin() {
    let place = folder();
    written(place.path(), "libconvscope_broken.so", b"no library");
    let mut command = convscope_with(place.path());
    command.args(["analyze", "saliency", "--model"]).arg(squeezenet());
    command.arg("--images").arg(photo("chelsea.png")).arg("--out").arg(place.path().join("out"));
    let output = command.output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{words}");
    assert_says(&words, &["warning: plugin", "libconvscope_broken.so: is no shared library"]);
}

#[test]
fn an_unknown_plugin_is_not_called_an_analysis() {
    let words = refusal(convscope().args(["plugins", "describe", "deconvnte"]), 1);
    let expected = "error: there is no plugin or analysis `deconvnte`\n  \
                    = help: did you mean `deconvnet`?\n";
    assert_eq!(words, expected);
}

#[test]
fn an_excerpt_fits_a_page_and_names_the_parameters() {
    let place = folder();
    let text = "fn f(model) { model.deconvnet(#{ layesr: 1 }) }\nf(1);";
    let words = refusal(&mut script(place.path(), text), 1);
    let long = words.lines().find(|line| line.chars().count() > 100 && !line.contains("rhai:"));
    assert_eq!(long, None);
    assert_says(&words, &["unknown parameter `layesr`", "did you mean `layers`?", "top = 9"]);
    let binary = written(place.path(), "binary.rhai", b"\xff\xfe");
    let words = refusal(convscope().arg("run").arg(binary), 1);
    assert_says(&words, &["cannot read the script", "binary.rhai`: it is no UTF-8 text"]);
}
