//! What convolution and pooling mean, one cell at a time, in double precision.

use convscope_runtime::{ConvolutionGeometry, Padding, Rounding, Tensor, Window};

/// A window over maps with the same numbers for rows as for columns, but for the padding.
pub(super) fn window(
    kernel: [usize; 2],
    stride: usize,
    dilation: usize,
    padding: [usize; 4],
) -> Window {
    let [top, left, bottom, right] = padding;
    let padding = Padding { top, left, bottom, right };
    Window { kernel, stride: [stride; 2], dilation: [dilation; 2], padding }
}

/// Lists the windows that the kernels are tested with: every kernel from 1 to 5, strides and
/// dilations from 1 to 3, symmetric, lopsided and no padding.
pub(super) fn windows() -> impl Iterator<Item = Window> {
    let kernels = [[1, 1], [2, 2], [3, 3], [4, 4], [5, 5], [1, 5], [3, 2]];
    let paddings = [[0; 4], [1; 4], [0, 1, 2, 0], [2, 0, 0, 1]];
    kernels.into_iter().flat_map(move |kernel| {
        (1..=3).flat_map(move |stride| {
            (1..=3).flat_map(move |dilation| {
                paddings.into_iter().map(move |padding| window(kernel, stride, dilation, padding))
            })
        })
    })
}

/// Lists (row, column, tap row, tap column) of the taps of an output that lie on the map.
pub(super) fn taps(window: &Window, size: [usize; 2], output: [usize; 2]) -> Vec<[usize; 4]> {
    let mut taps = Vec::new();
    for tap_row in 0..window.kernel[0] {
        for tap_column in 0..window.kernel[1] {
            let cell = [(0, tap_row), (1, tap_column)].map(|(axis, tap)| {
                let place = output[axis] * window.stride[axis] + tap * window.dilation[axis];
                place.checked_sub(window.padding_of(axis)[0]).filter(|&cell| cell < size[axis])
            });
            if let [Some(row), Some(column)] = cell {
                taps.push([row, column, tap_row, tap_column]);
            }
        }
    }
    taps
}

/// Convolution, and the largest magnitude that its sums could have.
pub(super) fn convolution(
    input: &Tensor,
    filters: &Tensor,
    geometry: &ConvolutionGeometry,
) -> Vec<f64> {
    let ConvolutionGeometry { window, groups } = geometry;
    let [batch, _, height, width] = input.shape().as_maps().unwrap();
    let [count, channels, kernel_rows, kernel_columns] = filters.shape().as_maps().unwrap();
    let [rows, columns] = window.output_size([height, width], Rounding::Floor).unwrap();
    let (input, filters) = (input.values().unwrap(), filters.values().unwrap());
    let mut output = Vec::new();
    for image in 0..batch {
        for filter in 0..count {
            let group = filter / (count / groups);
            for place in (0..rows).flat_map(|row| (0..columns).map(move |column| [row, column])) {
                let mut sum = 0.0;
                for [row, column, tap_row, tap_column] in taps(window, [height, width], place) {
                    for channel in 0..channels {
                        let plane = (image * groups + group) * channels + channel;
                        let tap = (filter * channels + channel) * kernel_rows + tap_row;
                        sum += f64::from(input[(plane * height + row) * width + column])
                            * f64::from(filters[tap * kernel_columns + tap_column]);
                    }
                }
                output.push(sum);
            }
        }
    }
    output
}

/// Fails when values are further than `tolerance` from what they should be, relative to the
/// largest of these (or 1).
pub(super) fn assert_close(actual: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
    for (index, (&actual, expected)) in actual.iter().zip(expected).enumerate() {
        let error = (f64::from(actual) - expected).abs();
        assert!(error <= tolerance * largest, "{what}: element {index}: {actual}, not {expected}");
    }
}

/// Sums products in double precision.
pub(super) fn scalar_product(a: &Tensor, b: &Tensor) -> f64 {
    let [a, b] = [a, b].map(|tensor| tensor.to_host().unwrap());
    let pairs = a.values().unwrap().iter().zip(b.values().unwrap());
    pairs.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}
