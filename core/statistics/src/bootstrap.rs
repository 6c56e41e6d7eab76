//! Intervals from resampling. Efron & Tibshirani (1993), *An Introduction to the Bootstrap*.

use crate::normal::{probability, quantile};
use crate::{Random, StatisticsError};

/// How an interval is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    /// The share of samples whose interval holds the true value, between 0 and 1.
    pub confidence: f64,
    /// How many samples are drawn from the sample.
    pub resamples: usize,
    /// Seed of the draws: the same seed gives the same interval, on every machine.
    pub seed: u64,
}

impl Bootstrap {
    /// 95 % from 9999 resamples.
    pub fn seeded(seed: u64) -> Self {
        Self { confidence: 0.95, resamples: 9999, seed }
    }
}

/// A value with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// The value of the sample itself.
    pub value: f64,
    /// Upper end.
    pub high: f64,
}

/// Returns the mean of a sample with its bias-corrected and accelerated interval (`BCa`).
///
/// Efron & Tibshirani (1993), section 14.3: percentiles of the means of resamples, moved by the bias
/// of their median and by the skewness of the sample, which is taken from leaving out one value at
/// a time. The values must be independent of each other, such as one for each picture. From few values
/// the interval comes out too narrow; where all are equal it has no width.
///
/// # Errors
/// Refuses fewer than two values, values that are not finite, a confidence outside 0 to 1, and no
/// resamples.
pub fn bootstrap_mean(values: &[f64], how: &Bootstrap) -> Result<Interval, StatisticsError> {
    check(values, how)?;
    let value = mean(values);
    let (least, most) = extent(values);
    if least >= most {
        return Ok(Interval { low: least, value: least, high: least });
    }
    let means = resampled_means(values, how);
    let bias = quantile(share_below(&means, value));
    let acceleration = acceleration(values);
    let tail = quantile((1.0 - how.confidence) / 2.0);
    let end = |tail: f64| {
        let moved = bias + tail;
        let scale = 1.0 - acceleration * moved;
        // Towards zero the end moves out of all bounds, and does not come back from beyond.
        let place = if scale > 0.0 { bias + moved / scale } else { f64::INFINITY.copysign(moved) };
        percentile(&means, probability(place))
    };
    Ok(Interval { low: end(tail), value, high: end(-tail) })
}

fn check(values: &[f64], how: &Bootstrap) -> Result<(), StatisticsError> {
    let &Bootstrap { confidence, resamples, .. } = how;
    if !(confidence > 0.0 && confidence < 1.0) {
        return Err(StatisticsError::Confidence { confidence });
    }
    if resamples == 0 {
        return Err(StatisticsError::NoResamples);
    }
    if values.len() < 2 {
        return Err(StatisticsError::TooFew { needed: 2, given: values.len() });
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(place) => Err(StatisticsError::NotFinite { place, value: values[place] }),
        None => Ok(()),
    }
}

