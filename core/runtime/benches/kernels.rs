//! Times the kernels of the plain CPU backend on the layers of well-known networks, on one thread:
//! `cargo bench -p convscope-runtime`. "elem/s" are floating-point operations a second for
//! convolutions and whole networks, results a second for the others. `product/1024` is a large
//! matrix product: what a convolution can reach at best.

#![allow(missing_docs, reason = "criterion writes public functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark may fail")]

use std::hint::black_box;
use std::sync::Arc;

use convscope_runtime::layer::{Convolution, MaxPooling, Rectifier};
use convscope_runtime::network::ForwardRequest;
use convscope_runtime::rule::Rectify;
use convscope_runtime::{
    Backend, Composite, ConvolutionGeometry, CpuBackend, Divisor, Epilogue, Keep, LayerKind,
    Network, NetworkBuilder, Orientation, Overlap, Padding, ResponseNormalization, Rounding,
    Selector, Shape, Tensor, Window,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Channels, filters, rows and columns of the map, kernel, stride, padding.
struct Layer(&'static str, usize, usize, usize, usize, usize, usize);

/// The convolutions of three networks, each different one once.
const LAYERS: [Layer; 24] = [
    Layer("squeezenet/conv1", 3, 64, 224, 3, 2, 0),
    Layer("squeezenet/fire2_squeeze", 64, 16, 55, 1, 1, 0),
    Layer("squeezenet/fire2_expand1", 16, 64, 55, 1, 1, 0),
    Layer("squeezenet/fire2_expand3", 16, 64, 55, 3, 1, 1),
    Layer("squeezenet/fire4_squeeze", 128, 32, 27, 1, 1, 0),
    Layer("squeezenet/fire4_expand3", 32, 128, 27, 3, 1, 1),
    Layer("squeezenet/fire6_expand3", 48, 192, 13, 3, 1, 1),
    Layer("squeezenet/fire9_expand1", 64, 256, 13, 1, 1, 0),
    Layer("squeezenet/fire9_expand3", 64, 256, 13, 3, 1, 1),
    Layer("squeezenet/conv10", 512, 1000, 13, 1, 1, 0),
    Layer("vgg16/conv1_1", 3, 64, 224, 3, 1, 1),
    Layer("vgg16/conv1_2", 64, 64, 224, 3, 1, 1),
    Layer("vgg16/conv2_1", 64, 128, 112, 3, 1, 1),
    Layer("vgg16/conv2_2", 128, 128, 112, 3, 1, 1),
    Layer("vgg16/conv3_1", 128, 256, 56, 3, 1, 1),
    Layer("vgg16/conv3_2", 256, 256, 56, 3, 1, 1),
    Layer("vgg16/conv4_1", 256, 512, 28, 3, 1, 1),
    Layer("vgg16/conv4_2", 512, 512, 28, 3, 1, 1),
    Layer("vgg16/conv5", 512, 512, 14, 3, 1, 1),
    Layer("zfnet/conv1", 3, 96, 224, 7, 2, 1),
    Layer("zfnet/conv2", 96, 256, 55, 5, 2, 0),
    Layer("zfnet/conv3", 256, 384, 13, 3, 1, 1),
    Layer("zfnet/conv4", 384, 384, 13, 3, 1, 1),
    Layer("zfnet/conv5", 384, 256, 13, 3, 1, 1),
];

/// Seeded numbers between -1 and 1.
fn tensor(shape: impl Into<Shape>) -> Tensor {
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

/// A square window.
fn window(kernel: usize, stride: usize, padding: usize) -> Window {
    let padding = Padding { top: padding, left: padding, bottom: padding, right: padding };
    Window { stride: [stride; 2], padding, ..Window::of([kernel; 2]) }
}

/// Returns the backend, on one thread.
fn backend() -> CpuBackend {
    // Only the first call can set the number; the later ones ask for the same.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
    CpuBackend::new()
}

fn convolutions(criterion: &mut Criterion) {
    let backend = backend();
    for &Layer(name, channels, filters, size, kernel, stride, padding) in &LAYERS {
        let geometry = ConvolutionGeometry { window: window(kernel, stride, padding), groups: 1 };
        let input = tensor([1, channels, size, size]);
        let weights = tensor([filters, channels, kernel, kernel]);
        let bias = tensor([filters]);
        let run = || {
            backend
                .convolution(&input, &weights, Some(&bias), &geometry, Epilogue::Rectify)
                .unwrap()
        };
        let signal = run();
        let operations = 2 * signal.shape().volume() * channels * kernel * kernel;
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).throughput(Throughput::Elements(operations as u64));
        group.bench_function("forward", |bencher| bencher.iter(run));
        group.bench_function("transposed", |bencher| {
            bencher.iter(|| {
                let restored = input.shape();
                backend.transposed_convolution(&signal, &weights, &geometry, restored).unwrap()
            });
        });
    }
}

fn products(criterion: &mut Criterion) {
    let (backend, plain) = (backend(), Orientation::Plain);
    let mut group = criterion.benchmark_group("product");
    let square = tensor([1, 1024, 1024]);
    group.sample_size(10).throughput(Throughput::Elements(2 << 30));
    group.bench_function("1024", |bencher| {
        bencher.iter(|| backend.matrix_product(&square, plain, &square, plain).unwrap());
    });
    let weights = tensor([4096, 4096]);
    for batch in [1, 8] {
        let features = tensor([batch, 4096]);
        group.throughput(Throughput::Elements(batch as u64 * 2 * 4096 * 4096));
        for orientation in [Orientation::Transposed, plain] {
            group.bench_function(format!("linear_{orientation:?}_{batch}"), |bencher| {
                bencher.iter(|| {
                    backend.matrix_product(&features, plain, &weights, orientation).unwrap()
                });
            });
        }
    }
}

fn pooling_and_responses(criterion: &mut Criterion) {
    let backend = backend();
    let mut group = criterion.benchmark_group("maps");
    group.sample_size(10);
    for (name, channels, size, kernel) in
        [("2x2_64_at_224", 64, 224, 2), ("3x3_64_at_113", 64, 113, 3)]
    {
        let input = tensor([1, channels, size, size]);
        let window = window(kernel, 2, 0);
        let output = window.output_size([size, size], Rounding::Floor).unwrap();
        let (maxima, switches) = backend.max_pooling(&input, &window, output).unwrap();
        let (restored, cells) = (input.shape(), Divisor::Cells);
        group.throughput(Throughput::Elements(maxima.shape().volume() as u64));
        group.bench_function(format!("max_pooling_{name}"), |bencher| {
            bencher.iter(|| backend.max_pooling(&input, &window, output).unwrap());
        });
        group.bench_function(format!("unpooling_{name}"), |bencher| {
            bencher.iter(|| backend.unpooling(&maxima, &switches, restored, Overlap::Sum).unwrap());
        });
        group.bench_function(format!("average_pooling_{name}"), |bencher| {
            bencher.iter(|| backend.average_pooling(&input, &window, output, cells).unwrap());
        });
        group.bench_function(format!("average_unpooling_{name}"), |bencher| {
            bencher.iter(|| backend.average_unpooling(&maxima, &window, restored, cells).unwrap());
        });
    }
    let input = tensor([1, 96, 55, 55]);
    let form = ResponseNormalization { size: 5, alpha: 1e-4, beta: 0.75, bias: 1.0 };
    group.throughput(Throughput::Elements(input.shape().volume() as u64));
    group.bench_function("response_normalization_96_at_55", |bencher| {
        bencher.iter(|| backend.response_normalization(&input, &form).unwrap());
    });
    group.bench_function("response_normalization_adjoint_96_at_55", |bencher| {
        bencher.iter(|| backend.response_normalization_adjoint(&input, &input, &form).unwrap());
    });
}

/// The convolutions, rectifiers and poolings of VGG-16, and how many operations they take.
fn vgg16() -> (Network, usize) {
    let mut builder = NetworkBuilder::default();
    let mut value = builder.input("data", Shape::from([1, 3, 224, 224])).unwrap();
    let (mut channels, mut operations) = (3, 0);
    for (block, (filters, count)) in
        [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)].into_iter().enumerate()
    {
        for number in 0..count {
            let name = format!("conv{block}_{number}");
            let geometry = ConvolutionGeometry { window: window(3, 1, 1), groups: 1 };
            let weights = tensor([filters, channels, 3, 3]);
            let layer = Convolution::new(weights, Some(tensor([filters])), geometry).unwrap();
            value = builder.layer(&name, Arc::new(layer), &[value], &name).unwrap();
            operations += 2 * builder.shape(value).volume() * channels * 9;
            let name = format!("relu{block}_{number}");
            value = builder.layer(&name, Arc::new(Rectifier), &[value], &name).unwrap();
            channels = filters;
        }
        let name = format!("pool{block}");
        let layer = MaxPooling::new(window(2, 2, 0), Rounding::Floor).unwrap();
        value = builder.layer(&name, Arc::new(layer), &[value], &name).unwrap();
    }
    (builder.finish(vec![value]), operations)
}

fn whole_network(criterion: &mut Criterion) {
    let (network, operations) = vgg16();
    let backend = backend();
    let (input, output) = (network.inputs()[0], network.outputs()[0]);
    let mut group = criterion.benchmark_group("vgg16_features");
    group.sample_size(10).throughput(Throughput::Elements(operations as u64));
    let images = [tensor([1, 3, 224, 224])];
    let captures = [output];
    let deconvnet = Composite::default().with(Selector::Kind(LayerKind::Rectifier), &Rectify);
    let mut start = vec![0.0; 512 * 7 * 7];
    start[24] = 1.0;
    let start = [(output, Tensor::new([1, 512, 7, 7], start).unwrap())];
    let request = ForwardRequest { captures: &captures, ..ForwardRequest::default() };
    group.bench_function("forward", |bencher| {
        bencher.iter(|| network.forward(&backend, black_box(&images), &request).unwrap());
    });
    let request = ForwardRequest { keep: Keep::Inversion, ..request };
    group.bench_function("deconvnet", |bencher| {
        bencher.iter(|| {
            let trace = network.forward(&backend, &images, &request).unwrap();
            network.backward(&backend, &trace, &start, &deconvnet, &[input]).unwrap()
        });
    });
}

criterion_group!(kernels, products, convolutions, pooling_and_responses, whole_network);
criterion_main!(kernels);
