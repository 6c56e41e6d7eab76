//! What a plugin author depends on: write an analysis in Rust, build it as a library, and convscope
//! finds it, checks it, and offers it in scripts, on the command line and in reports.
//!
//! A plugin is a crate with `crate-type = ["cdylib", "rlib"]` that depends on `convscope-sdk`,
//! `serde` (with `derive`), `schemars` and `ndarray`. Its library must be called
//! `convscope_SOMETHING`. This is one, whole:
//!
//! ```
//! use convscope_sdk::protocol::array::ArrayMeta;
//! use convscope_sdk::protocol::{Array, Axis, Capture, Reduction};
//! use convscope_sdk::{
//!     Analysis, AnalysisError, Host, ImagesParameter, LayerName, export_plugin,
//! };
//! use ndarray::Array2;
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! /// How strongly every map of a layer responds to every picture.
//! struct Response;
//!
//! // 1. The parameters. Doc comments become help, defaults and ranges are checked by the host.
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Parameters {
//!     /// Pictures, or tensors `[n, c, h, w]` used as they are.
//!     images: ImagesParameter,
//!     /// The layer whose maps are measured.
//!     layer: LayerName,
//!     /// Responses are multiplied by this.
//!     #[serde(default = "one")]
//!     #[schemars(range(min = 0.0))]
//!     scale: f32,
//! }
//!
//! fn one() -> f32 {
//!     1.0
//! }
//!
//! // 2. The analysis. Everything it needs comes from the host; results go there as they come.
//! impl Analysis for Response {
//!     const ID: &'static str = "response";
//!     const NAME: &'static str = "Response of maps";
//!     const DOC: &'static str = "Mean activation of every map of a layer, per picture.";
//!     const CATEGORY: &'static str = "units";
//!     const DETERMINISTIC: bool = true;
//!     type Parameters = Parameters;
//!
//!     fn run(&self, host: &Host<'_>, parameters: Parameters) -> Result<(), AnalysisError> {
//!         let images = host.images("images")?;
//!         let layer = parameters.layer.0;
//!         let capture = Capture::new(layer.clone(), Reduction::Mean);
//!         let mut means: Vec<f32> = Vec::new();
//!         // The host decides how many pictures fit into memory and calls back with so many.
//!         host.model()?.observe(&images, &[], &[capture], |batch| {
//!             means.extend(batch.values(0)?.iter().map(|mean| mean * parameters.scale));
//!             host.progress(batch.range().end as f64 / images.len() as f64, "measuring")
//!         })?;
//!         let maps = means.len() / images.len().max(1);
//!         host.emit_array(Array {
//!             name: "response".into(),
//!             meta: ArrayMeta {
//!                 axes: vec![Axis::named("image"), Axis::named("map")],
//!                 unit: String::new(),
//!                 doc: format!("mean activation of the maps of {layer}"),
//!             },
//!             values: Array2::from_shape_vec([images.len(), maps], means)?.into_dyn().into(),
//!         })
//!     }
//! }
//!
//! // 3. The library shows itself.
//! export_plugin! { id: "org.example.response", name: "Response", analyses: [Response] }
//!
//! // 4. A test, without the program: the fake host runs a tiny network.
//! let pictures = ndarray::ArrayD::from_elem(vec![3, 2, 6, 6], 2.0);
//! let host = convscope_sdk::fake::FakeHost::new().with_tensors("images", pictures);
//! let found = host.run(&Response, &serde_json::json!({ "layer": "relu" })).unwrap();
//! let response = found.array("response").unwrap();
//! assert_eq!(response.values.shape(), [3, 3]);
//!
//! let error = host.run(&Response, &serde_json::json!({ "layer": "rel" })).unwrap_err();
//! assert_eq!(error.to_string(), "`layer`: no layer `rel`");
//! ```
//!
//! * **Parameters** arrive complete: [`LayerName`] is a layer that exists, [`Target`] is a class
//!   number even where the user gave a label, [`OneOrMany`] is one value or a list. What a schema
//!   cannot say is refused with [`AnalysisError::parameter`].
//! * **Two verbs** compute everything: [`Model::observe`] runs forward, with changes on the way;
//!   [`Model::attribute`] carries signals back by a
//!   [`Composite`](protocol::Composite) of rules. Both hand their results to a sink in batches.
//! * **Results** are data: arrays with named axes, tables, and figures that refer to them
//!   ([`Host::emit_array`], [`Host::emit_table`], [`Host::emit_figure`]). A plugin draws nothing
//!   and opens no file.
//! * **Errors** are returned; `?` on every call of the host passes a cancellation on. A panic is
//!   caught and reported with its file and line.
//! * **Randomness** comes from [`Host::rng_seed`] and [`Random`], so that a report can be repeated;
//!   [`statistics`] says how far a mean over some pictures can be trusted.
#![deny(unsafe_code)]

mod analysis;
mod batch;
mod boundary;
mod classes;
mod error;
#[doc(hidden)]
pub mod export;
pub mod fake;
mod host;
mod images;
mod method;
mod model;
mod panics;
mod parameter;
mod picture;
mod schema;

pub use convscope_protocol as protocol;
pub use convscope_statistics as statistics;
pub use convscope_statistics::Random;

pub use analysis::Analysis;
pub use batch::Batch;
pub use classes::{class_count, class_in_words, predicted_classes, targets_of};
pub use error::AnalysisError;
pub use host::{Host, LogLevel};
pub use images::Images;
pub use method::{Amplitude, Method, Normalization, Overlap};
pub use model::Model;
pub use parameter::{
    Boxes, ImagesParameter, LayerName, LayerWithMaps, OneOrMany, Position, Positions, Target,
};
pub use picture::{around_grey, input_channels, picture_array, pixel_channels, symmetric_limit};
