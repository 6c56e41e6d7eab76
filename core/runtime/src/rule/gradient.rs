use super::BackwardRule;

/// Multiplies with the transposed Jacobian: the gradient. Simonyan et al. (2013).
#[derive(Clone, Copy, Debug)]
pub struct Gradient;

impl BackwardRule for Gradient {
    fn name(&self) -> &'static str {
        "gradient"
    }
}
