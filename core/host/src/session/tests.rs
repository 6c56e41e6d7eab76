use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use convscope_protocol::array::ArrayMeta;
use convscope_protocol::{Array, Values};
use serde_json::json;

use super::*;
use crate::control::{LogLevel, Quiet};
use crate::testing::{compile, images, is_cancelled_at_every_question, network};
use crate::{Places, Search};

/// A session with the probe, which is a plugin in C.
struct Probe {
    session: Session,
    model: Arc<Model>,
    _folder: tempfile::TempDir,
}

impl Probe {
    fn new(options: SessionOptions) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        compile(folder.path(), "probe", include_str!("../testing/probe.c"))?;
        let search = Search::new(&[folder.path().to_owned()], &Places::default());
        let registry = Registry::discover(&search);
        assert!(registry.failures().is_empty(), "{:?}", registry.failures());
        let session = Session::new(options, registry).unwrap();
        let network = network();
        let score = network.find("scores").unwrap();
        let model = Model::new(Path::new("small.onnx"), network, score).hashed("small");
        let model = Arc::new(model);
        Some(Self { session, model, _folder: folder })
    }

    fn run(&self, analysis: &str, more: &[(&str, Argument)]) -> Result<Findings, HostError> {
        self.run_with(analysis, more, &Quiet)
    }

    fn run_with(
        &self,
        analysis: &str,
        more: &[(&str, Argument)],
        control: &dyn Control,
    ) -> Result<Findings, HostError> {
        let mut arguments = BTreeMap::from([("images".to_owned(), given(3))]);
        arguments.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        self.session.run(&self.model, analysis, arguments, control)
    }

    fn ends(&self, how: &str) -> HostError {
        self.run("ends", &[("how", Argument::Json(json!(how)))]).unwrap_err()
    }
}

/// Images for the model, as a tensor.
fn given(count: usize) -> Argument {
    let values = crate::tensors::values_of(&images(count)).unwrap();
    Argument::Tensor(Array { name: "x".to_owned(), meta: ArrayMeta::default(), values })
}

