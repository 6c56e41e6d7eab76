//! An analysis whose body is given by the test.

use convscope_sdk::fake::{FakeError, FakeHost};
use convscope_sdk::protocol::Findings;
use convscope_sdk::{Analysis, AnalysisError, Host, ImagesParameter, LayerName, OneOrMany, Target};
use ndarray::ArrayD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) type Body = fn(&Host<'_>, Parameters) -> Result<(), AnalysisError>;

/// Does what the test says.
pub(crate) struct Probe(Body);

/// Parameters of the probe.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    /// Pictures.
    #[serde(default)]
    pub(crate) images: Option<ImagesParameter>,
    /// A layer.
    #[serde(default)]
    pub(crate) layer: Option<LayerName>,
    /// Classes.
    #[serde(default)]
    pub(crate) target: OneOrMany<Target>,
    /// A number.
    #[serde(default)]
    #[schemars(range(max = 8), extend("x-unit" = "px"))]
    pub(crate) window: u32,
}

impl Analysis for Probe {
    const ID: &'static str = "probe";
    const NAME: &'static str = "Probe";
    const DOC: &'static str = "Does what the test says.";
    const CATEGORY: &'static str = "test";
    const NEEDS_BACKWARD: bool = true;
    type Parameters = Parameters;

    fn run(&self, host: &Host<'_>, parameters: Parameters) -> Result<(), AnalysisError> {
        (self.0)(host, parameters)
    }
}

/// Runs the body under a host.
pub(crate) fn run(host: &FakeHost, parameters: &Value, body: Body) -> Result<Findings, FakeError> {
    host.run(Box::leak(Box::new(Probe(body))), parameters)
}

/// Runs the body, which asserts, with images whose values differ everywhere.
pub(crate) fn check(body: Body) {
    let host = FakeHost::new().with_tensors("images", images(3));
    run(&host, &serde_json::json!({}), body).unwrap();
}

/// Images whose values differ everywhere and have both signs.
pub(crate) fn images(count: usize) -> ArrayD<f32> {
    let values = (0..count * 72).map(|i| ((i * 37 % 101) as f32 - 50.0) / 25.0).collect();
    ArrayD::from_shape_vec(vec![count, 2, 6, 6], values).unwrap()
}
