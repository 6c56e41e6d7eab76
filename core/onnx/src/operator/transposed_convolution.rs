//! `ConvTranspose` with stored filters.

use convscope_runtime::layer::TransposedConvolution;
use convscope_runtime::network::ValueId;
use convscope_runtime::{ConvolutionGeometry, Padding, Window};

use super::filters::filters;
use super::window::{
    Automatic, Odd, automatic, automatic_alone, numbers, stated_padding, without_padding,
};
use crate::call::Call;
use crate::refusal::Refusal;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(3)?;
    let input = call.value(0)?;
    let size = call.map_size(input)?;
    let filters = filters(call)?;
    let window = without_padding(call, Some(filters.kernel))?;
    let (padding, extra) = borders(call, &window, size)?;
    let window = Window { padding, ..window };
    let geometry = ConvolutionGeometry { window, groups: filters.groups };
    let layer = TransposedConvolution::new(filters.weight, filters.bias, geometry, extra)?;
    call.add(layer, &[input])
}

/// Finds what is cropped off and what is added behind, so that the output has the size that the
/// node asks for.
fn borders(
    call: &Call<'_, '_>,
    window: &Window,
    size: [usize; 2],
) -> Result<(Padding, [usize; 2]), Refusal> {
    let extra = numbers(call, "output_padding", 0)?.unwrap_or_default();
    let stated = output_shape(call)?;
    if stated.is_some() {
        // The pads follow from the shape.
        call.attributes.ignore("pads");
    }
    let (odd, wanted) = match stated {
        Some(wanted) => match automatic_alone(call)? {
            Some(Automatic::Same(odd)) => (odd, wanted),
            None | Some(Automatic::Valid) => (Odd::Before, wanted),
        },
        None => match automatic(call)? {
            None => return Ok((stated_padding(call)?, extra)),
            Some(Automatic::Valid) => return Ok((Padding::default(), extra)),
            Some(Automatic::Same(odd)) => {
                (odd, [0, 1].map(|axis| size[axis].saturating_mul(window.stride[axis])))
            }
        },
    };
    let whole = [0, 1].map(|axis| {
        let reach = size[axis].saturating_sub(1).saturating_mul(window.stride[axis]);
        reach.saturating_add(window.span()[axis]).saturating_add(extra[axis])
    });
    let missing = [0, 1].map(|axis| wanted[axis].saturating_sub(whole[axis]));
    if stated.is_none() && missing != [0, 0] {
        // The specification makes the maps larger, onnxruntime does not.
        let reason = "programs differ in what its auto_pad means where the windows do not reach as \
                      far as the stride; write the pads out";
        return Err(Refusal::unsupported(reason));
    }
    let padding = odd.share([0, 1].map(|axis| whole[axis].saturating_sub(wanted[axis])));
    Ok((padding, [0, 1].map(|axis| extra[axis].saturating_add(missing[axis]))))
}

/// Reads the size of the output; some files state images and channels before it.
fn output_shape(call: &Call<'_, '_>) -> Result<Option<[usize; 2]>, Refusal> {
    match call.attributes.integers("output_shape")? {
        Some([_, _, _, _]) => {
            let [_, _, height, width] = numbers(call, "output_shape", 0)?.unwrap_or_default();
            Ok(Some([height, width]))
        }
        _ => numbers(call, "output_shape", 1),
    }
}

#[cfg(test)]
mod tests {
    use crate::proto::{NodeProto, TensorProto};
    use crate::testing::{Is, node, reals, refusal, shape_of};

    fn transposed() -> NodeProto {
        node("ConvTranspose", "n", &["x", "w"], &["y"])
    }

    fn weight(kernel: i64) -> Vec<TensorProto> {
        let count = 3 * 4 * kernel * kernel;
        vec![reals("w", &[3, 4, kernel, kernel], &vec![0.5; count as usize])]
    }

    fn shape(node: NodeProto) -> Vec<usize> {
        shape_of(vec![node], weight(3), 13)
    }

