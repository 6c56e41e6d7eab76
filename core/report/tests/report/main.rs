//! Reports as their readers get them: files, figures, pages.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic")]

mod sample;
mod whole;
