//! Windows and normalizations, forward and back, against onnxruntime and torch: every form of their
//! attributes is a case of `tests/windows/results.json`, which `make_windows.py` beside it wrote.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use convscope_onnx::{LoadOptions, LoadedModel, load};
use convscope_runtime::backend::CpuBackend;
use convscope_runtime::network::{ForwardRequest, Trace};
use convscope_runtime::{Composite, Keep, Shape, Tensor};
use serde_json::Value;

/// Largest error, relative to the largest magnitude of the reference (or 1).
const TOLERANCE: f32 = 2e-6;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/windows")
}

fn numbers(list: &Value) -> Vec<f32> {
    list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn shape(list: &Value) -> Shape {
    let extents: Vec<usize> =
        list.as_array().unwrap().iter().map(|extent| extent.as_u64().unwrap() as usize).collect();
    Shape::new(&extents)
}

/// Compares what one case computes, and what arrives at the input from `signal`.
fn differs(model: &LoadedModel, trace: &Trace, case: &Value) -> Option<String> {
    let (network, name) = (&model.network, case["name"].as_str().unwrap());
    let id = model.find(name).unwrap();
    let output = trace.value(id).unwrap();
    if *output.shape() != shape(&case["shape"]) {
        return Some(format!("{name}: shape {}", output.shape()));
    }
    let signal = (0..output.shape().volume()).map(|at| (at * 7 % 11) as f32 - 5.0).collect();
    let start = (id, Tensor::new(output.shape().clone(), signal).unwrap());
    let carried = network
        .backward(&CpuBackend::new(), trace, &[start], &Composite::default(), network.inputs())
        .unwrap();
    let pairs = [("value", output), ("gradient", &carried[0])];
    pairs.into_iter().find_map(|(what, actual)| {
        let actual = actual.to_host().unwrap();
        let (actual, expected) = (actual.values().unwrap(), numbers(&case[what]));
        assert_eq!(actual.len(), expected.len(), "{name}: {what}");
        let largest = expected.iter().fold(1.0_f32, |largest, value| largest.max(value.abs()));
        let errors = actual.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        // In the total order, what is no number is the largest error of all.
        let error = errors.max_by(f32::total_cmp).unwrap_or(f32::NAN);
        (error > TOLERANCE * largest || error.is_nan())
            .then(|| format!("{name}: {what} differs by {error}, the largest is {largest}"))
    })
}

#[test]
fn every_case_agrees_with_onnxruntime_and_torch() {
    let results = fs::read(folder().join("results.json")).unwrap();
    let results: Value = serde_json::from_slice(&results).unwrap();
    let input = Tensor::new(shape(&results["shape"]), numbers(&results["x"])).unwrap();
    let mut wrong = Vec::new();
    let mut count = 0;
    for (file, cases) in results["models"].as_object().unwrap() {
        let model = load(&folder().join(file), &LoadOptions::default()).unwrap();
        let request = ForwardRequest {
            captures: model.network.outputs(),
            keep: Keep::Inversion,
            ..ForwardRequest::default()
        };
        let inputs = std::slice::from_ref(&input);
        let trace = model.network.forward(&CpuBackend::new(), inputs, &request).unwrap();
        for case in cases.as_array().unwrap() {
            wrong.extend(differs(&model, &trace, case));
            count += 1;
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(count, 89);
}
