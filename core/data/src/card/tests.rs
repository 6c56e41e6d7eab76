use std::fs;

use convscope_runtime::Tensor;

use super::*;
use crate::{Channels, Interpolation, LongSide, Mean, Resize, write_npy};

fn read(text: &str) -> Result<Card, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.toml");
    fs::write(&path, text).unwrap();
    let card = read_card(&path);
    card.map_err(|error| error.to_string().replace(path.to_str().unwrap(), "m.toml"))
}

fn refused(text: &str) -> String {
    read(text).unwrap_err()
}

#[test]
fn every_field_is_read() {
    let card = read(
        r#"
        [input]
        resize = 256
        interpolation = "bicubic"
        crop = [227, 230]
        channels = "bgr"
        scale = 0.5
        mean = [103.939, 116, 123.68]
        std = [1, 2.0, 3.0]
        [output]
        scores = "logits"
        labels = "names/labels.txt"
        "#,
    )
    .unwrap();
    let rules = card.preprocessing;
    let side = Resize::ShorterSide { length: 256, other: LongSide::Nearest };
    assert_eq!(rules.resize, Some(side));
    assert_eq!(rules.interpolation, Interpolation::Bicubic);
    assert_eq!(rules.crop, Some([227, 230]));
    assert_eq!(rules.channels, Some(Channels::Bgr));
    assert!((rules.scale - 0.5).abs() < 1e-12);
    assert!(matches!(rules.mean, Mean::Channels(mean) if mean == [103.939, 116.0, 123.68]));
    assert_eq!(rules.std, [1.0, 2.0, 3.0]);
    assert_eq!(card.scores.as_deref(), Some("logits"));
    assert!(card.labels.unwrap().ends_with("names/labels.txt"));
}

#[test]
fn an_empty_input_table_is_raw() {
    let rules = read("[input]\nresize = [20, 30]").unwrap().preprocessing;
    assert_eq!(rules.resize, Some(Resize::Exact([20, 30])));
    assert_eq!((rules.crop, rules.channels, rules.scale), (None, None, 1.0));
}

#[test]
fn the_card_of_a_model_lies_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("net.v1.onnx");
    assert!(card_of(&model).unwrap().is_none());
    fs::write(folder.path().join("net.v1.toml"), "[input]\n[output]\nlabels = \"l.txt\"").unwrap();
    let card = card_of(&model).unwrap().unwrap();
    assert_eq!(card.labels.unwrap(), folder.path().join("l.txt"));
}

#[test]
fn a_mean_image_is_read_from_beside_the_card() {
    let folder = tempfile::tempdir().unwrap();
    write_npy(&folder.path().join("mean.npy"), &Tensor::filled([3, 2, 2], 5.0)).unwrap();
    let path = folder.path().join("m.toml");
    fs::write(&path, "[input]\nmean_image = \"mean.npy\"").unwrap();
    let mean = read_card(&path).unwrap().preprocessing.mean;
    assert!(matches!(mean, Mean::Image(image) if image.shape().extents() == [3, 2, 2]));
    fs::write(&path, "[input]\nmean_image = \"other.npy\"").unwrap();
    let error = read_card(&path).unwrap_err().to_string();
    assert!(error.contains("other.npy"), "{error}");
}

#[test]
fn unknown_and_wrong_fields_are_shown_in_their_line() {
    let error = refused("[input]\nresise = 256");
    assert!(error.starts_with("model card m.toml: "), "{error}");
    assert!(error.contains("line 2") && error.contains("unknown field `resise`"), "{error}");
    assert!(error.contains("resise = 256"), "{error}");
    let error = refused("[input]\nresize = \"big\"");
    assert!(error.contains("the length of the shorter side, or [height, width]"), "{error}");
    for size in ["[1]", "[1, 2, 3]", "-4"] {
        let error = refused(&format!("[input]\nresize = {size}"));
        assert!(error.contains("line 2") && error.contains("shorter side"), "{error}");
    }
    let error = refused("[input]\nchannels = \"rbg\"");
    assert!(error.contains("`rgb`, `bgr`, `grey`"), "{error}");
    assert!(refused("[input\n").contains("line 1"));
    assert!(refused("[inputs]").contains("unknown field `inputs`"));
}

#[test]
fn contradictions_and_nonsense_are_refused() {
    for (text, reason) in [
        ("", "there is no [input] table; preprocessing is never guessed"),
        ("[output]\nscores = \"s\"", "there is no [input] table; preprocessing is never guessed"),
        ("[input]\n[output]\nscores = \"\"", "[output] scores names no value"),
        (
            "[input]\nmean = [1]\nmean_image = \"m.npy\"",
            "[input] has mean and mean_image; keep one of them",
        ),
        ("[input]\nresize = 0", "[input] resize must be from 1 to 65535 pixels"),
        ("[input]\ncrop = [1, 70000]", "[input] crop must be from 1 to 65535 pixels"),
        (
            "[input]\nresize = 224\ncrop = [256, 256]",
            "[input] crop is larger than resize leaves the picture",
        ),
        (
            "[input]\nresize = [224, 300]\ncrop = [256, 256]",
            "[input] crop is larger than resize leaves the picture",
        ),
        (
            "[input]\ncrop = [2, 2]\ninterpolation = \"bicubic\"",
            "[input] has interpolation and crop but no resize: nothing is resized",
        ),
        ("[input]\nscale = 0", "[input] scale must be a number other than 0"),
        ("[input]\nscale = nan", "[input] scale must be a number other than 0"),
        ("[input]\nmean = [inf]", "[input] mean must be finite numbers"),
        ("[input]\nstd = [1, 0, 1]", "[input] std must be numbers above 0"),
        ("[input]\nmean = [1, 2]", "[input] mean has 2 numbers; needed is one, or one per channel"),
        (
            "[input]\nchannels = \"grey\"\nstd = [1, 2, 3]",
            "[input] std has 3 numbers; needed is one, for grey",
        ),
    ] {
        assert_eq!(refused(text), format!("model card m.toml: {reason}"));
    }
}
