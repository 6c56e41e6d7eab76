//! How far a number over a sample, such as the mean over some pictures, can be trusted.
//!
//! ```
//! use convscope_statistics::{Bootstrap, bootstrap_mean};
//!
//! let drops = [0.31, 0.44, 0.12, 0.53, 0.27, 0.40];
//! let mean = bootstrap_mean(&drops, &Bootstrap::seeded(1))?;
//! assert!(mean.low < mean.value && mean.value < mean.high);
//! # Ok::<(), convscope_statistics::StatisticsError>(())
//! ```

#![forbid(unsafe_code)]

mod bootstrap;
mod error;
mod normal;
mod random;

pub use bootstrap::{Bootstrap, Interval, bootstrap_mean};
pub use error::StatisticsError;
pub use random::Random;
