//! Why a sample says nothing.

use thiserror::Error;

/// Why a statistic was not computed.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum StatisticsError {
    /// There are too few values to say how much they vary.
    ///
    /// Cure: Take more pictures, or give the value without an interval.
    #[error("an interval needs at least {needed} values, got {given}")]
    TooFew {
        /// How many are needed.
        needed: usize,
        /// How many there are.
        given: usize,
    },
    /// A value is no number.
    ///
    /// Cure: Leave out what could not be measured, and say so.
    #[error("value {place} is {value}, not a finite number")]
    NotFinite {
        /// Its number, from 0.
        place: usize,
        /// What it is.
        value: f64,
    },
    /// A confidence that no interval has.
    ///
    /// Cure: Give a share between 0 and 1, such as 0.95.
    #[error("a confidence of {confidence}: it must lie between 0 and 1, such as 0.95")]
    Confidence {
        /// What was asked for.
        confidence: f64,
    },
    /// No resample at all.
    ///
    /// Cure: Take some thousands.
    #[error("an interval needs resamples, got none")]
    NoResamples,
}
