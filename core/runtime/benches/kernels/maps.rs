//! Kernels that move more than they compute: pooling, normalization, element by element.

use convscope_runtime::{
    Backend, Binary, CpuBackend, Divisor, Overlap, ResponseNormalization, Rounding, Tensor, Unary,
};
use criterion::{BenchmarkGroup, Criterion, Throughput};

use crate::cpu_time::CpuTime;
use crate::layers::POOLINGS;
use crate::operands::{backend, blocked, tensor, window};

type Group<'a> = BenchmarkGroup<'a, CpuTime>;

pub(crate) fn bench(criterion: &mut Criterion<CpuTime>) {
    let backend = backend();
    for pooling in POOLINGS {
        max_pooling(&mut criterion.benchmark_group(pooling.0), &backend, pooling);
    }
    average_pooling(&mut criterion.benchmark_group("resnet18/average_pooling"), &backend);
    for (name, channels, size) in [("zfnet/lrn1", 96, 55), ("zfnet/lrn2", 256, 13)] {
        let maps = blocked(&backend, &tensor([1, channels, size, size]));
        response_normalization(&mut criterion.benchmark_group(name), &backend, &maps);
    }
    let maps = blocked(&backend, &tensor([1, 64, 56, 56]));
    element_wise(&mut criterion.benchmark_group("element_wise_64_at_56"), &backend, &maps);
}

/// Counts the bytes of tensors.
fn bytes(tensors: &[&Tensor]) -> Throughput {
    Throughput::Bytes(4 * tensors.iter().map(|one| one.shape().volume() as u64).sum::<u64>())
}

fn max_pooling(
    group: &mut Group<'_>,
    backend: &CpuBackend,
    (_, channels, size, kernel, stride, padding): (&str, usize, usize, usize, usize, usize),
) {
    let input = blocked(backend, &tensor([1, channels, size, size]));
    let window = window(kernel, stride, padding);
    let output = window.output_size([size, size], Rounding::Floor).unwrap();
    let (maxima, switches) = backend.max_pooling(&input, &window, output).unwrap();
    group.throughput(bytes(&[&input, &maxima]));
    group.bench_function("max_pooling", |bencher| {
        bencher.iter(|| backend.max_pooling(&input, &window, output).unwrap());
    });
    group.bench_function("unpooling", |bencher| {
        let restored = input.shape();
        bencher.iter(|| backend.unpooling(&maxima, &switches, restored, Overlap::Sum).unwrap());
    });
}

fn average_pooling(group: &mut Group<'_>, backend: &CpuBackend) {
    let input = blocked(backend, &tensor([1, 512, 7, 7]));
    let (window, cells) = (window(7, 1, 0), Divisor::Cells);
    let averages = backend.average_pooling(&input, &window, [1, 1], cells).unwrap();
    group.throughput(bytes(&[&input, &averages]));
    group.bench_function("forward", |bencher| {
        bencher.iter(|| backend.average_pooling(&input, &window, [1, 1], cells).unwrap());
    });
    group.bench_function("adjoint", |bencher| {
        let restored = input.shape();
        bencher.iter(|| backend.average_unpooling(&averages, &window, restored, cells).unwrap());
    });
}

fn response_normalization(group: &mut Group<'_>, backend: &CpuBackend, maps: &Tensor) {
    let form = ResponseNormalization { size: 5, alpha: 1e-4, beta: 0.75, bias: 2.0 };
    group.throughput(bytes(&[maps, maps]));
    group.bench_function("forward", |bencher| {
        bencher.iter(|| backend.response_normalization(maps, &form).unwrap());
    });
    group.throughput(bytes(&[maps, maps, maps]));
    group.bench_function("adjoint", |bencher| {
        bencher.iter(|| backend.response_normalization_adjoint(maps, maps, &form).unwrap());
    });
}

fn element_wise(group: &mut Group<'_>, backend: &CpuBackend, maps: &Tensor) {
    let channels = maps.shape().extents()[1];
    let (scale, shift) = (tensor([channels]), tensor([channels]));
    group.throughput(bytes(&[maps, maps]));
    group.bench_function("rectifier", |bencher| {
        bencher.iter(|| backend.unary(Unary::Rectify, maps).unwrap());
    });
    group.bench_function("batch_normalization", |bencher| {
        bencher.iter(|| backend.affine(maps, &scale, Some(&shift)).unwrap());
    });
    group.throughput(bytes(&[maps, maps, maps]));
    group.bench_function("addition", |bencher| {
        bencher.iter(|| backend.binary(Binary::Add, maps, maps).unwrap());
    });
    let gate = Binary::Gate { low: 0.0, high: f32::INFINITY };
    group.bench_function("gate", |bencher| {
        bencher.iter(|| backend.binary(gate, maps, maps).unwrap());
    });
    group.throughput(bytes(&[maps, maps, maps, maps]));
    group.bench_function("concatenation", |bencher| {
        bencher.iter(|| backend.concatenation(&[maps, maps], 1).unwrap());
    });
}
