//! Which instruction set the kernels use.

use std::fmt;

use crate::BackendError;

/// The variable that overrides what the processor offers.
const OVERRIDE: &str = "CONVSCOPE_ISA";

/// An instruction set that kernels exist for, ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Whatever the compiler's target has.
    Portable,
    /// AVX2 and FMA: 8 lanes.
    Avx2,
    /// AVX-512: 16 lanes.
    Avx512,
}

impl Isa {
    /// All of them, ascending.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// Returns the best instruction set of this processor, or what `CONVSCOPE_ISA` says.
    ///
    /// # Errors
    /// Fails when the variable names none, or one that this processor does not have.
    pub fn detect() -> Result<Self, BackendError> {
        match std::env::var(OVERRIDE) {
            Ok(name) => Self::of_name(&name),
            Err(_) => Ok(Self::best()),
        }
    }

    /// Returns the best instruction set of this processor.
    pub fn best() -> Self {
        Self::available().last().unwrap_or(Self::Portable)
    }

    /// Lists the instruction sets of this processor, ascending.
    pub fn available() -> impl DoubleEndedIterator<Item = Self> {
        Self::ALL.into_iter().filter(|isa| isa.is_available())
    }

    fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Self::Avx2.is_available() && is_x86_feature_detected!("avx512f"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// Returns the name that `CONVSCOPE_ISA` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    fn of_name(name: &str) -> Result<Self, BackendError> {
        Self::available().find(|isa| isa.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Self::available().map(Self::name).collect();
            BackendError::InstructionSet { wanted: name.to_owned(), available: names.join(", ") }
        })
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_set_is_found_by_its_name() {
        for isa in Isa::available() {
            assert_eq!(Isa::of_name(isa.name()).unwrap(), isa);
        }
        let names: Vec<&str> = Isa::available().map(Isa::name).collect();
        assert_eq!(
            Isa::of_name("sse9").unwrap_err().to_string(),
            format!(
                "CONVSCOPE_ISA asks for sse9; this processor has kernels for {}",
                names.join(", ")
            )
        );
    }

    #[test]
    fn the_portable_one_is_always_there() {
        assert_eq!(Isa::available().next(), Some(Isa::Portable));
    }
}
