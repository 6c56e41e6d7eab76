use convscope_protocol::attribute::On;

use super::*;
use crate::source::TensorImages;
use crate::testing::{Bench, Collected, images, is_cancelled_at_every_question};

fn image(index: usize) -> Tensor {
    let values = images(3).row(index).unwrap().unwrap().to_vec();
    Tensor::new(images(1).shape().clone(), values).unwrap()
}

fn start(image: usize, value: &str, channel: usize, position: Option<[usize; 2]>) -> Start {
    Start { image, value: value.to_owned(), channel, position, amount: Amount::One }
}

fn starts() -> Vec<Start> {
    let mut starts = vec![
        start(1, "scores", 4, None),
        start(0, "relu2", 1, Some([2, 3])),
        start(1, "scores", 0, None),
        start(2, "conv1", 3, Some([11, 0])),
        start(0, "relu2", 2, Some([5, 5])),
        start(1, "relu2", 1, Some([0, 0])),
        start(0, "scores", 4, None),
    ];
    starts[1].amount = Amount::Activation;
    starts[2].amount = Amount::Number(-2.5);
    starts
}

fn deconvnet() -> protocol::Composite {
    protocol::Composite::default().on_kind("rectifier", "rectify")
}

fn run(
    bench: &Bench,
    starts: &[Start],
    composite: &protocol::Composite,
    to: &[&str],
) -> Result<Collected, HostError> {
    run_with(&bench.engine(), starts, composite, to)
}

fn run_with(
    engine: &Engine<'_>,
    starts: &[Start],
    composite: &protocol::Composite,
    to: &[&str],
) -> Result<Collected, HostError> {
    let input = &engine.network.value(engine.network.inputs()[0]).shape;
    let images = TensorImages::new(images(3), input)?;
    let to: Vec<String> = to.iter().map(|&name| name.to_owned()).collect();
    let mut collected = Collected::default();
    let sink: Sink<'_> = &mut |first, count, arrays| {
        collected.take(first, count, &arrays);
        Ok(())
    };
    attribute(engine, &images, starts, composite, &to, sink)?;
    Ok(collected)
}

/// Carries one start back by itself, straight through the runtime.
fn alone(bench: &Bench, start: &Start, composite: &Composite, to: &[&str]) -> Vec<Vec<u32>> {
    let network = &bench.network;
    let value = network.find(&start.value).unwrap();
    let to: Vec<ValueId> = to.iter().map(|name| network.find(name).unwrap()).collect();
    let image = image(start.image);
    let request = ForwardRequest { captures: &[value], interventions: &[], keep: Keep::Inversion };
    let trace = network.forward(&bench.backend, &[image], &request).unwrap();
    let activation = trace.value(value).unwrap().to_host().unwrap();
    let [y, x] = start.position.unwrap_or_default();
    let [_, _, height, width] = maps_of(activation.shape(), "").unwrap();
    let place = (start.channel * height + y) * width + x;
    let mut signal = vec![0.0; activation.shape().volume()];
    signal[place] = match start.amount {
        Amount::One => 1.0,
        Amount::Activation => activation.values().unwrap()[place],
        Amount::Number(number) => number,
    };
    let signal = Tensor::new(activation.shape().clone(), signal).unwrap();
    let arrived =
        network.backward(&bench.backend, &trace, &[(value, signal)], composite, &to).unwrap();
    let bits = |tensor: &Tensor| {
        let tensor = tensor.to_host().unwrap();
        tensor.values().unwrap().iter().map(|v| v.to_bits()).collect()
    };
    arrived.iter().map(bits).collect()
}

#[test]
fn starts_of_any_order_and_number_at_once_give_the_bits_of_each_alone() {
    let to = ["image", "pool1"];
    let bench = Bench::new(2, 1 << 30);
    let composite = translate::composite(&bench.network, &deconvnet()).unwrap();
    let expected: Vec<Vec<Vec<u32>>> =
        starts().iter().map(|start| alone(&bench, start, &composite, &to)).collect();
    let least = least_memory(&bench);
    for (threads, memory) in [(2, 1 << 30), (1, 1 << 30), (1, least), (2, 3 * least)] {
        let collected = run(&Bench::new(threads, memory), &starts(), &deconvnet(), &to).unwrap();
        assert_eq!(collected.cases, expected, "{threads} threads, {memory} bytes");
    }
}

