//! Every element-wise function with its derivatives: a new one is an arm here.
//!
//! A visitor gets the functions as closures, so that each has a loop of its own and nothing is
//! decided at single elements.

use std::f32::consts::FRAC_2_SQRT_PI;

use super::transcendental::{
    erf, exp, exp_m1, normal_density, normal_distribution, sigmoid, sigmoid_slope, softplus, tanh,
};
use crate::{Binary, Computed, Unary};

/// What is done with a function of one value.
pub(in crate::backend) trait UnaryVisitor {
    /// Is given the function and its derivative.
    fn visit(
        self,
        value: impl Fn(f32) -> f32 + Sync,
        slope: impl Fn(f32) -> f32 + Sync,
    ) -> Computed;
}

/// What is done with a function of two values.
pub(in crate::backend) trait BinaryVisitor {
    /// Is given the function and its derivatives with respect to the first and the second value.
    fn visit(
        self,
        value: impl Fn(f32, f32) -> f32 + Sync,
        first: impl Fn(f32, f32) -> f32 + Sync,
        second: impl Fn(f32, f32) -> f32 + Sync,
    ) -> Computed;
}

/// Hands a function of one value to a visitor.
pub(in crate::backend) fn of_one(function: Unary, visitor: impl UnaryVisitor) -> Computed {
    match function {
        Unary::Absolute => visitor.visit(f32::abs, |x| if x == 0.0 { 0.0 } else { x.signum() }),
        Unary::Clip { low, high } => {
            visitor.visit(move |x| limited(x, low, high), move |x| within(x, low, high))
        }
        Unary::ErrorFunction => visitor.visit(erf, |x| FRAC_2_SQRT_PI * exp(-x * x)),
        Unary::Exponential => visitor.visit(exp, exp),
        Unary::ExponentialLinear { alpha, gain, rate } => visitor.visit(
            move |x| gain * if x > 0.0 { x } else { alpha * exp_m1(rate * x) },
            move |x| gain * if x > 0.0 { 1.0 } else { alpha * rate * exp(rate * x) },
        ),
        Unary::Gelu => visitor.visit(
            |x| x * normal_distribution(x),
            |x| normal_distribution(x) + x * normal_density(x),
        ),
        Unary::GeluByTanh => visitor.visit(gelu_by_tanh, gelu_by_tanh_slope),
        Unary::HardSigmoid { slope, offset } => visitor.visit(
            move |x| limited(slope * x + offset, 0.0, 1.0),
            move |x| slope * within(slope * x + offset, 0.0, 1.0),
        ),
        Unary::HardSwish => visitor.visit(
            |x| x * limited(x / 6.0 + 0.5, 0.0, 1.0),
            |x| limited(x / 6.0 + 0.5, 0.0, 1.0) + if x.abs() < 3.0 { x / 6.0 } else { 0.0 },
        ),
        Unary::LeakyRectify(leak) => visitor.visit(
            move |x| if x < 0.0 { leak * x } else { x },
            move |x| if x > 0.0 { 1.0 } else { leak },
        ),
        Unary::Logarithm => visitor.visit(f32::ln, |x| 1.0 / x),
        Unary::Mish => visitor.visit(mish, mish_slope),
        Unary::Power(exponent) => power(exponent, visitor),
        Unary::Reciprocal => visitor.visit(|x| 1.0 / x, |x| -(1.0 / x) * (1.0 / x)),
        Unary::Rectify => visitor.visit(rectified, |x| if x > 0.0 { 1.0 } else { 0.0 }),
        Unary::Scale(factor) => visitor.visit(move |x| x * factor, move |_| factor),
        Unary::Sigmoid => visitor.visit(sigmoid, sigmoid_slope),
        Unary::Softplus => visitor.visit(softplus, sigmoid),
        Unary::Softsign => visitor.visit(
            |x| x / (1.0 + x.abs()),
            |x| {
                let share = 1.0 / (1.0 + x.abs());
                share * share
            },
        ),
        Unary::SquareRoot => visitor.visit(f32::sqrt, |x| 0.5 / x.sqrt()),
        Unary::Swish(factor) => visitor.visit(
            move |x| x * sigmoid(factor * x),
            move |x| sigmoid(factor * x) + factor * x * sigmoid_slope(factor * x),
        ),
        Unary::Tanh => visitor.visit(tanh, |x| 4.0 * sigmoid_slope(2.0 * x)),
        Unary::Threshold(threshold) => visitor.visit(
            move |x| if x <= threshold { 0.0 } else { x },
            move |x| if x > threshold { 1.0 } else { 0.0 },
        ),
    }
}

