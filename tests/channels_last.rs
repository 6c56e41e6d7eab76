//! A model whose file takes pictures with channels last (`tests/fixtures/make_channels_last.py`).

use crate::support::{assert_close, convscope, fixture, folder, json_of, npy, photo, refusal};

#[test]
fn raw_tensors_come_in_the_layout_of_the_file() {
    let (model, out) = (fixture("channels_last"), folder());
    let mut infer = convscope();
    infer.arg("infer").arg(model.join("model.onnx")).arg("--out").arg(out.path());
    let written = json_of(infer.arg("--input").arg(model.join("input.npy")));
    let file = written["outputs"][0]["file"].as_str().unwrap();
    let expected = npy(&model.join("probabilities.npy"));
    assert_close(&npy(&out.path().join(file)), &expected, 1e-5, "probabilities");

    let mut infer = convscope();
    infer.arg("infer").arg(model.join("model.onnx")).arg("--out").arg(out.path());
    let message = refusal(infer.arg("--input").arg(model.join("gradient.npy")), 1);
    let expected = "the model takes [1, 12, 14, 3] for one image, got [2, 3, 12, 14]";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn pictures_are_analysed_with_channels_first() {
    let model = fixture("channels_last").join("model.onnx");
    let inspected = convscope().arg("inspect").arg(&model).output().unwrap();
    let words = String::from_utf8_lossy(&inspected.stdout);
    assert!(words.contains("image 3×12×14 (channels last in the file)"), "{words}");
    assert!(!words.contains("conv1/in"), "{words}");

    let mut predict = convscope();
    predict.arg("predict").arg(&model).arg(photo("coffee.png")).args(["--preprocess", "raw"]);
    let predicted = json_of(&mut predict);
    let classes = predicted["predictions"][0]["classes"].as_array().unwrap();
    assert_eq!(classes.len(), 5, "{predicted}");
}
