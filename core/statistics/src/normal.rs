//! The standard normal distribution.

use std::f64::consts::SQRT_2;

/// Beyond this a double knows no probability but 0 and 1.
const FARTHEST: f64 = 39.0;

/// Returns the probability of a value below `at`.
pub(crate) fn probability(at: f64) -> f64 {
    0.5 * libm::erfc(-at / SQRT_2)
}

/// Returns the value below which values lie with `probability`: ±39 for 0 and 1.
pub(crate) fn quantile(probability: f64) -> f64 {
    // Halving finds the last digit, and needs no table of coefficients.
    let (mut low, mut high) = (-FARTHEST, FARTHEST);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if self::probability(middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `tests/reference.py`.
    const QUANTILES: [(f64, f64); 6] = [
        (1e-300, -37.047_096_299_361_2),
        (1e-9, -5.997_807_015_007_686_5),
        (0.025, -1.959_963_984_540_054_5),
        (0.5, 0.0),
        (0.84, 0.994_457_883_209_753),
        (0.999, 3.090_232_306_167_813),
    ];

    #[test]
    fn quantiles_and_probabilities_are_those_of_scipy() {
        for (share, expected) in QUANTILES {
            assert!((quantile(share) - expected).abs() < 1e-12, "{share}: {}", quantile(share));
            assert!((probability(expected) - share).abs() < 1e-14, "{share}");
        }
    }

    #[test]
    fn the_quantiles_of_nothing_and_all_are_finite() {
        assert!(quantile(0.0) < -38.0 && quantile(0.0).is_finite());
        assert!(quantile(1.0) > 8.0 && quantile(1.0).is_finite());
    }
}
