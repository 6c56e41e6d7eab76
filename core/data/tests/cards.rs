//! Reads the cards of other programs: Hugging Face's image processors and timm.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::fs;

use convscope_data::{Card, Labels, Pixels, card_of};
use tempfile::TempDir;

/// A folder that holds these files beside the model.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn card(files: &[(&str, &str)], input: Option<[usize; 3]>) -> Option<Card> {
    let folder = folder(files);
    card_of(&folder.path().join("m.onnx"), input).unwrap()
}

fn refused(name: &str, text: &str) -> String {
    let folder = folder(&[(name, text)]);
    let error = card_of(&folder.path().join("m.onnx"), None).unwrap_err().to_string();
    error.replace(&format!("{}/", folder.path().display()), "")
}

/// Says how a mistake is told: with the line in which its field stands, if it is there.
fn told(text: &str, place: &str, reason: &str) -> String {
    let name = reason.split(' ').next().unwrap();
    match text.split_once(&format!("\"{name}\":")) {
        Some((before, _)) => format!(", line {}: {place}{reason}", before.lines().count()),
        None => format!(": {place}{reason}"),
    }
}

/// Prepares a picture whose red is its column and whose green is its row; returns the first pixel
/// that the network sees.
fn first(card: &Card, size: [usize; 2], input: [usize; 3]) -> [u8; 3] {
    let [height, width] = size;
    let pixel = |place: usize| [(place % width) as u8, (place / width) as u8, 9];
    let pixels = Pixels::new(height, width, (0..height * width).flat_map(pixel).collect()).unwrap();
    let prepared = card.preprocessing.as_ref().unwrap().prepare(&pixels, input).unwrap();
    prepared.pixels.values()[..3].try_into().unwrap()
}

fn near(got: &[f64], wanted: &[f64]) {
    assert_eq!(got.len(), wanted.len());
    assert!(got.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-9), "{got:?} {wanted:?}");
}

/// As the residual networks on Hugging Face have it.
const RESNET: &str = r#"{"crop_pct": 0.875, "do_normalize": true, "do_resize": true,
    "feature_extractor_type": "ConvNextFeatureExtractor", "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225], "resample": 3, "size": 224}"#;

/// As vision transformers and Swin on Hugging Face have it.
const VIT: &str = r#"{"do_normalize": true, "do_rescale": true, "do_resize": true,
    "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    "image_processor_type": "ViTImageProcessor", "resample": 2, "rescale_factor": 0.00392156862745098,
    "size": {"height": 224, "width": 224}}"#;

const TIMM: &str = r#"{"architecture": "resnet50", "num_classes": 1000, "num_features": 2048,
    "pretrained_cfg": {"tag": "a1_in1k", "custom_load": false, "input_size": [3, 224, 224],
    "test_input_size": [3, 288, 288], "fixed_input_size": false, "interpolation": "bicubic",
    "crop_pct": 0.95, "test_crop_pct": 1.0, "crop_mode": "center", "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225], "num_classes": 1000, "pool_size": [7, 7], "first_conv": "conv1",
    "classifier": "fc", "paper_ids": "arXiv:2110.00476"}}"#;

#[test]
fn an_image_processor_of_convnext_crops_what_crop_pct_says() {
    let card = card(&[("preprocessor_config.json", RESNET)], None).unwrap();
    assert!(card.path.ends_with("preprocessor_config.json"));
    let rules = card.preprocessing.as_ref().unwrap();
    rules.check([3, 224, 224]).unwrap();
    let form = rules.normalization(3).unwrap().unwrap();
    near(&[form.scale], &[1.0 / 255.0]);
    near(&form.mean, &[0.485, 0.456, 0.406]);
    near(&form.std, &[0.229, 0.224, 0.225]);
    // 224 / 0.875 = 256: a square of 256 is only cropped, by 16 on each side.
    assert_eq!(first(&card, [256, 256], [3, 224, 224]), [16, 16, 9]);
}

