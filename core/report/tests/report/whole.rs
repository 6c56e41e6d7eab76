//! A whole report, from findings to files.

use std::path::Path;
use std::sync::Arc;

use convscope_protocol::Findings;
use convscope_report::{Entry, Report, write};
use ndarray::ArrayD;
use ndarray_npy::ReadNpyExt as _;
use serde_json::Value;

use crate::sample::{self, Files};

fn entry(result: &str, findings: &Arc<Findings>) -> Entry {
    Entry::Findings { result: result.into(), findings: Arc::clone(findings) }
}

#[test]
fn a_report_has_the_promised_files() {
    let files = sample::written(&sample::report(sample::findings(&[sample::LOW])));
    let expected = [
        "data/deconvnet/patch.conv1_relu.npy",
        "data/deconvnet/projection.conv1_relu.npy",
        "data/deconvnet/strongest_map.csv",
        "figures/01-strongest.conv1_relu.svg",
        "manifest.json",
        "report.html",
    ];
    assert_eq!(files.names(), expected);
}

#[test]
fn the_same_report_has_the_same_bytes() {
    let report = || sample::report(sample::findings(&[sample::LOW, sample::HIGH]));
    assert!(sample::written(&report()) == sample::written(&report()));
}

#[test]
fn only_the_manifest_says_what_differs_from_run_to_run() {
    let scratch = tempfile::tempdir().unwrap();
    let report = sample::report(sample::findings(&[sample::LOW]));
    let mut seen = Vec::new();
    for seconds in [1, 2] {
        let mut provenance = sample::provenance();
        provenance.run.insert("seconds".into(), seconds.into());
        let out = scratch.path().join(seconds.to_string());
        write(&report, &provenance, &out).unwrap();
        seen.push(Files::below(&out));
    }
    let mut manifests = Vec::new();
    for files in &mut seen {
        let text = files.0.remove("manifest.json").unwrap();
        let mut manifest: Value = serde_json::from_slice(&text).unwrap();
        assert!(manifest.as_object_mut().unwrap().remove("run").is_some());
        manifests.push(manifest);
    }
    assert!(seen[0] == seen[1]);
    assert_eq!(manifests[0], manifests[1]);
}

#[test]
fn findings_that_are_shown_twice_are_stored_once_and_others_get_a_number() {
    let first = Arc::new(sample::findings(&[sample::LOW]));
    let second = Arc::new(sample::findings(&[sample::LOW]));
    let figure = Entry::Figure {
        result: "deconvnet".into(),
        findings: Arc::clone(&first),
        figure: "strongest.conv1_relu".into(),
        caption: Some("Look at map 17.".into()),
    };
    let entries = vec![entry("deconvnet", &first), entry("deconvnet", &second), figure];
    let files = sample::written(&Report { title: "Twice".into(), entries });
    let folders: std::collections::BTreeSet<&str> = files
        .names()
        .iter()
        .filter_map(|name| name.strip_prefix("data/")?.split('/').next())
        .collect();
    assert_eq!(folders.into_iter().collect::<Vec<_>>(), ["deconvnet", "deconvnet-2"]);
    assert!(files.text("figures/03-strongest.conv1_relu.svg").contains("Look at map 17. The 9"));
}

#[test]
fn arrays_are_read_back_as_they_were() {
    let scratch = tempfile::tempdir().unwrap();
    let findings = sample::findings(&[sample::LOW]);
    let expected = findings.arrays[1].values.clone();
    write(&sample::report(findings), &sample::provenance(), scratch.path()).unwrap();
    let path = scratch.path().join("data/deconvnet/patch.conv1_relu.npy");
    let read = ArrayD::<f32>::read_npy(std::fs::File::open(path).unwrap()).unwrap();
    let convscope_protocol::Values::F32(expected) = expected else { panic!("not measured") };
    assert_eq!(read.shape(), expected.shape());
    assert!(read.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()));
}

#[test]
fn an_array_becomes_a_file_of_its_own_where_it_is_wanted() {
    let findings = Arc::new(sample::findings(&[sample::LOW]));
    let name = findings.arrays[0].name.clone();
    let file = Entry::File { findings: Arc::clone(&findings), array: name, path: "a/b.npy".into() };
    let entries = vec![entry("deconvnet", &findings), file];
    let files = sample::written(&Report { title: "Files".into(), entries });
    assert!(files.names().contains(&"a/b.npy"));
    assert!(files.text("manifest.json").contains("\"a/b.npy\""));
}

#[test]
fn arrays_whose_names_fall_together_get_files_of_their_own() {
    let mut findings = sample::findings(&[]);
    for name in ["mean.a/b", "mean.a_b"] {
        findings.arrays.push(sample::array(name, &[2], &["image"], |index| index[0] as f32));
    }
    let files = sample::written(&sample::report(findings));
    let names = files.names();
    assert!(names.contains(&"data/deconvnet/mean.a_b.npy"), "{names:?}");
    assert!(names.contains(&"data/deconvnet/mean.a_b-2.npy"), "{names:?}");
}

#[test]
fn a_report_of_words_only_can_be_written() {
    let report =
        Report { title: "Nothing yet".into(), entries: vec![Entry::Text("*Soon.*".into())] };
    assert_eq!(sample::written(&report).names(), ["manifest.json", "report.html"]);
}

#[test]
fn a_large_picture_is_warned_about() {
    let noise = |index: &[usize]| {
        let place = ((index[0] * 600 + index[1]) * 600 + index[2]) as u64;
        let mixed = place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 56) as f32
    };
    let array = sample::array("noise", &[3, 600, 600], &["channel", "row", "column"], noise);
    let figure = sample::picture(&array, convscope_protocol::figure::Colours::Photograph, "");
    let findings = Findings { arrays: vec![array], figures: vec![figure], ..sample::findings(&[]) };
    let scratch = tempfile::tempdir().unwrap();
    let written = write(&sample::report(findings), &sample::provenance(), scratch.path()).unwrap();
    assert_eq!(written.warnings.len(), 1, "{:?}", written.warnings);
    assert!(
        written.warnings[0].starts_with("figure `noise`: a picture of 600 × 600 pixels takes 1.")
    );
}

/// Keeps a report for human eyes: `CONVSCOPE_KEEP=folder cargo test -- --ignored keep`.
#[test]
#[ignore = "writes into the folder that CONVSCOPE_KEEP names"]
fn keep_a_report_to_look_at() {
    let out = std::env::var_os("CONVSCOPE_KEEP").expect("CONVSCOPE_KEEP names no folder");
    let high = sample::Layer { maps: 6, winners: 7, side: 150, ..sample::HIGH };
    let mut report = sample::report(sample::findings(&[sample::LOW, high]));
    report.entries.push(Entry::Text("## Other kinds\n\nA `picture`, a `table` and `maps`.".into()));
    report.entries.push(entry("deconvnet", &Arc::new(sample::gallery())));
    let written = write(&report, &sample::provenance(), Path::new(&out)).unwrap();
    println!("{written:#?}");
}
