//! Reports as their readers get them: files, figures, pages.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic")]

mod folders;
mod layout;
mod maps;
mod occlusion;
mod pages;
mod pictures;
mod refusals;
mod sample;
mod snapshots;
mod whole;
