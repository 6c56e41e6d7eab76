//! Draws figures and writes reports.
