//! The example model keeps the names of the original.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;

use convscope_onnx::{LoadOptions, load};
use convscope_runtime::LayerKind;

#[test]
fn squeezenet_is_known_by_its_layers_and_scores_below_the_softmax() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/models");
    let model = load(&folder.join("squeezenet1_1.onnx"), &LoadOptions::default()).unwrap();
    let network = &model.network;
    let count = |kind| network.nodes().iter().filter(|node| node.layer.kind() == kind).count();
    assert_eq!(count(LayerKind::Convolution), 26);
    assert_eq!(count(LayerKind::Rectifier), 26);
    assert_eq!(count(LayerKind::MaxPooling), 3);
    assert_eq!(count(LayerKind::Concatenation), 8);
    assert_eq!(network.value(network.inputs()[0]).shape.extents(), [1, 3, 227, 227]);
    assert_eq!(model.scores, model.find("logits").unwrap());
    assert_eq!(network.value(model.scores).shape.extents(), [1, 1000]);
    assert_eq!(model.probability, Some(model.find("prob").unwrap()));
    // The dropout is gone, its name is not.
    assert_eq!(model.find("drop9").unwrap(), model.find("fire9/concat").unwrap());
    let error = model.find("fire9/concatt").unwrap_err().to_string();
    assert!(error.contains("similar names: fire9/concat"), "{error}");
    let parameters: u64 = network
        .nodes()
        .iter()
        .map(|node| {
            let shapes: Vec<_> = node.inputs.iter().map(|&id| &network.value(id).shape).collect();
            node.layer.work(&shapes).parameters
        })
        .sum();
    assert_eq!(parameters, 1_235_496);
}
