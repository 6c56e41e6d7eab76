//! The kernels of the plain CPU backend against slow loops in double precision that say what each
//! kernel means.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may fail, and says so where values must be equal"
)]

mod kernels {
    mod adjoints;
    mod bits;
    mod filters;
    mod functions;
    mod matrices;
    mod pools;
    mod random;
    mod reference;
    mod refusals;
    mod responses;
}
