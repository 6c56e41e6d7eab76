//! A whole report, from findings to files.

use std::fs;
use std::path::Path;

use convscope_report::write;

use crate::sample;

fn bytes_below(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                files.push((name, fs::read(path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn a_report_has_the_promised_files() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("report");
    let report = sample::report(sample::findings(&[sample::LOW]));
    let written = write(&report, &sample::provenance(), &out).unwrap();
    let expected = [
        "data/deconvnet/patch.conv1_relu.npy",
        "data/deconvnet/projection.conv1_relu.npy",
        "data/deconvnet/strongest_map.csv",
        "figures/01-strongest.conv1_relu.svg",
        "manifest.json",
        "report.html",
    ];
    assert_eq!(written.files, expected);
    let found: Vec<String> = bytes_below(&out).into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, expected);
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1, "something is left beside it");
}

#[test]
fn the_same_report_has_the_same_bytes() {
    let scratch = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    for name in ["one", "another"] {
        let out = scratch.path().join(name);
        let report = sample::report(sample::findings(&[sample::LOW, sample::HIGH]));
        write(&report, &sample::provenance(), &out).unwrap();
        seen.push(bytes_below(&out));
    }
    assert!(seen[0] == seen[1]);
}

/// Keeps a report for human eyes: `CONVSCOPE_KEEP=folder cargo test -- --ignored keep`.
#[test]
#[ignore = "writes into the folder that CONVSCOPE_KEEP names"]
fn keep_a_report_to_look_at() {
    let out = std::env::var_os("CONVSCOPE_KEEP").expect("CONVSCOPE_KEEP names no folder");
    let report = sample::report(sample::findings(&[sample::LOW, sample::HIGH]));
    let written = write(&report, &sample::provenance(), Path::new(&out)).unwrap();
    println!("{written:#?}");
}
