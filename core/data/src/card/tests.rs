use std::fs;

use convscope_runtime::Tensor;

use super::*;
use crate::{Channels, Interpolation, LongSide, Mean, Resize, write_npy};

fn read(text: &str) -> Result<Card, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.toml");
    fs::write(&path, text).unwrap();
    fs::create_dir(folder.path().join("names")).unwrap();
    fs::write(folder.path().join("names/labels.txt"), "cat").unwrap();
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
    let rules = card.preprocessing.unwrap();
    let side = Resize::ShorterSide { length: 256, other: LongSide::Nearest };
    assert_eq!(rules.resize, Some(side));
    assert_eq!(rules.interpolation, Interpolation::Bicubic);
    assert_eq!(rules.crop, Some([227, 230]));
    assert_eq!(rules.channels, Some(Channels::Bgr));
    assert!((rules.scale - 0.5).abs() < 1e-12);
    assert!(matches!(rules.mean, Mean::Channels(mean) if mean == [103.939, 116.0, 123.68]));
    assert_eq!(rules.std, [1.0, 2.0, 3.0]);
    assert_eq!(card.scores.as_deref(), Some("logits"));
    assert!(matches!(card.labels, Some(Labels::File(path)) if path.ends_with("names/labels.txt")));
}

#[test]
fn an_empty_input_table_is_raw() {
    let rules = read("[input]\nresize = [20, 30]").unwrap().preprocessing.unwrap();
    assert_eq!(rules.resize, Some(Resize::Exact([20, 30])));
    assert_eq!((rules.crop, rules.channels, rules.scale), (None, None, 1.0));
}

#[test]
fn the_card_of_a_model_lies_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("net.v1.onnx");
    assert!(card_of(&model, None).unwrap().is_none());
    fs::write(folder.path().join("l.txt"), "cat").unwrap();
    fs::write(folder.path().join("net.v1.toml"), "[input]\n[output]\nlabels = \"l.txt\"").unwrap();
    let card = card_of(&model, None).unwrap().unwrap();
    assert_eq!(card.path, folder.path().join("net.v1.toml"));
    assert_eq!(card.labels.unwrap(), Labels::File(folder.path().join("l.txt")));
}

#[test]
fn a_mean_image_is_read_from_beside_the_card() {
    let folder = tempfile::tempdir().unwrap();
    write_npy(&folder.path().join("mean.npy"), &Tensor::filled([3, 2, 2], 5.0)).unwrap();
    let path = folder.path().join("m.toml");
    fs::write(&path, "[input]\nmean_image = \"mean.npy\"").unwrap();
    let mean = read_card(&path).unwrap().preprocessing.unwrap().mean;
    assert!(matches!(mean, Mean::Image(image) if image.shape().extents() == [3, 2, 2]));
    let refused = |text: &str| {
        fs::write(&path, text).unwrap();
        read_card(&path).unwrap_err().to_string()
    };
    let error = refused("[input]\nmean_image = \"other.npy\"");
    let file = folder.path().join("other.npy");
    let reason = format!(", line 2: [input] mean_image names {}, which is no file", file.display());
    assert!(error.ends_with(&reason), "{error}");
    let error = refused("[input]\nchannels = \"grey\"\nmean_image = \"mean.npy\"");
    let reason = "line 3: [input] mean_image has shape [3, 2, 2]; needed is [1, height, width]";
    assert!(error.ends_with(reason), "{error}");
    write_npy(&folder.path().join("mean.npy"), &Tensor::filled([3, 2, 2], f32::NAN)).unwrap();
    let error = refused("[input]\nmean_image = \"mean.npy\"");
    assert!(error.ends_with("line 2: [input] mean_image holds NaN or infinity"), "{error}");
    fs::write(folder.path().join("mean.npy"), "no array").unwrap();
    let error = refused("[input]\nmean_image = \"mean.npy\"");
    assert!(error.contains("line 2: [input] mean_image cannot be used: array "), "{error}");
}

#[test]
fn everything_wrong_is_told_at_once_in_its_line() {
    let text = "[input]\nresise = 256\ncrop = [2, 2, 2]\nchannels = \"rbg\"\nscale = 0\n\
                [output]\nlabel = \"l.txt\"\nscores = 7\n[inputs]\n";
    assert_eq!(
        refused(text),
        "model card m.toml: 7 mistakes\n  \
         line 2: [input] resise is unknown; did you mean `resize`?\n  \
         line 3: [input] crop is a list of 3; needed is [height, width]\n  \
         line 4: [input] channels \"rbg\" is none of rgb, bgr, grey; did you mean `rgb`?\n  \
         line 5: [input] scale must be a number other than 0\n  \
         line 7: [output] label is unknown; did you mean `labels`?\n  \
         line 8: [output] scores is 7; needed is text\n  \
         line 9: inputs is unknown; did you mean `input`?"
    );
}

