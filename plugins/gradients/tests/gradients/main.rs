//! The gradient family under the fake host, against its closed forms on the tiny network.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::float_cmp, reason = "sums of few small numbers are exact")]

mod closed_form;
mod options;
mod refusals;
mod results;
mod schema;
mod values;

use convscope_gradients::{Deconvolution, GuidedBackprop, Saliency};
use convscope_sdk::fake::{ColourOrder, FakeError, FakeHost};
use convscope_sdk::protocol::{Findings, Values};
use ndarray::{ArrayD, Ix4};
use serde_json::Value;

/// Pictures whose values differ everywhere and have both signs, in steps of 1/8: sums are exact.
fn pictures(count: usize) -> ArrayD<f32> {
    let values = (0..count * 108).map(|i| ((i * 37 % 101) as f32 - 50.0) / 8.0).collect();
    ArrayD::from_shape_vec(vec![count, 3, 6, 6], values).unwrap()
}

fn host(count: usize) -> FakeHost {
    FakeHost::new().with_colours(ColourOrder::Rgb).with_pictures("images", pictures(count))
}

/// Runs one analysis by its name.
fn run(host: &FakeHost, analysis: &str, parameters: &Value) -> Result<Findings, FakeError> {
    match analysis {
        "saliency" => host.run(&Saliency, parameters),
        "guided_backprop" => host.run(&GuidedBackprop, parameters),
        "deconvolution" => host.run(&Deconvolution, parameters),
        other => panic!("no analysis {other}"),
    }
}

fn attribution(findings: &Findings) -> ndarray::Array4<f32> {
    let Values::F32(values) = &findings.array("attribution").unwrap().values else {
        panic!("attributions are numbers")
    };
    values.to_owned().into_dimensionality::<Ix4>().unwrap().into_owned()
}
