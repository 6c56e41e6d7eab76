//! Tensors of the runtime as values of the protocol, and back, sharing the memory.

use convscope_protocol::Values;
use convscope_runtime::{HostArray, Tensor};

use crate::HostError;

/// Shares the values of a tensor; reads them back where they lie on a device.
pub(crate) fn values_of(tensor: &Tensor) -> Result<Values, HostError> {
    Ok(match tensor.to_host()?.host_array()? {
        HostArray::F32(array) => Values::F32(array.clone()),
        HostArray::U32(array) => Values::U32(array.clone()),
    })
}

/// Shares values as a tensor; `None` for bytes, which no network computes with.
pub(crate) fn tensor_of(values: &Values) -> Option<Tensor> {
    match values {
        Values::F32(array) => Some(HostArray::F32(array.clone()).into()),
        Values::U32(array) => Some(HostArray::U32(array.clone()).into()),
        Values::U8(_) => None,
    }
}
