//! Fully connected layers, forward and back.
//!
//! The weights `[output, input]` stay as the model has them. Forward every output is a scalar
//! product with a row; on the way back the rows, each times its signal, are added up. Either way
//! the weights are read from memory once for some dozens of images, and every image's sums are
//! computed in an order that depends on the extents of the weights alone.

mod back;
mod forward;

use std::ops::Range;

use super::CpuBackend;
use crate::{Computed, Epilogue, Orientation, Shape, Tensor};

const KERNEL: &str = "linear";

/// A product of images `[image, input]` or signals `[image, output]` with weights
/// `[output, input]`.
#[derive(Clone, Copy, Debug)]
struct Linear {
    images: usize,
    inputs: usize,
    outputs: usize,
}

impl Linear {
    /// Says whether the shapes are those of images and the weights of a layer that is not empty.
    fn forward(images: &Shape, weights: &Shape) -> Option<Self> {
        match (images.extents(), weights.extents()) {
            (&[images, inputs], &[outputs, width]) if inputs == width => {
                Self { images, inputs, outputs }.unless_empty()
            }
            _ => None,
        }
    }

    /// Says the same of signals on the way back.
    fn back(signals: &Shape, weights: &Shape) -> Option<Self> {
        match (signals.extents(), weights.extents()) {
            (&[images, height], &[outputs, inputs]) if outputs == height => {
                Self { images, inputs, outputs }.unless_empty()
            }
            _ => None,
        }
    }

    fn unless_empty(self) -> Option<Self> {
        (self.images > 0 && self.inputs > 0 && self.outputs > 0).then_some(self)
    }

    fn multiply_adds(self) -> usize {
        self.images.saturating_mul(self.inputs).saturating_mul(self.outputs)
    }
}

/// Computes a fully connected layer; see [`Backend::linear`](crate::Backend::linear). None where
/// the input is no list of images.
pub(super) fn linear(
    backend: &CpuBackend,
    input: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    epilogue: Epilogue,
) -> Option<Computed> {
    let linear = Linear::forward(input.shape(), weight.shape())?;
    Some(linear.multiplied(backend, input, weight, bias, epilogue))
}

/// Multiplies matrices where the product is that of a fully connected layer or of its inversion;
/// none for any other.
pub(super) fn matrix_product(
    backend: &CpuBackend,
    a: &Tensor,
    b: &Tensor,
    b_orientation: Orientation,
) -> Option<Computed> {
    match b_orientation {
        Orientation::Transposed => {
            let linear = Linear::forward(a.shape(), b.shape())?;
            Some(linear.multiplied(backend, a, b, None, Epilogue::None))
        }
        Orientation::Plain => {
            let linear = Linear::back(a.shape(), b.shape())?;
            Some(linear.combined(backend, a, b))
        }
    }
}

/// Images that are computed together.
#[derive(Clone, Copy, Debug)]
struct Tile {
    index: usize,
    of: usize,
    first: usize,
    count: usize,
}

/// Cuts a number of images into tiles of nearly equal size.
fn tiles(images: usize, most: usize) -> impl Iterator<Item = Tile> {
    let of = images.div_ceil(most);
    (0..of).map(move |index| {
        let first = index * images / of;
        Tile { index, of, first, count: (index + 1) * images / of - first }
    })
}

