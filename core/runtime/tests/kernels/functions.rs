//! Element-wise functions and their derivatives against torch, whose values `functions.csv` holds;
//! `functions.py` says how it was made.

use convscope_runtime::{Backend, CpuBackend, Tensor, Unary};

/// Largest error, relative to the value and beside it.
const OF_VALUES: [f64; 2] = [1e-6, 1e-12];

/// The same for derivatives, which are differences near their zeros.
const OF_SLOPES: [f64; 2] = [1e-6, 2e-8];

fn function(name: &str) -> Unary {
    let exponential_linear = |alpha, gain, rate| Unary::ExponentialLinear { alpha, gain, rate };
    match name {
        "absolute" => Unary::Absolute,
        "celu" => exponential_linear(1.5, 1.0, 1.0 / 1.5),
        "elu" => exponential_linear(0.75, 1.0, 1.0),
        "erf" => Unary::ErrorFunction,
        "exponential" => Unary::Exponential,
        "gelu" => Unary::Gelu,
        "gelu_by_tanh" => Unary::GeluByTanh,
        "hard_sigmoid" => Unary::HardSigmoid { slope: 1.0 / 6.0, offset: 0.5 },
        "hard_swish" => Unary::HardSwish,
        "leaky_rectify" => Unary::LeakyRectify(0.125),
        "logarithm" => Unary::Logarithm,
        "mish" => Unary::Mish,
        "power_0.5" => Unary::Power(0.5),
        "power_2" => Unary::Power(2.0),
        "power_3" => Unary::Power(3.0),
        "power_-1" => Unary::Power(-1.0),
        "reciprocal" => Unary::Reciprocal,
        "rectify" => Unary::Rectify,
        "selu" => exponential_linear(1.673_263_2, 1.050_701, 1.0),
        "sigmoid" => Unary::Sigmoid,
        "softplus" => Unary::Softplus,
        "softsign" => Unary::Softsign,
        "square_root" => Unary::SquareRoot,
        "swish" => Unary::Swish(1.0),
        "tanh" => Unary::Tanh,
        "threshold" => Unary::Threshold(1.0),
        other => panic!("no function {other}"),
    }
}

fn at(x: f32) -> Tensor {
    Tensor::new([1], vec![x]).unwrap()
}

/// Says whether a float is what double precision says, or both are not numbers.
fn agrees(actual: f32, expected: f64, [share, beside]: [f64; 2]) -> bool {
    // What a float can hold of it.
    let expected = f64::from(expected as f32);
    let actual = f64::from(actual);
    actual == expected
        || (actual.is_nan() && expected.is_nan())
        || (actual - expected).abs() <= share * expected.abs() + beside
}

#[test]
fn values_and_derivatives_agree_with_torch() {
    let backend = CpuBackend::new();
    let mut wrong = Vec::new();
    for line in include_str!("functions.csv").lines().skip(1) {
        let [name, x, value, slope] = line.split(',').collect::<Vec<_>>().try_into().unwrap();
        let x: f32 = x.parse().unwrap();
        let [value, slope] = [value, slope].map(|number| number.parse::<f64>().unwrap());
        let actual = backend.unary(function(name), &at(x)).unwrap();
        let actual = actual.values().unwrap()[0];
        let carried = backend.unary_adjoint(function(name), &at(1.0), &at(x)).unwrap();
        let carried = carried.to_host().unwrap().values().unwrap()[0];
        // Where infinities meet torch's derivative is not a number, or depends on its formula.
        let is_slope_known = !slope.is_nan() && !x.is_nan();
        if !agrees(actual, value, OF_VALUES)
            || (is_slope_known && !agrees(carried, slope, OF_SLOPES))
        {
            wrong.push(format!("{line} but {actual} {carried}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_exponential_function_meets_its_limits() {
    let backend = CpuBackend::new();
    let exp = |x: f32| backend.unary(Unary::Exponential, &at(x)).unwrap().values().unwrap()[0];
    for step in -10_500..9_000 {
        let x = step as f32 / 100.0;
        assert!(agrees(exp(x), f64::from(x).exp(), [3e-7, 3e-45]), "{x}: {}", exp(x));
    }
    // The smallest number above zero is 2^−149.
    assert_eq!(exp(-104.0), 0.0);
    assert_eq!(exp(-103.0), f32::from_bits(1));
    assert!(exp(88.722).is_finite());
    assert_eq!(exp(88.73), f32::INFINITY);
}
