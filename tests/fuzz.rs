//! Every input that once found a mistake, and some thousand others, through the targets of the
//! fuzzers (`tests/fuzz/README.md`).

#[allow(unreachable_pub, reason = "the fuzzers' own crate exports it")]
mod graph;
#[allow(unreachable_pub, reason = "the fuzzers' own crate exports it")]
mod targets;

use std::path::Path;

use convscope_onnx::{LoadOptions, load_bytes};

use crate::support::root;

#[test]
fn no_input_that_once_found_a_mistake_finds_it_again() {
    let findings = root().join("tests/fuzz/findings");
    for entry in std::fs::read_dir(findings).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let known = targets::TARGETS.iter().find(|(target, _)| *target == name);
        let (_, target) = known.unwrap_or_else(|| panic!("there is no target {name}"));
        for input in std::fs::read_dir(folder).unwrap() {
            target(&std::fs::read(input.unwrap().path()).unwrap());
        }
    }
}

#[test]
fn arbitrary_bytes_are_refused_in_peace() {
    for (_, target) in targets::TARGETS {
        for seed in 0..200 {
            target(&noise(seed, 64));
        }
    }
}

#[test]
fn arbitrary_graphs_reach_the_operators() {
    let mut loaded = 0;
    for seed in 0..4000 {
        let bytes = noise(seed, 512);
        targets::graph(&bytes);
        let file = graph::file(&bytes).unwrap();
        let options = LoadOptions::default();
        loaded += usize::from(load_bytes(file, Path::new("/nowhere"), &options).is_ok());
    }
    // Were it none, the fuzzers would exercise refusals alone.
    assert!(loaded > 100, "{loaded} of 4000 graphs are networks");
}

/// Bytes of a small generator of pseudo-random numbers (Steele et al. 2014, `SplitMix64`).
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) as u8
    };
    (0..length).map(|_| next()).collect()
}
