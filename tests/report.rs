//! Whole reports: what is written, where, and that it is the same every time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{convscope, folder, json_of, npy, photo, refusal, squeezenet};

/// Lists the files below a folder with their bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// A script that projects a few maps of two layers, in a folder of its own. It may read the examples
/// since the program works in the project's folder.
fn script(folder: &Path) -> PathBuf {
    let path = folder.join("small.rhai");
    let text = format!(
        r#"let model = load_model("{}");
let photos = load_images(["{}", "{}"]);
let found = model.deconvnet(#{{ images: photos, layers: ["conv1_relu", "fire5/concat"], maps: 2 }});
let page = report("A small report");
page.text("Two **layers**.");
page.add(found);
page.save();
print(found.activation.max());
"#,
        squeezenet().display(),
        photo("chelsea.png").display(),
        photo("coffee.png").display()
    );
    std::fs::write(&path, text).unwrap();
    path
}

fn run(script: &Path, out: &Path, extra: &[&str]) -> Value {
    let mut command = convscope();
    command.arg("run").arg(script).arg("--out").arg(out).args(extra);
    json_of(&mut command)
}

#[test]
fn a_report_has_the_same_bytes_every_time_and_lists_what_it_holds() {
    let place = folder();
    let script = script(place.path());
    let (first, second) = (place.path().join("first"), place.path().join("second"));
    run(&script, &first, &["--threads", "1"]);
    run(&script, &second, &["--threads", "2"]);
    let (first, second) = (files(&first), files(&second));
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    for (name, bytes) in &first {
        if name != Path::new("manifest.json") {
            assert!(*bytes == second[name], "{} differs", name.display());
        }
    }
    let manifest = |files: &BTreeMap<PathBuf, Vec<u8>>| -> Value {
        let mut manifest: Value =
            serde_json::from_slice(&files[Path::new("manifest.json")]).unwrap();
        // What may differ: the run, and the command line that named another folder.
        let map = manifest.as_object_mut().unwrap();
        assert!(map.remove("run").is_some());
        assert!(map.remove("command").is_some());
        manifest
    };
    assert_eq!(manifest(&first), manifest(&second));
    let listed: Vec<String> = serde_json::from_value(manifest(&first)["files"].clone()).unwrap();
    let present: Vec<String> = first.keys().map(|name| name.display().to_string()).collect();
    assert_eq!(listed, present);
}

#[test]
fn a_report_says_how_convolutions_were_computed() {
    let place = folder();
    let script = script(place.path());
    for (extra, backend) in [(&[][..], "cpu"), (&["--exact-conv"], "cpu, exact convolution")] {
        let out = place.path().join(backend);
        run(&script, &out, extra);
        let text = std::fs::read_to_string(out.join("manifest.json")).unwrap();
        let manifest: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(manifest["backend"], backend);
        assert_eq!(manifest["results"][0]["backend"], backend);
    }
}

#[test]
fn the_arrays_of_a_deconvnet_fit_together() {
    let place = folder();
    let out = place.path().join("out");
    let mut command = convscope();
    command.arg("analyze").arg("deconvnet").arg("--model").arg(squeezenet()).arg("--images");
    command.arg(photo("chelsea.png")).arg(photo("coffee.png")).arg("--out").arg(&out);
    json_of(command.args(["--set", "layers=fire2/concat", "--set", "maps=[3,70]"]));
    let data = out.join("data/deconvnet");
    let activation = npy(&data.join("activation.npy"));
    assert_eq!(activation.shape(), [1, 2, 9]);
    let projection = npy(&data.join("projection.fire2_concat.npy"));
    let patch = npy(&data.join("patch.fire2_concat.npy"));
    assert_eq!(projection.shape(), patch.shape());
    // Where there is no winner there is neither a projection nor a patch.
    for (index, strength) in activation.indexed_iter() {
        let (map, rank) = (index[1], index[2]);
        let empty = |array: &ndarray::ArrayD<f32>| {
            let map = array.index_axis(ndarray::Axis(0), map);
            map.index_axis(ndarray::Axis(0), rank).iter().all(|value| value.is_nan())
        };
        assert_eq!(strength.is_nan(), empty(&projection), "{index:?}");
        assert_eq!(strength.is_nan(), empty(&patch), "{index:?}");
    }
    assert!(out.join("figures").read_dir().unwrap().count() == 1);
}

#[test]
fn a_folder_with_foreign_files_is_left_alone() {
    let place = folder();
    std::fs::write(place.path().join("thesis.tex"), "years of work").unwrap();
    let mut command = convscope();
    command.arg("analyze").arg("saliency").arg("--model").arg(squeezenet());
    command.arg("--images").arg(photo("chelsea.png")).arg("--out").arg(place.path());
    let words = refusal(&mut command, 1);
    assert!(words.contains("thesis.tex"), "{words}");
    assert_eq!(files(place.path()).len(), 1);
}
