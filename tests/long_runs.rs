//! Long runs: what a run that ended badly has computed is not computed again.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{
    assert_says, await_file, convscope, convscope_caching, files_below, folder, json_of, photo,
    refusal, squeezenet,
};

/// The pictures of a long run.
const PICTURES: [&str; 6] =
    ["astronaut.png", "camera.png", "chelsea.png", "coffee.png", "coins.png", "rocket.jpg"];

fn pictures(place: &Path) -> PathBuf {
    let folder = place.join("pictures");
    std::fs::create_dir(&folder).unwrap();
    for name in PICTURES {
        std::fs::copy(photo(name), folder.join(name)).unwrap();
    }
    folder
}

fn covering(pictures: &Path, out: &Path, cache: &[&str]) -> assert_cmd::Command {
    let mut command = convscope_caching();
    command.args(cache).args(["analyze", "occlusion", "--model"]).arg(squeezenet());
    command.args(["--set", "window=48", "--set", "stride=32", "--set", "projections=1"]);
    command.arg("--images").arg(pictures).arg("--out").arg(out);
    command
}

/// The manifest, without what may differ between two runs.
fn manifest(out: &Path) -> Value {
    let text = std::fs::read_to_string(out.join("manifest.json")).unwrap();
    let mut manifest: Value = serde_json::from_str(&text).unwrap();
    let members = manifest.as_object_mut().unwrap();
    assert!(members.remove("run").is_some());
    // It names the folders that were given.
    assert!(members.remove("command").is_some());
    manifest
}

/// Asserts that two reports have the same files with the same bytes.
fn assert_same(one: &Path, other: &Path) {
    assert_eq!(manifest(one), manifest(other));
    let names = files_below(one);
    assert_eq!(names, files_below(other));
    assert!(names.len() > 4, "{names:?}");
    for name in names.iter().filter(|name| !name.ends_with("manifest.json")) {
        let [one, other] = [one, other].map(|out| std::fs::read(out.join(name)).unwrap());
        assert!(one == other, "{} differs", name.display());
    }
}

fn entries(cache: &Path) -> Vec<PathBuf> {
    let files = if cache.is_dir() { files_below(cache) } else { Vec::new() };
    let is_entry = |file: &PathBuf| file.extension().is_some_and(|kind| kind == "entry");
    files.into_iter().filter(is_entry).map(|file| cache.join(file)).collect()
}

#[test]
fn a_run_that_was_killed_goes_on_with_the_pictures_that_are_left() {
    let place = folder();
    let (pictures, cache) = (pictures(place.path()), place.path().join("cache"));
    let [undisturbed, out] = ["undisturbed", "out"].map(|name| place.path().join(name));
    json_of(&mut covering(&pictures, &undisturbed, &["--no-cache"]));
    assert!(!cache.exists());

    let caching = ["--cache-dir", cache.to_str().unwrap()];
    let command = covering(&pictures, &out, &caching);
    let mut child = Command::new(command.get_program())
        .args(command.get_args())
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    await_file(&mut child, || entries(&cache).len() >= 2);
    child.kill().unwrap();
    child.wait().unwrap();
    let finished = entries(&cache).len();
    assert!((2..PICTURES.len()).contains(&finished), "{finished}");
    assert!(!out.exists());

    let output = covering(&pictures, &out, &caching).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words}");
    let expected = format!("occlusion: re-used {finished} of 6 pictures from an earlier run");
    assert_says(&words, &[&expected]);
    assert_same(&undisturbed, &out);

    // Once it is done, all of it is known; whoever is quiet does not hear so.
    let again = place.path().join("again");
    let answer = json_of(&mut covering(&pictures, &again, &caching));
    let used = &answer["run"]["cache"];
    assert_eq!(used["results_reused"], 1, "{used}");
    assert_eq!(used["pictures"], 0, "{used}");
    assert_same(&undisturbed, &again);
}

