//! The arrows between the crates, checked against what cargo says.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Every crate and the crates of ours that it may depend on. An arrow goes from a higher level to
/// a lower one, never up and never sideways.
const ARROWS: &[(&str, &[&str])] = &[
    ("abi", &[]),
    ("protocol", &[]),
    ("runtime", &[]),
    ("statistics", &[]),
    ("data", &["runtime"]),
    ("onnx", &["runtime"]),
    ("report", &["protocol"]),
    ("sdk", &["abi", "protocol", "statistics"]),
    ("host", &["abi", "data", "onnx", "protocol", "runtime"]),
    ("plugin-deconvnet", &["sdk"]),
    ("plugin-gradients", &["sdk"]),
    ("plugin-occlusion", &["sdk"]),
    ("script", &["protocol", "report"]),
];

/// What the program sees: everything but plugins.
const PROGRAM: &[&str] = &["data", "host", "onnx", "protocol", "report", "runtime", "script"];

/// Where unsafe code may stand: the two sides of the plugin boundary, and matrix kernels.
const UNSAFE: &[&str] = &[
    "core/abi/",
    "core/host/src/library.rs",
    "core/host/src/serve/table",
    "core/runtime/src/backend/cpu/micro.rs",
    "core/runtime/src/backend/cpu/registers.rs",
    "core/runtime/src/backend/cpu/rows.rs",
    "core/runtime/src/backend/cpu/simd.rs",
    "core/runtime/src/backend/plain/gemm_call.rs",
    "core/sdk/src/boundary",
    "core/sdk/src/export.rs",
    "core/sdk/tests/entry.rs",
];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns the crates of ours that each crate depends on, without the common prefix.
fn dependencies(kinds: &[Option<&str>]) -> BTreeMap<String, BTreeSet<String>> {
    let ours = |name: &Value| name.as_str().and_then(|n| n.strip_prefix("convscope")).map(short);
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let wanted = |d: &&Value| kinds.contains(&d["kind"].as_str());
            let all = package["dependencies"].as_array().unwrap();
            let names = all.iter().filter(wanted).filter_map(|d| ours(&d["name"])).collect();
            (ours(&package["name"]).unwrap(), names)
        })
        .collect()
}

fn short(name: &str) -> String {
    name.trim_start_matches('-').to_owned()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn crates_depend_only_along_the_arrows() {
    let mut actual = dependencies(&[None]);
    let program = actual.remove("").expect("the root package is the program");
    assert!(program.is_subset(&set(PROGRAM)), "the program sees {program:?}");
    let allowed: BTreeMap<String, BTreeSet<String>> =
        ARROWS.iter().map(|(name, to)| ((*name).to_owned(), set(to))).collect();
    assert_eq!(
        actual.keys().collect::<Vec<_>>(),
        allowed.keys().collect::<Vec<_>>(),
        "the table of arrows and the workspace name the same crates"
    );
    for (name, to) in actual {
        assert!(to.is_subset(&allowed[&name]), "{name} depends on {to:?}");
    }
}

#[test]
fn arrows_never_form_a_circle() {
    for (index, (name, to)) in ARROWS.iter().enumerate() {
        for target in *to {
            let place = ARROWS.iter().position(|(other, _)| other == target).unwrap();
            assert!(place < index, "{name} stands above {target}");
        }
    }
}

#[test]
fn no_plugin_is_linked_into_the_program() {
    let program = &dependencies(&[None])[""];
    assert!(program.iter().all(|name| !name.starts_with("plugin")), "{program:?}");
}

#[test]
fn only_known_files_hold_unsafe_code() {
    let allowed = |path: &str| UNSAFE.iter().any(|place| path.starts_with(place));
    let output = Command::new("git")
        .args(["grep", "-lE", r"\bunsafe (\{|fn|impl|extern)", "--", "core/*.rs", "plugins/*.rs"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let Ok(output) = output.map(|output| String::from_utf8(output.stdout).unwrap()) else {
        assert!(std::env::var_os("CI").is_none(), "git is needed to look for unsafe code");
        println!("skipped: git is not installed");
        return;
    };
    let elsewhere: Vec<&str> = output.lines().filter(|path| !allowed(path)).collect();
    assert!(elsewhere.is_empty(), "unsafe code in {elsewhere:?}");
}
