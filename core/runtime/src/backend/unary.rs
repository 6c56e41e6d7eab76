/// An element-wise function of one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    /// |x|; its derivative at 0 counts as 0.
    Absolute,
    /// x limited to `low..=high`.
    Clip {
        /// The smallest result.
        low: f32,
        /// The largest result.
        high: f32,
    },
    /// erf(x), which the written-out GELU is made of.
    ErrorFunction,
    /// eˣ.
    Exponential,
    /// `gain · x` where x > 0, else `gain · alpha · (e^(rate · x) − 1)`. Clevert et al. (2015), with
    /// the gain of Klambauer et al. (2017) and the rate of Barron (2017).
    ExponentialLinear {
        /// How far negative results reach.
        alpha: f32,
        /// Factor of all results.
        gain: f32,
        /// Factor of a negative x in the exponent.
        rate: f32,
    },
    /// x · Φ(x), where Φ is the distribution function of the normal distribution. Hendrycks &
    /// Gimpel (2016).
    Gelu,
    /// `x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 · x³)))`, which approximates [`Unary::Gelu`].
    GeluByTanh,
    /// `slope · x + offset` limited to 0 to 1.
    HardSigmoid {
        /// Factor of x.
        slope: f32,
        /// The result at 0.
        offset: f32,
    },
    /// x times x / 6 + 1 / 2 limited to 0 to 1. Howard et al. (2019), section 5.2.
    HardSwish,
    /// x where x > 0, else x times a small slope. Maas et al. (2013).
    LeakyRectify(f32),
    /// ln x.
    Logarithm,
    /// x · tanh(ln(1 + eˣ)). Misra (2019).
    Mish,
    /// x to a power.
    Power(f32),
    /// 1 / x.
    Reciprocal,
    /// max(x, 0).
    Rectify,
    /// x · factor.
    Scale(f32),
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
    /// ln(1 + eˣ).
    Softplus,
    /// x / (1 + |x|).
    Softsign,
    /// √x.
    SquareRoot,
    /// x / (1 + e^(−factor · x)); with the factor 1 also called `SiLU`. Ramachandran et al. (2017).
    Swish(f32),
    /// tanh x.
    Tanh,
    /// x where x is above a threshold, else 0.
    Threshold(f32),
}
