//! Cards of other programs, and cards that do not fit the model, at the level of the program.

use std::path::PathBuf;

use assert_cmd::Command;
use tempfile::TempDir;

use crate::support::{convscope, folder, json_of, photo, refusal, squeezenet};

/// As Hugging Face saves it, but for the size, which is that of the model.
const PROCESSOR: &str = r#"{"image_processor_type": "BitImageProcessor", "do_resize": true,
    "size": {"shortest_edge": 256}, "resample": 2, "do_center_crop": true, "crop_size": 227,
    "do_rescale": true, "rescale_factor": 0.00392156862745098, "do_normalize": true,
    "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}"#;

/// The example's model in a folder of its own, with these files beside it.
fn model(files: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let place = folder();
    let model = place.path().join("m.onnx");
    std::fs::copy(squeezenet(), &model).unwrap();
    for (name, text) in files {
        std::fs::write(place.path().join(name), text).unwrap();
    }
    (place, model)
}

fn predict(model: &PathBuf) -> Command {
    let mut command = convscope();
    command.arg("predict").arg(model).arg(photo("chelsea.png"));
    command
}

#[test]
fn the_card_of_an_image_processor_is_used_and_said() {
    let labels: Vec<String> =
        (0..1000).map(|class| format!("\"{class}\": \"class {class}\"")).collect();
    let config = format!("{{\"id2label\": {{{}}}}}", labels.join(", "));
    let (_place, model) =
        model(&[("preprocessor_config.json", PROCESSOR), ("config.json", &config)]);

    let answer = json_of(&mut predict(&model));

    let source = "model card preprocessor_config.json";
    assert_eq!(answer["preprocessing"], source);
    let first = &answer["predictions"][0]["classes"][0];
    assert_eq!(first["label"], format!("class {}", first["class"]));
    let answer = json_of(convscope().arg("inspect").arg(&model));
    assert_eq!(answer["model"]["preprocessing_source"], source);
}

/// As Hugging Face keeps it: every name is a link to a file that is named by its content.
#[cfg(unix)]
#[test]
fn a_model_in_a_cache_of_links_has_its_card() {
    let (place, _) = model(&[("card", PROCESSOR)]);
    let (cache, folder) = (place.path(), place.path().join("snapshots/main/onnx"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir(cache.join("blobs")).unwrap();
    for (blob, file, name) in
        [("ab", "m.onnx", "model.onnx"), ("cd", "card", "preprocessor_config.json")]
    {
        std::fs::rename(cache.join(file), cache.join("blobs").join(blob)).unwrap();
        std::os::unix::fs::symlink(format!("../../../blobs/{blob}"), folder.join(name)).unwrap();
    }

    let answer = json_of(&mut predict(&folder.join("model.onnx")));

    assert_eq!(answer["preprocessing"], "model card preprocessor_config.json");
}

#[test]
fn labels_of_another_number_are_refused_with_both() {
    let config = r#"{"id2label": {"0": "cat", "1": "dog"}}"#;
    let (_place, model) =
        model(&[("preprocessor_config.json", PROCESSOR), ("config.json", config)]);
    let words = refusal(&mut predict(&model), 1);
    let wanted = "config.json has 2 labels, but the model has 1000 classes";
    assert!(words.contains(wanted), "{words}");
}

#[test]
fn a_card_for_another_size_is_refused_before_a_picture_is_decoded() {
    let card = "[input]\nresize = 256\ncrop = [224, 224]\n";
    let (place, model) = model(&[("m.toml", card), ("p.png", "not decoded")]);
    let mut command = convscope();
    command.arg("predict").arg(&model).arg(place.path().join("p.png"));
    let words = refusal(&mut command, 1);
    let wanted = "m.toml: it cuts out 224 × 224, the network reads 227 × 227";
    assert!(words.contains(wanted), "{words}");
}

#[test]
fn everything_wrong_with_a_card_is_told_at_once() {
    let (_place, model) = model(&[("m.toml", "[input]\nresise = 1\nscale = \"x\"\n")]);
    let words = refusal(&mut predict(&model), 1);
    assert!(words.contains("m.toml: 2 mistakes"), "{words}");
    assert!(words.contains("line 2: [input] resise is unknown; did you mean `resize`?"), "{words}");
    assert!(
        words.contains("line 3: [input] scale is the text \"x\"; needed is a number"),
        "{words}"
    );
}
