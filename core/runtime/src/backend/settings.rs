//! What kernels are told besides their tensors.

use crate::{Region, Window};

/// How filters slide over maps, and how channels are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvolutionGeometry {
    /// The window of one filter.
    pub window: Window,
    /// Number of groups of channels that do not see each other; 1 for an ordinary convolution.
    pub groups: usize,
}

/// By what an average pooling divides the sum of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Divisor {
    /// By the number of cells of the map under the window.
    #[default]
    Cells,
    /// By the number of cells of the padded map under the window (`count_include_pad`); cells
    /// beyond the padding, which ceil rounding can reach, do not count.
    PaddedCells,
}

/// What a kernel does to its results before it stores them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Epilogue {
    /// Stores them as they are.
    #[default]
    None,
    /// Stores max(result, 0).
    Rectify,
}

/// Whether a matrix is read as it is or transposed (its last two axes exchanged).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Orientation {
    /// As it is.
    #[default]
    Plain,
    /// Rows and columns exchanged.
    Transposed,
}

/// What happens where several windows chose the same cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// Signals add up: unpooling is then the adjoint of pooling.
    #[default]
    Sum,
    /// The last window in row-major order wins.
    Overwrite,
}

/// Values to write over a part of one image's map, for interventions.
#[derive(Clone, Debug)]
pub struct Patch {
    /// The image within the batch.
    pub row: usize,
    /// The channels, `None` for all.
    pub channels: Option<Vec<usize>>,
    /// The cells, clipped to the map; `None` for all.
    pub region: Option<Region>,
    /// What is written: one number per channel of the patch, or a value per cell in row-major
    /// order `[channel, height, width]` of the patch.
    pub values: Vec<f32>,
}

/// Local response normalization across channels (Krizhevsky et al. 2012, section 3.3, in the form
/// of ONNX: `y = x / (bias + alpha / size · Σ x²)^beta` over `size` neighbouring channels).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResponseNormalization {
    /// Number of channels summed over.
    pub size: usize,
    /// Factor of the sum of squares.
    pub alpha: f32,
    /// Exponent.
    pub beta: f32,
    /// Constant below the exponent.
    pub bias: f32,
}
