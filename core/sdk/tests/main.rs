//! The SDK as a plugin author uses it, under the fake host.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::float_cmp, reason = "values that are only moved keep every bit")]

mod attribute;
mod entry;
mod errors;
mod images;
mod network;
mod observe;
mod parameters;
mod probe;
mod results;
