//! `occlusion` under the fake host, against a slow derivation: paint the picture over, run the
//! network by its definition.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::float_cmp, reason = "sums of few small numbers are exact")]

mod baselines;
mod figures;
mod refusals;
mod results;
mod run;
mod schema;
mod slow;
mod tables;
mod values;

use convscope_occlusion::Occlusion;
use convscope_sdk::fake::{ColourOrder, FakeHost};
use convscope_sdk::protocol::{Findings, Values};
use ndarray::ArrayD;
use serde_json::Value;

/// Pictures whose values differ and have both signs, in steps of 1/64: sums are exact.
fn pictures(count: usize) -> ArrayD<f32> {
    let values = (0..count * 108).map(|i| ((i * 37 % 101) as f32 - 40.0) / 64.0).collect();
    ArrayD::from_shape_vec(vec![count, 3, 6, 6], values).unwrap()
}

fn host(count: usize) -> FakeHost {
    FakeHost::new().with_colours(ColourOrder::Rgb).with_pictures("images", pictures(count))
}

fn run(host: &FakeHost, parameters: &Value) -> Findings {
    host.run(&Occlusion, parameters).unwrap()
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
