//! The session with a real network and real photographs: `SqueezeNet` 1.1 of `examples/`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use convscope_host::{
    HostError, ImageOptions, ModelOptions, Places, Quiet, Registry, Search, Session, SessionOptions,
};
use convscope_protocol::ModelDescription;
use convscope_runtime::Tensor;

fn examples(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(path)
}

fn session() -> Session {
    let registry = Registry::discover(&Search::new(&[], &Places::default()));
    Session::new(SessionOptions::default(), registry).unwrap()
}

#[test]
fn a_model_is_described_with_its_layers_labels_and_preprocessing() {
    let model = session()
        .load_model(&examples("models/squeezenet1_1.onnx"), &ModelOptions::default())
        .unwrap();
    let description = model.description();
    assert_eq!(description.name, "squeezenet1_1.onnx");
    assert_eq!(description.inputs[0].shape, [1, 3, 227, 227]);
    assert_eq!((description.labels.len(), model.classes()), (1000, 1000));
    assert!(model.network().find(&description.score).is_some());
    let scale = description.preprocessing.as_ref().unwrap();
    assert_eq!(scale.channels, "bgr");
    assert_eq!(scale.mean, [103.939, 116.779, 123.68]);
    // The first convolution: 3×3 at stride 2, 64 filters over 3 channels, 113×113 places.
    let first = &description.layers[0];
    assert_eq!(first.kind, "convolution");
    assert_eq!(first.shape, [1, 64, 113, 113]);
    assert_eq!(first.receptive_field, Some([3, 3]));
    assert_eq!(first.stride, Some([2, 2]));
    assert_eq!(first.multiply_adds, 64 * 27 * 113 * 113);
    assert_eq!(first.parameters, 64 * 27 + 64);
    assert_eq!(description.layers[1].receptive_field, Some([3, 3]));
    // All of it: the figures that the paper and torchvision state.
    let parameters: u64 = description.layers.iter().map(|layer| layer.parameters).sum();
    assert_eq!(parameters, 1_235_496);
}

#[test]
fn an_outline_is_described_like_the_model_and_computes_nothing() {
    let session = session();
    let path = examples("models/squeezenet1_1.onnx");
    let model = session.load_model(&path, &ModelOptions::default()).unwrap();
    let outline = session.outline_model(&path, &ModelOptions::default()).unwrap();
    let expected = ModelDescription { hash: String::new(), ..model.description().clone() };
    assert_eq!(*outline.description(), expected);
    let reason = "is an outline without weights, which computes nothing";
    let input = Tensor::zeros([1, 3, 227, 227]);
    let error = session.infer(&outline, &[input], &[], &Quiet).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: {reason}", path.display()));
    let images = [examples("photos/chelsea.png")];
    let images = session.load_images(&images, &ImageOptions::default()).unwrap();
    assert!(
        session.predict(&outline, &images, 1, &Quiet).unwrap_err().to_string().ends_with(reason)
    );
    let error = session.run(&outline, "any", BTreeMap::new(), &Quiet).unwrap_err();
    assert!(error.to_string().ends_with(reason));
}

#[test]
fn photographs_are_recognized() {
    let session = session();
    let path = examples("models/squeezenet1_1.onnx");
    let model = session.load_model(&path, &ModelOptions::default()).unwrap();
    let photos = ["photos/chelsea.png", "photos/camera.png"].map(examples);
    let images = session.load_images(&photos, &ImageOptions::default()).unwrap();
    let predictions = session.predict(&model, &images, 2, &Quiet).unwrap();
    // onnxruntime and PIL, see examples/models/README.md.
    let expected =
        [("chelsea.png", 285, "Egyptian cat", 0.431), ("camera.png", 872, "tripod", 0.758)];
    for (prediction, (name, class, label, probability)) in predictions.iter().zip(expected) {
        assert_eq!(prediction.name, name);
        assert_eq!(prediction.classes.len(), 2);
        assert_eq!((prediction.classes[0].0, prediction.classes[0].1.as_str()), (class, label));
        assert!((prediction.classes[0].2 - probability).abs() < 0.02, "{prediction:?}");
    }
}