impl Tile {
    /// Returns which of some runs of weights this tile fetches, so that all tiles together fetch
    /// each once and evenly.
    fn share(self, runs: usize) -> Range<usize> {
        (self.index * runs).div_ceil(self.of)..((self.index + 1) * runs).div_ceil(self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::back::{DEPTH, INPUTS};
    use super::forward::{IMAGES, OUTPUTS, TERMS};
    use super::*;
    use crate::backend::cpu::Isa;
    use crate::backend::cpu::testing::backends;
    use crate::layer::testing::Numbers;
    use crate::{Backend, PlainBackend};

    /// Images, inputs and outputs at the edges of registers, tiles, blocks and units of work.
    const EXTENTS: [[usize; 3]; 10] = [
        [1, 1, 1],
        [1, 15, 3],
        [2, 16, 4],
        [3, 17, 5],
        [7, 33, 66],
        [5, TERMS, 8],
        [6, TERMS + 1, DEPTH],
        [13, TERMS + 16, DEPTH + 1],
        [1, INPUTS + 37, 70],
        [IMAGES + 2, 2 * TERMS + 70, OUTPUTS + 2],
    ];

    fn assert_close(actual: &Tensor, expected: &Tensor, what: &str) {
        assert_eq!(actual.shape(), expected.shape());
        let (actual, expected) = (actual.values().unwrap(), expected.values().unwrap());
        let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        for (actual, expected) in actual.iter().zip(expected) {
            assert!((actual - expected).abs() <= 2e-6 * largest, "{what}: {actual}, {expected}");
        }
    }

    #[test]
    fn every_instruction_set_computes_what_the_plain_backend_does_forward_and_back() {
        let plain = PlainBackend::new();
        for backend in backends() {
            let isa = backend.isa();
            for [images, inputs, outputs] in EXTENTS {
                let mut numbers = Numbers::new(7);
                let weights = numbers.tensor([outputs, inputs]);
                let bias = numbers.tensor([outputs]);
                let pictures = numbers.tensor([images, inputs]);
                let signals = numbers.tensor([images, outputs]);
                let what = format!("{isa} {images} {inputs} {outputs}");
                for epilogue in [Epilogue::None, Epilogue::Rectify] {
                    for bias in [None, Some(&bias)] {
                        let [actual, expected]: [Tensor; 2] = [&backend as &dyn Backend, &plain]
                            .map(|b| b.linear(&pictures, &weights, bias, epilogue).unwrap());
                        assert_close(&actual, &expected, &what);
                    }
                }
                let orientation = Orientation::Plain;
                let [actual, expected]: [Tensor; 2] = [&backend as &dyn Backend, &plain].map(|b| {
                    b.matrix_product(&signals, orientation, &weights, orientation).unwrap()
                });
                assert_close(&actual, &expected, &what);
            }
        }
    }

    #[test]
    fn an_image_has_the_same_bits_in_any_batch_and_with_any_number_of_threads() {
        let mut numbers = Numbers::new(8);
        let weights = numbers.tensor([150, 1600]);
        let pictures = numbers.tensor([IMAGES + 3, 1600]);
        let signals = numbers.tensor([IMAGES + 3, 150]);
        let plain = Orientation::Plain;
        for isa in Isa::available() {
            let backend = CpuBackend::with_isa(isa);
            let both = |count: usize, threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let first = |tensor| backend.slice(tensor, 0, 0, count).unwrap();
                pool.install(|| {
                    [
                        backend.linear(&first(&pictures), &weights, None, Epilogue::None),
                        backend.matrix_product(&first(&signals), plain, &weights, plain),
                    ]
                    .map(|result| {
                        let result = result.unwrap();
                        result.values().unwrap().iter().map(|x| x.to_bits()).collect::<Vec<_>>()
                    })
                })
            };
            let all = both(IMAGES + 3, 1);
            for (count, threads) in [(1, 1), (1, 2), (2, 1), (8, 2), (IMAGES + 3, 2)] {
                let some = both(count, threads);
                assert!(all[0].starts_with(&some[0]) && all[1].starts_with(&some[1]), "{isa}");
            }
        }
    }

    #[test]
    fn not_a_number_and_infinities_go_through() {
        let weights = Tensor::filled([5, 40], 1.0);
        for isa in Isa::available() {
            let backend = CpuBackend::with_isa(isa);
            for special in [f32::NAN, f32::INFINITY] {
                let mut values = vec![1.0; 80];
                values[37] = special;
                let pictures = Tensor::new([2, 40], values).unwrap();
                let scores = backend.linear(&pictures, &weights, None, Epilogue::Rectify).unwrap();
                let scores = scores.values().unwrap();
                let same = |x: &f32| x.is_nan() == special.is_nan() && !x.is_finite();
                assert!(scores[..5].iter().all(same), "{scores:?}");
                assert!(scores[5..].iter().all(|&x| (x - 40.0).abs() < 1e-6), "{scores:?}");
            }
        }
    }

    #[test]
    fn rows_without_a_signal_add_nothing_not_even_what_is_infinite() {
        let mut numbers = Numbers::new(11);
        let (plain, orientation) = (PlainBackend::new(), Orientation::Plain);
        for isa in Isa::available() {
            let backend = CpuBackend::with_isa(isa);
            for images in [1, 2, 3, 9] {
                let mut signals = numbers.tensor([images, 150]).values().unwrap().to_vec();
                let weights = numbers.tensor([150, 90]).values().unwrap().to_vec();
                for (index, signal) in signals.iter_mut().enumerate() {
                    let (image, row) = (index / 150, index % 150);
                    // One row of the first, none of the second, some of the others.
                    let has_signal = match image {
                        0 => row == 149,
                        1 => false,
                        _ => row % 3 == image % 3 && row != 80 || [image, row] == [2, 80],
                    };
                    *signal *= f32::from(u8::from(has_signal));
                }
                let back = |signals: &[f32], weights: &[f32]| {
                    let signals = Tensor::new([signals.len() / 150, 150], signals.to_vec());
                    let weights = Tensor::new([150, 90], weights.to_vec()).unwrap();
                    [&backend as &dyn Backend, &plain].map(|backend| {
                        let (signals, plain) = (signals.as_ref().unwrap(), orientation);
                        backend.matrix_product(signals, plain, &weights, plain).unwrap()
                    })
                };
                let [actual, expected] = back(&signals, &weights);
                assert_close(&actual, &expected, "zeros");
                let mut infinite = weights.clone();
                infinite[80 * 90 + 7] = f32::INFINITY;
                let together = back(&signals, &infinite)[0].values().unwrap().to_vec();
                for (image, row) in together.chunks_exact(90).enumerate() {
                    let alone = back(&signals[image * 150..][..150], &infinite);
                    let alone = alone[0].values().unwrap().iter().map(|x| x.to_bits());
                    assert!(alone.eq(row.iter().map(|x| x.to_bits())), "{isa} {images} {image}");
                    assert_eq!(row[7].is_finite(), image != 2, "{isa} {images} {image}");
                    assert!(row[..7].iter().chain(&row[8..]).all(|x| x.is_finite()));
                }
            }
        }
    }

    #[test]
    fn other_products_run_on_the_plain_backend() {
        let (backend, plain) = (CpuBackend::new(), PlainBackend::new());
        let mut numbers = Numbers::new(9);
        let [wide, empty] = [numbers.tensor([2, 3, 20]), numbers.tensor([0, 20])];
        let weights = numbers.tensor([6, 20]);
        for input in [&wide, &empty] {
            let [actual, expected]: [Tensor; 2] = [&backend as &dyn Backend, &plain]
                .map(|b| b.linear(input, &weights, None, Epilogue::Rectify).unwrap());
            assert_close(&actual, &expected, "other products");
        }
    }

    #[test]
    fn a_bias_of_another_width_is_refused() {
        let (features, weights) = (Tensor::zeros([2, 4]), Tensor::zeros([3, 4]));
        for backend in [&CpuBackend::new() as &dyn Backend, &PlainBackend::new()] {
            let bias = Tensor::zeros([1]);
            let refused = backend.linear(&features, &weights, Some(&bias), Epilogue::None);
            assert_eq!(
                refused.unwrap_err().to_string(),
                "linear: expected a bias of shape [3], got shape [1]"
            );
        }
    }
}
