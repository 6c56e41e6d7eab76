//! Draws figures and writes reports.
//!
//! [`write()`] turns a [`Report`] into a folder: `report.html`, `figures/NN-name.svg`,
//! `data/RESULT/NAME.npy` (tables as `.csv`) and `manifest.json`. The folder appears whole or not
//! at all. Figures and page hold no clock and no absolute path: the same input gives the same
//! bytes.
//!
//! Figures come as data, `convscope_protocol::figure`; this crate does not know who found what
//! it draws. Plotters draws them through a backend of our own on SVG.

#![forbid(unsafe_code)]

mod chart;
mod colour;
mod content;
mod data;
mod error;
mod figure;
mod folder;
mod font;
mod manifest;
mod markdown;
mod names;
mod network;
mod page;
mod pixels;
mod report;
mod svg;
mod theme;
mod write;

pub use error::ReportError;
pub use folder::check_folder;
pub use network::draw_network;
pub use report::{Entry, Ingredient, PluginOrigin, Provenance, Report};
pub use write::{Written, write};
