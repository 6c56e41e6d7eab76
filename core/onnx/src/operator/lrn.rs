//! LRN: local response normalization across channels.

use convscope_runtime::backend;
use convscope_runtime::layer::ResponseNormalization;
use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::refusal::Refusal;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(1)?;
    let input = call.value(0)?;
    call.map_size(input)?;
    let size = call.attributes.integer("size")?;
    let size = size.and_then(|size| usize::try_from(size).ok());
    if size.is_some_and(|size| size > 0 && size % 2 == 0) {
        // ONNX puts the odd channel behind, torch before; onnxruntime refuses.
        let reason = "its size is even, and programs differ in which channels that takes";
        return Err(Refusal::unsupported(reason));
    }
    let form = backend::ResponseNormalization {
        size: size.ok_or_else(|| Refusal::invalid("its size is missing or negative"))?,
        alpha: call.attributes.real("alpha")?.unwrap_or(1e-4),
        beta: call.attributes.real("beta")?.unwrap_or(0.75),
        bias: call.attributes.real("bias")?.unwrap_or(1.0),
    };
    call.add(ResponseNormalization::new(form)?, &[input])
}

#[cfg(test)]
mod tests {
    use crate::testing::{Is, node, refusal, shape_of};

    #[test]
    fn a_size_that_is_odd_is_needed() {
        let lrn = node("LRN", "n", &["x"], &["y"]);
        let sized = |size| lrn.clone().with("size", Is::Integer(size));
        assert_eq!(shape_of(vec![sized(5)], vec![], 13), [1, 3, 8, 8]);
        for wrong in [lrn.clone(), sized(0), sized(-1)] {
            assert!(refusal(vec![wrong], vec![], 13).starts_with("LRN n: "));
        }
        assert!(refusal(vec![sized(4)], vec![], 13).contains("LRN n: its size is even"));
    }
}
