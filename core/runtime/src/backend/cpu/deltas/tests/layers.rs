//! Layers carry changes on as they would whole maps, on every backend, wherever their operands lie.

use super::super::super::testing::{backends, in_blocks};
use super::{CLOSE, Changes, assert_close, assert_nothing_beyond, cut, places, seen, window};
use crate::layer::testing::Numbers;
use crate::layer::{
    Addition, AveragePooling, BatchNormalization, Concatenation, Convolution, DeltaForm,
    DeltaInput, DeltaOutput, GlobalAveragePooling, Linear, MaxPooling, Rectifier,
};
use crate::{
    Backend, ConvolutionGeometry, Deltas, Divisor, Keep, LayerInversion, PlainBackend, Reach,
    Region, Regions, Rounding, Shape, Tensor,
};

const SIZE: [usize; 2] = [9, 11];

/// An input of a layer.
enum Input {
    Changed(Changes),
    Same(Tensor),
}

use Input::{Changed, Same};

impl Input {
    fn changed(channels: usize) -> Self {
        Changed(Changes::new([channels, SIZE[0], SIZE[1]], places(SIZE), super::smooth))
    }

    /// Changes as many rectangles, others.
    fn changed_elsewhere(channels: usize) -> Self {
        let places = places(SIZE).into_iter().rev().collect();
        Changed(Changes::new([channels, SIZE[0], SIZE[1]], places, super::smooth))
    }

    fn same(channels: usize) -> Self {
        Same(super::smooth(&Shape::from([1, channels, SIZE[0], SIZE[1]]), 5))
    }

    fn clean(&self) -> &Tensor {
        match self {
            Changed(changes) => &changes.clean,
            Same(maps) => maps,
        }
    }

    /// Returns the maps of every case.
    fn maps(&self) -> Tensor {
        match self {
            Changed(changes) => changes.changed(),
            Same(maps) => PlainBackend::new().select(maps, &vec![0; places(SIZE).len()]).unwrap(),
        }
    }
}

/// Returns a layer's outputs that see a changed cell of any input.
fn behind(layer: &dyn LayerInversion, inputs: &[Input], size: [usize; 2]) -> Regions {
    let of_input = |(index, input): (usize, &Input)| {
        let Changed(changes) = input else { return None };
        let regions = &changes.deltas.regions;
        Some(match layer.reach(index) {
            Reach::Window(window) => seen(&window, regions, size),
            _ => regions.clone(),
        })
    };
    let all: Vec<Regions> = inputs.iter().enumerate().filter_map(of_input).collect();
    let joined = |case: usize| {
        let places = all.iter().map(|regions| regions.places()[case]);
        let filled = places.filter(|place| place.height * place.width > 0);
        let empty = Region { top: 0, left: 0, height: 0, width: 0 };
        filled.reduce(Region::union).unwrap_or(empty)
    };
    Regions::new(size, (0..places(SIZE).len()).map(joined))
}

fn forward(layer: &dyn LayerInversion, inputs: &[Tensor]) -> Tensor {
    let inputs: Vec<&Tensor> = inputs.iter().collect();
    layer.forward(&PlainBackend::new(), &inputs, Keep::Output).unwrap().0
}

/// Brings tensors to where a backend is to find them.
type Place<'a> = dyn Fn(&Tensor) -> Tensor + 'a;

