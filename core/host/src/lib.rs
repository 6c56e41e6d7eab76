//! Finds, checks, loads and serves plugins; the session in which everything runs.
//!
//! A [`Search`] says where plugins may lie, a [`Registry`] holds those that passed every check and
//! the reasons of those that did not, and a [`Session`] runs their analyses on a [`Model`] and an
//! [`ImageSet`]. What a plugin asks for arrives as data and C pointers in `serve`; from there on
//! everything is safe Rust over `convscope-runtime`.

mod arguments;
mod attribute;
mod cache;
mod control;
mod engine;
mod error;
mod images;
mod infer;
mod library;
mod memory;
mod model;
mod observe;
mod predict;
mod preflight;
mod refusal;
mod registry;
mod rows;
mod search;
mod seed;
mod serve;
mod session;
mod source;
mod tensors;
#[cfg(test)]
mod testing;
mod translate;
mod trust;

pub use arguments::Argument;
pub use cache::{CacheOptions, CacheUse};
pub use control::{Control, LogLevel, Quiet};
pub use engine::Passes;
pub use error::HostError;
pub use images::{ImageOptions, ImageSet};
pub use model::{Model, ModelOptions};
pub use predict::Prediction;
pub use refusal::{Refusal, Refused};
pub use registry::{Analysis, Plugin, Registry};
pub use search::{Folder, Origin, Places, Search};
pub use session::{Session, SessionOptions};
pub use trust::{Before, Trust, TrustEntry, TrustError, TrustFile, Trusted, Trusting};
