//! What is refused, and in which words.

use convscope_deconvnet::Deconvnet;
use convscope_sdk::fake::FakeHost;
use convscope_sdk::protocol::ModelDescription;
use ndarray::ArrayD;
use serde_json::json;

use crate::host;

fn refused(host: &FakeHost, parameters: &serde_json::Value) -> String {
    host.run(&Deconvnet, parameters).unwrap_err().to_string()
}

#[test]
fn layers_must_have_maps_and_be_named_once() {
    assert_eq!(
        refused(&host(1), &json!({ "layers": ["relu", "pool", "relu"] })),
        "`layers`: relu is named twice"
    );
    assert_eq!(
        refused(&host(1), &json!({ "layers": "input" })),
        "`layers`: input is no layer of the model"
    );
    let flat = |model: &mut ModelDescription| model.layers[0].shape = vec![1, 3, 36];
    assert_eq!(
        refused(&host(1).with_description(flat), &json!({ "layers": "conv" })),
        "`layers`: conv has no feature maps: its shape is [1, 3, 36]"
    );
    assert_eq!(refused(&host(1), &json!({ "layers": "rel" })), "`layers`: no layer `rel`");
}

#[test]
fn a_model_without_rectifiers_needs_named_layers() {
    let without = |model: &mut ModelDescription| model.layers[1].kind = "sigmoid".to_owned();
    let host = host(1).with_description(without);
    assert_eq!(
        refused(&host, &json!({})),
        "`layers`: the model has no rectifier with feature maps; name layers"
    );
    crate::run(&host, &json!({ "layers": "relu" }));
}

#[test]
fn maps_must_exist_and_be_named_once() {
    let layers = ["scores", "relu"];
    assert_eq!(
        refused(&host(1), &json!({ "layers": layers, "maps": [0, 3] })),
        "`maps`: relu has no map 3; its maps are 0 to 2"
    );
    assert_eq!(
        refused(&host(1), &json!({ "layers": layers, "maps": [2, 0, 2] })),
        "`maps`: 2 is named twice"
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
    let host = host(1).with_description(sound);
    assert_eq!(
        refused(&host, &json!({})),
        "the model's first input is no picture: its shape is [1, 108]"
    );
    assert!(host.progress().is_empty(), "nothing is searched before");
}

#[test]
fn numbers_and_words_outside_the_schema_are_refused() {
    for (key, value) in [
        ("top", json!(0)),
        ("top", json!(101)),
        ("spots_per_image", json!(0)),
        ("maps", json!(0)),
        ("maps", json!([])),
        ("maps", json!("all")),
        ("layers", json!([])),
        ("choose", json!("weakest")),
        ("start", json!(2)),
        ("overlap", json!("other")),
        ("lrn", json!("other")),
    ] {
        let message = refused(&host(1), &json!({ key: value }));
        assert!(message.starts_with(&format!("`{key}`")), "{message}");
    }
    let message = refused(&host(1), &json!({ "map": 3 }));
    assert!(message.contains("map"), "{message}");
}
