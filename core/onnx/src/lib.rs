//! Reads ONNX files into runtime networks.
//!
//! [`load`] parses a file, resolves names and sorts, brings old and new operator forms together,
//! folds constants while it infers shapes, and turns every node into a layer that stays addressable
//! by the name the user knows. Nothing is fused. What is not supported is refused before anything
//! runs, all of it at once; and a file is never trusted.

#![forbid(unsafe_code)]

mod attributes;
mod call;
mod constant;
mod early_form;
mod elements;
mod error;
mod external;
mod fold;
mod graph;
mod input;
mod integer_type;
mod layout;
mod limits;
mod load;
mod loader;
mod names;
mod normal_form;
mod open_batch;
mod operator;
mod overlay;
mod proto;
mod reader;
mod refusal;
mod scores;
mod source;
mod store;
mod support;
mod tensor;
#[cfg(test)]
mod testing;
mod wire;

pub use constant::{Constant, Integers};
pub use error::{OnnxError, UnsupportedNode, UnsupportedNodes};
pub use layout::InputLayout;
pub use load::{LoadOptions, LoadedModel, load, load_bytes, outline, read_constant, read_tensor};
pub use support::{Support, support};
