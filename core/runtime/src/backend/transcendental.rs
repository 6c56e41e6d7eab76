//! Exponential functions and their kin, within a few units in the last place.
//!
//! Both sides of every choice are computed and nothing is called, so that loops over these
//! functions are vectorized; the functions of the C library are not, and differ between machines.
//! `tests/kernels/functions.py` says how the coefficients that are no Taylor series were found.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LOG2_E};

/// 1.5 · 2²³: adding it rounds a number to an integer, which then stands in the lowest bits.
const ROUNDING: f32 = 12_582_912.0;

/// ln 2 in two parts, of which multiples of the first are exact.
const LN_2: [f32; 2] = [355.0 / 512.0, -0.000_212_194_44];

/// Below this limit eˣ rounds to 0, above the other to infinity.
const LIMITS: [f32; 2] = [-104.0, 89.0];

/// Computes eˣ.
#[inline]
pub(in crate::backend) fn exp(x: f32) -> f32 {
    let (excess, power) = split(x);
    scaled(1.0 + excess, power)
}

/// Computes eˣ − 1, for small x too.
#[inline]
pub(in crate::backend) fn exp_m1(x: f32) -> f32 {
    let (excess, power) = split(x);
    let far = scaled(1.0 + excess, power) - 1.0;
    if power == 0.0 { excess } else { far }
}

/// Writes eˣ as (1 + excess) · 2^power.
#[inline]
fn split(x: f32) -> (f32, f32) {
    const FACTORIALS: [f32; 7] =
        [1.0, 0.5, 0.166_666_67, 0.041_666_668, 0.008_333_334, 0.001_388_888_9, 0.000_198_412_7];
    // Not f32::clamp: NaN must stay what it is.
    let x = if x < LIMITS[0] { LIMITS[0] } else { x };
    let x = if x > LIMITS[1] { LIMITS[1] } else { x };
    let power = (x * LOG2_E + ROUNDING) - ROUNDING;
    let rest = (x - power * LN_2[0]) - power * LN_2[1];
    (rest * polynomial(rest, FACTORIALS), power)
}

/// Multiplies with 2^power, in two steps: one factor could not hold every power.
#[inline]
fn scaled(x: f32, power: f32) -> f32 {
    let power = (power + ROUNDING).to_bits().wrapping_sub(ROUNDING.to_bits()).cast_signed();
    let of_two = |power: i32| f32::from_bits(power.wrapping_add(127).cast_unsigned() << 23);
    let half = power >> 1;
    x * of_two(half) * of_two(power.wrapping_sub(half))
}

/// Evaluates a polynomial, its constant first.
#[inline]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    coefficients.into_iter().rev().reduce(|sum, next| sum * x + next).unwrap_or(0.0)
}

/// Computes ln(1 + x) for x from 0 to 1, as 2 artanh(x / (2 + x)).
#[inline]
pub(in crate::backend) fn ln_1p(x: f32) -> f32 {
    const SERIES: [f32; 8] = [
        2.0,
        0.666_666_7,
        0.4,
        0.285_714_3,
        0.222_222_22,
        0.181_818_19,
        0.153_846_16,
        0.133_333_34,
    ];
    let ratio = x / (2.0 + x);
    ratio * polynomial(ratio * ratio, SERIES)
}

/// Computes 1 / (1 + e⁻ˣ).
#[inline]
pub(in crate::backend) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Computes the derivative of [`sigmoid`].
#[inline]
pub(in crate::backend) fn sigmoid_slope(x: f32) -> f32 {
    let fallen = exp(-x.abs());
    fallen / ((1.0 + fallen) * (1.0 + fallen))
}

/// Computes ln(1 + eˣ).
#[inline]
pub(in crate::backend) fn softplus(x: f32) -> f32 {
    let above = if x > 0.0 { x } else { 0.0 };
    above + ln_1p(exp(-x.abs()))
}

/// Computes tanh x.
#[inline]
pub(in crate::backend) fn tanh(x: f32) -> f32 {
    // Beyond 10 the result rounds to 1.
    let size = if x.abs() > 10.0 { 10.0 } else { x.abs() };
    let risen = exp_m1(2.0 * size);
    (risen / (risen + 2.0)).copysign(x)
}

/// Computes erf x.
#[inline]
pub(in crate::backend) fn erf(x: f32) -> f32 {
    const SERIES: [f32; 7] = [
        FRAC_2_SQRT_PI,
        -0.376_126_38,
        0.112_837_92,
        -0.026_866_172,
        0.005_223_978,
        -0.000_854_832_7,
        0.000_120_553_326,
    ];
    let size = x.abs();
    let near = size * polynomial(size * size, SERIES);
    let far = 1.0 - erfc(size);
    (if size < 0.5 { near } else { far }).copysign(x)
}

/// Computes 1 − erf x for x from 0 on, as e^(−x²) times a polynomial of 1 / (1 + x / 2).
#[inline]
fn erfc(x: f32) -> f32 {
    const FITTED: [f32; 9] = [
        0.282_084_76,
        0.282_404_2,
        0.242_893_07,
        0.203_521_15,
        -0.028_597_953,
        0.280_929_9,
        -0.489_701_33,
        0.285_782_4,
        -0.059_316_29,
    ];
    let place = 1.0 / (1.0 + 0.5 * x);
    exp(-x * x) * place * polynomial(place, FITTED)
}

/// Computes the distribution function of the normal distribution.
#[inline]
pub(in crate::backend) fn normal_distribution(x: f32) -> f32 {
    let tail = 0.5 * erfc(x.abs() * FRAC_1_SQRT_2);
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// Computes the density of the normal distribution.
#[inline]
pub(in crate::backend) fn normal_density(x: f32) -> f32 {
    const AT_ZERO: f32 = 0.398_942_3;
    AT_ZERO * exp(-0.5 * x * x)
}
