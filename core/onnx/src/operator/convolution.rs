//! Conv with stored filters.

use convscope_runtime::ConvolutionGeometry;
use convscope_runtime::layer::Convolution;
use convscope_runtime::network::ValueId;

use super::filters::filters;
use super::window::window;
use crate::call::Call;
use crate::refusal::Refusal;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(3)?;
    let input = call.value(0)?;
    let size = call.map_size(input)?;
    let filters = filters(call)?;
    let window = window(call, Some(filters.kernel), size)?;
    let geometry = ConvolutionGeometry { window, groups: filters.groups };
    call.add(Convolution::new(filters.weight, filters.bias, geometry)?, &[input])
}

#[cfg(test)]
mod tests {
    use crate::proto::{NodeProto, TensorProto};
    use crate::testing::{Is, integers, node, reals, refusal, shape_of};

    fn convolution() -> (NodeProto, Vec<TensorProto>) {
        let weight = reals("w", &[4, 3, 3, 3], &[0.5; 108]);
        (node("Conv", "n", &["x", "w"], &["y"]), vec![weight])
    }

    fn shape(node: NodeProto) -> Vec<usize> {
        shape_of(vec![node], convolution().1, 13)
    }

    #[test]
    fn paddings_are_explicit_or_chosen_so_that_the_size_stays() {
        let (node, _) = convolution();
        assert_eq!(shape(node.clone()), [1, 4, 6, 6]);
        let padded = node.clone().with("pads", Is::Integers(&[0, 1, 2, 3]));
        assert_eq!(shape(padded), [1, 4, 8, 10]);
        for same in ["SAME_UPPER", "SAME_LOWER"] {
            let strided = node.clone().with("auto_pad", Is::Text(same));
            assert_eq!(shape(strided.with("strides", Is::Integers(&[3, 2]))), [1, 4, 3, 4]);
        }
        let valid = node.with("auto_pad", Is::Text("VALID"));
        assert_eq!(shape(valid.with("dilations", Is::Integers(&[2, 1]))), [1, 4, 4, 6]);
    }

    #[test]
    fn what_programs_understand_differently_is_refused() {
        let (node, stored) = convolution();
        let node = node.with("auto_pad", Is::Text("SAME_UPPER"));
        let node = node.with("dilations", Is::Integers(&[2, 1]));
        assert!(refusal(vec![node], stored, 13).contains("auto_pad with dilations"));
    }

    #[test]
    fn groups_divide_channels() {
        let weight = vec![reals("w", &[6, 1, 1, 1], &[1.0; 6])];
        let node = node("Conv", "n", &["x", "w"], &["y"]);
        let depthwise = node.clone().with("group", Is::Integer(3));
        assert_eq!(shape_of(vec![depthwise], weight.clone(), 13), [1, 6, 8, 8]);
        for groups in [0, 1, 4, -1] {
            let wrong = node.clone().with("group", Is::Integer(groups));
            let refusal = refusal(vec![wrong], weight.clone(), 13);
            assert!(refusal.starts_with("Conv n: "), "{refusal}");
        }
    }

    #[test]
    fn numbers_that_no_window_has_are_invalid() {
        let (node, stored) = convolution();
        let refused = |attribute: &str, numbers: &[i64]| {
            let node = node.clone().with(attribute, Is::Integers(numbers));
            let refusal = refusal(vec![node], stored.clone(), 13);
            assert!(refusal.starts_with("Conv n: "), "{attribute} {numbers:?}: {refusal}");
        };
        refused("strides", &[0, 1]);
        refused("strides", &[1]);
        refused("dilations", &[1, -1]);
        refused("dilations", &[i64::MAX, 1]);
        refused("pads", &[-1, 0, 0, 0]);
        refused("pads", &[i64::MAX, 0, i64::MAX, 0]);
        refused("pads", &[1, 1]);
        refused("kernel_shape", &[3, 2]);
    }

    #[test]
    fn computed_filters_and_other_than_two_spatial_axes_are_refused() {
        let computed = node("Conv", "n", &["x", "x"], &["y"]);
        assert_eq!(
            refusal(vec![computed], vec![], 13),
            "one node is not supported:\n  Conv n: its weight x is computed; only a stored one is \
             supported"
        );
        let nodes = vec![
            node("Reshape", "r", &["x", "s"], &["line"]),
            node("Conv", "n", &["line", "w"], &["y"]),
        ];
        let stored = vec![integers("s", &[0, 3, 64]), reals("w", &[1, 3, 1], &[1.0; 3])];
        let refusal = refusal(nodes, stored, 13);
        assert!(refusal.ends_with("it has one spatial axis; only two are supported"), "{refusal}");
    }
}
