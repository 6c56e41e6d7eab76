//! Finds, checks, loads and serves plugins.
