//! Passes that are told to stop.

use std::sync::atomic::{AtomicUsize, Ordering};

use convscope_runtime::network::{BackwardRequest, Cover, GoOn, Wanted};
use convscope_runtime::{
    Composite, CpuBackend, ForwardRequest, Keep, NetworkError, Region, Tensor,
};

use crate::growth::{Dice, network};

/// Why a pass ended.
#[derive(Debug)]
enum End {
    Told,
    Failed(#[expect(dead_code, reason = "says in a panic what failed")] NetworkError),
}

impl From<NetworkError> for End {
    fn from(error: NetworkError) -> Self {
        Self::Failed(error)
    }
}

/// Checks that work stops at whichever question is answered with no, and asks none after that.
/// Returns how many questions there are.
fn stops_at_every_question(work: impl Fn(GoOn<'_, End>) -> Result<(), End>) -> usize {
    let until = |last: usize| {
        let asked = AtomicUsize::new(0);
        let go_on = || {
            if asked.fetch_add(1, Ordering::Relaxed) + 1 < last { Ok(()) } else { Err(End::Told) }
        };
        let outcome = work(&go_on);
        (outcome, asked.into_inner())
    };
    let (outcome, questions) = until(usize::MAX);
    outcome.unwrap();
    for last in 1..=questions {
        let (outcome, asked) = until(last);
        assert!(matches!(outcome, Err(End::Told)), "{outcome:?}");
        assert_eq!(asked, last);
    }
    questions
}

#[test]
fn passes_stop_before_whichever_layer_they_are_told_to() {
    let backend = CpuBackend::new();
    for seed in 0..20 {
        let (network, words) = network(seed);
        let network = network.placed(&backend).unwrap();
        let input = network.inputs()[0];
        let images = [Dice::new(seed).tensor(network.value(input).shape.with_batch(2), 1.0)];
        let layers = network.nodes().len();
        let captures = network.outputs();
        let request = ForwardRequest { captures, keep: Keep::Inversion, interventions: &[] };

        let forward = stops_at_every_question(|go_on| {
            network.forward_watched(&backend, &images, &request, &mut |_| go_on()).map(drop)
        });
        // Once more when all have run.
        assert_eq!(forward, layers + 1, "{words}");

        let handing = stops_at_every_question(|go_on| {
            network.forward_handing(&backend, &images, &request, go_on, &mut |_, _| Ok(()))
        });
        assert_eq!(handing, layers, "{words}");

        let trace = network.forward(&backend, &images, &request).unwrap();
        let signal = Tensor::filled(trace.value(captures[1]).unwrap().shape().clone(), 1.0);
        let (starts, composite) = ([(captures[1], signal)], Composite::default());
        let (starts, composite, to) = (&starts, &composite, network.inputs());
        let request = BackwardRequest { starts, composite, to };
        let backward = stops_at_every_question(|go_on| {
            network.backward_while(&backend, &trace, request, go_on).map(drop)
        });
        assert!((1..=layers).contains(&backward), "{backward} of {layers}: {words}");
    }
}

#[test]
fn incremental_passes_stop_between_cases_and_layers() {
    let backend = CpuBackend::new();
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for seed in 0..20 {
        let (network, words) = network(seed);
        let network = network.placed(&backend).unwrap();
        let input = network.inputs()[0];
        let image = [Dice::new(seed).tensor(network.value(input).shape.clone(), 1.0)];
        let channels = image[0].shape().extents()[1];
        let region = |top: isize| Region { top, left: 0, height: 1, width: 1 };
        // What is not finite is computed in full.
        let fills = [0.5, f32::INFINITY, -0.5].into_iter().zip(0..);
        let covers = fills.map(|(x, top)| Cover { region: region(top), fill: vec![x; channels] });
        let covers: Vec<Cover> = covers.collect();
        // The scores: fully connected layers read what changed of all cases.
        let wanted = [Wanted { value: network.outputs()[1], channels: None }];

        let clean = stops_at_every_question(|go_on| {
            network.incremental(&backend, &image, input, &wanted, go_on).map(drop)
        });
        assert!(clean >= 1, "{words}");

        let run = network.incremental(&backend, &image, input, &wanted, &|| Ok::<_, End>(()));
        let run = run.unwrap();
        // Of several threads one may ask while another is told to stop.
        let cases =
            stops_at_every_question(|go_on| alone.install(|| run.run(&covers, 1, go_on).map(drop)));
        assert!(cases > covers.len(), "{cases}: {words}");
    }
}
