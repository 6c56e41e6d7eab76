//! What the tests of kernels over blocks share.

use super::blocked::{Blocked, Maps};
use super::micro::BLOCK;
use super::switches::Switches;
use super::{CpuBackend, Isa};
use crate::backend::axis::{Axis, require_cells};
use crate::layer::testing::Numbers;
use crate::{Element, Padding, Rounding, Shape, Tensor, Window};

/// Makes a backend for every instruction set; the memory that they lend is full of NaN.
pub(super) fn backends() -> impl Iterator<Item = CpuBackend> {
    Isa::available().map(|isa| {
        let backend = CpuBackend::with_isa(isa);
        let lengths = (4..18).flat_map(|power| [1_usize << power; 3]);
        drop(lengths.map(|length| backend.pool.take(length)).collect::<Vec<_>>());
        backend.pool.poison();
        backend.bytes.take(1 << 15).fill(u8::MAX);
        backend
    })
}

/// Lists extents of maps: one cell, one channel, about a block, several images, none.
pub(super) fn extents() -> impl Iterator<Item = [usize; 4]> {
    let channels = [1, 15, 16, 17, 40].into_iter();
    let maps = channels.flat_map(|channels| [[1, channels, 1, 1], [2, channels, 5, 7]]);
    maps.chain([[0, 17, 5, 7], [1, 3, 40, 33], [3, 16, 9, 4]])
}

/// Windows with the size of their output, for maps of a size: as every window sees a cell.
pub(super) fn windows(size: [usize; 2]) -> impl Iterator<Item = (Window, [usize; 2])> {
    let around = Padding { top: 1, left: 1, bottom: 1, right: 1 };
    let uneven = Padding { top: 0, left: 2, bottom: 1, right: 0 };
    let windows = [
        Window::of([1, 1]),
        Window { stride: [2, 2], ..Window::of([2, 2]) },
        Window { stride: [2, 2], ..Window::of([3, 3]) },
        Window { stride: [2, 2], padding: around, ..Window::of([3, 3]) },
        Window { padding: around, ..Window::of([3, 3]) },
        Window { stride: [3, 1], padding: uneven, ..Window::of([2, 3]) },
        Window { stride: [4, 5], ..Window::of([2, 1]) },
        Window { dilation: [2, 3], padding: around, ..Window::of([2, 2]) },
        Window { padding: around, ..Window::of(size.map(|cells| cells + 2)) },
    ];
    let fitting = windows.into_iter().filter_map(move |window| {
        let output = window.output_size(size, Rounding::Ceil)?;
        if window.kernel.iter().product::<usize>() > Switches::TAPS {
            return None;
        }
        let axes = Axis::both("test", &window, size, output).ok()?;
        let shape = Shape::from([1, 1, size[0], size[1]]);
        require_cells("test", &shape, &axes).ok()?;
        Some((window, output))
    });
    fitting.collect::<Vec<_>>().into_iter()
}

/// Makes maps of few different numbers, so that some are equal, and NaN and infinities among them.
pub(super) fn rough(extents: [usize; 4], seed: u64) -> Tensor {
    let smooth = Numbers::new(seed).tensor(extents);
    let values = smooth.values().unwrap().iter().enumerate().map(|(index, x)| match index % 23 {
        7 => f32::NAN,
        11 => f32::INFINITY,
        13 => f32::NEG_INFINITY,
        _ => (x * 3.0).round(),
    });
    Tensor::new(extents, values.collect()).unwrap()
}

/// Brings maps into blocks.
pub(super) fn in_blocks(backend: &CpuBackend, tensor: &Tensor) -> Tensor {
    let maps = Maps::of(tensor.shape()).unwrap();
    Blocked::from_rows(&backend.pool, maps, tensor.values().unwrap()).into_tensor()
}

/// Fails unless a result lies in blocks, is zero beyond the channels, and is bit for bit what the
/// plain backend computes.
pub(super) fn assert_same(actual: &Tensor, expected: &Tensor, what: &str) {
    assert_eq!(actual.shape(), expected.shape(), "{what}");
    assert!(actual.device().is_some(), "{what}");
    let host = actual.to_host().unwrap();
    if expected.element() == Element::U32 {
        assert_eq!(host.positions().unwrap(), expected.positions().unwrap(), "{what}");
        return;
    }
    // What NaN is made of differs between instruction sets.
    let bits = |x: &f32| if x.is_nan() { u32::MAX } else { x.to_bits() };
    let [actual_bits, expected] = [&host, expected]
        .map(|tensor| tensor.values().unwrap().iter().map(bits).collect::<Vec<u32>>());
    assert_eq!(actual_bits, expected, "{what}");
    assert_silent(actual, what);
}

/// Fails unless lanes beyond the channels are zero.
pub(super) fn assert_silent(actual: &Tensor, what: &str) {
    let blocked = Blocked::behind(actual).unwrap();
    let maps = blocked.maps();
    for image in 0..maps.batch {
        for block in 0..maps.blocks() {
            let lanes = (maps.channels - block * BLOCK).min(BLOCK);
            for cell in blocked.plane(image, block).chunks_exact(BLOCK) {
                assert!(cell[lanes..].iter().all(|&x| x == 0.0), "{what}");
            }
        }
    }
}