#[test]
fn images_know_their_number_and_their_hash() {
    let session = session();
    let all = session.load_images(&[examples("photos")], &ImageOptions::default()).unwrap();
    assert_eq!(all.len(), 11);
    let options = ImageOptions { limit: Some(3), ..ImageOptions::default() };
    let some = session.load_images(&[examples("photos")], &options).unwrap();
    assert_eq!(some.len(), 3);
    assert_eq!(some.entries()[0].name(), all.entries()[0].name());
    assert_ne!(some.hash(&Quiet).unwrap(), all.hash(&Quiet).unwrap());
    let again = session.load_images(&[examples("photos")], &options).unwrap();
    assert_eq!(some.hash(&Quiet).unwrap(), again.hash(&Quiet).unwrap());
}

#[test]
fn labels_are_given_one_to_each_picture() {
    let session = session();
    let load = |labels: &[&str], limit| {
        let labels = Some(labels.iter().map(|&label| label.to_owned()).collect());
        let sources = [examples("photos/chelsea.png"), examples("photos/coffee.png")];
        session.load_images(&sources, &ImageOptions { limit, labels })
    };
    let set = load(&["Egyptian cat", "967"], Some(1)).unwrap();
    assert!(format!("{:?}", set.entries()).contains("label: Some(\"Egyptian cat\")"));
    let error = load(&["cat"], None).unwrap_err();
    assert_eq!(error.to_string(), "labels: 1 for 2 images");
}

#[test]
fn what_is_wrong_with_a_model_or_its_companions_names_the_file() {
    let session = session();
    let load = |path: &Path, options: &ModelOptions| session.load_model(path, options).unwrap_err();
    let error = load(Path::new("nowhere.onnx"), &ModelOptions::default());
    assert_eq!(error.kind(), "invalid_model");
    assert_eq!(error.to_string().matches("nowhere.onnx").count(), 1, "{error}");
    let folder = tempfile::tempdir().unwrap();
    let damaged = folder.path().join("damaged.onnx");
    std::fs::write(&damaged, b"no model").unwrap();
    let error = load(&damaged, &ModelOptions::default());
    assert!(error.to_string().contains("damaged.onnx: "), "{error}");
    let labels = folder.path().join("two.txt");
    std::fs::write(&labels, "cat\ndog\n").unwrap();
    let options = ModelOptions { labels: Some(labels), ..ModelOptions::default() };
    let error = load(&examples("models/squeezenet1_1.onnx"), &options);
    assert_eq!(error.kind(), "invalid_labels");
    assert!(error.to_string().ends_with("two.txt has 2 labels, but the model has 1000 classes"));
    assert!(error.help().unwrap().ends_with("one a class, in its order"), "{:?}", error.help());
}

#[test]
fn a_card_that_names_an_unknown_value_is_refused_with_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("squeezenet1_1.onnx");
    std::fs::copy(examples("models/squeezenet1_1.onnx"), &model).unwrap();
    let card = "[input]\nchannels = \"rgb\"\n[output]\nscores = \"logit\"\n";
    std::fs::write(folder.path().join("squeezenet1_1.toml"), card).unwrap();
    let error = session().load_model(&model, &ModelOptions::default()).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("model card "), "{text}");
    assert!(text.ends_with("squeezenet1_1.toml: scores: the model has no layer `logit`"), "{text}");
    assert!(error.help().unwrap().contains("`logits`"), "{:?}", error.help());
}

#[test]
fn without_plugins_an_analysis_is_answered_with_the_places_that_were_searched() {
    let session = session();
    let path = examples("models/squeezenet1_1.onnx");
    let model = session.load_model(&path, &ModelOptions::default()).unwrap();
    let error = session.run(&model, "deconvnet", BTreeMap::new(), &Quiet).unwrap_err();
    assert!(matches!(error, HostError::UnknownAnalysis { .. }));
}
