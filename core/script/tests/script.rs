//! What scripts may say and what they are told, against a workbench without plugins or networks.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "script/analyses.rs"]
mod analyses;
#[path = "script/arrays.rs"]
mod arrays;
#[path = "script/correct.rs"]
mod correct;
#[path = "script/fake.rs"]
mod fake;
#[path = "script/imports.rs"]
mod imports;
#[path = "script/limits.rs"]
mod limits;
#[path = "script/mistakes.rs"]
mod mistakes;
#[path = "script/models.rs"]
mod models;
#[path = "script/paths.rs"]
mod paths;
#[path = "script/reports.rs"]
mod reports;
#[path = "script/settings.rs"]
mod settings;
#[path = "script/shipped.rs"]
mod shipped;
#[path = "script/text.rs"]
mod text;
#[path = "script/values.rs"]
mod values;