fn floats(findings: &Findings, name: &str) -> Vec<f32> {
    match &findings.array(name).unwrap().values {
        Values::F32(array) => array.iter().copied().collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_analysis_in_c_observes_attributes_and_emits() {
    let Some(probe) = Probe::new(SessionOptions::default()) else { return };
    let findings = probe.run("probe/scores", &[]).unwrap();
    let inferred = probe.session.infer(&probe.model, &[images(3)], &[], &Quiet).unwrap();
    assert_eq!(inferred[0].0, "scores");
    assert_eq!(floats(&findings, "score"), inferred[0].1.values().unwrap());
    let signal = floats(&findings, "signal");
    assert_eq!(signal.len(), 2 * 12 * 12);
    assert!(signal.iter().any(|value| *value != 0.0));
    assert!(findings.notes[0].ends_with("about the last of 3"), "{:?}", findings.notes);
    let origin = &findings.origin;
    assert_eq!(origin.analysis, "org.example.probe/scores");
    assert_eq!(origin.semantics, "What scores does.");
    assert_eq!(origin.parameters["target"], json!(4));
    assert_eq!(origin.parameters["images"]["hash"], json!(origin.images_hash));
    assert_eq!(origin.images_hash.len(), 64);
}

#[test]
fn results_depend_on_the_seed_but_not_on_threads_or_memory() {
    let options = |seed, threads, memory| SessionOptions {
        seed,
        threads: Some(threads),
        memory: Some(memory),
        ..SessionOptions::default()
    };
    let run = |options| Some(Probe::new(options)?.run("scores", &[]).unwrap());
    let Some(large) = run(options(1, 2, 1 << 30)) else { return };
    let small = run(options(1, 1, 100_000)).unwrap();
    assert_eq!(small, large);
    let other = run(options(2, 1, 1 << 30)).unwrap();
    assert_eq!(other.arrays, large.arrays);
    assert_ne!(other.scalars, large.scalars);
}

#[test]
fn wrong_calls_of_a_plugin_are_statuses_and_not_crashes() {
    let Some(probe) = Probe::new(SessionOptions::default()) else { return };
    // The second run also tries a handle of the first.
    for _ in 0..2 {
        probe.run("misuse", &[]).unwrap();
    }
}

#[test]
fn every_way_to_end_badly_has_its_own_message() {
    let Some(probe) = Probe::new(SessionOptions::default()) else { return };
    let error = probe.ends("garbage");
    assert_eq!(error.kind(), "plugin_misbehaved");
    assert!(error.to_string().ends_with("returned 77, which is no status"), "{error}");
    assert_eq!(error.help().unwrap(), "this is a fault of the plugin: tell its authors");
    let error = probe.ends("silent");
    assert_eq!(error.to_string(), "ends: failed with status 1 and no words");
    let error = probe.ends("words");
    assert_eq!(error.to_string(), "ends: these words");
    assert_eq!(error.kind(), "analysis_failed");
    let error = probe.ends("cancelled");
    assert!(error.to_string().ends_with("as if cancelled, but nobody did"), "{error}");
    let error = probe.ends("refused");
    assert_eq!(error.kind(), "invalid_result");
    assert!(error.to_string().contains("table `t`: its description"), "{error}");
    assert_eq!(error.help().unwrap(), "this is a fault of the plugin: tell its authors");
    let error = probe.ends("passes on");
    assert_eq!(error.kind(), "unknown_layer");
    assert_eq!(error.to_string(), "ends: the model has no layer `scors`");
    assert_eq!(error.help().unwrap(), "did you mean `scores`?");
}

#[test]
fn tensors_that_together_exceed_the_memory_are_refused() {
    let options = SessionOptions { memory: Some(100_000), ..SessionOptions::default() };
    let Some(probe) = Probe::new(options) else { return };
    // What one run held is free for the next.
    for _ in 0..2 {
        let error = probe.ends("hoards");
        assert_eq!(error.kind(), "not_enough_memory");
        let expected = "ends: a tensor of shape [25] beside the other tensors of this run needs \
                        100100 bytes, but the session may use 100000";
        assert_eq!(error.to_string(), expected);
        assert!(error.help().unwrap().contains("--memory 1M"), "{:?}", error.help());
    }
}

#[test]
fn a_pass_does_not_fit_beside_tensors_that_take_the_whole_memory() {
    let options = SessionOptions { memory: Some(100_000), ..SessionOptions::default() };
    let Some(probe) = Probe::new(options) else { return };
    let error = probe.ends("fills the room");
    assert_eq!(error.kind(), "not_enough_memory");
    let words = error.to_string();
    let start = "ends: one image beside the other tensors of this run needs ";
    assert!(words.starts_with(start), "{words}");
    assert!(words.ends_with(" bytes, but the session may use 100000"), "{words}");
}

/// Hears everything, and cancels after the first progress.
#[derive(Default)]
struct Impatient {
    lines: Mutex<Vec<String>>,
    stop: AtomicBool,
}

impl Control for Impatient {
    fn progress(&self, fraction: f64, text: &str) {
        self.lines.lock().unwrap().push(format!("{fraction} {text}"));
        self.stop.store(true, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn log(&self, level: LogLevel, text: &str) {
        self.lines.lock().unwrap().push(format!("{level:?} {text}"));
    }
}

#[test]
fn cancelling_ends_the_run_at_its_next_call() {
    let Some(probe) = Probe::new(SessionOptions::default()) else { return };
    let control = Impatient::default();
    let error = probe.run_with("ends", &[], &control).unwrap_err();
    assert!(matches!(error, HostError::Cancelled));
    assert_eq!(*control.lines.lock().unwrap(), ["0 turning"]);
}

/// Wants to stop as soon as a line is logged, or from the beginning on.
struct Stopping(AtomicBool);

impl Control for Stopping {
    fn progress(&self, _fraction: f64, _text: &str) {}

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn log(&self, _level: LogLevel, _text: &str) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_plugin_that_looks_whether_it_is_cancelled_may_stop_as_it_likes() {
    let Some(probe) = Probe::new(SessionOptions::default()) else { return };
    for (how, control) in [
        ("quietly", &Stopping(AtomicBool::new(false)) as &dyn Control),
        ("looking", &Impatient::default()),
    ] {
        let how = Argument::Json(json!(how));
        let error = probe.run_with("ends", &[("how", how)], control).unwrap_err();
        assert!(matches!(error, HostError::Cancelled), "{error}");
    }
}

#[test]
fn hashing_images_stops_when_the_user_cancels() {
    let Some(probe) = Probe::new(SessionOptions::default()) else { return };
    let control = Stopping(AtomicBool::new(true));
    let error = probe.run_with("scores", &[], &control).unwrap_err();
    assert!(matches!(error, HostError::Cancelled), "{error}");
}

/// Asks somebody else whether to stop.
struct Asking<'a>(&'a (dyn Fn() -> bool + Sync));

impl Control for Asking<'_> {
    fn progress(&self, _fraction: f64, _text: &str) {}

    fn is_cancelled(&self) -> bool {
        (self.0)()
    }

    fn log(&self, _level: LogLevel, _text: &str) {}
}

#[test]
fn inference_stops_between_layers_when_the_user_cancels() {
    let Some(probe) = Probe::new(SessionOptions::default()) else { return };
    let questions = is_cancelled_at_every_question(|cancelled| {
        probe.session.infer(&probe.model, &[images(3)], &[], &Asking(cancelled)).map(drop)
    });
    assert!(questions > probe.model.network().nodes().len(), "{questions}");
}

/// Panics as soon as it hears something.
struct Startled;

impl Control for Startled {
    fn progress(&self, _fraction: f64, text: &str) {
        panic!("startled by {text}");
    }

    fn is_cancelled(&self) -> bool {
        false
    }

    fn log(&self, _level: LogLevel, text: &str) {
        panic!("startled by {text}");
    }
}

#[test]
fn a_panic_behind_a_host_function_does_not_cross_the_plugin() {
    let Some(probe) = Probe::new(SessionOptions::default()) else { return };
    for (analysis, words) in [("ends", "turning"), ("scores", "org.example.probe/scores: done")] {
        let error = probe.run_with(analysis, &[], &Startled).unwrap_err();
        assert_eq!(error.kind(), "panicked");
        assert!(error.to_string().ends_with(&format!("startled by {words}")), "{error}");
        assert!(error.help().unwrap().contains("report"), "{:?}", error.help());
    }
}

#[test]
fn log_lines_name_their_analysis() {
    let Some(probe) = Probe::new(SessionOptions::default()) else { return };
    let control = Impatient::default();
    probe.run_with("scores", &[], &control).unwrap();
    assert_eq!(*control.lines.lock().unwrap(), ["Info org.example.probe/scores: done"]);
}

#[test]
fn parameters_are_completed_resolved_and_refused_with_what_was_meant() {
    let Some(probe) = Probe::new(SessionOptions::default()) else { return };
    let refused = |key: &str, argument: Argument| {
        let error = probe.run("scores", &[(key, argument)]).unwrap_err();
        assert_eq!(error.kind(), "invalid_parameter", "{error}");
        (error.to_string(), error.key().map(str::to_owned), error.help().unwrap_or_default())
    };
    let (text, key, help) = refused("layer", Argument::Json(json!("relu3")));
    assert!(text.contains("the model has no layer `relu3`"), "{text}");
    assert_eq!(key.as_deref(), Some("layer"));
    assert!(help.contains("`relu1`"), "{help}");
    let (text, ..) = refused("target", Argument::Json(json!(5)));
    assert!(text.contains("there is no class 5"), "{text}");
    let (text, ..) = refused("target", Argument::Json(json!("tench")));
    assert!(text.contains("no labels are known for this model"), "{text}");
    let (_, _, help) = refused("targt", Argument::Json(json!(1)));
    assert!(help.contains("`target`"), "{help}");
    refused("images", Argument::Json(json!("photo.jpg")));
    refused("images", Argument::Json(json!({ "convscope.pending": 0 })));
    let (text, ..) = refused("layer", given(1));
    assert!(text.contains("layer"), "{text}");
}

#[test]
fn images_that_do_not_fit_the_model_are_refused() {
    let Some(probe) = Probe::new(SessionOptions::default()) else { return };
    let values = Values::F32(ndarray::ArcArray::zeros(ndarray::IxDyn(&[1, 3, 12, 12])));
    let array = Array { name: "x".to_owned(), meta: ArrayMeta::default(), values };
    let error = probe.run("scores", &[("images", Argument::Tensor(array))]).unwrap_err();
    assert!(error.to_string().contains("the model takes [1, 2, 12, 12]"), "{error}");
}

#[test]
fn pictures_without_a_card_are_refused_with_what_to_write() {
    let Some(probe) = Probe::new(SessionOptions::default()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let photo = folder.path().join("photo.png");
    std::fs::write(&photo, "not decoded before the card is looked for").unwrap();
    let images = probe.session.load_images(&[photo], &ImageOptions::default()).unwrap();
    let error = probe.run("scores", &[("images", Argument::Images(images))]).unwrap_err();
    assert_eq!(error.kind(), "no_card");
    let help = error.help().unwrap();
    assert!(help.contains("small.toml") && help.contains("--preprocess"), "{help}");
}

#[test]
fn inference_in_parts_has_the_same_bits() {
    let Some(small) = Probe::new(SessionOptions {
        memory: Some(60_000),
        threads: Some(1),
        ..SessionOptions::default()
    }) else {
        return;
    };
    let large = Probe::new(SessionOptions::default()).unwrap();
    let names = ["relu1".to_owned(), "scores".to_owned()];
    let run = |probe: &Probe| {
        let values = probe.session.infer(&probe.model, &[images(5)], &names, &Quiet).unwrap();
        let bits = |tensor: &convscope_runtime::Tensor| -> Vec<u32> {
            tensor.values().unwrap().iter().map(|value| value.to_bits()).collect()
        };
        values.iter().map(|(name, tensor)| (name.clone(), bits(tensor))).collect::<Vec<_>>()
    };
    assert_eq!(run(&small), run(&large));
    let error = large.session.infer(&large.model, &[], &names, &Quiet).unwrap_err();
    assert_eq!(error.to_string(), "the model takes 1 input: 0 tensors were given");
}

#[test]
fn scores_of_one_image_that_happen_to_sum_to_1_are_no_probabilities() {
    let session = Session::new(SessionOptions::default(), Registry::default()).unwrap();
    let mut builder = convscope_runtime::NetworkBuilder::default();
    let input = builder.input("image", convscope_runtime::Shape::from([1, 2, 1, 1])).unwrap();
    let flat = convscope_runtime::layer::Flatten;
    let scores = builder.layer("scores", Arc::new(flat), &[input], "scores").unwrap();
    let network = builder.finish(vec![scores]);
    let model = Arc::new(Model::new(Path::new("small.onnx"), network, scores));
    let predicted = |values: &[f32]| {
        let shape = [values.len() / 2, 2, 1, 1];
        let tensor = convscope_runtime::Tensor::new(shape, values.to_vec()).unwrap();
        let images = Arc::new(ImageSet::of_tensor(&tensor).unwrap());
        let control = Impatient::default();
        let predictions = session.predict(&model, &images, 1, &control).unwrap();
        (predictions[0].classes[0].2, control.lines.lock().unwrap().len())
    };
    let softmax = 1.0 / (1.0 + (0.25_f32 - 0.75).exp());
    let (alone, lines) = predicted(&[0.25, 0.75]);
    assert_eq!((alone, lines), (0.75, 2), "it is said that they are taken as they are");
    let (among_others, lines) = predicted(&[0.25, 0.75, 3.0, 0.5]);
    assert!((among_others - softmax).abs() < 1e-6, "{among_others}");
    assert_eq!(lines, 1);
}

#[test]
fn predictions_are_probabilities_in_falling_order() {
    let Some(probe) = Probe::new(SessionOptions::default()) else { return };
    let images = Arc::new(ImageSet::of_tensor(&images(2)).unwrap());
    let predictions = probe.session.predict(&probe.model, &images, 5, &Quiet).unwrap();
    assert_eq!(predictions.len(), 2);
    assert_eq!(predictions[1].name, "tensor 1");
    for prediction in predictions {
        let probabilities: Vec<f32> = prediction.classes.iter().map(|class| class.2).collect();
        assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        assert!(probabilities.is_sorted_by(|a, b| a >= b));
    }
}
