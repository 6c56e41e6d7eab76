//! A picture's result has the same bits in any batch and with any number of threads.

use convscope_runtime::{
    Backend, Binary, ConvolutionGeometry, CpuBackend, Divisor, Epilogue, Orientation, Overlap,
    ResponseNormalization, Side, Tensor, Unary, Window,
};

use super::random::tensor;
use super::reference::window;

/// Runs a kernel on the first 1, 3 and 8 of eight pictures, on 1 and 2 threads, and compares the
/// result of each picture.
fn same_bits(extents: &[usize], what: &str, kernel: impl Fn(&Tensor) -> Tensor + Sync) {
    let pictures = tensor([&[8], extents].concat().as_slice(), 1);
    let mut first: Option<Vec<u32>> = None;
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for batch in [8, 3, 1] {
            let input = CpuBackend::new().slice(&pictures, 0, 0, batch).unwrap();
            let output = pool.install(|| kernel(&input));
            assert_eq!(output.shape().batch(), batch, "{what}");
            let bits: Vec<u32> =
                output.to_host().unwrap().values().unwrap().iter().map(|x| x.to_bits()).collect();
            let expected = first.get_or_insert_with(|| bits.clone());
            assert!(expected.starts_with(&bits), "{what}: batch {batch}, {threads} threads");
        }
    }
}

/// The rows of a fixed tensor that belong to a batch.
fn rows_of(all: &Tensor, input: &Tensor) -> Tensor {
    CpuBackend::new().slice(all, 0, 0, input.shape().batch()).unwrap()
}

#[test]
fn of_convolutions_and_their_adjoints() {
    let cases: [(Window, [usize; 3], usize); 7] = [
        (window([3, 3], 1, 1, [1; 4]), [16, 24, 1], 40),
        (window([7, 7], 2, 1, [3; 4]), [3, 16, 1], 64),
        (window([1, 1], 1, 1, [0; 4]), [32, 48, 1], 28),
        (window([3, 3], 1, 1, [1; 4]), [24, 24, 24], 32),
        (window([3, 3], 2, 1, [0, 0, 1, 1]), [12, 16, 2], 33),
        (window([6, 6], 1, 1, [0; 4]), [40, 64, 1], 6),
        (window([3, 3], 1, 2, [2; 4]), [130, 20, 1], 13),
    ];
    let backend = CpuBackend::new();
    for (window, [channels, count, groups], size) in cases {
        let geometry = ConvolutionGeometry { window, groups };
        let [rows, columns] = window.kernel;
        let filters = tensor([count, channels / groups, rows, columns], 2);
        let bias = tensor([count], 3);
        let what = format!("{window:?}");
        let forward = |input: &Tensor| {
            backend.convolution(input, &filters, Some(&bias), &geometry, Epilogue::Rectify).unwrap()
        };
        let extents = [channels, size, size];
        same_bits(&extents, &what, forward);
        let output = forward(&tensor([1, channels, size, size], 1));
        same_bits(&output.shape().extents()[1..], &what, |signal| {
            let restored = [signal.shape().batch(), channels, size, size].into();
            backend.transposed_convolution(signal, &filters, &geometry, &restored).unwrap()
        });
    }
}

#[test]
fn of_signals_that_start_at_single_units() {
    let backend = CpuBackend::new();
    let geometry = ConvolutionGeometry { window: window([3, 3], 1, 1, [1; 4]), groups: 1 };
    let filters = tensor([32, 16, 3, 3], 2);
    // The signal of each picture fills another rectangle; that of the last is empty.
    let cells: Vec<f32> = (0..8)
        .flat_map(|image| (0..32).map(move |channel| (image, channel)))
        .flat_map(|(image, channel)| (0..24 * 24).map(move |cell| (image, channel, cell)))
        .map(|(image, channel, cell)| {
            let place = [cell / 24, cell % 24];
            let inside = place.iter().all(|&x| x >= 3 * image && x < 12 + image * (8 - image));
            if inside { (channel + cell) as f32 * 0.01 - 1.0 } else { 0.0 }
        })
        .collect();
    let mask = Tensor::new([8, 32, 24, 24], cells).unwrap();
    same_bits(&[32, 24, 24], "single units", |signal| {
        let signal = backend.binary(Binary::Multiply, signal, &rows_of(&mask, signal)).unwrap();
        let restored = [signal.shape().batch(), 16, 24, 24].into();
        backend.transposed_convolution(&signal, &filters, &geometry, &restored).unwrap()
    });
}

