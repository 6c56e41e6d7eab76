//! What a plugin author depends on.
#![deny(unsafe_code)]

mod analysis;
mod batch;
mod boundary;
mod error;
#[doc(hidden)]
pub mod export;
mod host;
mod images;
mod method;
mod model;
mod panics;
mod parameter;
mod random;
mod schema;

pub use convscope_protocol as protocol;

pub use analysis::Analysis;
pub use batch::Batch;
pub use error::AnalysisError;
pub use host::{Host, LogLevel};
pub use images::Images;
pub use method::{Amplitude, Method, Normalization, Overlap};
pub use model::Model;
pub use parameter::{ImagesParameter, LayerName, OneOrMany, Position, Positions, Target};
pub use random::Random;
