//! What is refused, and in which words.

use convscope_sdk::fake::FakeHost;
use convscope_sdk::protocol::ModelDescription;
use ndarray::ArrayD;
use serde_json::json;

use crate::{host, run};

fn refused(host: &FakeHost, parameters: &serde_json::Value) -> String {
    run(host, "saliency", parameters).unwrap_err().to_string()
}

#[test]
fn the_parameters_of_a_unit_belong_together() {
    let refused = |parameters| refused(&host(2), &parameters);
    assert_eq!(refused(json!({ "layer": "relu" })), "`layer`: it needs `channel` too");
    assert_eq!(refused(json!({ "channel": 1 })), "`channel`: it needs `layer` too");
    assert_eq!(refused(json!({ "position": "max" })), "`position`: it needs `layer` too");
    assert_eq!(
        refused(json!({ "layer": "relu", "channel": 0, "target": 1 })),
        "`target`: a class and a unit cannot both be explained; leave out `target`, or `layer` \
         with `channel` and `position`"
    );
}

#[test]
fn units_must_exist() {
    let refused = |parameters| refused(&host(2), &parameters);
    assert_eq!(
        refused(json!({ "layer": "relu", "channel": 3 })),
        "`channel`: relu has no channel 3; its channels are 0 to 2"
    );
    assert_eq!(
        refused(json!({ "layer": "relu", "channel": [0, 9] })),
        "`channel`: relu has no channel 9; its channels are 0 to 2"
    );
    assert_eq!(
        refused(json!({ "layer": "pool", "channel": 0, "position": [0, 3] })),
        "`position`: [0, 3] is outside the maps of pool, which are 3 high and 3 wide"
    );
    assert_eq!(
        refused(json!({ "layer": "scores", "channel": 0, "position": [0, 0] })),
        "`position`: scores holds features, which have no rows and columns; leave it out"
    );
    assert_eq!(
        refused(json!({ "layer": "input", "channel": 0 })),
        "`layer`: input is no layer of the model"
    );
    assert_eq!(refused(json!({ "layer": "rel", "channel": 0 })), "`layer`: no layer `rel`");
}

#[test]
fn a_layer_of_another_rank_is_neither_maps_nor_features() {
    let flat = |model: &mut ModelDescription| model.layers[0].shape = vec![1, 3, 36];
    assert_eq!(
        refused(&host(1).with_description(flat), &json!({ "layer": "conv", "channel": 0 })),
        "`layer`: conv has shape [1, 3, 36], which is neither maps nor features"
    );
}

#[test]
fn lists_have_one_value_for_each_picture() {
    let refused = |parameters| refused(&host(3), &parameters);
    let words = "a list needs one value per picture, 3, not 2; one value alone is for all";
    assert_eq!(refused(json!({ "target": [0, 1] })), format!("`target`: {words}"));
    assert_eq!(
        refused(json!({ "layer": "relu", "channel": [0, 1] })),
        format!("`channel`: {words}")
    );
    assert_eq!(
        refused(json!({ "layer": "relu", "channel": 0, "position": ["max", "max"] })),
        format!("`position`: {words}")
    );
}

#[test]
fn classes_must_exist() {
    assert_eq!(
        refused(&host(1), &json!({ "target": "cow" })),
        "`target`: no class is labelled \"cow\""
    );
    // A host may know fewer classes than it lets through.
    let narrow = |model: &mut ModelDescription| model.layers[3].shape = vec![1, 3];
    assert_eq!(
        refused(&host(1).with_description(narrow), &json!({ "target": 3 })),
        "`target`: there is no class 3; classes are 0 to 2"
    );
}

#[test]
fn a_model_without_a_list_of_classes_has_units_still() {
    let maps = |model: &mut ModelDescription| model.score = "pool".to_owned();
    assert_eq!(
        refused(&host(1).with_description(maps), &json!({})),
        "the scores of the model, pool, have shape [1, 3, 3, 3], which is no list of classes; \
         explain a unit with `layer` and `channel` instead"
    );
    let elsewhere = |model: &mut ModelDescription| model.score = "input".to_owned();
    assert_eq!(
        refused(&host(1).with_description(elsewhere), &json!({})),
        "the model's scores, input, are no layer; explain a unit with `layer` and `channel` instead"
    );
    let unit = json!({ "layer": "relu", "channel": 0 });
    run(&host(1).with_description(maps), "saliency", &unit).unwrap();
}

#[test]
fn there_must_be_pictures() {
    let none = FakeHost::new().with_tensors("images", ArrayD::zeros(vec![0, 2, 6, 6]));
    for parameters in [json!({}), json!({ "layer": "relu", "channel": 0 })] {
        assert_eq!(refused(&none, &parameters), "`images`: there are no pictures");
    }
    assert!(refused(&FakeHost::new(), &json!({})).contains("`images`"));
}

#[test]
fn words_that_no_option_has_are_refused_by_the_schema() {
    for (key, words) in [
        ("start", "\"one\" or \"activation\""),
        ("overlap", "\"sum\" or \"overwrite\""),
        ("lrn", "\"exact\" or \"skip\""),
    ] {
        let message = refused(&host(1), &json!({ key: "other" }));
        assert!(message.contains(key) && message.contains(words), "{message}");
    }
    let message = refused(&host(1), &json!({ "targets": 3 }));
    assert!(message.contains("targets"), "{message}");
    let message = refused(&host(1), &json!({ "layer": "relu", "channel": -1 }));
    assert!(message.contains("`channel`"), "{message}");
}
