//! What can go wrong while computing.

use thiserror::Error;

use crate::{Element, LayerKind, Shape};

/// An error of computing with tensors. A kernel was given what it cannot compute, or the device
/// failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BackendError {
    /// A tensor was made of too few or too many values.
    ///
    /// Cure: Hand over as many values as the shape has. From a file, the shape in its header and
    /// its data contradict each other: save it again.
    #[error("shape {shape} needs {} values, got {count}", shape.volume())]
    WrongCount {
        /// The shape asked for.
        shape: Shape,
        /// The number of values given.
        count: usize,
    },
    /// Values were asked of a tensor of positions, or the other way round.
    ///
    /// Cure: Ask for the elements that the tensor holds: real numbers or positions. Users cannot
    /// cause this; please report it.
    #[error("the tensor does not hold {0:?}")]
    WrongElement(Element),
    /// A host operation met a tensor that lies on a device.
    ///
    /// Cure: Read the tensor back first. Users cannot cause this; please report it.
    #[error("the tensor lies on a device; read it back first")]
    NotOnHost,
    /// A host tensor is not laid out in row-major order.
    ///
    /// Cure: Make a copy in row-major order first. Users cannot cause this; please report it.
    #[error("the tensor is not laid out in row-major order")]
    NotRowMajor,
    /// Operands of a kernel do not fit each other.
    ///
    /// Cure: With a model or pictures of your own: shapes contradict each other; compare them with
    /// what `convscope inspect` shows. With shapes that fit, please report it.
    #[error("{kernel}: expected {expected}, got shape {actual}")]
    Incompatible {
        /// The kernel.
        kernel: &'static str,
        /// What it needs, in words.
        expected: String,
        /// What it was given.
        actual: Shape,
    },
    /// The backend lacks a kernel. Nothing falls back to another backend by itself.
    ///
    /// Cure: In code: give the backend this kernel, or compute on the CPU's, which has them all.
    /// Users cannot cause this; please report it.
    #[error("backend {backend} has no kernel for {kernel}")]
    Unsupported {
        /// The backend.
        backend: String,
        /// What was asked for, in words.
        kernel: String,
    },
    /// The variable `CONVSCOPE_ISA` asks for kernels that there are not, or that this processor
    /// cannot run.
    ///
    /// Cure: Unset the variable, and the best kernels for this processor are used; or set it to one
    /// of those that the message lists.
    #[error("CONVSCOPE_ISA asks for {wanted}; this processor has kernels for {available}")]
    InstructionSet {
        /// What the variable says.
        wanted: String,
        /// What there is.
        available: String,
    },
    /// The device failed or vanished.
    ///
    /// Cure: Run it again. If the device stays lost, compute on the CPU's backend, the only one
    /// that the program uses.
    #[error("device {device} failed: {reason}")]
    Device {
        /// The device.
        device: String,
        /// Its own words.
        reason: String,
    },
}

/// An error of computing one layer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LayerError {
    /// The inputs do not fit the layer.
    ///
    /// Cure: With a model of your own: its layers do not fit together; export it anew and compare
    /// the shapes that `convscope inspect` shows. In code: give the layer inputs of the shapes for
    /// which it was made.
    #[error("{kind}: expected {expected}, got {actual}")]
    Invalid {
        /// The kind of layer.
        kind: LayerKind,
        /// What it needs, in words.
        expected: String,
        /// What it was given, in words.
        actual: String,
    },
    /// The record was made by a forward pass that kept outputs only.
    ///
    /// Cure: In code: run forward with `Keep::Inversion` before going backward. Users cannot cause
    /// this; please report it.
    #[error("{kind}: the record does not hold {missing}; run forward with Keep::Inversion")]
    IncompleteRecord {
        /// The kind of layer.
        kind: LayerKind,
        /// What is missing, in words.
        missing: &'static str,
    },
    /// The layer cannot do what was asked of it.
    ///
    /// Cure: Choose another method for this model: the rule asks more of the layer than it can do.
    /// With `Composite`, give the layer another rule by its name.
    #[error("{kind} cannot {what}")]
    Unsupported {
        /// The kind of layer.
        kind: LayerKind,
        /// What was asked of it, in words.
        what: &'static str,
    },
    /// The backend failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl LayerError {
    /// Says what a layer needs and what it was given.
    pub(crate) fn invalid(
        kind: LayerKind,
        expected: impl Into<String>,
        actual: impl Into<String>,
    ) -> Self {
        Self::Invalid { kind, expected: expected.into(), actual: actual.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_kernel_names_its_backend_and_passes_through_the_layer() {
        let missing = BackendError::Unsupported {
            backend: "wgpu".to_owned(),
            kernel: "unpooling of 3-D maps".to_owned(),
        };
        assert_eq!(
            LayerError::from(missing).to_string(),
            "backend wgpu has no kernel for unpooling of 3-D maps"
        );
    }

    #[test]
    fn a_device_that_failed_is_quoted() {
        let lost = BackendError::Device { device: "llvmpipe".into(), reason: "lost".into() };
        assert_eq!(lost.to_string(), "device llvmpipe failed: lost");
    }
}
