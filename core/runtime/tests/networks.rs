//! Networks made by chance on the fast CPU backend against the plain one: what one layer leaves in
//! unused lanes, or in memory that is lent again, spoils only the next.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "networks/growth.rs"]
mod growth;
#[path = "networks/incremental.rs"]
mod incremental;
#[path = "networks/stopping.rs"]
mod stopping;

use convscope_runtime::{
    Backend, Composite, CpuBackend, ForwardRequest, Isa, Keep, Network, PlainBackend, Tensor,
};
use growth::{Dice, network};

/// Returns the outputs, and what arrives at the image of a signal from the scores.
fn run(backend: &dyn Backend, network: &Network, images: &Tensor, keep: Keep) -> Vec<Tensor> {
    let placed = network.clone().placed(backend).unwrap();
    let captures = network.outputs();
    let request = ForwardRequest { captures, keep, interventions: &[] };
    let trace = placed.forward(backend, std::slice::from_ref(images), &request).unwrap();
    let mut results: Vec<Tensor> =
        captures.iter().map(|&id| trace.value(id).unwrap().clone()).collect();
    if keep == Keep::Inversion {
        let signal = Dice::new(1).tensor(trace.value(captures[1]).unwrap().shape().clone(), 1.0);
        let starts = [(captures[1], backend.upload(&signal).unwrap())];
        let to = network.inputs();
        let composite = Composite::default();
        results.extend(placed.backward(backend, &trace, &starts, &composite, to).unwrap());
    }
    results.iter().map(|result| result.to_host().unwrap()).collect()
}

fn backends() -> Vec<CpuBackend> {
    Isa::available().map(CpuBackend::with_isa).collect()
}

#[test]
fn networks_made_by_chance_agree_with_the_plain_backend() {
    let backends = backends();
    for seed in 0..300 {
        let (network, words) = network(seed);
        let batch = [1, 2, 3][seed as usize % 3];
        let image = network.value(network.inputs()[0]).shape.with_batch(batch);
        let images = Dice::new(seed + 1000).tensor(image, 1.0);
        for keep in [Keep::Output, Keep::Inversion] {
            let expected = run(&PlainBackend::new(), &network, &images, keep);
            for backend in &backends {
                let actual = run(backend, &network, &images, keep);
                for (index, (actual, expected)) in actual.iter().zip(&expected).enumerate() {
                    let [actual, expected] = [actual, expected].map(|t| t.values().unwrap());
                    let largest = expected.iter().fold(1e-20_f32, |m, x| m.max(x.abs()));
                    let pairs = actual.iter().zip(expected);
                    let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest;
                    assert!(worst <= 1e-5, "{worst} in result {index}, {}: {words}", backend.isa());
                }
            }
        }
    }
}

#[test]
fn what_is_not_finite_comes_out_where_it_does_on_the_plain_backend() {
    let backends = backends();
    for seed in 0..300 {
        let (network, words) = network(seed);
        let image = network.value(network.inputs()[0]).shape.with_batch(2);
        let mut values =
            Dice::new(seed + 2000).tensor(image.clone(), 1.0).values().unwrap().to_vec();
        // The second image stays whole.
        let place = seed as usize * 7 % (values.len() / 2);
        values[place] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][seed as usize % 3];
        let images = Tensor::new(image, values).unwrap();
        let kind = |x: &f32| [x.is_nan(), *x == f32::INFINITY, *x == f32::NEG_INFINITY];
        let kinds = |tensor: &Tensor| tensor.values().unwrap().iter().map(kind).collect::<Vec<_>>();
        let expected = run(&PlainBackend::new(), &network, &images, Keep::Output);
        for backend in &backends {
            let actual = run(backend, &network, &images, Keep::Output);
            for (index, (actual, expected)) in actual.iter().zip(&expected).enumerate() {
                let isa = backend.isa();
                assert!(kinds(actual) == kinds(expected), "result {index}, {isa}: {words}");
            }
        }
    }
}
