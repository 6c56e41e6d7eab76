//! Convolutions, there and back.

use convscope_runtime::{Backend, Epilogue};
use criterion::{Criterion, Throughput};

use crate::cpu_time::CpuTime;
use crate::layers::{CONVOLUTIONS, Convolution};
use crate::operands::{backend, blocked, geometry, tensor};

pub(crate) fn bench(criterion: &mut Criterion<CpuTime>) {
    let backend = backend();
    for &Convolution(name, channels, filters, size, kernel, stride, padding, groups) in
        &CONVOLUTIONS
    {
        let geometry = geometry(kernel, stride, padding, groups);
        let input = blocked(&backend, &tensor([1, channels, size, size]));
        let weights = tensor([filters, channels / groups, kernel, kernel]);
        let weights = backend.upload_filters(&weights).unwrap();
        let bias = tensor([filters]);
        let run = || {
            backend
                .convolution(&input, &weights, Some(&bias), &geometry, Epilogue::Rectify)
                .unwrap()
        };
        let signal = run();
        let operations = 2 * signal.shape().volume() * channels / groups * kernel * kernel;
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(operations as u64));
        group.bench_function("forward", |bencher| bencher.iter(run));
        group.bench_function("transposed", |bencher| {
            let restored = input.shape();
            bencher.iter(|| {
                backend.transposed_convolution(&signal, &weights, &geometry, restored).unwrap()
            });
        });
    }
}
