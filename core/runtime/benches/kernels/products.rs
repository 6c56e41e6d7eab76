//! Fully connected layers, there and back.

use convscope_runtime::{Backend, Epilogue, Orientation};
use criterion::{Criterion, Throughput};

use crate::cpu_time::CpuTime;
use crate::layers::LINEAR;
use crate::operands::{backend, tensor};

pub(crate) fn bench(criterion: &mut Criterion<CpuTime>) {
    let (backend, plain) = (backend(), Orientation::Plain);
    for (name, inputs, outputs) in LINEAR {
        let weights = backend.upload(&tensor([outputs, inputs])).unwrap();
        let bias = tensor([outputs]);
        let mut group = criterion.benchmark_group(name);
        for batch in [1, 8] {
            let (features, signal) = (tensor([batch, inputs]), tensor([batch, outputs]));
            group.throughput(Throughput::Elements(2 * (batch * inputs * outputs) as u64));
            group.bench_function(format!("forward_{batch}"), |bencher| {
                bencher.iter(|| {
                    backend.linear(&features, &weights, Some(&bias), Epilogue::Rectify).unwrap()
                });
            });
            group.bench_function(format!("transposed_{batch}"), |bencher| {
                bencher.iter(|| backend.matrix_product(&signal, plain, &weights, plain).unwrap());
            });
        }
    }
}