#[test]
fn of_pooling() {
    let (backend, window) = (CpuBackend::new(), window([3, 3], 2, 1, [0; 4]));
    same_bits(&[24, 31, 31], "max pooling", |input| {
        let (maxima, switches) = backend.max_pooling(input, &window, [15, 15]).unwrap();
        let restored = backend.unpooling(&maxima, &switches, input.shape(), Overlap::Sum).unwrap();
        backend
            .concatenation(
                &[
                    &backend.reshape(&maxima, &flat(&maxima)).unwrap(),
                    &backend.reshape(&restored, &flat(&restored)).unwrap(),
                ],
                1,
            )
            .unwrap()
    });
    same_bits(&[24, 31, 31], "average pooling", |input| {
        let averages = backend.average_pooling(input, &window, [15, 15], Divisor::Cells).unwrap();
        backend.average_unpooling(&averages, &window, input.shape(), Divisor::Cells).unwrap()
    });
}

fn flat(tensor: &Tensor) -> convscope_runtime::Shape {
    let batch = tensor.shape().batch();
    [batch, tensor.shape().volume() / batch].into()
}

#[test]
fn of_products() {
    let backend = CpuBackend::new();
    let (plain, transposed) = (Orientation::Plain, Orientation::Transposed);
    let weights = tensor([700, 1100], 2);
    same_bits(&[700], "fully connected", |input| {
        backend.matrix_product(input, plain, &weights, plain).unwrap()
    });
    same_bits(&[1100], "fully connected", |input| {
        backend.matrix_product(input, plain, &weights, transposed).unwrap()
    });
    let tokens = tensor([8, 90, 40], 3);
    same_bits(&[70, 90], "tokens", |input| {
        backend.matrix_product(input, plain, &rows_of(&tokens, input), plain).unwrap()
    });
}

#[test]
fn of_element_wise_functions_and_reductions() {
    let backend = CpuBackend::new();
    let extents = [24, 31, 31];
    let others = tensor([8, 24, 31, 31], 2);
    let channels = tensor([24], 3);
    for function in [Binary::Add, Binary::Divide, Binary::Gate { low: 0.0, high: 0.5 }] {
        same_bits(&extents, "binary", |input| {
            backend.binary(function, input, &rows_of(&others, input)).unwrap()
        });
    }
    same_bits(&extents, "unary", |input| backend.unary(Unary::Exponential, input).unwrap());
    for side in [Side::First, Side::Second] {
        same_bits(&extents, "adjoint of a product", |input| {
            let others = rows_of(&others, input);
            let signal = rows_of(&others, input);
            backend.binary_adjoint(Binary::Multiply, side, &signal, [input, &others]).unwrap()
        });
    }
    same_bits(&extents, "adjoint of a function", |input| {
        backend.unary_adjoint(Unary::Gelu, &rows_of(&others, input), input).unwrap()
    });
    same_bits(&extents, "affine", |input| {
        backend.affine(input, &channels, Some(&channels)).unwrap()
    });
    for axes in [&[2, 3][..], &[1], &[1, 3]] {
        same_bits(&extents, "sum", |input| backend.sum(input, axes).unwrap());
        same_bits(&extents, "maximum", |input| backend.maximum(input, axes).unwrap());
    }
    same_bits(&[2000], "softmax", |input| backend.softmax(input, 1).unwrap());
    let form = ResponseNormalization { size: 5, alpha: 0.1, beta: 0.75, bias: 1.0 };
    same_bits(&extents, "response normalization", |input| {
        backend.response_normalization(input, &form).unwrap()
    });
    same_bits(&extents, "adjoint of response normalization", |input| {
        backend.response_normalization_adjoint(&rows_of(&others, input), input, &form).unwrap()
    });
}