#[test]
fn broken_toml_is_told_with_its_lines() {
    assert!(refused("[input\n").starts_with("model card m.toml, line 1: "));
    let error = refused("[input]\nscale = 1\nscale = 2\n");
    assert!(error.starts_with("model card m.toml, line 3: duplicate key"), "{error}");
    let error = refused("[input]\nscale = \nmean = [1,\n");
    assert!(error.starts_with("model card m.toml: 2 mistakes\n  line 2: "), "{error}");
    assert!(error.contains("\n  line 3: unclosed array"), "{error}");
}

#[test]
fn values_of_another_type_are_told_what_is_needed() {
    let size = "the length of the shorter side, or [height, width]";
    for (field, reason) in [
        ("resize = \"big\"", format!("resize is the text \"big\"; needed is {size}")),
        ("resize = [1]", format!("resize is a list of 1; needed is {size}")),
        ("resize = -4", format!("resize is -4; needed is {size}")),
        ("resize = 1.5", format!("resize is 1.5; needed is {size}")),
        ("resize = true", format!("resize is true; needed is {size}")),
        ("scale = 1979-05-27", "scale is of another type; needed is a number".to_owned()),
        ("mean = [1, \"2\"]", "mean is a list of 2; needed is a list of numbers".to_owned()),
        ("std = {}", "std is a table; needed is a list of numbers".to_owned()),
        ("channels = \"\"", "channels is empty; needed is text".to_owned()),
    ] {
        assert_eq!(
            refused(&format!("[input]\n{field}")),
            format!("model card m.toml, line 2: [input] {reason}")
        );
    }
    assert_eq!(
        refused("input = 3"),
        "model card m.toml: 2 mistakes\n  there is no [input] table; \
        preprocessing is never guessed\n  line 1: input is 3; needed is a table"
    );
}

#[test]
fn contradictions_and_nonsense_are_refused() {
    for (text, reason) in [
        ("", ": there is no [input] table; preprocessing is never guessed"),
        ("[output]\nscores = \"s\"", ": there is no [input] table; preprocessing is never guessed"),
        ("[input]\n[output]\nscores = \"\"", ", line 3: [output] scores is empty; needed is text"),
        ("[input]\nresize = 0", ", line 2: [input] resize must be from 1 to 65535 pixels"),
        ("[input]\ncrop = [1, 70000]", ", line 2: [input] crop must be from 1 to 65535 pixels"),
        (
            "[input]\nresize = 224\ncrop = [256, 256]",
            ", line 3: [input] crop is larger than resize leaves the picture",
        ),
        (
            "[input]\nresize = [224, 300]\ncrop = [256, 256]",
            ", line 3: [input] crop is larger than resize leaves the picture",
        ),
        (
            "[input]\ncrop = [2, 2]\ninterpolation = \"bicubic\"",
            ", line 3: [input] interpolation stands beside crop but no resize: nothing is resized",
        ),
        ("[input]\nscale = nan", ", line 2: [input] scale must be a number other than 0"),
        ("[input]\nmean = [inf]", ", line 2: [input] mean must be finite numbers"),
        ("[input]\nstd = [1, 0, 1]", ", line 2: [input] std must be numbers above 0"),
        (
            "[input]\nmean = [1, 2]",
            ", line 2: [input] mean has 2 numbers; needed is one, or one per channel",
        ),
        (
            "[input]\nchannels = \"grey\"\nstd = [1, 2, 3]",
            ", line 3: [input] std has 3 numbers; needed is one, for grey",
        ),
    ] {
        assert_eq!(refused(text), format!("model card m.toml{reason}"));
    }
    let error = refused("[input]\nmean = [1]\nmean_image = \"names/labels.txt\"");
    let reason = "line 2: [input] mean and mean_image exclude each other; keep one of them";
    assert!(error.contains(reason), "{error}");
    let error = refused("[input]\n[output]\nlabels = \"none.txt\"");
    assert!(
        error.contains(", line 3: [output] labels names ")
            && error.ends_with("none.txt, which is no file")
    );
}
