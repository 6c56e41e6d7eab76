//! Tensors, layers, networks and their inversion.
//!
//! The heart is small: a [`Layer`] goes forward, a [`LayerInversion`] carries a signal back, a
//! [`rule::BackwardRule`] says how, and a [`Composite`] of rules is a method such as the deconvnet.

pub mod backend;
pub mod composite;
pub mod error;
pub mod geometry;
pub mod host;
pub mod layer;
pub mod network;
pub mod rule;
pub mod shape;
pub mod tensor;

pub use backend::{
    Awake, Backend, Binary, Canvas, Computed, ConvolutionForms, ConvolutionGeometry, CpuBackend,
    DeltaKernels, Deltas, Divisor, Epilogue, HostDeltas, Isa, Orientation, Overlap, Patch, Peaks,
    PlainBackend, Regions, ResponseNormalization, Side, Unary,
};
pub use composite::{Composite, Selector};
pub use error::{BackendError, LayerError};
pub use geometry::{Padding, Region, Rounding, Window};
pub use layer::{Keep, Layer, LayerInversion, LayerKind, Reach, Reads, Record, Work};
pub use network::{
    Edit, Extent, Field, ForwardRequest, Intervention, Network, NetworkBuilder, NetworkError,
    NodeId, Origin, Trace, ValueId,
};
pub use shape::Shape;
pub use tensor::{DeviceTensor, Element, HostArray, Tensor};
