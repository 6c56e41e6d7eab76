//! No file makes the reader panic, hang or take memory that the file does not justify.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use convscope_onnx::{LoadOptions, load_bytes};
use convscope_runtime::Region;
use proptest::collection::vec;
use proptest::prelude::*;

/// Files to start from; the last holds windows and normalizations of every form.
const NETWORKS: [&str; 5] = [
    "../../tests/fixtures/alexish/model.onnx",
    "../../tests/fixtures/branching/model.onnx",
    "../../tests/fixtures/depthwise/model.onnx",
    "../../tests/fixtures/residual/model.onnx",
    "tests/windows/opset21.onnx",
];

fn fixture(path: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Loads a file and asks everything that is asked of a network before it runs. Whether it loads
/// does not matter.
fn survives(bytes: Vec<u8>) {
    match load_bytes(bytes, Path::new("/nonexistent"), &LoadOptions::default()) {
        Ok(model) => {
            let network = model.network;
            let unit = Region { top: 0, left: 0, height: 1, width: 1 };
            for node in network.nodes() {
                let shapes: Vec<_> =
                    node.inputs.iter().map(|&id| &network.value(id).shape).collect();
                node.layer.work(&shapes);
                for &input in network.inputs() {
                    network.receptive_field(node.output, unit, input);
                }
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Nodes stand before weights in a file: here changes hit its structure.
const STRUCTURE: usize = 4000;

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..400)) {
        survives(bytes);
    }

    #[test]
    fn files_with_changed_bytes_never_panic(
        network in 0..NETWORKS.len(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = fixture(NETWORKS[network]);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        survives(bytes);
    }

    #[test]
    fn files_whose_structure_is_changed_never_panic(
        network in 0..NETWORKS.len(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = fixture(NETWORKS[network]);
        for (at, value) in changes {
            bytes[at.index(STRUCTURE)] = value;
        }
        survives(bytes);
    }

    #[test]
    fn files_that_end_early_never_panic(network in 0..NETWORKS.len(), at in any::<prop::sample::Index>()) {
        let mut bytes = fixture(NETWORKS[network]);
        bytes.truncate(at.index(bytes.len()));
        survives(bytes);
    }
}
