//! Incremental inference against full passes.

use std::sync::Arc;

use convscope_runtime::layer::{Addition, Convolution, Rectifier};
use convscope_runtime::network::{Cover, GoOn, Intervention, Wanted};
use convscope_runtime::{
    Backend, ConvolutionGeometry, Edit, ForwardRequest, Keep, Network, NetworkBuilder,
    NetworkError, Padding, PlainBackend, Region, Shape, Tensor, ValueId, Window,
};

use crate::growth::{Dice, network};

const GO_ON: GoOn<'_, NetworkError> = &|| Ok(());

/// Rectangles over all of a map: in the corners, across borders, a single cell, the whole.
fn covers(dice: &mut Dice, channels: usize, size: [usize; 2]) -> Vec<Cover> {
    let [height, width] = size;
    let mut regions = vec![Region::whole(size)];
    for _ in 0..19 {
        let extent = |dice: &mut Dice, of: usize| dice.one_of(&[1, 2, 3, of.div_ceil(2)]);
        let [h, w] = [extent(dice, height), extent(dice, width)];
        let at = |dice: &mut Dice, of: usize, extent: usize| {
            let far = of.cast_signed() - extent.cast_signed();
            dice.one_of(&[-1, 0, far / 3, far / 2, far, far + 1])
        };
        let (top, left) = (at(dice, height, h), at(dice, width, w));
        regions.push(Region { top, left, height: h, width: w });
    }
    let cover = |region: Region| {
        let count = dice.one_of(&[1, region.height * region.width]) * channels;
        let fill = dice.tensor([count], 1.5).values().unwrap().to_vec();
        Cover { region, fill }
    };
    regions.into_iter().map(cover).collect()
}

/// Runs every case in full.
fn in_full(
    backend: &dyn Backend,
    network: &Network,
    image: &Tensor,
    changed: ValueId,
    covers: &[Cover],
    wanted: &[Wanted],
) -> Vec<Vec<Vec<f32>>> {
    let captures: Vec<ValueId> = wanted.iter().map(|wanted| wanted.value).collect();
    let mut results = vec![Vec::new(); wanted.len()];
    for cover in covers {
        let Cover { region, fill } = cover.clone();
        let interventions =
            [Intervention { row: 0, edit: Edit::Occlude { value: changed, region, fill } }];
        let request = ForwardRequest {
            captures: &captures,
            keep: Keep::Output,
            interventions: &interventions,
        };
        let trace = network.forward(backend, std::slice::from_ref(image), &request).unwrap();
        for (result, wanted) in results.iter_mut().zip(wanted) {
            let value = trace.value(wanted.value).unwrap();
            let value = match &wanted.channels {
                Some(channels) => {
                    let sources: Vec<_> = channels.iter().copied().map(Some).collect();
                    backend.gather(value, 1, &sources, 0.0).unwrap()
                }
                None => value.clone(),
            };
            result.push(value.to_host().unwrap().values().unwrap().to_vec());
        }
    }
    results
}

/// What is wanted of a network made by chance: its last maps, one channel of a value within, and
/// the scores.
fn wanted(dice: &mut Dice, network: &Network) -> Vec<Wanted> {
    let outputs = network.outputs().iter();
    let mut wanted: Vec<Wanted> = outputs.map(|&value| Wanted { value, channels: None }).collect();
    let within = network.nodes()[dice.one_of(&[0, network.nodes().len() / 2])].output;
    let channels = network.value(within).shape.extents()[1];
    wanted.push(Wanted { value: within, channels: Some(vec![channels - 1, 0]) });
    wanted
}

#[test]
fn what_a_rectangle_changes_is_what_a_full_pass_finds() {
    let backends = crate::backends();
    for seed in 0..200 {
        let (network, words) = network(seed);
        let mut dice = Dice::new(seed + 3000);
        let input = network.inputs()[0];
        let shape = network.value(input).shape.clone();
        let image = dice.tensor(shape.clone(), 1.0);
        let wanted = wanted(&mut dice, &network);
        let [_, channels, height, width] = shape.as_maps().unwrap();
        let covers = covers(&mut dice, channels, [height, width]);
        let plain = PlainBackend::new();
        let expected = in_full(&plain, &network, &image, input, &covers, &wanted);
        let all = backends.iter().map(|backend| backend as &dyn Backend).chain([&plain as _]);
        for backend in all {
            let placed = network.clone().placed(backend).unwrap();
            let images = std::slice::from_ref(&image);
            let run = placed.incremental(backend, images, input, &wanted, GO_ON).unwrap();
            let actual = run.run(&covers, 16, GO_ON).unwrap();
            for (index, (actual, expected)) in actual.iter().zip(&expected).enumerate() {
                let actual = actual.to_host().unwrap();
                let rows = actual.values().unwrap().chunks(expected[0].len().max(1));
                assert_eq!(actual.shape().batch(), covers.len());
                // Of all cases: a rectifier may leave nothing of some.
                let largest = expected.iter().flatten().fold(1e-20_f32, |m, x| m.max(x.abs()));
                for (case, (actual, expected)) in rows.zip(expected).enumerate() {
                    let pairs = actual.iter().zip(expected);
                    let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest;
                    assert!(
                        worst <= 1e-5,
                        "{worst} in result {index} of {:?} on {}: {words}",
                        covers[case].region,
                        backend.name()
                    );
                }
            }
        }
    }
}

