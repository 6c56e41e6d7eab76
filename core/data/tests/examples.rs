//! Reads the example model's card, its labels and every example photograph.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::path::{Path, PathBuf};

use convscope_data::{Labels, card_of, decode, list_images, read_labels};

fn examples(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(path)
}

#[test]
fn the_example_card_names_the_scores_and_a_thousand_classes() {
    let card = card_of(&examples("models/squeezenet1_1.onnx"), None).unwrap().unwrap();
    assert_eq!(card.scores.as_deref(), Some("logits"));
    let Some(Labels::File(file)) = card.labels else { panic!("no labels") };
    let labels = read_labels(&file).unwrap();
    assert_eq!(labels.len(), 1000);
    assert_eq!(labels[281], "tabby, tabby cat");
}

#[test]
fn every_example_photograph_is_prepared_inside_itself() {
    let card = card_of(&examples("models/squeezenet1_1.onnx"), None).unwrap().unwrap();
    let photographs = list_images(&[examples("photos")]).unwrap();
    assert_eq!(photographs.len(), 11);
    for photograph in photographs {
        let pixels = decode(photograph.path()).unwrap();
        let prepared =
            card.preprocessing.as_ref().unwrap().prepare(&pixels, [3, 227, 227]).unwrap();
        assert_eq!(prepared.values.len(), 3 * 227 * 227);
        for axis in [0, 1] {
            let end = prepared.offset[axis] + 227.0 * prepared.step[axis];
            let size = pixels.size()[axis] as f64;
            assert!(prepared.offset[axis] >= 0.0 && end <= size, "{}", photograph.name());
        }
    }
}