/// Bytes with which one signal of one image goes through at a time.
fn least_memory(bench: &Bench) -> u64 {
    let error = run(&Bench::new(1, 1), &starts(), &deconvnet(), &["image", "pool1"]).unwrap_err();
    let HostError::Memory { needed, .. } = error else { panic!("{error}") };
    let plan = |memory| {
        let bench = Bench::new(1, memory);
        run(&bench, &starts(), &deconvnet(), &["image", "pool1"])
    };
    assert!(plan(needed - 1).is_err());
    assert!(plan(needed).unwrap().batches.len() > 1, "{}", bench.memory);
    needed
}

#[test]
fn a_start_holds_one_its_activation_or_a_number() {
    let bench = Bench::new(1, 1 << 30);
    let with = |amount| {
        let start = Start { amount, ..start(0, "relu2", 1, Some([2, 3])) };
        run(&bench, &[start], &protocol::Composite::default(), &["relu2"]).unwrap().floats(0, 0)
    };
    let place = (6 + 2) * 6 + 3;
    let one = with(Amount::One);
    assert_eq!(one.iter().filter(|v| **v != 0.0).count(), 1);
    assert_eq!(one[place].to_bits(), 1.0_f32.to_bits());
    assert_eq!(with(Amount::Number(-2.5))[place].to_bits(), (-2.5_f32).to_bits());
    let image = image(0);
    let relu2 = bench.network.find("relu2").unwrap();
    let request = ForwardRequest { captures: &[relu2], ..ForwardRequest::default() };
    let trace = bench.network.forward(&bench.backend, &[image], &request).unwrap();
    let activation = trace.value(relu2).unwrap().to_host().unwrap();
    let activation = activation.values().unwrap()[place];
    assert_eq!(with(Amount::Activation)[place].to_bits(), activation.to_bits());
}

#[test]
fn without_names_signals_go_to_the_input() {
    let bench = Bench::new(1, 1 << 30);
    let implied = run(&bench, &starts(), &deconvnet(), &[]).unwrap();
    assert_eq!(implied, run(&bench, &starts(), &deconvnet(), &["image"]).unwrap());
    assert_eq!(implied.cases[0][0].len(), 2 * 12 * 12);
}

#[test]
fn cancelling_stops_between_layers_both_ways() {
    let bench = Bench::new(1, 1 << 30);
    let starts = [start(0, "scores", 2, None)];
    let questions = is_cancelled_at_every_question(|cancelled| {
        let engine = Engine { cancelled, ..bench.engine() };
        run_with(&engine, &starts, &deconvnet(), &["image"]).map(drop)
    });
    // Before the image is read twice, before three layers up to the switches and after them, before
    // the way back and all of its layers.
    assert_eq!(questions, 2 + 4 + 1 + bench.network.nodes().len());
}

#[test]
fn what_does_not_fit_is_refused_before_anything_runs() {
    let bench = Bench::new(1, 1 << 30);
    let refused = |start: Start| run(&bench, &[start], &deconvnet(), &[]).unwrap_err().to_string();
    assert_eq!(refused(start(3, "scores", 0, None)), "start 0: image 3 of 3");
    assert_eq!(
        refused(start(0, "scores", 5, None)),
        "scores has shape [1, 5]: there is no channel 5"
    );
    assert_eq!(
        refused(start(0, "relu2", 0, Some([6, 0]))),
        "relu2 has shape [1, 3, 6, 6]: there is no position [6, 0]"
    );
    assert_eq!(
        refused(start(0, "relu2", 0, None)),
        "relu2 has shape [1, 3, 6, 6]: a unit of a map needs a position"
    );
    assert_eq!(
        refused(start(0, "image", 0, Some([0, 0]))),
        "start 0: image is not computed from the image"
    );
}

#[test]
fn unknown_rules_kinds_and_layers_are_refused() {
    let bench = Bench::new(1, 1 << 30);
    let refused =
        |composite: &protocol::Composite| run(&bench, &starts(), composite, &[]).unwrap_err();
    let error = refused(&protocol::Composite::default().on_kind("rectifier", "magic"));
    assert_eq!(error.to_string(), "there is no rule `magic`");
    assert!(error.help().unwrap().contains("guided"), "{:?}", error.help());
    let error = refused(&protocol::Composite::default().on_kind("relu", "pass"));
    assert_eq!(error.to_string(), "there is no kind of layer `relu`");
    let rule = protocol::Rule { on: On::Layer("relu9".to_owned()), apply: "pass".to_owned() };
    let error = refused(&protocol::Composite { rules: vec![rule] });
    assert_eq!(error.kind(), "unknown_layer");
}
