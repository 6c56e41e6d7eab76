//! Relu.

use convscope_runtime::layer::Rectifier;
use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::refusal::Refusal;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(1)?;
    let input = call.value(0)?;
    call.add(Rectifier, &[input])
}
