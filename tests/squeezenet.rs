//! `SqueezeNet` 1.1: what onnxruntime computes, what it sees in the photographs, and that results do
//! not depend on batches and threads.

use std::path::Path;

use ndarray::{ArrayD, Axis, concatenate};
use ndarray_npy::WriteNpyExt;
use serde_json::Value;

use crate::support::{assert_close, convscope, folder, json_of, npy, photo, root, squeezenet};

/// The whole numbers of `tests/expected/make_squeezenet.py`, which floats hold exactly.
fn whole_numbers() -> ArrayD<f32> {
    let values = (0..3 * 227 * 227).map(|i| (i * 7919 % 509 - 254) as f32).collect();
    ArrayD::from_shape_vec(vec![1, 3, 227, 227], values).unwrap()
}

fn infer(input: &ArrayD<f32>, out: &Path, extra: &[&str]) {
    let file = out.join("input.npy");
    input.write_npy(std::fs::File::create(&file).unwrap()).unwrap();
    let mut command = convscope();
    command.arg("infer").arg(squeezenet()).arg("--input").arg(file).arg("--out").arg(out);
    command.args(["--capture", "logits", "--capture", "fire9/concat"]).args(extra);
    json_of(&mut command);
}

#[test]
fn logits_are_those_of_onnxruntime() {
    let out = folder();
    infer(&whole_numbers(), out.path(), &[]);
    let expected = npy(&root().join("tests/expected/squeezenet_logits.npy"));
    let expected = expected.into_shape_with_order(vec![1, 1000]).unwrap();
    let actual = npy(&out.path().join("logits.npy"));
    let actual = actual.into_shape_with_order(vec![1, 1000]).unwrap();
    assert_close(&actual, &expected, 1e-5, "logits");
}

#[test]
fn exact_convolution_gives_the_same_logits_by_other_sums() {
    let (fast, exact) = (folder(), folder());
    infer(&whole_numbers(), fast.path(), &[]);
    infer(&whole_numbers(), exact.path(), &["--exact-conv"]);
    let expected = npy(&root().join("tests/expected/squeezenet_logits.npy"));
    let logits = |out: &Path| {
        npy(&out.join("logits.npy")).into_shape_with_order(expected.raw_dim()).unwrap()
    };
    assert_close(&logits(exact.path()), &expected, 1e-5, "logits");
    assert_ne!(logits(fast.path()), logits(exact.path()));
}

#[test]
fn photographs_are_classified_as_by_onnxruntime() {
    let text = std::fs::read_to_string(root().join("tests/expected/squeezenet_top5.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let expected = expected.as_object().unwrap();
    let mut command = convscope();
    command.arg("predict").arg(squeezenet()).args(expected.keys().map(|name| photo(name)));
    let answer = json_of(&mut command);
    let predictions = answer["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), expected.len());
    for prediction in predictions {
        let name = prediction["image"].as_str().unwrap();
        let classes = prediction["classes"].as_array().unwrap();
        let wanted = expected[name].as_array().unwrap();
        assert_eq!(classes.len(), wanted.len());
        assert_eq!(classes[0]["class"], wanted[0][0], "{name}");
        assert_eq!(classes[0]["label"], wanted[0][1], "{name}");
        for class in wanted {
            let found = classes.iter().find(|found| found["class"] == class[0]);
            let probability = found.map_or(0.0, |found| found["probability"].as_f64().unwrap());
            let difference = (probability - class[2].as_f64().unwrap()).abs();
            assert!(difference <= 0.02, "{name}: {class} is {probability}");
        }
    }
}

#[test]
fn a_picture_has_the_same_bits_in_any_batch_and_with_any_number_of_threads() {
    let one = whole_numbers();
    let other = one.mapv(|value| -0.5 * value);
    let reference = folder();
    infer(&one, reference.path(), &["--threads", "1"]);
    for count in [1, 3, 8] {
        for threads in ["1", "2"] {
            // The picture stands last, behind others.
            let mut pictures = vec![other.view(); count - 1];
            pictures.push(one.view());
            let out = folder();
            let batch = concatenate(Axis(0), &pictures).unwrap();
            infer(&batch, out.path(), &["--threads", threads]);
            for name in ["logits.npy", "fire9_concat.npy"] {
                let expected = npy(&reference.path().join(name));
                let actual = npy(&out.path().join(name));
                let bits = |array: ndarray::ArrayViewD<'_, f32>| -> Vec<u32> {
                    array.iter().map(|value| value.to_bits()).collect()
                };
                let last = actual.index_axis(Axis(0), count - 1);
                assert_eq!(
                    bits(last),
                    bits(expected.index_axis(Axis(0), 0)),
                    "{name} in a batch of {count} with {threads} threads"
                );
            }
        }
    }
}

#[test]
fn attributions_have_the_same_bits_in_any_batch_and_with_any_number_of_threads() {
    let one = whole_numbers();
    let other = one.mapv(|value| -0.5 * value);
    let mut reference: Option<Vec<u32>> = None;
    for count in [1, 3, 8] {
        for threads in ["1", "2"] {
            let mut pictures = vec![other.view(); count - 1];
            pictures.push(one.view());
            let out = folder();
            let file = out.path().join("input.npy");
            let batch = concatenate(Axis(0), &pictures).unwrap();
            batch.write_npy(std::fs::File::create(&file).unwrap()).unwrap();
            let report = out.path().join("report");
            let mut command = convscope();
            command.arg("analyze").arg("deconvolution").arg("--model").arg(squeezenet());
            command.arg("--images").arg(&file).arg("--out").arg(&report);
            json_of(command.args(["--set", "target=281", "--threads", threads]));
            let all = npy(&report.join("data/deconvolution/attribution.npy"));
            let last = all.index_axis(Axis(0), count - 1);
            let bits: Vec<u32> = last.iter().map(|value| value.to_bits()).collect();
            let expected = reference.get_or_insert_with(|| bits.clone());
            assert_eq!(bits, *expected, "a batch of {count} with {threads} threads");
        }
    }
}