#[test]
fn an_image_processor_of_convnext_warps_from_384_on() {
    let text = RESNET.replace("224}", "384}");
    let card = card(&[("preprocessor_config.json", &text)], None).unwrap();
    card.preprocessing.as_ref().unwrap().check([3, 384, 384]).unwrap();
    assert_eq!(first(&card, [384, 384], [3, 384, 384]), [0, 0, 9]);
}

#[test]
fn an_image_processor_of_vit_makes_a_square() {
    for text in [VIT, &VIT.replace(r#"{"height": 224, "width": 224}"#, "224")] {
        let card = card(&[("preprocessor_config.json", text)], None).unwrap();
        let rules = card.preprocessing.as_ref().unwrap();
        rules.check([3, 224, 224]).unwrap();
        near(&rules.normalization(3).unwrap().unwrap().mean, &[0.5; 3]);
        let error = rules.check([3, 256, 256]).unwrap_err().to_string();
        assert!(error.ends_with("the picture becomes 224 × 224, the network reads 256 × 256"));
    }
}

#[test]
fn a_crop_on_numpy_is_rounded_down_and_one_on_torch_to_even() {
    let text = r#"{"image_processor_type": "BitImageProcessor", "do_resize": false,
        "do_center_crop": true, "crop_size": {"height": 4, "width": 4}, "do_rescale": false,
        "do_normalize": false, "do_convert_rgb": true, "size": {"shortest_edge": 8}}"#;
    // Left over are 3 pixels.
    for (kind, wanted) in [("BitImageProcessor", 1), ("BitImageProcessorFast", 2)] {
        let text = text.replace("BitImageProcessor", kind);
        let card = card(&[("preprocessor_config.json", &text)], None).unwrap();
        assert_eq!(first(&card, [7, 7], [3, 4, 4]), [wanted, wanted, 9]);
        let form = card.preprocessing.unwrap().normalization(3).unwrap().unwrap();
        near(&[form.scale, form.mean[0], form.std[0]], &[1.0, 0.0, 1.0]);
    }
}

#[test]
fn an_image_processor_of_mobilevit_turns_the_channels() {
    let text = r#"{"feature_extractor_type": "MobileViTFeatureExtractor", "do_center_crop": true,
        "crop_size": 256, "do_flip_channel_order": true, "do_resize": true, "resample": 2,
        "size": 288}"#;
    let card = card(&[("preprocessor_config.json", text)], None).unwrap();
    let form = card.preprocessing.unwrap().normalization(3).unwrap().unwrap();
    assert_eq!(form.channels.to_string(), "bgr");
    near(&[form.scale, form.mean[0]], &[1.0 / 255.0, 0.0]);
}

#[test]
fn what_an_image_processor_may_do_unknown_to_us_is_refused() {
    let cannot = "model card preprocessor_config.json cannot be followed (a card in TOML would win \
                  over it)";
    for (from, to, reason) in [
        (
            "\"resample\": 2",
            "\"resample\": 0",
            "resample 0 is not supported; 2 (bilinear) and 3 (bicubic) are",
        ),
        (
            "ViTImage",
            "LevitImage",
            "image_processor_type \"LevitImageProcessor\" may take steps of \
         its own; known are the image processors of Beit, Bit, CLIP, ConvNext, DeiT, MobileNetV1, \
         MobileNetV2, MobileViT, Pvt, ViT",
        ),
        ("\"do_rescale\"", "\"do_pad\": true, \"do_rescale\"", "do_pad is not known here"),
        (
            "\"do_rescale\"",
            "\"crop_pct\": 0.9, \"do_rescale\"",
            "crop_pct is supported for ConvNext's processors only",
        ),
    ] {
        assert!(VIT.contains(from));
        let text = VIT.replacen(from, to, 1);
        let wanted = format!("{cannot}{}", told(&text, "", reason));
        assert_eq!(refused("preprocessor_config.json", &text), wanted);
    }
}

#[test]
fn fields_of_an_image_processor_that_change_nothing_are_ignored() {
    let text = VIT.replace(
        "\"do_rescale\"",
        "\"do_pad\": false, \"return_tensors\": null, \"data_format\": \"channels_first\", \
         \"_valid_processor_keys\": [\"images\"], \"do_rescale\"",
    );
    assert!(card(&[("preprocessor_config.json", &text)], None).is_some());
}

