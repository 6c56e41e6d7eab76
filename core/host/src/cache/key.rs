//! Keys: hashes of everything that decides what is computed.

use std::fmt;

/// The name of an entry: equal keys mean equal contents.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key([u8; 32]);

impl Key {
    /// Returns the 32 bytes.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key in the making: parts are added one by one, and where one ends is part of the key.
#[derive(Clone, Debug)]
pub(crate) struct Parts(blake3::Hasher);

impl Parts {
    /// Begins with nothing.
    pub(crate) fn new() -> Self {
        Self(blake3::Hasher::new_derive_key("convscope 2026 keys of cached results"))
    }

    /// Adds a part.
    #[must_use]
    pub(crate) fn with(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    /// Makes the key.
    pub(crate) fn key(&self) -> Key {
        Key(*self.0.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_where_parts_or_their_ends_do() {
        let key = |parts: &[&str]| parts.iter().fold(Parts::new(), Parts::with).key().to_string();
        assert_eq!(key(&["ab", "c"]).len(), 64);
        assert_eq!(key(&["ab", "c"]), key(&["ab", "c"]));
        for other in [&["a", "bc"][..], &["abc"], &["ab", "c", ""], &["c", "ab"]] {
            assert_ne!(key(&["ab", "c"]), key(other), "{other:?}");
        }
    }
}
