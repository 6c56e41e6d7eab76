//! What a Rhai script may say.
