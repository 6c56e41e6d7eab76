//! Operands as they are within a network.

use convscope_runtime::{
    Backend, ConvolutionGeometry, CpuBackend, Epilogue, Padding, Shape, Tensor, Window,
};

/// Returns the backend, on one thread.
pub(crate) fn backend() -> CpuBackend {
    // Only the first call can set the number; the later ones ask for the same.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
    CpuBackend::new()
}

/// Seeded numbers between -1 and 1.
pub(crate) fn tensor(shape: impl Into<Shape>) -> Tensor {
    let shape = shape.into();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    let values = std::iter::repeat_with(next).take(shape.volume()).collect();
    Tensor::new(shape, values).unwrap()
}

/// Brings maps into the layout that layers leave behind: pictures stay as they are, other maps
/// pass a convolution that changes nothing.
pub(crate) fn blocked(backend: &CpuBackend, maps: &Tensor) -> Tensor {
    let channels = maps.shape().extents()[1];
    if channels < 16 {
        return maps.clone();
    }
    let mut identity = vec![0.0; channels * channels];
    identity.iter_mut().step_by(channels + 1).for_each(|value| *value = 1.0);
    let filters = Tensor::new([channels, channels, 1, 1], identity).unwrap();
    backend.convolution(maps, &filters, None, &geometry(1, 1, 0, 1), Epilogue::None).unwrap()
}

/// A square window.
pub(crate) fn window(kernel: usize, stride: usize, padding: usize) -> Window {
    let padding = Padding { top: padding, left: padding, bottom: padding, right: padding };
    Window { stride: [stride; 2], padding, ..Window::of([kernel; 2]) }
}

/// Square filters.
pub(crate) fn geometry(
    kernel: usize,
    stride: usize,
    padding: usize,
    groups: usize,
) -> ConvolutionGeometry {
    ConvolutionGeometry { window: window(kernel, stride, padding), groups }
}
