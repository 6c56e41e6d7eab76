//! Weights in other forms than single precision inside the model (`tests/expected/make_formats.py`).

use std::path::Path;

use ndarray::ArrayD;
use serde_json::Value;

use crate::support::{assert_close, convscope, fixture, folder, json_of, npy, refusal, root};

fn infer(model: &Path, extra: &[&str]) -> ArrayD<f32> {
    let out = folder();
    let mut command = convscope();
    command.arg("infer").arg(model).arg("--input").arg(fixture("residual").join("input.npy"));
    command.arg("--out").arg(out.path()).args(extra);
    let written = json_of(&mut command);
    npy(&out.path().join(written["outputs"][0]["file"].as_str().unwrap()))
}

fn expected(name: &str) -> ArrayD<f32> {
    npy(&root().join("tests/expected").join(name))
}

const OTHER: &str = "tests/expected/residual_other.safetensors";

#[test]
fn weights_of_a_safetensors_file_replace_those_of_the_model() {
    let model = fixture("residual").join("model.onnx");
    let scores = infer(&model, &["--weights", OTHER]);
    assert_close(&scores, &expected("residual_other.npy"), 1e-5, "residual with other weights");
}

#[test]
fn weights_of_another_model_are_refused() {
    let mut command = convscope();
    command.arg("inspect").arg(fixture("alexish").join("model.onnx")).args(["--weights", OTHER]);
    let words = refusal(&mut command, 1);
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("it holds bn1.running_mean, but the batch normalization"), "{words}");
}

/// Returns the model's hash in the manifest of a report.
fn manifest_hash(extra: &[&str]) -> String {
    let out = folder();
    let report = out.path().join("report");
    let model = fixture("residual");
    let mut command = convscope();
    command.args(["analyze", "saliency", "--model"]).arg(model.join("model.onnx"));
    command.arg("--images").arg(model.join("input.npy")).arg("--out").arg(&report).args(extra);
    json_of(&mut command);
    let manifest = std::fs::read_to_string(report.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    manifest["models"][0]["hash"].as_str().unwrap().to_owned()
}

#[test]
fn the_hash_of_a_model_covers_its_weights() {
    assert_ne!(manifest_hash(&[]), manifest_hash(&["--weights", OTHER]));
}

/// A program that rounds every value to eleven bits cannot be met more closely.
const HALF_TOLERANCE: f32 = 5e-3;

#[test]
fn a_model_in_half_precision_runs_in_single_precision() {
    let scores = infer(&root().join("tests/expected/residual_half.onnx"), &[]);
    assert_close(&scores, &expected("residual_half.npy"), HALF_TOLERANCE, "residual in FLOAT16");
}
