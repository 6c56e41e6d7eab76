//! The stored filters of Conv and `ConvTranspose`.

use convscope_runtime::Tensor;

use crate::call::Call;
use crate::refusal::Refusal;

/// The operands and groups of a convolution.
#[derive(Clone, Debug)]
pub(super) struct Filters {
    pub(super) weight: Tensor,
    pub(super) bias: Option<Tensor>,
    /// Extent `[height, width]` of the weight's kernels.
    pub(super) kernel: [usize; 2],
    pub(super) groups: usize,
}

/// Reads weight, bias and groups.
pub(super) fn filters(call: &Call<'_, '_>) -> Result<Filters, Refusal> {
    let weight = call.required_tensor(1, "weight")?;
    let bias = call.tensor(2, "bias")?;
    let &[_, _, height, width] = weight.shape().extents() else {
        let reason = format!("its weight has the shape {}, not four axes", weight.shape());
        return Err(Refusal::invalid(reason));
    };
    let groups = call.attributes.integer("group")?.unwrap_or(1);
    let groups = usize::try_from(groups).ok().filter(|&groups| groups > 0);
    let groups = groups.ok_or_else(|| Refusal::invalid("it has less than one group"))?;
    Ok(Filters { weight, bias, kernel: [height, width], groups })
}