/// Runs a check on every backend: operands in blocks and in rows.
fn everywhere(check: impl Fn(&dyn Backend, &Place<'_>, &str)) {
    let plain = PlainBackend::new();
    check(&plain, &Tensor::clone, "plain");
    for backend in backends() {
        check(&backend, &Tensor::clone, &format!("{} from rows", backend.isa()));
        let in_blocks = |tensor: &Tensor| in_blocks(&backend, tensor);
        check(&backend, &in_blocks, &format!("{} from blocks", backend.isa()));
    }
}

/// Compares what a layer makes of changes with the difference of two full passes.
fn carries_changes_on(layer: &dyn LayerInversion, inputs: &[Input]) {
    let clean: Vec<Tensor> = inputs.iter().map(|input| input.clean().clone()).collect();
    let changed: Vec<Tensor> = inputs.iter().map(Input::maps).collect();
    let [after, before] = [&changed, &clean].map(|inputs| forward(layer, inputs));
    let [_, channels, height, width] = before.shape().as_maps().unwrap();
    let (all, clean_output) = (after.values().unwrap(), before.values().unwrap());
    let largest = all.iter().fold(1e-3_f32, |most, x| most.max(x.abs()));
    let pairs = all.iter().zip(clean_output.iter().cycle());
    let difference = pairs.map(|(after, before)| after - before).collect();
    let difference = Tensor::new(after.shape().clone(), difference).unwrap();
    let regions = behind(layer, inputs, [height, width]);
    let error = CLOSE * largest;
    let kind = layer.kind();
    assert_nothing_beyond(&difference, &regions, error, &format!("{kind:?}"));
    let expected = cut(&difference, &regions);
    everywhere(|backend, place, what| {
        let placed = layer.placed(backend).unwrap();
        let layer: &dyn LayerInversion = placed.as_deref().unwrap_or(layer);
        let lying = |input: &Input| match input {
            Changed(Changes { clean, deltas: Deltas { regions, cells } }) => {
                (place(clean), Some(Deltas { regions: regions.clone(), cells: place(cells) }))
            }
            Same(clean) => (place(clean), None),
        };
        let lying: Vec<(Tensor, Option<Deltas>)> = inputs.iter().map(lying).collect();
        let inputs = lying.iter().map(|(clean, deltas)| match deltas {
            Some(deltas) => DeltaInput::Changed { deltas, clean: Some(clean) },
            None => DeltaInput::Same { channels: clean.shape().extents()[1] },
        });
        let inputs: Vec<DeltaInput<'_>> = inputs.collect();
        let clean = place(&before);
        let output = DeltaOutput { regions: &regions, channels, clean: Some(&clean) };
        let cells = layer.forward_deltas(backend, &inputs, &output).unwrap();
        assert_close(&cells, &expected, error, &format!("{kind:?}, {what}"));
    });
}

#[test]
fn additions_carry_changes_of_one_input_or_more_on() {
    for channels in [1, 17, 33] {
        let two = [Input::changed(channels), Input::changed_elsewhere(channels)];
        carries_changes_on(&Addition, &two);
        carries_changes_on(&Addition, &[Input::same(channels), Input::changed(channels)]);
    }
}

#[test]
fn concatenations_carry_changes_on_beside_what_stayed() {
    let layer = Concatenation::new(1).unwrap();
    carries_changes_on(&layer, &[Input::changed(17), Input::changed_elsewhere(16)]);
    let three = [Input::changed(16), Input::same(5), Input::changed_elsewhere(3)];
    carries_changes_on(&layer, &three);
}

#[test]
fn normalizations_carry_changes_on_without_their_shift() {
    let mut numbers = Numbers::new(7);
    for channels in [3, 16, 33] {
        let [gamma, beta, mean] = [(); 3].map(|()| numbers.tensor([channels]));
        let variance = Tensor::filled([channels], 0.5);
        let layer = BatchNormalization::new(gamma, beta, mean, variance, 1e-5).unwrap();
        carries_changes_on(&layer, &[Input::changed(channels)]);
    }
}

#[test]
fn rectifiers_and_poolings_carry_changes_on() {
    for channels in [1, 16, 33] {
        carries_changes_on(&Rectifier, &[Input::changed(channels)]);
        for window in [window(3, 2, 1, [1; 4]), window(2, 3, 2, [0, 1, 1, 0])] {
            for rounding in [Rounding::Floor, Rounding::Ceil] {
                let layer = MaxPooling::new(window, rounding).unwrap();
                carries_changes_on(&layer, &[Input::changed(channels)]);
                for divisor in [Divisor::Cells, Divisor::PaddedCells] {
                    let layer = AveragePooling::new(window, rounding, divisor).unwrap();
                    carries_changes_on(&layer, &[Input::changed(channels)]);
                }
            }
        }
    }
}

#[test]
fn convolutions_carry_changes_on_without_their_bias_whatever_form_they_have() {
    let mut numbers = Numbers::new(7);
    for [channels, filters, groups] in
        [[1, 1, 1], [3, 20, 1], [15, 16, 1], [16, 17, 1], [20, 20, 2], [33, 33, 33]]
    {
        for window in [
            window(1, 1, 1, [0; 4]),
            window(3, 1, 1, [1; 4]),
            window(3, 2, 2, [0, 2, 3, 1]),
            window(7, 2, 1, [3; 4]),
            window(2, 3, 1, [0; 4]),
        ] {
            let [rows, columns] = window.kernel;
            let weight = numbers.tensor([filters, channels / groups, rows, columns]);
            let bias = Some(numbers.tensor([filters]));
            let geometry = ConvolutionGeometry { window, groups };
            let layer = Convolution::new(weight, bias, geometry).unwrap();
            carries_changes_on(&layer, &[Input::changed(channels)]);
        }
    }
}

/// Compares what a layer makes of two lists of changes with differences of full passes.
fn carries_changes_on_to_features(
    layer: &dyn LayerInversion,
    changes: &Changes,
    of_maps: impl Fn(&Tensor) -> Tensor,
) {
    assert_eq!(layer.delta_form(), DeltaForm::Whole);
    let (expected, largest) = changes.difference(|maps| forward(layer, &[of_maps(maps)]));
    let cases: Vec<usize> = (0..expected.shape().batch()).collect();
    let lists = [&cases[..5], &cases[5..6], &cases[6..]].map(|cases| changes.some(cases));
    everywhere(|backend, place, what| {
        let lists =
            lists.each_ref().map(|Changes { deltas: Deltas { regions, cells }, .. }| Deltas {
                regions: regions.clone(),
                cells: place(cells),
            });
        let features = layer.forward_whole_deltas(backend, &lists.each_ref()).unwrap();
        let what = format!("{:?}, {what}", layer.kind());
        assert_close(&features, &expected, CLOSE * largest, &what);
    });
    everywhere(|backend, place, what| {
        let nothing = changes.some(&[5, 10]);
        let cells = place(&nothing.deltas.cells);
        let nothing = Deltas { regions: nothing.deltas.regions, cells };
        let features = layer.forward_whole_deltas(backend, &[&nothing]).unwrap();
        let zeros = Tensor::zeros(expected.shape().with_batch(2));
        assert_close(&features, &zeros, 0.0, what);
    });
}

#[test]
fn fully_connected_layers_carry_changes_of_flattened_maps_on() {
    for channels in [1, 16, 33] {
        let Changed(changes) = Input::changed(channels) else { unreachable!() };
        let features = channels * SIZE[0] * SIZE[1];
        let mut numbers = Numbers::new(7);
        let bias = Some(numbers.tensor([41]));
        let layer = Linear::new(numbers.tensor([41, features]), bias).unwrap();
        carries_changes_on_to_features(&layer, &changes, |maps| {
            maps.with_shape([maps.shape().batch(), features]).unwrap()
        });
    }
}

#[test]
fn global_averages_carry_changes_on() {
    for channels in [1, 16, 33] {
        let Changed(changes) = Input::changed(channels) else { unreachable!() };
        carries_changes_on_to_features(&GlobalAveragePooling::of_maps(), &changes, Tensor::clone);
    }
}
