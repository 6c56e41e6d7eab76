//! How every operator becomes a layer. A new operator is one file and one line in the list.

mod arithmetic;
mod batch_normalization;
mod clip;
mod concat;
mod convolution;
mod gemm;
mod lrn;
mod matrix_product;
mod pass_through;
mod pooling;
mod rectifier;
mod reduce_mean;
mod reshape;
mod softmax;
mod split;
mod window;

use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::refusal::Refusal;

/// Turns a node into layers and returns the value of its first output: one of its operands where
/// the node changes nothing. An operator with several outputs says what the further ones hold
/// ([`Call::give`], [`Call::add_further`]).
type Convert = fn(&mut Call<'_, '_>) -> Result<ValueId, Refusal>;

/// Every operator that becomes a layer, alphabetical.
const OPERATORS: &[(&str, Convert)] = &[
    ("Add", arithmetic::add),
    ("AveragePool", pooling::average),
    ("BatchNormalization", batch_normalization::convert),
    ("Clip", clip::convert),
    ("Concat", concat::convert),
    ("Conv", convolution::convert),
    ("Div", arithmetic::divide),
    ("Dropout", pass_through::dropout),
    ("Flatten", reshape::flatten),
    ("Gemm", gemm::convert),
    ("GlobalAveragePool", pooling::global_average),
    ("Identity", pass_through::identity),
    ("LRN", lrn::convert),
    ("MatMul", matrix_product::convert),
    ("MaxPool", pooling::maximum),
    ("Mul", arithmetic::multiply),
    ("ReduceMean", reduce_mean::convert),
    ("Relu", rectifier::convert),
    ("Reshape", reshape::convert),
    ("Softmax", softmax::convert),
    ("Split", split::convert),
    ("Sub", arithmetic::subtract),
    ("Sum", arithmetic::add),
];

/// Finds how an operator becomes a layer.
pub(crate) fn find(operator: &str) -> Option<Convert> {
    OPERATORS.iter().find(|(name, _)| *name == operator).map(|&(_, convert)| convert)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_alphabetical() {
        assert!(OPERATORS.is_sorted_by_key(|(name, _)| *name));
    }
}
