//! The fuzz targets of convscope.

pub mod graph;
pub mod targets;
