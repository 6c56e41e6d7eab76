//! Convolution and its adjoint.

use convscope_runtime::{
    Backend, ConvolutionForms, ConvolutionGeometry, CpuBackend, Epilogue, Rounding, Shape, Tensor,
    Window,
};

use super::random::tensor;
use super::reference::{assert_close, convolution, scalar_product, window, windows};

const SIZE: [usize; 2] = [9, 11];

/// Channels, filters, groups: dense, grouped, depthwise with one and two filters a channel.
const CHANNELS: [[usize; 3]; 4] = [[3, 5, 1], [4, 6, 2], [3, 3, 3], [2, 4, 2]];

fn operands(window: Window, channels: [usize; 3]) -> (Tensor, Tensor, ConvolutionGeometry) {
    let [channels, filters, groups] = channels;
    let input = tensor([2, channels, SIZE[0], SIZE[1]], 1);
    let [rows, columns] = window.kernel;
    let filters = tensor([filters, channels / groups, rows, columns], 2);
    (input, filters, ConvolutionGeometry { window, groups })
}

fn fitting() -> impl Iterator<Item = (Window, [usize; 3])> {
    windows()
        .filter(|window| window.output_size(SIZE, Rounding::Floor).is_some())
        .flat_map(|window| CHANNELS.map(|channels| (window, channels)))
}

#[test]
fn convolution_is_a_sum_over_taps_and_channels() {
    for (window, channels) in fitting() {
        let (input, filters, geometry) = operands(window, channels);
        let expected = convolution(&input, &filters, &geometry);
        let output = CpuBackend::new()
            .convolution(&input, &filters, None, &geometry, Epilogue::None)
            .unwrap();
        assert_close(
            output.to_host().unwrap().values().unwrap(),
            &expected,
            1e-6,
            &format!("{window:?}"),
        );
    }
}

#[test]
fn the_transposed_convolution_is_the_adjoint() {
    for (window, channels) in fitting() {
        let (input, filters, geometry) = operands(window, channels);
        let backend = CpuBackend::new();
        let output =
            backend.convolution(&input, &filters, None, &geometry, Epilogue::None).unwrap();
        let signal = tensor(output.shape().clone(), 3);
        let carried =
            backend.transposed_convolution(&signal, &filters, &geometry, input.shape()).unwrap();
        assert_eq!(carried.shape(), input.shape());
        let (left, right) = (scalar_product(&output, &signal), scalar_product(&input, &carried));
        assert!((left - right).abs() < 1e-5 * left.abs().max(10.0), "{window:?}: {left} {right}");
    }
}

#[test]
fn every_signal_cell_is_spread_over_its_window() {
    let geometry = ConvolutionGeometry { window: window([3, 3], 2, 1, [1; 4]), groups: 1 };
    let (backend, restored) = (CpuBackend::new(), Shape::from([1, 2, 7, 7]));
    let filters = tensor([3, 2, 3, 3], 5);
    for cell in 0..3 * 16 {
        let mut signal = vec![0.0; 3 * 16];
        signal[cell] = 2.0;
        let signal = Tensor::new([1, 3, 4, 4], signal).unwrap();
        let carried =
            backend.transposed_convolution(&signal, &filters, &geometry, &restored).unwrap();
        // The adjoint's column is the convolution's row: what each input cell does to this output.
        for (index, value) in carried.to_host().unwrap().values().unwrap().iter().enumerate() {
            let mut unit = vec![0.0; 2 * 49];
            unit[index] = 1.0;
            let unit = Tensor::new([1, 2, 7, 7], unit).unwrap();
            let row = convolution(&unit, &filters, &geometry);
            assert_close(&[*value], &[2.0 * row[cell]], 1e-6, "one cell");
        }
    }
}

#[test]
fn cells_that_no_window_touches_stay_zero() {
    // Stride 3 with kernel 2 leaves every third column and row out, and the border.
    let geometry = ConvolutionGeometry { window: window([2, 2], 3, 1, [0; 4]), groups: 1 };
    let signal = Tensor::filled([1, 1, 2, 2], 1.0);
    let filters = Tensor::filled([1, 1, 2, 2], 1.0);
    let restored = CpuBackend::new()
        .transposed_convolution(&signal, &filters, &geometry, &Shape::from([1, 1, 7, 7]))
        .unwrap();
    for (index, &value) in restored.to_host().unwrap().values().unwrap().iter().enumerate() {
        let touched = [index / 7, index % 7].iter().all(|&place| place < 6 && place % 3 < 2);
        assert!((value > 0.0) == touched, "{index}: {value}");
    }
}

