//! How many operations a second one thread can do at best.

use convscope_runtime::{Backend, CpuBackend, Epilogue, Orientation, PlainBackend};
use cpu_time::ProcessTime;

use crate::operands::{blocked, geometry, tensor};

/// Measures the fastest product there is: all operands in the cache, nothing at the edges, by the
/// kernel of this crate and by that of `gemm`, whichever is faster. Both come within a few percent
/// of the fused multiply-adds that a core can issue.
pub(crate) fn measured(backend: &CpuBackend) -> f64 {
    const CHANNELS: usize = 256;
    const EDGE: usize = 28;
    const SQUARE: usize = 512;
    let input = blocked(backend, &tensor([1, CHANNELS, EDGE, EDGE]));
    let filters = backend.upload_filters(&tensor([CHANNELS, CHANNELS, 1, 1])).unwrap();
    let geometry = geometry(1, 1, 0, 1);
    let own = fastest(CHANNELS * CHANNELS * EDGE * EDGE, || {
        backend.convolution(&input, &filters, None, &geometry, Epilogue::None).unwrap();
    });
    let (plain, square) = (PlainBackend::new(), tensor([1, SQUARE, SQUARE]));
    let other = fastest(SQUARE * SQUARE * SQUARE, || {
        let orientation = Orientation::Plain;
        plain.matrix_product(&square, orientation, &square, orientation).unwrap();
    });
    own.max(other)
}

/// Returns operations a second of the fastest of many runs.
fn fastest(multiply_adds: usize, run: impl Fn()) -> f64 {
    let times = (0..200).map(|_| {
        let start = ProcessTime::now();
        run();
        start.elapsed().as_secs_f64()
    });
    2.0 * multiply_adds as f64 / times.fold(f64::INFINITY, f64::min)
}
