//! What `inspect` says of a model: to people, to programs, and as a drawing.

use crate::support::{convscope, fixture, folder, json_of, refusal, squeezenet};

#[test]
fn a_model_is_shown_within_eighty_columns() {
    let output = convscope().arg("inspect").arg(squeezenet()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for line in [
        "input          data 3×227×227",
        "scores         flatten, 1000 classes",
        "rectifiers     26",
        "conv1                  convolution     64×113×113      3       2  1.79 k  22.1 M",
        "deconvnet        each of the 66 layers",
        "saliency         each of the 66 layers, or a class",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn programs_are_told_what_each_analysis_can_start_from() {
    let json = json_of(convscope().arg("inspect").arg(fixture("zoo/shufflenet/model.onnx")));
    let layers = json["model"]["layers"].as_array().unwrap();
    let flat: Vec<&str> = layers
        .iter()
        .filter(|layer| layer["shape"].as_array().unwrap().len() == 5)
        .map(|layer| layer["name"].as_str().unwrap())
        .collect();
    assert!(!flat.is_empty(), "ShuffleNet has five axes where it shuffles");
    let analyses = json["analyses"].as_array().unwrap();
    let of = |name: &str| analyses.iter().find(|one| one["analysis"] == name).unwrap();
    let usable = of("deconvnet")["layers"].as_array().unwrap();
    assert_eq!(usable.len(), layers.len() - flat.len());
    assert!(flat.iter().all(|name| !usable.iter().any(|layer| layer == name)));
    assert_eq!(of("saliency")["classes"], true);
}

#[test]
fn a_layer_without_maps_is_refused_before_anything_runs() {
    let model = fixture("zoo/shufflenet/model.onnx");
    let input = fixture("zoo/shufflenet/input.npy");
    let json = json_of(convscope().arg("inspect").arg(&model));
    let layers = json["model"]["layers"].as_array().unwrap();
    let shuffled = layers.iter().find(|layer| layer["shape"].as_array().unwrap().len() == 5);
    let name = shuffled.unwrap()["name"].as_str().unwrap();
    let out = folder();
    let mut command = convscope();
    command.args(["analyze", "deconvnet", "--model"]).arg(model).arg("--images").arg(input);
    command.arg("--set").arg(format!("layers={name}")).arg("--out").arg(out.path().join("out"));
    let words = refusal(&mut command, 1);
    assert!(words.contains("has no feature maps: its shape for one image is [1, 3, "), "{words}");
}

#[test]
fn the_graph_is_drawn_into_a_file() {
    let out = folder();
    let path = out.path().join("graph.svg");
    let json = json_of(convscope().arg("inspect").arg(squeezenet()).arg("--svg").arg(&path));
    assert_eq!(json["svg"], path.to_str().unwrap());
    let svg = std::fs::read_to_string(&path).unwrap();
    assert!(svg.starts_with("<svg ") && svg.contains(">fire9/concat<"), "no drawing");
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 1, "nothing else is left over");
    let nowhere = out.path().join("no/graph.svg");
    let words = refusal(convscope().arg("inspect").arg(squeezenet()).arg("--svg").arg(&nowhere), 1);
    assert!(words.contains("cannot write") && words.contains("graph.svg"), "{words}");
}