fn extent(values: &[f64]) -> (f64, f64) {
    let ends = (f64::INFINITY, f64::NEG_INFINITY);
    values.iter().fold(ends, |(least, most), &value| (least.min(value), most.max(value)))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Returns the means of samples drawn with replacement, in ascending order.
fn resampled_means(values: &[f64], how: &Bootstrap) -> Vec<f64> {
    let count = values.len();
    let mut random = Random::new(how.seed);
    let mut draw = || (0..count).map(|_| values[random.below(count)]).sum::<f64>() / count as f64;
    let mut means: Vec<f64> = (0..how.resamples).map(|_| draw()).collect();
    means.sort_unstable_by(f64::total_cmp);
    means
}

/// Returns the share of ascending numbers below `value`; equal ones count half.
fn share_below(ascending: &[f64], value: f64) -> f64 {
    let below = ascending.partition_point(|&other| other < value);
    let up_to = ascending.partition_point(|&other| other <= value);
    (below + up_to) as f64 / (2 * ascending.len()) as f64
}

/// Efron & Tibshirani (1993), equation 14.15, for the mean of values that are not all equal.
fn acceleration(values: &[f64]) -> f64 {
    let mean = mean(values);
    let (least, most) = extent(values);
    // Leaving out a value takes distance / (n − 1) from the mean; all factors cancel, so that this
    // one may keep the cubes away from overflow and underflow.
    let (mut squares, mut cubes) = (0.0, 0.0);
    for value in values {
        let distance = (value - mean) / (most - least);
        squares += distance.powi(2);
        cubes += distance.powi(3);
    }
    cubes / (6.0 * squares.powf(1.5))
}

/// Returns the number below which `share` of ascending numbers lie, between neighbours by their
/// distance.
fn percentile(ascending: &[f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * (ascending.len() - 1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    ascending[below] + (ascending[above] - ascending[below]) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In 128ths, so that sums are exact in every order.
    const DROPS: [f64; 12] =
        [40.0, 56.0, 15.0, 68.0, 35.0, 51.0, 6.0, 78.0, 42.0, 37.0, 61.0, 46.0];
    const SKEWED: [f64; 9] = [1.0, 2.0, 3.0, 4.0, 6.0, 10.0, 17.0, 44.0, 114.0];
    const SIGNED: [f64; 5] = [-192.0, 288.0, 64.0, -96.0, 384.0];
    const PAIR: [f64; 2] = [32.0, 96.0];

    fn sample(parts: &[f64]) -> Vec<f64> {
        parts.iter().map(|part| part / 128.0).collect()
    }

    fn refused(values: &[f64], how: Bootstrap) -> String {
        bootstrap_mean(values, &how).unwrap_err().to_string()
    }

    /// From `tests/reference.py`: `scipy.stats.bootstrap` 1.17.1, method `BCa`, on the same draws.
    #[test]
    fn intervals_are_those_of_scipy_on_the_same_draws() {
        let usual = Bootstrap::seeded(1);
        let other = Bootstrap { confidence: 0.9, resamples: 2000, seed: 7 };
        for (values, how, low, high) in [
            (&DROPS[..], usual, 0.253_255_208_333_333_3, 0.430_989_583_333_333_3),
            (&DROPS, other, 0.269_613_998_751_134_3, 0.415_364_583_333_333_3),
            (&SKEWED, usual, 0.057_291_666_666_666_664, 0.491_177_812_454_335_7),
            (&SKEWED, other, 0.074_652_777_777_777_78, 0.447_734_243_637_002_87),
            (&SIGNED, usual, -0.75, 2.2),
            (&SIGNED, other, -0.55, 2.05),
            (&PAIR, usual, 0.25, 0.75),
            (&PAIR, other, 0.25, 0.75),
        ] {
            let values = sample(values);
            let found = bootstrap_mean(&values, &how).unwrap();
            assert!((found.low - low).abs() < 1e-12, "{values:?}, {how:?}: {found:?}, {low}");
            assert!((found.high - high).abs() < 1e-12, "{values:?}, {how:?}: {found:?}, {high}");
            assert!((found.value - mean(&values)).abs() < 1e-15);
        }
    }

    #[test]
    fn an_interval_holds_the_true_mean_about_as_often_as_it_says() {
        let mut random = Random::new(3);
        let mut uniform = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let mut held = 0;
        for seed in 0..400 {
            let sample: Vec<f64> = (0..40).map(|_| uniform()).collect();
            let how = Bootstrap { resamples: 500, ..Bootstrap::seeded(seed) };
            let found = bootstrap_mean(&sample, &how).unwrap();
            held += usize::from(found.low <= 0.5 && 0.5 <= found.high);
        }
        // 380 are expected of 400, with a standard deviation of 4.4.
        assert!((362..=394).contains(&held), "{held}");
    }

    #[test]
    fn the_seed_alone_decides_on_the_draws() {
        let mean = |seed| bootstrap_mean(&sample(&SKEWED), &Bootstrap::seeded(seed)).unwrap();
        assert_eq!(mean(4), mean(4));
        assert_ne!(mean(4), mean(5));
    }

    #[test]
    fn an_interval_grows_with_its_values_whatever_their_size() {
        let unit = bootstrap_mean(&sample(&SKEWED), &Bootstrap::seeded(2)).unwrap();
        for scale in [2.0_f64.powi(-700), 2.0_f64.powi(700)] {
            let values: Vec<f64> = sample(&SKEWED).iter().map(|value| value * scale).collect();
            let found = bootstrap_mean(&values, &Bootstrap::seeded(2)).unwrap();
            assert!((found.low / scale - unit.low).abs() < 1e-12, "{found:?}");
            assert!((found.high / scale - unit.high).abs() < 1e-12, "{found:?}");
        }
    }

    #[test]
    fn equal_values_have_an_interval_without_width() {
        let found = bootstrap_mean(&[0.1; 7], &Bootstrap::seeded(1)).unwrap();
        assert_eq!(found, Interval { low: 0.1, value: 0.1, high: 0.1 });
        let zeros = bootstrap_mean(&[0.0, -0.0], &Bootstrap::seeded(1)).unwrap();
        assert_eq!(zeros, Interval { low: 0.0, value: 0.0, high: 0.0 });
    }

    #[test]
    fn ends_stay_within_the_values_at_every_confidence() {
        for confidence in [1e-9, 0.5, 0.999_999, 1.0 - 1e-15] {
            let how = Bootstrap { confidence, ..Bootstrap::seeded(1) };
            let found = bootstrap_mean(&sample(&SKEWED), &how).unwrap();
            assert!(
                1.0 <= found.low * 128.0 && found.low <= found.high && found.high * 128.0 <= 114.0
            );
        }
    }

    #[test]
    fn what_says_nothing_is_refused() {
        let usual = Bootstrap::seeded(1);
        assert_eq!(refused(&[], usual), "an interval needs at least 2 values, got 0");
        assert_eq!(refused(&[0.5], usual), "an interval needs at least 2 values, got 1");
        assert_eq!(refused(&[0.5, f64::NAN], usual), "value 1 is NaN, not a finite number");
        assert_eq!(
            refused(&DROPS, Bootstrap { confidence: 1.0, ..usual }),
            "a confidence of 1: it must lie between 0 and 1, such as 0.95"
        );
        assert!(refused(&DROPS, Bootstrap { confidence: f64::NAN, ..usual }).contains("NaN"));
        assert_eq!(
            refused(&DROPS, Bootstrap { resamples: 0, ..usual }),
            "an interval needs resamples, got none"
        );
    }
}
