//! Conformance: cases of the ONNX backend test suite (`tests/conformance/README.md`), each run by
//! `convscope infer` as a user would run it.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;

use convscope_onnx::read_tensor;
use ndarray::ArrayD;
use serde_json::Value;

use crate::support::{convscope, folder, npy, root};

/// How many cases there are at least: the list may grow, but nothing on it may get lost.
const LEAST: usize = 424;

/// The largest difference, as a part of the largest magnitude. The suite itself allows 1e-3 of
/// every number.
const TOLERANCE: f32 = 1e-5;

/// A line of the list.
struct Case {
    name: String,
    /// The inputs that are constants of the network.
    bound: Vec<String>,
}

impl Case {
    fn folder(&self) -> PathBuf {
        place().join("cases").join(&self.name)
    }
}

fn place() -> PathBuf {
    root().join("tests/conformance")
}

fn cases() -> Vec<Case> {
    let text = fs::read_to_string(place().join("cases.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let case = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
        [name, "node" | "pytorch-converted" | "pytorch-operator", _origin, bound] => {
            let bound = bound.split(',').filter(|name| *name != "-").map(Into::into).collect();
            Case { name: name.to_owned(), bound }
        }
        _ => panic!("cases.txt: {line:?} is not `name group origin bound`"),
    };
    lines.map(case).collect()
}

/// Lists `kind_0.pb`, `kind_1.pb`, … of a folder.
fn tensors(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let files = (0..).map(|index| folder.join(format!("{kind}_{index}.pb")));
    files.take_while(|file| file.exists()).collect()
}

/// Runs a case, and says what is wrong with the result.
fn failure(case: &Case) -> Option<String> {
    let (data, out) = (case.folder(), folder());
    let mut command = convscope();
    command.arg("infer").arg(data.join("model.onnx")).arg("--out").arg(out.path());
    command.args(["--threads", "1"]);
    let inputs = tensors(&data, "input");
    if !inputs.is_empty() {
        command.arg("--input").args(inputs);
    }
    let printed = command.args(["--json", "--quiet"]).output().unwrap().stdout;
    let answer: Value = serde_json::from_slice(&printed).unwrap();
    if answer["ok"] != true {
        return Some(format!("refused: {}", answer["error"]["message"]));
    }
    let bound: Vec<&str> =
        answer["bound"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    if bound != case.bound {
        return Some(format!("the inputs {bound:?} are bound, not {:?}", case.bound));
    }
    let (outputs, expected) = (answer["outputs"].as_array().unwrap(), tensors(&data, "output"));
    if outputs.len() != expected.len() {
        return Some(format!("{} outputs instead of {}", outputs.len(), expected.len()));
    }
    outputs.iter().zip(expected).find_map(|(output, expected)| {
        let actual = npy(&out.path().join(output["file"].as_str().unwrap()));
        let expected = read_tensor(&expected).unwrap();
        difference(&actual, &expected.view().unwrap().to_owned())
    })
}

fn difference(actual: &ArrayD<f32>, expected: &ArrayD<f32>) -> Option<String> {
    if actual.shape() != expected.shape() {
        return Some(format!("shape {:?} instead of {:?}", actual.shape(), expected.shape()));
    }
    let finite = expected.iter().filter(|value| value.is_finite());
    let largest = finite.fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let wrong = |(a, b): (&f32, &f32)| {
        let right = if b.is_finite() {
            // Written so that a NaN is wrong.
            (a - b).abs() <= TOLERANCE * largest
        } else {
            a.total_cmp(b).is_eq() || (a.is_nan() && b.is_nan())
        };
        (!right).then(|| format!("{a} instead of {b}, the largest being {largest}"))
    };
    actual.iter().zip(expected).find_map(wrong)
}

#[test]
fn cases_of_the_onnx_backend_suite_give_what_they_expect() {
    let cases = cases();
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let failures: Vec<String> = thread::scope(|scope| {
        let share = cases.len().div_ceil(workers).max(1);
        let run = |part: &[Case]| {
            let failed = |case: &Case| Some(format!("{}: {}", case.name, failure(case)?));
            part.iter().filter_map(failed).collect::<Vec<_>>()
        };
        let threads: Vec<_> =
            cases.chunks(share).map(|part| scope.spawn(move || run(part))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    // Not `println!`, which a passing test hides.
    let constant =
        cases.iter().filter(|case| case.bound.len() == tensors(&case.folder(), "input").len());
    let (count, constant) = (cases.len(), constant.count());
    let mut stderr = std::io::stderr().lock();
    writeln!(
        stderr,
        "conformance: {count} ONNX cases passed, {constant} of them on constants alone"
    )
    .unwrap();
}

#[test]
fn no_conformance_case_gets_lost() {
    let cases = cases();
    assert!(cases.len() >= LEAST, "{} cases, there were {LEAST}", cases.len());
    assert!(
        cases.is_sorted_by(|a, b| a.name < b.name),
        "cases.txt is sorted, and names are unique"
    );
    let listed: BTreeSet<String> = cases.into_iter().map(|case| case.name).collect();
    let folders = fs::read_dir(place().join("cases")).unwrap();
    let there: BTreeSet<String> =
        folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, listed, "cases.txt lists the folders of cases/");
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let claim = format!("{} cases of the ONNX backend test suite", listed.len());
    let words: Vec<&str> = readme.split_whitespace().collect();
    assert!(words.join(" ").contains(&claim), "README.md says how many: {claim:?}");
}

#[test]
fn every_conformance_case_compares_something_and_is_small() {
    let mut bytes = 0;
    for case in cases() {
        let data = case.folder();
        assert!(!tensors(&data, "output").is_empty(), "{} expects nothing", case.name);
        let files = tensors(&data, "input").len() + tensors(&data, "output").len() + 1;
        let sizes =
            fs::read_dir(&data).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
        let sizes: Vec<u64> = sizes.collect();
        assert_eq!(sizes.len(), files, "{} has unused files", case.name);
        bytes += sizes.iter().sum::<u64>();
    }
    assert!(bytes < 1_000_000, "{bytes} bytes are much for a repository");
}

#[test]
fn a_wrong_result_of_a_conformance_case_would_be_seen() {
    let array =
        |values: &[f32]| ArrayD::from_shape_vec(vec![values.len()], values.to_vec()).unwrap();
    let expected = array(&[1.0, -100.0, f32::NAN, f32::INFINITY]);
    assert_eq!(difference(&array(&[1.0005, -100.0, f32::NAN, f32::INFINITY]), &expected), None);
    for wrong in [
        &[1.01, -100.0, f32::NAN, f32::INFINITY][..],
        &[1.0, 100.0, f32::NAN, f32::INFINITY],
        &[f32::NAN, -100.0, f32::NAN, f32::INFINITY],
        &[1.0, -100.0, 0.0, f32::INFINITY],
        &[1.0, -100.0, f32::NAN, f32::NEG_INFINITY],
        &[1.0, -100.0, f32::NAN],
    ] {
        assert!(difference(&array(wrong), &expected).is_some(), "{wrong:?}");
    }
}
