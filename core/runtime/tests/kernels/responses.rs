//! Local response normalization.

use convscope_runtime::{Backend, CpuBackend, ResponseNormalization, Tensor};

use super::random::tensor;
use super::reference::assert_close;

/// The formula of ONNX, in double precision.
fn normalized(input: &[f64], channels: usize, form: &ResponseNormalization) -> Vec<f64> {
    let cells = 6;
    (0..input.len())
        .map(|index| {
            let (channel, image) = (index / cells % channels, index / cells / channels);
            let first = channel.saturating_sub((form.size - 1) / 2);
            let last = (channel + form.size / 2).min(channels - 1);
            let squares: f64 = (first..=last)
                .map(|other| input[(image * channels + other) * cells + index % cells].powi(2))
                .sum();
            let base = f64::from(form.bias) + f64::from(form.alpha) / form.size as f64 * squares;
            input[index] * base.powf(-f64::from(form.beta))
        })
        .collect()
}

fn forms() -> impl Iterator<Item = ResponseNormalization> {
    [1, 2, 3, 5, 20].into_iter().flat_map(|size| {
        [0.75, 0.6, 1.0].map(|beta| ResponseNormalization { size, alpha: 2.0, beta, bias: 1.5 })
    })
}

#[test]
fn responses_are_divided_by_those_of_their_neighbours() {
    let input = tensor([2, 7, 2, 3], 1);
    let wide: Vec<f64> = input.values().unwrap().iter().map(|&x| f64::from(x)).collect();
    for form in forms() {
        let output = CpuBackend::new().response_normalization(&input, &form).unwrap();
        let expected = normalized(&wide, 7, &form);
        assert_close(
            output.to_host().unwrap().values().unwrap(),
            &expected,
            1e-6,
            &format!("{form:?}"),
        );
    }
}

#[test]
fn the_adjoint_is_the_derivative() {
    let (input, signal) = (tensor([2, 7, 2, 3], 1), tensor([2, 7, 2, 3], 2));
    let wide: Vec<f64> = input.values().unwrap().iter().map(|&x| f64::from(x)).collect();
    for form in forms() {
        let carried =
            CpuBackend::new().response_normalization_adjoint(&signal, &input, &form).unwrap();
        let weighted = |values: &[f64]| -> f64 {
            let outputs = normalized(values, 7, &form);
            outputs
                .iter()
                .zip(signal.to_host().unwrap().values().unwrap())
                .map(|(y, &g)| y * f64::from(g))
                .sum()
        };
        let expected: Vec<f64> = (0..wide.len())
            .map(|index| {
                let at = |step: f64| {
                    let mut moved = wide.clone();
                    moved[index] += step;
                    weighted(&moved)
                };
                (at(1e-5) - at(-1e-5)) / 2e-5
            })
            .collect();
        assert_close(
            carried.to_host().unwrap().values().unwrap(),
            &expected,
            2e-6,
            &format!("{form:?}"),
        );
    }
}

#[test]
fn a_zero_base_gives_no_number_rather_than_a_wrong_one() {
    let form = ResponseNormalization { size: 1, alpha: 1.0, beta: 0.75, bias: 0.0 };
    let output = CpuBackend::new().response_normalization(&Tensor::zeros([1, 1, 1, 1]), &form);
    assert!(output.unwrap().values().unwrap()[0].is_nan());
}
