//! Tests of the whole program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail, also in its helpers"
)]

mod architecture;
mod cards;
mod channels_last;
mod confinement;
mod conformance;
mod errors;
mod fixtures;
mod formats;
mod fuzz;
mod inspect;
mod long_runs;
mod mistakes;
mod occlusion;
mod operators;
mod plugins;
mod refusals;
mod report;
mod squeezenet;
mod streams;
mod support;
mod tools;
mod unsupported;
mod zoo;
