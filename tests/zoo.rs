//! Networks like those of the usual families, small, with values of onnxruntime and gradients of
//! torch (`tests/fixtures/zoo/README.md` names versions and calls).

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{assert_close, convscope, fixture, folder, instruction_sets, json_of, npy};

const TOLERANCE: f32 = 1e-5;

/// The folder of every network with its list of expectations.
fn networks() -> Vec<(PathBuf, Value)> {
    let entries = std::fs::read_dir(fixture("zoo")).unwrap();
    let folders = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let with_expectations = folders.map(|folder| {
        let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
        (folder, serde_json::from_str(&text).unwrap())
    });
    with_expectations.collect()
}

#[test]
fn every_family_computes_what_onnxruntime_does() {
    let networks = networks();
    assert_eq!(networks.len(), 13);
    let each =
        networks.iter().flat_map(|network| instruction_sets().map(move |isa| (network, isa)));
    for ((folder_of, expected), isa) in each {
        let out = folder();
        let mut command = convscope();
        command.env("CONVSCOPE_ISA", isa);
        command.arg("infer").arg(folder_of.join("model.onnx"));
        command.arg("--input").arg(folder_of.join("input.npy")).arg("--out").arg(out.path());
        let values = expected["values"].as_array().unwrap();
        for value in values {
            command.arg("--capture").arg(value.as_str().unwrap());
        }
        let written = json_of(&mut command);
        let outputs = written["outputs"].as_array().unwrap();
        assert_eq!(outputs.len(), values.len(), "{}", folder_of.display());
        for (index, (output, value)) in outputs.iter().zip(values).enumerate() {
            let actual = npy(&out.path().join(output["file"].as_str().unwrap()));
            let expected = npy(&folder_of.join(format!("value_{index}.npy")));
            assert_close(
                &actual,
                &expected,
                TOLERANCE,
                &format!("{} {isa} {value}", folder_of.display()),
            );
        }
    }
}

#[test]
fn the_saliency_of_several_families_is_the_gradient_of_torch() {
    let with_gradient =
        networks().into_iter().filter(|(_, expected)| !expected["targets"].is_null());
    let mut compared = 0;
    for (folder_of, expected) in with_gradient {
        let out = folder();
        let mut command = convscope();
        command.arg("analyze").arg("saliency").arg("--model").arg(folder_of.join("model.onnx"));
        command.arg("--images").arg(folder_of.join("input.npy")).arg("--out").arg(out.path());
        command.arg("--set").arg(format!("target={}", expected["targets"]));
        json_of(&mut command);
        let actual = npy(&out.path().join("data/saliency/attribution.npy"));
        let what = folder_of.display().to_string();
        assert_close(&actual, &npy(&folder_of.join("gradient.npy")), 1e-4, &what);
        compared += 1;
    }
    assert_eq!(compared, 5);
}
