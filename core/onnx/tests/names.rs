//! Names of modules in models that torch's exporters wrote: a path finds the very numbers that the
//! module of this path hands out in torch (`tests/names/make_names.py`).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use convscope_onnx::{LoadOptions, LoadedModel, load};
use convscope_runtime::Tensor;
use convscope_runtime::backend::CpuBackend;
use convscope_runtime::network::{ForwardRequest, Trace, ValueId};
use serde_json::Value;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/names").join(name)
}

fn numbers(list: &Value) -> Vec<f32> {
    list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn run(name: &str, reference: &Value) -> (LoadedModel, Trace) {
    let model = load(&file(name), &LoadOptions::default()).unwrap();
    let image = Tensor::new([1, 3, 6, 6], numbers(&reference["input"])).unwrap();
    let captures: Vec<ValueId> = model.network.nodes().iter().map(|node| node.output).collect();
    let request = ForwardRequest { captures: &captures, ..ForwardRequest::default() };
    let trace = model.network.forward(&CpuBackend::new(), &[image], &request).unwrap();
    (model, trace)
}

/// Checks that the paths of all modules find what they hand out, but for some that are not there
/// and some whose layer computes more than the module.
fn check(name: &str, absent: &[&str], more: &[&str]) {
    let reference: Value =
        serde_json::from_slice(&fs::read(file("modules.json")).unwrap()).unwrap();
    let (model, trace) = run(name, &reference);
    for (path, expected) in reference["modules"].as_object().unwrap() {
        if absent.contains(&path.as_str()) {
            assert!(model.find(path).is_err(), "{name}: {path}");
            continue;
        }
        let value = trace.value(model.find(path).unwrap()).unwrap().to_host().unwrap();
        let (actual, expected) = (value.values().unwrap(), numbers(expected));
        assert_eq!(actual.len(), expected.len(), "{name}: {path}");
        let same = actual.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-5);
        assert_eq!(same, !more.contains(&path.as_str()), "{name}: {path}");
    }
}

/// A dropout at the end of a module leaves no node; the names of the values around it stay.
const DROPOUT: [&str; 2] = ["classifier.0", "features.3"];

#[test]
fn the_torchscript_exporter_names_modules_by_the_paths_of_nodes() {
    let folded = ["layer1.0.bn", "layer1.1.bn"];
    check("script.onnx", &[&DROPOUT[..], &folded].concat(), &["layer1.0.conv", "layer1.1.conv"]);
}

#[test]
fn the_dynamo_exporter_names_modules_in_metadata() {
    check("dynamo.onnx", &DROPOUT, &["layer1.0.conv", "layer1.1.conv"]);
}

#[test]
fn batch_normalization_that_is_there_has_a_name_of_its_own() {
    check("plain.onnx", &DROPOUT, &[]);
}