#[test]
fn a_case_has_the_same_bits_alone_among_others_and_with_any_number_of_threads() {
    for backend in &crate::backends() {
        for seed in [0, 1, 2, 3, 5, 15, 23, 42] {
            let (network, words) = network(seed);
            let mut dice = Dice::new(seed + 4000);
            let input = network.inputs()[0];
            let shape = network.value(input).shape.clone();
            let image = dice.tensor(shape.clone(), 1.0);
            let wanted = wanted(&mut dice, &network);
            let [_, channels, height, width] = shape.as_maps().unwrap();
            let covers = covers(&mut dice, channels, [height, width]);
            let placed = network.clone().placed(backend).unwrap();
            let images = std::slice::from_ref(&image);
            let run = placed.incremental(backend, images, input, &wanted, GO_ON).unwrap();
            let bits = |covers: &[Cover], threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let results = pool.install(|| run.run(covers, threads + 4, GO_ON)).unwrap();
                let row = |tensor: &Tensor| {
                    let values = tensor.values().unwrap();
                    let each = values.len() / covers.len();
                    values.chunks(each.max(1)).map(<[f32]>::to_vec).collect::<Vec<_>>()
                };
                results.iter().map(row).collect::<Vec<_>>()
            };
            let all = bits(&covers, 1);
            assert_eq!(all, bits(&covers, 2), "{words}");
            for first in [0, 3, 17] {
                let some = bits(&covers[first..=first], 1);
                for (all, some) in all.iter().zip(&some) {
                    assert_eq!(all[first], some[0], "case {first}: {words}");
                }
            }
        }
    }
}

#[test]
fn cases_with_infinities_are_those_of_a_full_pass() {
    let backend = &crate::backends()[0];
    for seed in 0..60 {
        let (network, words) = network(seed);
        let mut dice = Dice::new(seed + 5000);
        let input = network.inputs()[0];
        let shape = network.value(input).shape.clone();
        let [_, channels, height, width] = shape.as_maps().unwrap();
        let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][seed as usize % 3];
        let mut values = dice.tensor(shape.clone(), 1.0).values().unwrap().to_vec();
        let mut covers = covers(&mut dice, channels, [height, width]);
        if seed.is_multiple_of(2) {
            let place = seed as usize * 7 % values.len();
            values[place] = special;
        } else {
            covers[2].fill[0] = special;
        }
        let image = Tensor::new(shape, values).unwrap();
        let outputs = network.outputs().iter();
        let wanted: Vec<Wanted> = outputs.map(|&value| Wanted { value, channels: None }).collect();
        let placed = network.clone().placed(backend).unwrap();
        let expected = in_full(backend, &placed, &image, input, &covers, &wanted);
        let images = std::slice::from_ref(&image);
        let run = placed.incremental(backend, images, input, &wanted, GO_ON).unwrap();
        let actual = run.run(&covers, 16, GO_ON).unwrap();
        let kind = |x: &f32| [x.is_nan(), *x == f32::INFINITY, *x == f32::NEG_INFINITY];
        for (actual, expected) in actual.iter().zip(&expected) {
            let actual = actual.values().unwrap().iter().map(kind);
            assert!(actual.eq(expected.iter().flatten().map(kind)), "{words}");
        }
    }
}

#[test]
fn one_channel_added_to_many_changes_all_of_them() {
    let mut dice = Dice::new(7);
    let mut builder = NetworkBuilder::default();
    let image = builder.input("image", Shape::from([1, 3, 9, 8])).unwrap();
    let others = builder.constant("others", dice.tensor([1, 5, 9, 8], 1.0)).unwrap();
    let padding = Padding { top: 1, left: 1, bottom: 1, right: 1 };
    let window = Window { padding, ..Window::of([3, 3]) };
    let geometry = ConvolutionGeometry { window, groups: 1 };
    let layer = Convolution::new(dice.tensor([1, 3, 3, 3], 1.0), None, geometry).unwrap();
    let one = builder.layer("one", Arc::new(layer), &[image], "one").unwrap();
    let sum = builder.layer("sum", Arc::new(Addition), &[one, others], "sum").unwrap();
    let relu = builder.layer("relu", Arc::new(Rectifier), &[sum], "relu").unwrap();
    let network = builder.finish(vec![relu]);
    let image_values = dice.tensor([1, 3, 9, 8], 1.0);
    let covers = covers(&mut dice, 3, [9, 8]);
    let wanted = [Wanted { value: relu, channels: None }];
    let plain = PlainBackend::new();
    let expected = in_full(&plain, &network, &image_values, image, &covers, &wanted);
    let backends = crate::backends();
    let all = backends.iter().map(|backend| backend as &dyn Backend).chain([&plain as _]);
    for backend in all {
        let images = std::slice::from_ref(&image_values);
        let run = network.incremental(backend, images, image, &wanted, GO_ON).unwrap();
        let actual = run.run(&covers, 16, GO_ON).unwrap();
        let pairs = actual[0].values().unwrap().iter().zip(expected[0].iter().flatten());
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-5, "{worst} on {}", backend.name());
    }
}

#[test]
fn a_rectangle_of_features_is_refused() {
    let mut builder = NetworkBuilder::default();
    let features = builder.input("features", Shape::from([1, 3])).unwrap();
    let relu = builder.layer("relu", Arc::new(Rectifier), &[features], "relu").unwrap();
    let network = builder.finish(vec![relu]);
    let wanted = [Wanted { value: relu, channels: None }];
    let images = [Tensor::zeros([1, 3])];
    let plain = PlainBackend::new();
    let refused = network.incremental(&plain, &images, features, &wanted, GO_ON);
    let words = "layer features: cut: expected maps, got shape [1, 3]";
    assert_eq!(refused.unwrap_err().to_string(), words);
}
