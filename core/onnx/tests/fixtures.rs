//! Runs four small networks forward and backward and compares every value with the reference
//! results of torch and captum in `tests/fixtures`, whose README says how they were made.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::fs;
use std::path::PathBuf;

use convscope_onnx::{LoadOptions, LoadedModel, load};
use convscope_runtime::backend::CpuBackend;
use convscope_runtime::network::{ForwardRequest, Trace, ValueId};
use convscope_runtime::rule::{Gradient, Guided, Pass, Rectify};
use convscope_runtime::{Composite, Keep, LayerKind, Selector, Tensor};
use ndarray::ArrayD;
use serde_json::Value;

/// Largest error, relative to the largest magnitude of the reference.
const TOLERANCE: f32 = 1e-5;

/// A network with what it is compared with, run forward on both pictures at once.
struct Fixture {
    folder: PathBuf,
    index: Value,
    model: LoadedModel,
    backend: CpuBackend,
    trace: Trace,
}

impl Fixture {
    fn run(name: &str) -> Self {
        let folder =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name);
        let index = fs::read(folder.join("fixture.json")).unwrap();
        let index = serde_json::from_slice(&index).unwrap();
        let model = load(&folder.join("model.onnx"), &LoadOptions::default()).unwrap();
        let backend = CpuBackend::new();
        let input = Tensor::from(read(&folder, "input.npy"));
        assert_eq!(input.shape().batch(), 2);
        let every: Vec<ValueId> = model.network.nodes().iter().map(|node| node.output).collect();
        let request =
            ForwardRequest { captures: &every, keep: Keep::Inversion, ..ForwardRequest::default() };
        let trace = model.network.forward(&backend, &[input], &request).unwrap();
        Self { folder, index, model, backend, trace }
    }

    /// Compares every value that the reference recorded, found by the name of its module.
    fn check_values(&self) {
        for row in self.index["values"].as_array().unwrap() {
            let name = row["value"].as_str().unwrap();
            let id = self.model.find(name).unwrap();
            let call = row["call"].as_u64().unwrap();
            let layer = row["layer"].as_str().unwrap();
            let module = if call == 1 { layer.into() } else { format!("{layer}_{}", call - 1) };
            assert_eq!(self.model.find(&module).unwrap(), id, "{module}");
            assert_eq!(self.model.find(row["node"].as_str().unwrap()).unwrap(), id);
            if let Some(file) = row["file"].as_str() {
                self.compare(self.trace.value(id).unwrap(), file);
            }
        }
    }

    /// Compares what arrives at the input from a class of each picture and from a unit.
    fn check_signals(&self, composite: &Composite, reference: &str) {
        let from_class = self.start(self.model.scores, |row| {
            vec![self.index["class"]["target"][row].as_u64().unwrap() as usize]
        });
        let unit = &self.index["unit"];
        let layer = self.model.find(unit["layer"].as_str().unwrap()).unwrap();
        let from_unit = self.start(layer, |row| {
            let at = |axis: usize| unit["positions"][row][axis].as_u64().unwrap() as usize;
            vec![unit["channel"].as_u64().unwrap() as usize, at(0), at(1)]
        });
        let network = &self.model.network;
        for (start, signal) in [("class", from_class), ("unit", from_unit)] {
            let carried = network
                .backward(&self.backend, &self.trace, &[signal], composite, network.inputs())
                .unwrap();
            let file = format!("reference/{}.npy", reference.replace('*', start));
            self.compare(&carried[0], &file);
        }
    }

    /// Makes a signal that is 1 at one unit of each picture.
    fn start(&self, value: ValueId, unit: impl Fn(usize) -> Vec<usize>) -> (ValueId, Tensor) {
        let shape = self.trace.value(value).unwrap().shape().clone();
        let mut signal = ArrayD::zeros(shape.extents());
        for row in 0..shape.batch() {
            let index: Vec<usize> = std::iter::once(row).chain(unit(row)).collect();
            signal[index.as_slice()] = 1.0;
        }
        (value, Tensor::from(signal))
    }

    fn compare(&self, actual: &Tensor, file: &str) {
        let expected = read(&self.folder, file);
        let actual = actual.to_host().unwrap();
        let actual = actual.view().unwrap();
        assert_eq!(actual.shape(), expected.shape(), "{file}");
        let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let differences = actual.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        let error = differences.fold(0.0_f32, f32::max) / largest;
        assert!(error <= TOLERANCE, "{}: {file}: error {error}", self.folder.display());
        assert!(largest > 0.0 && actual.iter().all(|value| value.is_finite()), "{file}");
    }
}

fn read(folder: &std::path::Path, file: &str) -> ArrayD<f32> {
    ndarray_npy::read_npy(folder.join(file)).unwrap()
}

fn at_rectifiers(rule: &'static dyn convscope_runtime::rule::BackwardRule) -> Composite {
    Composite::default().with(Selector::Kind(LayerKind::Rectifier), rule)
}

fn check_methods(fixture: &Fixture) {
    fixture.check_signals(&Composite::default(), "saliency.*");
    fixture.check_signals(&at_rectifiers(&Guided), "guided_backprop.*");
    fixture.check_signals(&at_rectifiers(&Rectify), "deconvnet.*");
}

#[test]
fn alexish_computes_every_value_and_signal() {
    let fixture = Fixture::run("alexish");
    fixture.check_values();
    check_methods(&fixture);
    let skip =
        at_rectifiers(&Rectify).with(Selector::Kind(LayerKind::ResponseNormalization), &Pass);
    fixture.check_signals(&skip, "deconvnet.*.lrn_skip");
}

#[test]
fn branching_computes_every_value_and_signal() {
    let fixture = Fixture::run("branching");
    fixture.check_values();
    check_methods(&fixture);
}

#[test]
fn residual_computes_every_value_and_signal() {
    let fixture = Fixture::run("residual");
    fixture.check_values();
    check_methods(&fixture);
}

#[test]
fn depthwise_computes_every_value_and_signal() {
    let fixture = Fixture::run("depthwise");
    fixture.check_values();
    fixture.check_signals(&Composite::default(), "saliency.*");
    // For us a clip from 0 on is a rectifier; captum goes back through it by the plain gradient.
    let clips_by_gradient = |rule| {
        ["clip1", "clip2", "clip3"]
            .iter()
            .map(|clip| format!("/{clip}/Clip"))
            .fold(Composite::default(), |c, name| c.with(Selector::Name(name), &Gradient))
            .with(Selector::Kind(LayerKind::Rectifier), rule)
    };
    fixture.check_signals(&at_rectifiers(&Guided), "guided_backprop.*.relu6_rectify");
    fixture.check_signals(&at_rectifiers(&Rectify), "deconvnet.*.relu6_rectify");
    fixture.check_signals(&clips_by_gradient(&Guided), "guided_backprop.*");
    fixture.check_signals(&clips_by_gradient(&Rectify), "deconvnet.*");
}
