//! VGG-16 as a whole, forward and through a deconvnet.

use std::hint::black_box;
use std::sync::Arc;

use convscope_runtime::layer::{Convolution, MaxPooling, Rectifier};
use convscope_runtime::network::ForwardRequest;
use convscope_runtime::rule::Rectify;
use convscope_runtime::{
    Composite, Keep, LayerKind, Network, NetworkBuilder, Rounding, Selector, Shape, Tensor,
};
use criterion::{Criterion, Throughput};

use crate::cpu_time::CpuTime;
use crate::operands::{backend, geometry, tensor, window};

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
            let weights = tensor([filters, channels, 3, 3]);
            let layer =
                Convolution::new(weights, Some(tensor([filters])), geometry(3, 1, 1, 1)).unwrap();
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

pub(crate) fn bench(criterion: &mut Criterion<CpuTime>) {
    let (network, operations) = vgg16();
    let backend = backend();
    let network = network.placed(&backend).unwrap();
    let (input, output) = (network.inputs()[0], network.outputs()[0]);
    let mut group = criterion.benchmark_group("vgg16_features");
    group.throughput(Throughput::Elements(operations as u64));
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