#[test]
fn everything_wrong_with_an_image_processor_is_told_at_once() {
    assert_eq!(
        refused(
            "preprocessor_config.json",
            "{\"size\": 224,\n\"image_mean\": [\"a\"], \"crop_size\": 1}"
        ),
        "model card preprocessor_config.json: 5 mistakes\n  \
         resample is missing; add 2 for bilinear or 3 for bicubic\n  \
         do_center_crop is missing beside crop_size; add true or false\n  \
         do_normalize is missing; add true or false\n  \
         line 1: size 224 is the shorter side for some image processors and both for others; write \
         {\"shortest_edge\": 224} or {\"height\": 224, \"width\": 224}\n  \
         line 2: image_mean is a list of 1; needed is a list of numbers"
    );
    for (from, to, reason) in [
        ("0.00392156862745098", "0", "rescale_factor must be a number other than 0"),
        (
            "[0.5, 0.5, 0.5]",
            "[0.5, 0.5]",
            "image_mean must be one finite number, or one per channel",
        ),
        (r#""image_std": [0.5, 0.5, 0.5],"#, "", "image_std is missing"),
        (
            r#""image_std": [0.5, 0.5, 0.5]"#,
            r#""image_std": 0"#,
            "image_std must be numbers above 0",
        ),
        (
            r#"{"height": 224, "width": 224}"#,
            r#"{"longest_edge": 224}"#,
            "size is not understood; \
         needed is a number, {\"shortest_edge\"} or {\"height\", \"width\"}, in pixels",
        ),
        (
            r#""size": {"height": 224, "width": 224}"#,
            r#""do_center_crop": false"#,
            "size is missing",
        ),
        (
            r#""do_rescale": true"#,
            r#""do_center_crop": true"#,
            "do_center_crop is true, but this processor does not do it",
        ),
        (
            "\"do_normalize\": true",
            "\"do_normalize\": 1",
            "do_normalize is 1; needed is true or false",
        ),
    ] {
        assert!(VIT.contains(from));
        let text = VIT.replacen(from, to, 1);
        let wanted = format!("model card preprocessor_config.json{}", told(&text, "", reason));
        assert_eq!(refused("preprocessor_config.json", &text), wanted);
    }
    for (from, to, reason) in [
        ("0.875", "1.5", "crop_pct must be there, above 0 and at most 1"),
        (
            "224}",
            r#"{"height": 224, "width": 224}}"#,
            "size must be a number or hold shortest_edge for this processor",
        ),
    ] {
        let text = RESNET.replacen(from, to, 1);
        let wanted = format!("model card preprocessor_config.json{}", told(&text, "", reason));
        assert_eq!(refused("preprocessor_config.json", &text), wanted);
    }
    assert_eq!(
        refused("preprocessor_config.json", "{\n\"size\": 1,\n\"size\": 2}"),
        "model card preprocessor_config.json, line 3: \"size\" stands there twice"
    );
    assert_eq!(
        refused("preprocessor_config.json", "[]"),
        "model card preprocessor_config.json: it holds no JSON object"
    );
}

#[test]
fn labels_stand_in_the_config_beside_an_image_processor() {
    let config = r#"{"model_type": "vit", "id2label": {"1": "dog", "0": "cat", "2": "owl"}}"#;
    let files = [("preprocessor_config.json", VIT), ("config.json", config)];
    let names = ["cat", "dog", "owl"].map(str::to_owned).to_vec();
    assert_eq!(card(&files, None).unwrap().labels, Some(Labels::Names(names.clone())));
    // Alone it says the classes, and nothing about pictures.
    let alone = card(&files[1..], None).unwrap();
    assert!(alone.preprocessing.is_none());
    assert_eq!(alone.labels, Some(Labels::Names(names)));
    assert!(card(&[("config.json", r#"{"listen": "localhost"}"#)], None).is_none());
    assert_eq!(
        refused("config.json", r#"{"id2label": {"0": "cat", "2": "dog"}}"#),
        "model card config.json, line 1: id2label is no list of classes: class 1 has no name"
    );
    assert_eq!(
        refused("config.json", r#"{"id2label": {"0": 1}}"#),
        "model card config.json, line 1: id2label is a table; needed is a table of class numbers and names"
    );
}

#[test]
fn a_config_of_timm_crops_what_the_size_of_the_model_needs() {
    // floor(224 / 0.95) = 235 and 288 / 1 = 288.
    for (input, size, wanted) in [(224, 235, 6), (288, 288, 0)] {
        let card = card(&[("config.json", TIMM)], Some([3, input, input])).unwrap();
        card.preprocessing.as_ref().unwrap().check([3, input, input]).unwrap();
        assert_eq!(first(&card, [size, size], [3, input, input]), [wanted, wanted, 9]);
    }
    let other = card(&[("config.json", TIMM)], Some([3, 192, 192])).unwrap();
    let error = other.preprocessing.unwrap().check([3, 192, 192]).unwrap_err().to_string();
    assert!(error.ends_with("it cuts out 224 × 224, the network reads 192 × 192"), "{error}");
}

#[test]
fn labels_of_timm_are_told_in_their_descriptions() {
    let labels = r#"{"label_names": ["n01", "n02"], "label_descriptions": {"n01": "tench"}, "#;
    let text = TIMM.replacen('{', labels, 1);
    let wanted = ["tench", "n02"].map(str::to_owned).to_vec();
    assert_eq!(card(&[("config.json", &text)], None).unwrap().labels, Some(Labels::Names(wanted)));
}

#[test]
fn what_timm_may_do_unknown_to_us_is_refused() {
    let cannot = "model card config.json cannot be followed (a card in TOML would win over it)";
    for (from, to, reason) in [
        ("\"center\"", "\"squash\"", "crop_mode other than \"center\" is not supported"),
        (
            "\"bicubic\"",
            "\"random\"",
            "interpolation \"random\" is not supported; bilinear and bicubic are",
        ),
        ("[3, 224, 224]", "[3, 224, 192]", "input_size that is not square is not supported"),
        ("\"tag\"", "\"crop_border_pixels\": 4, \"tag\"", "crop_border_pixels is not known here"),
    ] {
        assert!(TIMM.contains(from));
        let text = TIMM.replacen(from, to, 1);
        let wanted = format!("{cannot}{}", told(&text, "pretrained_cfg.", reason));
        assert_eq!(refused("config.json", &text), wanted);
    }
    for (from, to, reason) in [
        ("\"crop_pct\": 0.95,", "", "crop_pct is missing"),
        ("\"crop_pct\": 0.95", "\"crop_pct\": 0", "crop_pct must be above 0 and at most 1"),
        (
            "\"mean\": [0.485, 0.456, 0.406]",
            "\"mean\": 0.5",
            "mean must be one finite number for each of 3 channels",
        ),
        ("0.229", "-0.229", "std must be numbers above 0"),
        (
            "\"center\"",
            "\"centre\"",
            "crop_mode \"centre\" is none of center, squash, border; did you mean `center`?",
        ),
    ] {
        assert!(TIMM.contains(from));
        let text = TIMM.replacen(from, to, 1);
        let wanted = format!("model card config.json{}", told(&text, "pretrained_cfg.", reason));
        assert_eq!(refused("config.json", &text), wanted);
    }
    let error = refused("config.json", "{\"pretrained_cfg\": 1}");
    let wanted = "model card config.json: 6 mistakes\n  \
                  pretrained_cfg.input_size is missing\n  pretrained_cfg.crop_pct is missing\n  ";
    assert!(error.starts_with(wanted), "{error}");
    assert!(error.ends_with("\n  line 1: pretrained_cfg is 1; needed is a table"), "{error}");
}

#[test]
fn a_card_in_toml_wins_alone_over_the_others() {
    let files = [
        ("m.toml", "[input]\nchannels = \"bgr\""),
        ("preprocessor_config.json", "broken"),
        ("config.json", TIMM),
    ];
    let card = card(&files, None).unwrap();
    assert!(card.path.ends_with("m.toml"));
    assert_eq!(card.labels, None);
}
