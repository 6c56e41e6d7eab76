//! What is refused before anything is computed, and in which words.

use convscope_occlusion::Occlusion;
use convscope_sdk::fake::FakeHost;
use convscope_sdk::protocol::ModelDescription;
use ndarray::ArrayD;
use serde_json::{Value, json};

use crate::host;

/// Runs with a window that fits, unless the parameters say another, and nothing computed.
fn refused(host: &FakeHost, parameters: &Value) -> String {
    let mut parameters = parameters.clone();
    let given = parameters.as_object_mut().unwrap();
    if !given.contains_key("window") && !given.contains_key("windows") {
        given.insert("window".to_owned(), json!(2));
    }
    let message = host.run(&Occlusion, &parameters).unwrap_err().to_string();
    assert!(host.progress().is_empty(), "nothing is computed before {message}");
    message
}

#[test]
fn an_occluder_must_fit_the_picture() {
    assert_eq!(
        refused(&host(1), &json!({ "window": [2, 7] })),
        "`window`: 2 × 7 pixels are more than the picture of 6 × 6"
    );
    assert_eq!(
        refused(&host(1), &json!({ "windows": [2, 7] })),
        "`windows`: 7 × 7 pixels are more than the picture of 6 × 6"
    );
    let larger = host(1).run(&Occlusion, &json!({})).unwrap_err().to_string();
    assert_eq!(larger, "`window`: 32 × 32 pixels are more than the picture of 6 × 6");
}

#[test]
fn one_occluder_or_several_different_ones() {
    assert_eq!(
        refused(&host(1), &json!({ "window": 2, "windows": [2, 3] })),
        "`windows`: one occluder and several cannot both be given; leave out one"
    );
    assert_eq!(
        refused(&host(1), &json!({ "windows": [3, 2, [3, 3]] })),
        "`windows`: 3 × 3 is named twice"
    );
}

#[test]
fn targets_must_exist_one_for_each_picture() {
    assert_eq!(
        refused(&host(1), &json!({ "target": "horse" })),
        "`target`: no class is labelled \"horse\""
    );
    assert_eq!(refused(&host(1), &json!({ "target": 4 })), "`target`: no class 4; there are 4");
    assert_eq!(
        refused(&host(3), &json!({ "target": [0, 1] })),
        "`target`: a list needs one value per picture, 3, not 2; one value alone is for all"
    );
    let fewer = |model: &mut ModelDescription| model.layers[3].shape = vec![1, 2];
    assert_eq!(
        refused(&host(1).with_description(fewer), &json!({ "target": 3 })),
        "`target`: there is no class 3; classes are 0 to 1"
    );
}

#[test]
fn a_model_must_have_classes() {
    let map = |model: &mut ModelDescription| model.score = "pool".to_owned();
    assert_eq!(
        refused(&host(1).with_description(map), &json!({})),
        "the scores of the model, pool, have shape [1, 3, 3, 3], which is no list of classes"
    );
    let none = |model: &mut ModelDescription| model.score = "input".to_owned();
    assert_eq!(
        refused(&host(1).with_description(none), &json!({})),
        "the model's scores, input, are no layer"
    );
}

#[test]
fn a_layer_must_have_space() {
    assert_eq!(
        refused(&host(1), &json!({ "layer": "scores" })),
        "`layer`: scores has no space in which something could be covered: its shape is [1, 4]"
    );
    let single = |model: &mut ModelDescription| model.layers[2].shape = vec![1, 3, 1, 1];
    assert_eq!(
        refused(&host(1).with_description(single), &json!({ "layer": "pool" })),
        "`layer`: pool has no space in which something could be covered: its shape is [1, 3, 1, 1]"
    );
    assert_eq!(
        refused(&host(1), &json!({ "layer": "input" })),
        "`layer`: input is no layer of the model"
    );
    assert_eq!(refused(&host(1), &json!({ "layer": "rel" })), "`layer`: no layer `rel`");
    let flat = |model: &mut ModelDescription| {
        for layer in &mut model.layers {
            let count = layer.shape.iter().product();
            layer.shape = if layer.name == "scores" { vec![1, 4] } else { vec![1, count] };
        }
    };
    assert_eq!(
        refused(&host(1).with_description(flat), &json!({})),
        "`layer`: the model has no layer with rows and columns"
    );
}

#[test]
fn maps_must_exist_one_for_each_picture() {
    assert_eq!(
        refused(&host(2), &json!({ "layer": "relu", "map": [0, 3] })),
        "`map`: relu has no map 3; its maps are 0 to 2"
    );
    assert_eq!(
        refused(&host(1), &json!({ "map": ["strongest", 1] })),
        "`map`: a list needs one value per picture, 1, not 2; one value alone is for all"
    );
}

#[test]
fn a_box_must_lie_within_the_picture() {
    let outside = |text: &str| format!("`box`: {text} is no part of a picture of 6 × 6 pixels");
    for (boxes, text) in [
        (json!([2, 0, 5, 1]), "[2, 0, 5, 1]"),
        (json!([0, 0, 1, 7]), "[0, 0, 1, 7]"),
        (json!([0, 0, 0, 1]), "[0, 0, 0, 1]"),
        (json!([u64::MAX, 0, 1, 1]), "[18446744073709551615, 0, 1, 1]"),
    ] {
        assert_eq!(refused(&host(1), &json!({ "box": boxes })), outside(text));
    }
    assert_eq!(
        refused(&host(1), &json!({ "box": [[0, 0, 1, 1], [0, 0, 1, 1]] })),
        "`box`: a list needs one value per picture, 1, not 2; one value alone is for all"
    );
}

#[test]
fn there_must_be_pictures() {
    let none = FakeHost::new().with_tensors("images", ArrayD::zeros(vec![0, 2, 6, 6]));
    assert_eq!(refused(&none, &json!({})), "`images`: there are no pictures");
}

#[test]
fn the_input_must_be_a_picture() {
    let sound = |model: &mut ModelDescription| model.inputs[0].shape = vec![1, 108];
    assert_eq!(
        refused(&host(1).with_description(sound), &json!({})),
        "the model's first input is no picture: its shape is [1, 108]"
    );
}

#[test]
fn numbers_and_words_outside_the_schema_are_refused() {
    for (key, value) in [
        ("window", json!(0)),
        ("window", json!([2, 0])),
        ("window", json!([2, 2, 2])),
        ("window", json!("large")),
        ("windows", json!([])),
        ("windows", json!([0])),
        ("stride", json!(0)),
        ("stride", json!([1])),
        ("stride", json!(1.5)),
        ("baseline", json!("grey")),
        ("baseline", json!(0)),
        ("baseline", json!([0, 0])),
        ("baseline", json!([0, 0, 256])),
        ("baseline", json!([-1, 0, 0])),
        ("map", json!("weakest")),
        ("map", json!([])),
        ("projections", json!(25)),
        ("box", json!([])),
    ] {
        let message = refused(&host(1), &json!({ key: value }));
        assert!(message.starts_with(&format!("`{key}")), "{key} {value}: {message}");
    }
    let message = refused(&host(1), &json!({ "box": [1, 2, 3] }));
    assert!(
        message.contains(
            "expected [top, left, height, width], or a list of these as box, got [1,2,3]"
        ),
        "{message}"
    );
}
