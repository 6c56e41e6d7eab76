//! Times the kernels of the CPU backend on the layers of five networks in full size, on one thread:
//! `cargo bench -p convscope-runtime [-- FILTER]`.
//!
//! Times are CPU times. Kernels that multiply say their GFLOP/s, which count every tap of every
//! output, and the share of the peak that was measured just before; a kernel that skips padding or
//! saves products passes it. Kernels that only move say the bytes of their operands and results a
//! second. Maps are in the layout that they have within a network, filters are placed.

#![allow(missing_docs, reason = "criterion writes public functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark may fail")]

mod convolutions;
mod cpu_time;
mod deltas;
mod layers;
mod maps;
mod network;
mod operands;
mod peak;
mod products;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

use self::cpu_time::CpuTime;

fn criterion() -> Criterion<CpuTime> {
    let peak = peak::measured(&operands::backend());
    eprintln!("peak of one thread: {:.1} GFLOP/s", peak / 1e9);
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .with_measurement(CpuTime::new(peak))
}

criterion_group! {
    name = kernels;
    config = criterion();
    targets = convolutions::bench, products::bench, maps::bench, network::bench, deltas::bench
}
criterion_main!(kernels);
