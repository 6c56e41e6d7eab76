//! How every operator becomes a layer. A new operator is one file and one line in the list.

mod arithmetic;
mod batch_normalization;
mod clip;
mod concat;
mod convolution;
mod depth_to_space;
pub(crate) mod element_wise;
mod filters;
mod gather;
mod gemm;
mod lrn;
mod matrix_product;
mod max_unpool;
mod pad;
mod pass_through;
mod pooling;
mod reduction;
mod repetition;
mod reshape;
mod slice;
mod softmax;
mod split;
mod squeeze;
mod standardization;
mod transpose;
mod transposed_convolution;
mod window;

use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::refusal::Refusal;

/// Turns a node into layers and returns the value of its first output: one of its operands where
/// the node changes nothing. An operator with several outputs says what the further ones hold
/// ([`Call::give`], [`Call::add_further`]).
type Convert = fn(&mut Call<'_, '_>) -> Result<ValueId, Refusal>;

/// Every operator that becomes a layer, alphabetical; `element_wise.rs` lists those that apply a
/// function to every element.
const OPERATORS: &[(&str, Convert)] = &[
    ("Add", arithmetic::add),
    ("AveragePool", pooling::average),
    ("BatchNormalization", batch_normalization::convert),
    ("Cast", pass_through::cast),
    ("Clip", clip::convert),
    ("Concat", concat::convert),
    ("Conv", convolution::convert),
    ("ConvTranspose", transposed_convolution::convert),
    ("DepthToSpace", depth_to_space::depth_to_space),
    ("Div", arithmetic::divide),
    ("Dropout", pass_through::dropout),
    ("Expand", repetition::expand),
    ("Flatten", reshape::flatten),
    ("Gather", gather::convert),
    ("Gemm", gemm::convert),
    ("GlobalAveragePool", pooling::global_average),
    ("GlobalMaxPool", reduction::global_maximum),
    ("GroupNormalization", standardization::group),
    ("Identity", pass_through::identity),
    ("InstanceNormalization", standardization::instance),
    ("LRN", lrn::convert),
    ("LayerNormalization", standardization::layer),
    ("LogSoftmax", softmax::logarithmic),
    ("MatMul", matrix_product::convert),
    ("Max", arithmetic::maximum),
    ("MaxPool", pooling::maximum),
    ("MaxUnpool", max_unpool::convert),
    ("Min", arithmetic::minimum),
    ("Mul", arithmetic::multiply),
    ("PRelu", arithmetic::parametric_rectifier),
    ("Pad", pad::convert),
    ("Pow", arithmetic::power),
    ("ReduceMax", reduction::maximum),
    ("ReduceMean", reduction::mean),
    ("ReduceMin", reduction::minimum),
    ("ReduceSum", reduction::sum),
    ("Reshape", reshape::convert),
    ("Slice", slice::convert),
    ("Softmax", softmax::convert),
    ("SpaceToDepth", depth_to_space::space_to_depth),
    ("Split", split::convert),
    ("Squeeze", squeeze::squeeze),
    ("Sub", arithmetic::subtract),
    ("Sum", arithmetic::add),
    ("Tile", repetition::tile),
    ("Transpose", transpose::convert),
    ("Unsqueeze", squeeze::unsqueeze),
];

/// Finds how an operator becomes a layer.
pub(crate) fn find(operator: &str) -> Option<Convert> {
    if element_wise::is_known(operator) {
        return Some(element_wise::convert);
    }
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
