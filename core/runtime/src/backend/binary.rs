/// An element-wise function of two values, broadcast as in ONNX (trailing axes aligned).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Binary {
    /// a + b.
    Add,
    /// a / b.
    Divide,
    /// a where `low < b < high`, else 0: a signal gated by the input of a rectifier or clip.
    Gate {
        /// Exclusive lower limit.
        low: f32,
        /// Exclusive upper limit.
        high: f32,
    },
    /// The larger of a and b: a where they are equal, and NaN where one is.
    Maximum,
    /// The smaller of a and b: a where they are equal, and NaN where one is.
    Minimum,
    /// a · b.
    Multiply,
    /// a where it is not negative, else a · b.
    ParametricRectify,
    /// a to the power of b.
    Power,
    /// a − b.
    Subtract,
}

/// One of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first.
    First,
    /// The second.
    Second,
}
