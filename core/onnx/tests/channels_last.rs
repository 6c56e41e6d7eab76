//! A network as Keras exports it, with channels last, forward against onnxruntime and backward
//! against torch (`tests/fixtures/make_channels_last.py`; versions in `tests/fixtures/README.md`).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;

use convscope_onnx::{InputLayout, LoadOptions, load};
use convscope_runtime::network::{Field, ForwardRequest, ValueId};
use convscope_runtime::{Backend, Composite, CpuBackend, Keep, Region, Tensor};
use ndarray::ArrayD;

/// Largest error, relative to the largest magnitude of the reference.
const TOLERANCE: f32 = 1e-5;

fn read(name: &str) -> ArrayD<f32> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    ndarray_npy::read_npy(folder.join("channels_last").join(name)).unwrap()
}

fn check(actual: &Tensor, file: &str) {
    let expected = read(file);
    let actual = actual.view().unwrap();
    assert_eq!(actual.shape(), expected.shape(), "{file}");
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let differences = actual.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    let error = differences.fold(0.0_f32, f32::max) / largest;
    assert!(error <= TOLERANCE, "{file}: error {error}");
}

#[test]
fn a_network_of_transpositions_computes_every_value_and_its_gradient() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("../../tests/fixtures/channels_last/model.onnx");
    let model = load(&path, &LoadOptions::default()).unwrap();
    let (network, backend) = (&model.network, CpuBackend::new());
    assert_eq!(model.input_layouts, [InputLayout::ChannelsLast]);
    let order = model.input_layouts[0].order().unwrap();
    let input = backend.transposition(&Tensor::from(read("input.npy")), &order).unwrap();

    let names = ["relu1", "right", "joined", "scores", "probabilities"];
    let captures = names.map(|name| model.find(name).unwrap());
    let request =
        ForwardRequest { captures: &captures, keep: Keep::Inversion, ..ForwardRequest::default() };
    let trace = network.forward(&backend, &[input], &request).unwrap();
    for (name, id) in names.iter().zip(captures) {
        check(trace.value(id).unwrap(), &format!("{name}.npy"));
    }

    assert_eq!(model.scores, captures[3]);
    let mut signal = vec![0.0; 10];
    (signal[1], signal[5 + 3]) = (1.0, 1.0);
    let start = [(model.scores, Tensor::new([2, 5], signal).unwrap())];
    let carried = network
        .backward(&backend, &trace, &start, &Composite::default(), network.inputs())
        .unwrap();
    check(&carried[0], "gradient.npy");

    let unit = Region { top: 2, left: 2, height: 1, width: 1 };
    let field = |name: &str| {
        let value: ValueId = model.find(name).unwrap();
        network.receptive_field(value, unit, network.inputs()[0])
    };
    // Rows 0 to 4 of the first convolution, through a split and three transpositions.
    let behind = Region { top: 0, left: 0, height: 11, width: 11 };
    assert_eq!(field("conv2"), Field::Region(behind));
}
