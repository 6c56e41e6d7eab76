//! Models and images.

use crate::fake::{Desk, LOADED, marked, mistake, printed};

#[test]
fn a_model_describes_itself() {
    let script = format!(
        "{LOADED} print(model); print(model.layers.len()); print(model.layer(\"conv1\").shape);
         print(model.layer(\"conv1\").receptive_field); print(model.layer(\"conv1\").stride);
         print(model.labels); print(model.score); print(model.name); print(photos);
         print(photos.names); print(photos.len());"
    );

    assert_eq!(
        printed(&script),
        [
            "tiny.onnx with 2 layers",
            "2",
            "[1, 8, 16, 16]",
            "[7, 7]",
            "",
            "[\"cat\", \"dog\"]",
            "fc",
            "tiny.onnx",
            "2 images",
            "[\"cat.jpg\", \"dog.jpg\"]",
            "2",
        ]
    );
}

#[test]
fn a_model_classifies_images() {
    let script = format!(
        "{LOADED} print(model.predict(photos, 1)[1]); print(model.predict(photos)[0].classes.len());"
    );

    assert_eq!(
        printed(&script),
        [
            "#{\"classes\": [#{\"index\": 0, \"label\": \"class 0\", \"probability\": 0.5}], \
             \"name\": \"dog.jpg\"}",
            "5",
        ]
    );
}

#[test]
fn options_of_loading_are_passed_on() {
    let script = "load_model(\"models/tiny.onnx\", #{ preprocess: \"caffe\", input: [1, 3, 8, 8],
                  weights: \"models/w.safetensors\" });
                  load_images([\"photos\", \"photos/*.jpg\"], #{ limit: 5, labels: [\"cat\", 1] });";

    let asked = Desk::new().run(script).asked();

    assert!(asked[0].contains(" Some(\"caffe\") Some([1, 3, 8, 8]) None Some("), "{}", asked[0]);
    assert!(asked[0].ends_with("/models/w.safetensors\")"), "{}", asked[0]);
    assert!(asked[1].ends_with("Some(5) Some([\"cat\", \"1\"])"), "{}", asked[1]);
    assert!(asked[1].contains("/photos/*.jpg"), "{}", asked[1]);
}

#[test]
fn labels_are_read_from_a_file() {
    let asked = Desk::new()
        .write("home/labels.txt", "cat\n 7 \n")
        .run("load_images(\"photos\", #{ labels: \"labels.txt\" });")
        .asked();

    assert!(asked[0].ends_with("None Some([\"cat\", \"7\"])"), "{}", asked[0]);
}

#[test]
fn wrong_options_of_loading_are_said() {
    let ask = |call: &str| {
        let mistake = mistake(call);
        (mistake.message.clone(), marked(&mistake))
    };

    let (message, word) = ask("load_model(\"models/tiny.onnx\", #{ preprocess: 3 });");
    assert_eq!(message, "`preprocess`: expected \"caffe\" or \"imagenet\", got 3");
    assert_eq!(word, "3");
    let (message, _) = ask("load_images(\"photos\", #{ limit: 0 });");
    assert_eq!(message, "`limit`: expected a whole number of at least 1, got 0");
    let (message, _) = ask("load_images(\"photos\", #{ labels: 3 });");
    let expected = "text, or a list of a whole number, or text";
    assert_eq!(message, format!("`labels`: expected {expected}, got 3"));
    let (message, _) = ask("load_model(\"models/tiny.onnx\", #{ input: \"8\" });");
    assert_eq!(message, "`input`: expected a list of a whole number of at least 1, got \"8\"");
    let (message, word) = ask("load_images(\"photos\", #{ limt: 3 });");
    assert_eq!((message.as_str(), word.as_str()), ("unknown option `limt`", "limt"));
    let (message, _) = ask("load_images([]);");
    assert_eq!(message, "the list of pictures is empty");
    let (message, _) = ask("load_model(5);");
    assert_eq!(message, "a path is a string, not a whole number");
    let (message, _) = ask("load_model(\"\");");
    assert_eq!(message, "a path may not be empty");
    let (message, word) = ask("load_model(\"main.rhai\");");
    assert_eq!((message.as_str(), word.as_str()), ("this is no ONNX model", "\"main.rhai\""));
}

#[test]
fn wrong_options_that_are_computed_are_said_at_the_call() {
    let ask = |call: &str| {
        let mistake = mistake(&format!("let o = #{{}}; {call}"));
        (mistake.message.clone(), marked(&mistake))
    };

    let (message, word) = ask("o.preprocess = 3; load_model(\"models/tiny.onnx\", o);");
    assert_eq!(message, "`preprocess` must be a string, not a whole number");
    assert_eq!(word, "load_model");
    let (message, _) = ask("o.limit = 0; load_images(\"photos\", o);");
    assert_eq!(message, "`limit` must be at least 1, not 0");
    let (message, _) = ask("o.labels = 3; load_images(\"photos\", o);");
    assert_eq!(message, "`labels` must be a list or a path, not a whole number");
    let (message, _) = ask("o.input = \"8\"; load_model(\"models/tiny.onnx\", o);");
    assert_eq!(message, "`input` must be a list of whole numbers, not a string");
    let (message, word) = ask("o.limt = 3; load_images(\"photos\", o);");
    assert_eq!(message, "unknown option `limt`");
    assert_eq!(word, "load_images");
    let (message, _) = ask("let p = []; p += 5; load_images(p);");
    assert_eq!(message, "a path is a string, not a whole number");
    let (message, word) = ask("let p = \"main\"; p += \".rhai\"; load_model(p);");
    assert_eq!((message.as_str(), word.as_str()), ("this is no ONNX model", "load_model"));
}

#[test]
fn unknown_layers_and_properties_are_said_with_the_nearest() {
    let ask = |what: &str| {
        let mistake = mistake(&format!("{LOADED} model.{what};"));
        (mistake.message, mistake.label.or(mistake.help).unwrap())
    };

    let (message, help) = ask("layer(\"conv\")");
    assert_eq!(message, "the model `tiny.onnx` has no layer `conv`");
    assert_eq!(help, "did you mean `conv1`?");
    assert_eq!(ask("layer(\"fire9\")").1, "did you mean `fire9/concat`?");
    assert_eq!(ask("layer(\"pool\")").1, "layers: `conv1`, `fire9/concat`");
    let (message, help) = ask("layrs");
    assert_eq!(message, "a model has no property `layrs`");
    assert_eq!(help, "did you mean `layers`?");
    assert_eq!(ask("colour").1, "properties: `labels`, `layers`, `name`, `score`");
}