    #[test]
    fn the_size_follows_from_strides_paddings_and_what_is_added() {
        assert_eq!(shape(transposed()), [1, 4, 10, 10]);
        let node = transposed().with("strides", Is::Integers(&[2, 3]));
        assert_eq!(shape(node.clone()), [1, 4, 17, 24]);
        let valid = node.clone().with("auto_pad", Is::Text("VALID"));
        assert_eq!(shape(valid), [1, 4, 17, 24]);
        let node = node.with("output_padding", Is::Integers(&[1, 2]));
        assert_eq!(shape(node.clone()), [1, 4, 18, 26]);
        let node = node.with("pads", Is::Integers(&[0, 1, 2, 3]));
        assert_eq!(shape(node.clone()), [1, 4, 16, 22]);
        assert_eq!(shape(node.with("dilations", Is::Integers(&[2, 1]))), [1, 4, 18, 22]);
    }

    #[test]
    fn groups_divide_the_input() {
        let node = transposed().with("group", Is::Integer(3));
        assert_eq!(shape(node.clone()), [1, 12, 10, 10]);
        let mut biased = node;
        biased.input.push("b".into());
        let stored = || [weight(3), vec![reals("b", &[12], &[1.0; 12])]].concat();
        assert_eq!(shape_of(vec![biased], stored(), 13), [1, 12, 10, 10]);
        let wrong = transposed().with("group", Is::Integer(2));
        assert_eq!(
            refusal(vec![wrong], weight(3), 13),
            "ConvTranspose n: transposed_convolution: expected groups that divide 3 filters, got 2 \
             groups"
        );
    }

    #[test]
    fn the_size_may_be_stated_or_chosen() {
        let node = transposed().with("strides", Is::Integers(&[2, 2]));
        for same in ["SAME_UPPER", "SAME_LOWER"] {
            let same = node.clone().with("auto_pad", Is::Text(same));
            assert_eq!(shape(same.clone()), [1, 4, 16, 16]);
            let stated = same.with("output_shape", Is::Integers(&[15, 16]));
            assert_eq!(shape(stated), [1, 4, 15, 16]);
        }
        for sizes in [&[14, 18][..], &[1, 4, 14, 18], &[0, 0, 14, 18]] {
            let stated = node.clone().with("output_shape", Is::Integers(sizes));
            // The pads of such a node do not count.
            let stated = stated.with("pads", Is::Integers(&[5, 5, 5, 5]));
            assert_eq!(shape(stated), [1, 4, 14, 18]);
        }
        let far = node.with("output_shape", Is::Integers(&[19, 18]));
        assert_eq!(
            refusal(vec![far], weight(3), 13),
            "ConvTranspose n: transposed_convolution: expected fewer extra rows and columns than \
             the stride [2, 2], got [2, 1]"
        );
    }

    #[test]
    fn what_programs_understand_differently_is_refused() {
        let node = transposed().with("strides", Is::Integers(&[2, 2]));
        let same = node.with("auto_pad", Is::Text("SAME_UPPER"));
        assert_eq!(
            refusal(vec![same.clone()], weight(1), 13),
            "one node is not supported:\n  ConvTranspose n: programs differ in what its auto_pad \
             means where the windows do not reach as far as the stride; write the pads out"
        );
        let both = same.with("pads", Is::Integers(&[1, 1, 1, 1]));
        assert_eq!(
            refusal(vec![both], weight(3), 13),
            "ConvTranspose n: it has both pads and auto_pad"
        );
    }

    #[test]
    fn paddings_that_leave_nothing_and_computed_weights_are_refused() {
        let nothing = transposed().with("pads", Is::Integers(&[5, 0, 5, 0]));
        assert!(
            refusal(vec![nothing], weight(3), 13).contains("something is left within the padding")
        );
        let computed = node("ConvTranspose", "n", &["x", "x"], &["y"]);
        assert!(refusal(vec![computed], vec![], 13).contains("its weight x is computed"));
    }
}
