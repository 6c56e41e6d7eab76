//! What is fuzzed: every door through which bytes of strangers come in. A target takes any bytes;
//! it may refuse them, and must not panic, hang or exhaust memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use convscope_data as data;
use convscope_onnx::{LoadOptions, LoadedModel, load_bytes, read_tensor};
use convscope_protocol::PluginDescriptor;
use convscope_protocol::schema::Schema;
use convscope_runtime::network::ForwardRequest;
use convscope_runtime::{Composite, CpuBackend, Keep, Shape, Tensor};
use convscope_script::{
    Failure, ImageOptions, ModelOptions, ModelOutline, ScriptImages, ScriptModel, ScriptOptions,
    Workbench,
};

use super::graph;

/// A target: takes any bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, alphabetical.
pub const TARGETS: &[(&str, Target)] = &[
    ("card", card),
    ("graph", graph),
    ("labels", labels),
    ("list", list),
    ("model", model),
    ("npy", npy),
    ("picture", picture),
    ("schema", schema),
    ("script", script),
    ("tensor", tensor),
];

/// A model's file, as it comes.
pub fn model(bytes: &[u8]) {
    if let Ok(loaded) = load_bytes(bytes.to_vec(), Path::new("/nowhere"), &LoadOptions::default()) {
        exercise(&loaded);
    }
}

/// A model's file that is well-formed as a message and holds nodes with plausible operands, so that
/// the operators are reached and not the decoder alone.
pub fn graph(bytes: &[u8]) {
    let Ok(file) = graph::file(bytes) else { return };
    model(&file);
}

/// Runs a small model forward and back and checks what must hold for every network: declared and
/// computed shapes are the same, and a signal arrives in the shape of the input.
fn exercise(loaded: &LoadedModel) {
    let network = &loaded.network;
    let shapes = (0..).zip(network.nodes()).map(|(_, node)| &network.value(node.output).shape);
    let work = network.nodes().iter().map(|node| {
        let inputs: Vec<&Shape> = node.inputs.iter().map(|&id| &network.value(id).shape).collect();
        node.layer.work(&inputs).multiply_adds
    });
    let small = shapes.chain(network.inputs().iter().map(|&id| &network.value(id).shape));
    if small.map(Shape::volume).any(|volume| volume > 1 << 18) || work.sum::<u64>() > 1 << 24 {
        return;
    }
    let backend = CpuBackend::new();
    let mut inputs = Vec::new();
    for &id in network.inputs() {
        let shape = network.value(id).shape_for(2);
        let values = (0..shape.volume()).map(|i| ((i * 7919) % 31) as f32 / 10.0 - 1.5).collect();
        inputs.push(Tensor::new(shape, values).unwrap());
    }
    let captures: Vec<_> = network.nodes().iter().map(|node| node.output).collect();
    let request = ForwardRequest { captures: &captures, interventions: &[], keep: Keep::Inversion };
    let Ok(trace) = network.forward(&backend, &inputs, &request) else { return };
    for &id in &captures {
        let value = trace.value(id).unwrap();
        assert_eq!(*value.shape(), network.value(id).shape_for(2), "{}", network.name_of(id));
    }
    let Some(start) = trace.value(loaded.scores) else { return };
    let signal = Tensor::filled(start.shape().clone(), 1.0);
    let starts = [(loaded.scores, signal)];
    let to = network.inputs();
    let Ok(arrived) = network.backward(&backend, &trace, &starts, &Composite::default(), to) else {
        return;
    };
    for (signal, input) in arrived.iter().zip(&inputs) {
        assert_eq!(signal.shape(), input.shape());
    }
}

/// A tensor's file, `TensorProto`.
pub fn tensor(bytes: &[u8]) {
    with_file("tensor.pb", bytes, |path| drop(read_tensor(path)));
}

/// A tensor's file, numpy's format.
pub fn npy(bytes: &[u8]) {
    with_file("tensor.npy", bytes, |path| drop(data::read_npy(path)));
}

/// A picture of any format.
pub fn picture(bytes: &[u8]) {
    if let Ok(pixels) = data::decode_bytes(bytes, Path::new("picture")) {
        let [height, width] = pixels.size();
        assert_eq!(pixels.values().len(), height * width * 3);
    }
}

/// A model card of any kind; the first byte says which.
pub fn card(bytes: &[u8]) {
    let Some((&kind, text)) = bytes.split_first() else { return };
    let name = ["model.toml", "preprocessor_config.json", "config.json"][usize::from(kind % 3)];
    with_file(name, text, |path| {
        drop(data::card_of(&path.with_file_name("model.onnx"), Some([3, 224, 224])));
    });
}

/// A list of pictures.
pub fn list(bytes: &[u8]) {
    with_file("list.csv", bytes, |path| drop(data::list_images(&[path.to_owned()])));
}

/// Names of classes; the first byte says in which format.
pub fn labels(bytes: &[u8]) {
    let Some((&kind, text)) = bytes.split_first() else { return };
    let name = ["labels.txt", "labels.json"][usize::from(kind % 2)];
    with_file(name, text, |path| drop(data::read_labels(path)));
}

/// The schema of a plugin's parameters, and parameters for it, separated by a zero byte.
pub fn schema(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |&byte| byte == 0);
    let Some(Ok(text)) = parts.next().map(std::str::from_utf8) else { return };
    let Ok(schema) = Schema::parse(text) else { return };
    let _ = schema.summary();
    let given = parts.next().and_then(|rest| serde_json::from_slice(rest).ok());
    if let Some(serde_json::Value::Object(given)) = given {
        let _ = schema.complete(&given);
    }
}

/// A script, run with small limits and nothing around it.
pub fn script(bytes: &[u8]) {
    let options = ScriptOptions { max_operations: 20_000, ..ScriptOptions::default() };
    with_file("script.rhai", bytes, |path| {
        drop(convscope_script::run(path, Arc::new(Nothing), &options));
    });
}

/// A program around a script that has neither models nor images.
struct Nothing;

impl Workbench for Nothing {
    fn plugins(&self) -> Vec<PluginDescriptor> {
        Vec::new()
    }

    fn load_model(&self, _: &Path, _: &ModelOptions) -> Result<Arc<dyn ScriptModel>, Failure> {
        Err(Failure::new("not_found", "there are no models here"))
    }

    fn presets(&self) -> Vec<String> {
        Vec::new()
    }

    fn outline(&self, _: &Path, _: &ModelOptions) -> Result<Arc<dyn ModelOutline>, Failure> {
        Err(Failure::new("not_found", "there are no models here"))
    }

    fn check_images(&self, _: &[PathBuf], _: &ImageOptions) -> Result<(), Failure> {
        Err(Failure::new("not_found", "there are no images here"))
    }

    fn load_images(
        &self,
        _: &[PathBuf],
        _: &ImageOptions,
    ) -> Result<Arc<dyn ScriptImages>, Failure> {
        Err(Failure::new("not_found", "there are no images here"))
    }

    fn progress(&self, _: &str) {}

    fn print(&self, _: &str) {}

    fn debug(&self, _: &str) {}

    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Calls with the path of a file that holds the bytes.
fn with_file(name: &'static str, bytes: &[u8], call: impl FnOnce(&Path)) {
    thread_local! {
        static FOLDERS: RefCell<BTreeMap<&'static str, tempfile::TempDir>> = const { RefCell::new(BTreeMap::new()) };
    }
    FOLDERS.with_borrow_mut(|folders| {
        let folder = folders.entry(name).or_insert_with(|| tempfile::tempdir().unwrap());
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        call(&path);
    });
}
