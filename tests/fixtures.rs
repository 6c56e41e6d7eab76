//! The fixtures: small networks with the results of torch and captum (`tests/fixtures/README.md`
//! names versions and calls).

use std::path::Path;

use serde_json::Value;

use crate::support::{assert_close, convscope, fixture, folder, instruction_sets, json_of, npy};

const NETWORKS: [&str; 4] = ["alexish", "branching", "depthwise", "residual"];
const TOLERANCE: f32 = 1e-5;

fn index(network: &str) -> Value {
    let text = std::fs::read_to_string(fixture(network).join("fixture.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn best() -> &'static str {
    convscope_runtime::Isa::best().name()
}

/// Every network with every instruction set of this processor.
fn with_instruction_sets() -> impl Iterator<Item = (&'static str, &'static str)> {
    NETWORKS.into_iter().flat_map(|network| instruction_sets().map(move |isa| (network, isa)))
}

#[test]
fn every_value_of_every_network_is_that_of_torch() {
    for (network, isa) in with_instruction_sets() {
        let (folder, out) = (fixture(network), folder());
        let index = index(network);
        // Flatten and Dropout have no file: they repeat their input.
        let values = index["values"].as_array().unwrap().iter();
        let values: Vec<&Value> = values.filter(|value| value["file"].is_string()).collect();
        let mut command = convscope();
        command.env("CONVSCOPE_ISA", isa);
        command.arg("infer").arg(folder.join("model.onnx"));
        command.arg("--input").arg(folder.join("input.npy")).arg("--out").arg(out.path());
        for value in &values {
            command.arg("--capture").arg(value["value"].as_str().unwrap());
        }
        let written = json_of(&mut command);
        let outputs = written["outputs"].as_array().unwrap();
        assert_eq!(outputs.len(), values.len(), "{network}");
        for (output, value) in outputs.iter().zip(values) {
            let file = out.path().join(output["file"].as_str().unwrap());
            let expected = npy(&folder.join(value["file"].as_str().unwrap()));
            assert_close(&npy(&file), &expected, TOLERANCE, &format!("{network} {isa} {value}"));
        }
    }
}

/// Runs an analysis of `gradients` on both pictures in one call.
fn attribution(network: &str, analysis: &str, settings: &[String], isa: &str, out: &Path) {
    let folder = fixture(network);
    let mut command = convscope();
    command.env("CONVSCOPE_ISA", isa);
    command.arg("analyze").arg(analysis).arg("--model").arg(folder.join("model.onnx"));
    command.arg("--images").arg(folder.join("input.npy")).arg("--out").arg(out);
    for setting in settings {
        command.arg("--set").arg(setting);
    }
    json_of(&mut command);
}

fn settings(network: &str, start: &str) -> Vec<String> {
    let index = index(network);
    if start == "class" {
        return vec![format!("target={}", index["class"]["target"])];
    }
    let unit = &index["unit"];
    vec![
        format!("layer={}", unit["value"].as_str().unwrap()),
        format!("channel={}", unit["channel"]),
        format!("position={}", unit["positions"]),
    ]
}

#[test]
fn attributions_are_those_of_captum() {
    for (network, isa) in with_instruction_sets() {
        for (analysis, file) in [
            ("saliency", "saliency"),
            ("guided_backprop", "guided_backprop"),
            ("deconvolution", "deconvnet"),
        ] {
            for start in ["class", "unit"] {
                // For us a Clip from zero is a rectifier; captum takes its plain gradient.
                let rectified = network == "depthwise" && analysis != "saliency";
                let variant = if rectified { ".relu6_rectify" } else { "" };
                let expected =
                    npy(&fixture(network).join(format!("reference/{file}.{start}{variant}.npy")));
                let out = folder();
                attribution(network, analysis, &settings(network, start), isa, out.path());
                let actual = npy(&out.path().join(format!("data/{analysis}/attribution.npy")));
                let what = format!("{network} {analysis} {start} {isa}");
                assert_close(&actual, &expected, TOLERANCE, &what);
            }
        }
    }
}

#[test]
fn a_deconvnet_may_skip_response_normalization() {
    for start in ["class", "unit"] {
        let mut settings = settings("alexish", start);
        settings.push("lrn=skip".to_owned());
        let out = folder();
        attribution("alexish", "deconvolution", &settings, best(), out.path());
        let actual = npy(&out.path().join("data/deconvolution/attribution.npy"));
        let file = format!("reference/deconvnet.{start}.lrn_skip.npy");
        assert_close(&actual, &npy(&fixture("alexish").join(file)), TOLERANCE, start);
    }
}

#[test]
fn an_activation_at_the_start_scales_the_result() {
    let mut settings = settings("alexish", "unit");
    let (one, activation) = (folder(), folder());
    attribution("alexish", "deconvolution", &settings, best(), one.path());
    settings.push("start=activation".to_owned());
    attribution("alexish", "deconvolution", &settings, best(), activation.path());
    let file = "data/deconvolution/attribution.npy";
    let mut expected = npy(&one.path().join(file));
    let index = index("alexish");
    let activations = index["unit"]["activations"].as_array().unwrap();
    for (mut picture, activation) in expected.outer_iter_mut().zip(activations) {
        picture *= activation.as_f64().unwrap() as f32;
    }
    assert_close(&npy(&activation.path().join(file)), &expected, TOLERANCE, "activation");
}

#[test]
fn a_profile_has_the_time_of_every_layer_that_ran() {
    let (folder, out) = (fixture("alexish"), folder());
    let mut command = convscope();
    command.arg("infer").arg(folder.join("model.onnx")).args(["--profile", "--repeat", "2"]);
    command.arg("--input").arg(folder.join("input.npy")).arg("--out").arg(out.path());
    let answer = json_of(command.args(["--capture", "/relu1/Relu"]));
    let layers = answer["layers"].as_array().unwrap();
    let names: Vec<&str> = layers.iter().map(|layer| layer["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["/conv1/Conv", "/relu1/Relu"]);
    assert!(layers[0]["cpu_seconds"].as_f64().unwrap() > 0.0);
    for clock in ["cpu_seconds", "wall_seconds"] {
        assert_eq!(answer[clock].as_array().unwrap().len(), 2);
    }
}