#[test]
fn a_result_is_only_found_for_the_very_same_question() {
    let place = folder();
    let (cache, picture) = (place.path().join("cache"), place.path().join("cat.png"));
    std::fs::copy(photo("chelsea.png"), &picture).unwrap();
    let reused = |extra: &[&str]| {
        let mut command = convscope_caching();
        command.arg("--cache-dir").arg(&cache).args(extra);
        command.args(["analyze", "saliency", "--model"]).arg(squeezenet());
        command.arg("--images").arg(&picture).arg("--out").arg(place.path().join("out"));
        json_of(&mut command)["run"]["cache"]["results_reused"].as_u64().unwrap()
    };
    assert_eq!(reused(&[]), 0);
    assert_eq!(reused(&["--threads", "1"]), 1);
    assert_eq!(reused(&["--seed", "1"]), 0);
    assert_eq!(reused(&["--exact-conv"]), 0);
    assert_eq!(reused(&["--preprocess", "raw"]), 0);
    std::fs::rename(&picture, place.path().join("dog.png")).unwrap();
    std::fs::copy(photo("coffee.png"), &picture).unwrap();
    assert_eq!(reused(&[]), 0);
    std::fs::copy(photo("chelsea.png"), &picture).unwrap();
    assert_eq!(reused(&[]), 1);
}

#[test]
fn a_damaged_entry_is_reported_and_computed_anew() {
    let place = folder();
    let cache = place.path().join("cache");
    let run = |out: &str| {
        let mut command = convscope_caching();
        command.arg("--cache-dir").arg(&cache).args(["analyze", "saliency", "--model"]);
        command.arg(squeezenet()).arg("--images").arg(photo("chelsea.png"));
        let out = place.path().join(out);
        let output = command.arg("--out").arg(&out).output().unwrap();
        assert!(output.status.success());
        (out, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (first, _) = run("first");
    let [entry] = entries(&cache).try_into().unwrap();
    let mut bytes = std::fs::read(&entry).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&entry, bytes).unwrap();
    let (second, words) = run("second");
    let name = entry.display().to_string();
    assert_says(&words, &["warning: saliency: computed anew", &name, "its hash is another one"]);
    assert_eq!(words.matches("warning").count(), 1, "{words}");
    assert_same(&first, &second);
    let (_, words) = run("third");
    assert_says(&words, &["saliency: re-used the result of an earlier run"]);
    assert!(!words.contains("warning"), "{words}");
}

#[test]
fn a_folder_that_cannot_be_written_is_a_warning() {
    let place = folder();
    let (file, out) = (place.path().join("file"), place.path().join("out"));
    std::fs::write(&file, "no folder").unwrap();
    let mut command = convscope_caching();
    command.arg("--cache-dir").arg(&file).args(["analyze", "saliency", "--model"]);
    command.arg(squeezenet()).arg("--images").arg(photo("chelsea.png")).arg("--out").arg(&out);
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words}");
    let name = file.display().to_string();
    assert_says(&words, &["warning: saliency: results are not kept for later runs", &name]);
    assert_eq!(words.matches("warning").count(), 1, "{words}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "no folder");
}

#[test]
fn without_a_cache_the_users_folder_is_not_touched() {
    let place = folder();
    let run = |mut command: assert_cmd::Command| {
        command.env("XDG_CACHE_HOME", place.path()).args(["analyze", "saliency", "--model"]);
        command.arg(squeezenet()).arg("--images").arg(photo("chelsea.png"));
        command.arg("--out").arg(place.path().join("out"));
        json_of(&mut command)["run"]["cache"].clone()
    };
    assert_eq!(run(convscope()), Value::Null);
    assert!(!place.path().join("convscope").exists());
    if cfg!(target_os = "linux") {
        assert_eq!(run(convscope_caching())["results_reused"], 0);
        assert_eq!(entries(&place.path().join("convscope")).len(), 1);
    }
}

#[test]
fn a_cache_that_is_refused_has_no_folder_and_no_size() {
    for option in ["--cache-dir", "--cache-size"] {
        let mut command = convscope_caching();
        command
            .args(["predict", "--no-cache", option, "1M"])
            .arg(squeezenet())
            .arg(photo("chelsea.png"));
        let words = refusal(&mut command, 2);
        assert_says(&words, &["--no-cache", "cannot be used with", option]);
    }
}