#[test]
fn bias_comes_after_the_sum_and_the_rectifier_after_the_bias() {
    for channels in CHANNELS {
        let (input, filters, geometry) = operands(window([3, 3], 1, 1, [1; 4]), channels);
        let count = channels[1];
        let bias = tensor([count], 4);
        let cells = SIZE[0] * SIZE[1];
        let shift = |index: usize| f64::from(bias.values().unwrap()[index / cells % count]);
        let sums = convolution(&input, &filters, &geometry);
        let shifted: Vec<f64> = (0..).zip(sums).map(|(index, sum)| sum + shift(index)).collect();
        let rectified: Vec<f64> = shifted.iter().map(|value| value.max(0.0)).collect();
        for (epilogue, expected) in [(Epilogue::None, shifted), (Epilogue::Rectify, rectified)] {
            let output = CpuBackend::new()
                .convolution(&input, &filters, Some(&bias), &geometry, epilogue)
                .unwrap();
            assert_close(output.to_host().unwrap().values().unwrap(), &expected, 1e-6, "bias");
        }
    }
}

#[test]
fn deep_maps_are_summed_in_several_panels() {
    let geometry = ConvolutionGeometry { window: window([3, 3], 1, 1, [1; 4]), groups: 1 };
    let (input, filters) = (tensor([1, 300, 12, 30], 1), tensor([20, 300, 3, 3], 2));
    let expected = convolution(&input, &filters, &geometry);
    for (forms, tolerance) in [(ConvolutionForms::Direct, 1e-6), (ConvolutionForms::Any, 4e-6)] {
        let backend = CpuBackend::new().with_forms(forms);
        let output = backend.convolution(&input, &filters, None, &geometry, Epilogue::None);
        let output = output.unwrap().to_host().unwrap();
        assert_close(output.values().unwrap(), &expected, tolerance, &format!("{forms:?}"));
    }
}

#[test]
fn a_signal_in_one_corner_gives_what_the_whole_map_would() {
    // The kernel leaves out what is zero; far cells with a signal make it compute everything.
    let geometry = ConvolutionGeometry { window: window([3, 3], 1, 1, [1; 4]), groups: 1 };
    let (backend, filters) = (CpuBackend::new(), tensor([4, 3, 3, 3], 2));
    let restored = Shape::from([1, 3, 20, 20]);
    let carry = |far: f32| {
        let mut signal = vec![0.0; 4 * 400];
        for channel in 0..4 {
            for (place, value) in [(0, 1.5), (21, -0.5), (43, 2.0)] {
                signal[channel * 400 + place] = value;
            }
            signal[channel * 400 + 399] = far;
        }
        let signal = Tensor::new([1, 4, 20, 20], signal).unwrap();
        backend.transposed_convolution(&signal, &filters, &geometry, &restored).unwrap()
    };
    let (alone, together) = (carry(0.0), carry(1.0));
    let pairs = alone.values().unwrap().iter().zip(together.values().unwrap());
    for (index, (alone, together)) in pairs.enumerate().filter(|(index, _)| index % 400 < 200) {
        assert!((alone - together).abs() < 1e-6, "{index}: {alone} {together}");
    }
}

#[test]
fn no_images_give_no_images() {
    let (backend, filters) = (CpuBackend::new(), tensor([4, 3, 3, 3], 2));
    let geometry = ConvolutionGeometry { window: Window::of([3, 3]), groups: 1 };
    let none = tensor([0, 3, 5, 5], 1);
    let output = backend.convolution(&none, &filters, None, &geometry, Epilogue::None).unwrap();
    assert_eq!(output.shape(), &Shape::from([0, 4, 3, 3]));
    let back = backend.transposed_convolution(&output, &filters, &geometry, none.shape()).unwrap();
    assert_eq!(back.shape(), none.shape());
}

#[test]
fn a_kernel_larger_than_its_map_works_with_padding() {
    let geometry = ConvolutionGeometry { window: window([5, 5], 2, 1, [2; 4]), groups: 1 };
    let (input, filters) = (tensor([1, 3, 1, 1], 1), tensor([70, 3, 5, 5], 2));
    let backend = CpuBackend::new();
    let output = backend.convolution(&input, &filters, None, &geometry, Epilogue::None).unwrap();
    assert_eq!(output.shape(), &Shape::from([1, 70, 1, 1]));
    assert_close(
        output.to_host().unwrap().values().unwrap(),
        &convolution(&input, &filters, &geometry),
        1e-6,
        "one cell",
    );
}

#[test]
fn a_nan_reaches_only_the_outputs_that_see_it() {
    let mut values = vec![1.0; 64];
    values[0] = f32::NAN;
    let input = Tensor::new([1, 1, 8, 8], values).unwrap();
    let geometry = ConvolutionGeometry { window: Window::of([3, 3]), groups: 1 };
    let output = CpuBackend::new()
        .convolution(&input, &Tensor::filled([1, 1, 3, 3], 1.0), None, &geometry, Epilogue::Rectify)
        .unwrap();
    let output = output.to_host().unwrap();
    let values = output.values().unwrap();
    assert!(values[0].is_nan());
    assert!(values[1..].iter().all(|value| !value.is_nan()));
}