/// Hands a function of two values to a visitor.
pub(in crate::backend) fn of_two(function: Binary, visitor: impl BinaryVisitor) -> Computed {
    let one = |_: f32, _: f32| 1.0;
    let share = |is_passed: bool| if is_passed { 1.0 } else { 0.0 };
    match function {
        Binary::Add => visitor.visit(|a, b| a + b, one, one),
        Binary::Divide => visitor.visit(|a, b| a / b, |_, b| 1.0 / b, |a, b| -(a / b) / b),
        Binary::Gate { low, high } => visitor.visit(
            move |a, b| if low < b && b < high { a } else { 0.0 },
            move |_, b| within(b, low, high),
            |_, _| 0.0,
        ),
        Binary::Maximum => visitor.visit(
            |a, b| if is_above(b, a) { b } else { a },
            move |a, b| share(!is_above(b, a)),
            move |a, b| share(is_above(b, a)),
        ),
        Binary::Minimum => visitor.visit(
            |a, b| if is_above(-b, -a) { b } else { a },
            move |a, b| share(!is_above(-b, -a)),
            move |a, b| share(is_above(-b, -a)),
        ),
        Binary::Multiply => visitor.visit(|a, b| a * b, |_, b| b, |a, _| a),
        Binary::ParametricRectify => visitor.visit(
            |a, b| if a < 0.0 { a * b } else { a },
            |a, b| if a > 0.0 { 1.0 } else { b },
            |a, _| if a > 0.0 { 0.0 } else { a },
        ),
        Binary::Power => visitor.visit(f32::powf, power_by_base, power_by_exponent),
        Binary::Subtract => visitor.visit(|a, b| a - b, one, |_, _| -1.0),
    }
}

// Not f32::clamp, which panics where the limits are NaN or in the wrong order.
fn limited(x: f32, low: f32, high: f32) -> f32 {
    let raised = if x < low { low } else { x };
    if raised > high { high } else { raised }
}

/// The derivative of a limit.
fn within(x: f32, low: f32, high: f32) -> f32 {
    if low < x && x < high { 1.0 } else { 0.0 }
}

/// max(x, 0) that keeps NaN, which must not vanish on its way.
#[inline]
pub(in crate::backend) fn rectified(x: f32) -> f32 {
    if x <= 0.0 { 0.0 } else { x }
}

/// Multiplies a signal with a derivative. Where no signal arrives none is passed on, even where the
/// derivative is infinite.
#[inline]
pub(in crate::backend) fn carried(signal: f32, slope: f32) -> f32 {
    if signal == 0.0 { 0.0 } else { signal * slope }
}

/// Says whether x is larger than y, or alone not a number.
#[inline]
pub(in crate::backend) fn is_above(x: f32, y: f32) -> bool {
    // Without branches, so that several are compared at once.
    (x > y) | (x.is_nan() & !y.is_nan())
}

/// GELU by tanh is x · sigmoid(2 · √(2/π) · (x + 0.044715 · x³)), with these two factors.
const GELU_BY_TANH: [f32; 2] = [1.595_769, 0.044_715];

#[inline]
fn gelu_by_tanh(x: f32) -> f32 {
    let [factor, cubic] = GELU_BY_TANH;
    x * sigmoid(factor * (x + cubic * x * x * x))
}

#[inline]
fn gelu_by_tanh_slope(x: f32) -> f32 {
    let [factor, cubic] = GELU_BY_TANH;
    let inner = factor * (x + cubic * x * x * x);
    sigmoid(inner) + x * sigmoid_slope(inner) * factor * (1.0 + 3.0 * cubic * x * x)
}

/// Beyond this, the tanh within Mish rounds to 1.
const MISH_LIMIT: f32 = 20.0;

/// With e = eˣ, tanh(ln(1 + e)) is (e² + 2e) / (e² + 2e + 2).
#[inline]
fn mish(x: f32) -> f32 {
    let risen = exp(if x > MISH_LIMIT { MISH_LIMIT } else { x });
    let raised = risen * (risen + 2.0);
    x * (raised / (raised + 2.0))
}

#[inline]
fn mish_slope(x: f32) -> f32 {
    let risen = exp(if x > MISH_LIMIT { MISH_LIMIT } else { x });
    let raised = risen * (risen + 2.0);
    let below = raised + 2.0;
    let slope = raised / below + x * 4.0 * risen * (risen + 1.0) / (below * below);
    if x > MISH_LIMIT { 1.0 } else { slope }
}

/// A few powers are products; the others are left to the C library.
fn power(exponent: f32, visitor: impl UnaryVisitor) -> Computed {
    match exponent {
        0.0 => visitor.visit(|_| 1.0, |_| 0.0),
        2.0 => visitor.visit(|x| x * x, |x| 2.0 * x),
        3.0 => visitor.visit(|x| x * x * x, |x| 3.0 * x * x),
        _ => visitor.visit(move |x| x.powf(exponent), move |x| exponent * x.powf(exponent - 1.0)),
    }
}

/// A power of 0 does not depend on its base, not even at 0.
fn power_by_base(base: f32, exponent: f32) -> f32 {
    if exponent == 0.0 { 0.0 } else { exponent * base.powf(exponent - 1.0) }
}

/// A power of base 0 does not depend on its positive exponent.
fn power_by_exponent(base: f32, exponent: f32) -> f32 {
    if base == 0.0 && exponent >= 0.0 { 0.0 } else { base.powf(exponent) * base.ln() }
}
