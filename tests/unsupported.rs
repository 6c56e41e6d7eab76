//! A model with operators that are not supported, written byte by byte: no program is needed to make
//! it, and it stands beside what it is for.

use serde_json::Value;

use crate::support::{convscope, folder, photo, refusal};

/// A field of a protobuf message that holds a number below 128.
fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

/// A field that holds bytes: a text, or a message.
fn bytes(field: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut all = vec![field << 3 | 2];
    let mut length = content.len();
    while length >= 128 {
        all.push((length % 128) as u8 | 128);
        length /= 128;
    }
    all.push(length as u8);
    all.extend(content);
    all
}

/// A `ValueInfoProto`: a value of shape 1×3×8×8 and type float.
fn value(name: &str) -> Vec<u8> {
    let shape = [1, 3, 8, 8].map(|extent| bytes(1, number(1, extent))).concat();
    let tensor = [number(1, 1), bytes(2, shape)].concat();
    [bytes(1, name), bytes(2, bytes(1, tensor))].concat()
}

/// A `NodeProto`.
fn node(operator: &str, name: &str, input: &str, output: &str) -> Vec<u8> {
    [bytes(1, input), bytes(2, output), bytes(3, name), bytes(4, operator)].concat()
}

/// A `ModelProto` of operator set 17, of which only the rectifier is supported.
fn model() -> Vec<u8> {
    let nodes = [
        node("LSTM", "memory", "x", "a"),
        node("Relu", "gate", "a", "b"),
        node("Einsum", "product", "b", "c"),
        node("LSTM", "", "c", "y"),
    ];
    let graph = [
        nodes.map(|node| bytes(1, node)).concat(),
        bytes(2, "graph"),
        bytes(11, value("x")),
        bytes(12, value("y")),
    ];
    [number(1, 8), bytes(8, number(2, 17)), bytes(7, graph.concat())].concat()
}

#[test]
fn unsupported_operators_are_listed_all_at_once_with_their_nodes() {
    let place = folder();
    let path = place.path().join("recurrent.onnx");
    std::fs::write(&path, model()).unwrap();
    let expected = format!(
        "error: {}: 3 nodes are not supported:\n    \
         LSTM memory: the operator is not supported\n    \
         Einsum product: the operator is not supported\n    \
         LSTM y: the operator is not supported\n",
        path.display()
    );
    assert_eq!(refusal(convscope().arg("inspect").arg(&path), 1), expected);
    let mut analyze = convscope();
    analyze.args(["analyze", "saliency", "--model"]).arg(&path);
    analyze.arg("--images").arg(photo("chelsea.png")).arg("--out").arg(place.path().join("out"));
    assert_eq!(refusal(&mut analyze, 1), expected);
    assert!(!place.path().join("out").exists(), "nothing ran");
}

#[test]
fn programs_can_tell_what_is_unsupported_from_what_is_invalid() {
    let place = folder();
    let kind_of = |name: &str, content: &[u8]| {
        let path = place.path().join(name);
        std::fs::write(&path, content).unwrap();
        let output = convscope().arg("inspect").arg(&path).arg("--json").output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        answer["error"]["kind"].as_str().unwrap().to_owned()
    };
    assert_eq!(kind_of("recurrent.onnx", &model()), "unsupported_model");
    assert_eq!(kind_of("text.onnx", b"no model"), "invalid_model");
}
