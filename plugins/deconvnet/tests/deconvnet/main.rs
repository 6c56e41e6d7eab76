//! `deconvnet` under the fake host, against a search over all units and closed forms.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::float_cmp, reason = "sums of few small numbers are exact")]

mod brute_force;
mod choice;
mod projections;
mod refusals;
mod results;
mod run;
mod schema;
mod winners;

use convscope_deconvnet::Deconvnet;
use convscope_sdk::fake::{ColourOrder, FakeHost};
use convscope_sdk::protocol::{Findings, Values};
use ndarray::ArrayD;
use serde_json::Value;

/// Pictures whose values differ and have both signs, in steps of 1/8: sums are exact, and some
/// activations are equal.
fn pictures(count: usize) -> ArrayD<f32> {
    let values = (0..count * 108).map(|i| ((i * 37 % 101) as f32 - 50.0) / 8.0).collect();
    ArrayD::from_shape_vec(vec![count, 3, 6, 6], values).unwrap()
}

fn host(count: usize) -> FakeHost {
    with(pictures(count))
}

fn with(pictures: ArrayD<f32>) -> FakeHost {
    FakeHost::new().with_colours(ColourOrder::Rgb).with_pictures("images", pictures)
}

fn run(host: &FakeHost, parameters: &Value) -> Findings {
    host.run(&Deconvnet, parameters).unwrap()
}

fn numbers(findings: &Findings, name: &str) -> ArrayD<f32> {
    match &findings.array(name).unwrap().values {
        Values::F32(values) => values.to_owned().into_owned(),
        other => panic!("{name} is {}", other.dtype()),
    }
}

fn indices(findings: &Findings, name: &str) -> ArrayD<u32> {
    match &findings.array(name).unwrap().values {
        Values::U32(values) => values.to_owned().into_owned(),
        other => panic!("{name} is {}", other.dtype()),
    }
}
