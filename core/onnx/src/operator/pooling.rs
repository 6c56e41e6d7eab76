//! Poolings over windows and over whole maps.

use convscope_runtime::layer::{AveragePooling, GlobalAveragePooling, MaxPooling};
use convscope_runtime::network::ValueId;
use convscope_runtime::{Divisor, Rounding, Window};

use super::window::window;
use crate::call::{Call, Known, Pooling};
use crate::refusal::Refusal;

pub(super) fn maximum(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    let (pooled, window, rounding) = pooled(call)?;
    let by_columns = call.attributes.flag("storage_order")? == Some(true);
    if let Some(&Some(indices)) = call.further.first() {
        if by_columns {
            let reason = format!(
                "its further output {indices} is used, and counts cells column by column \
                 (storage_order = 1)"
            );
            return Err(Refusal::unsupported(reason));
        }
        call.give(indices, Known::Switches(Pooling { pooled, window, rounding }));
    }
    call.add(MaxPooling::new(window, rounding)?, &[pooled])
}

pub(super) fn average(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    let divisor = match call.attributes.flag("count_include_pad")? {
        Some(true) => Divisor::PaddedCells,
        _ => Divisor::Cells,
    };
    let (input, window, rounding) = pooled(call)?;
    call.add(AveragePooling::new(window, rounding, divisor)?, &[input])
}

pub(super) fn global_average(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(1)?;
    let input = call.value(0)?;
    call.map_size(input)?;
    call.add(GlobalAveragePooling::of_maps(), &[input])
}

fn pooled(call: &mut Call<'_, '_>) -> Result<(ValueId, Window, Rounding), Refusal> {
    call.at_most(1)?;
    let input = call.value(0)?;
    let size = call.map_size(input)?;
    let window = window(call, None, size)?;
    let rounding = match call.attributes.flag("ceil_mode")? {
        Some(true) => Rounding::Ceil,
        _ => Rounding::Floor,
    };
    Ok((input, window, rounding))
}

#[cfg(test)]
mod tests {
    use crate::proto::NodeProto;
    use crate::testing::{Is, node, refusal, shape_of};

    fn pool(operator: &str, kernel: &[i64], strides: &[i64]) -> NodeProto {
        node(operator, "n", &["x"], &["y"])
            .with("kernel_shape", Is::Integers(kernel))
            .with("strides", Is::Integers(strides))
    }

    #[test]
    fn ceil_mode_adds_the_last_window() {
        for operator in ["MaxPool", "AveragePool"] {
            let floor = pool(operator, &[3, 3], &[2, 2]);
            assert_eq!(shape_of(vec![floor.clone()], vec![], 13), [1, 3, 3, 3]);
            let ceil = floor.with("ceil_mode", Is::Integer(1));
            assert_eq!(shape_of(vec![ceil], vec![], 13), [1, 3, 4, 4]);
        }
    }

    #[test]
    fn a_window_in_the_padding_alone_is_invalid() {
        let nodes = vec![pool("MaxPool", &[2, 2], &[1, 1]).with("pads", Is::Integers(&[2; 4]))];
        assert!(refusal(nodes, vec![], 13).starts_with("MaxPool n: max_pooling: expected windows"));
    }

    #[test]
    fn positions_of_the_maxima_are_for_unpooling_only() {
        let mut first = pool("MaxPool", &[2, 2], &[2, 2]);
        first.output = vec!["a".into(), "places".into()];
        let unused = vec![first.clone(), node("Relu", "r", &["a"], &["y"])];
        assert_eq!(shape_of(unused, vec![], 13), [1, 3, 4, 4]);
        let used = vec![first.clone(), node("Add", "r", &["a", "places"], &["y"])];
        assert_eq!(
            refusal(used, vec![], 13),
            "one node is not supported:\n  Add r: its input places holds the positions of maxima, \
             which MaxUnpool alone can read"
        );
        first.output = vec!["a".into(), "y".into()];
        assert_eq!(
            refusal(vec![first.clone()], vec![], 13),
            "output y: it holds the positions of maxima"
        );
        let by_columns = first.with("storage_order", Is::Integer(1));
        assert_eq!(
            refusal(vec![by_columns], vec![], 13),
            "one node is not supported:\n  MaxPool n: its further output y is used, and counts \
             cells column by column (storage_order = 1)"
        );
    }

    #[test]
    fn automatic_paddings_have_their_odd_cell_behind_or_before() {
        for (automatic, shape) in [("SAME_UPPER", [1, 3, 4, 8]), ("VALID", [1, 3, 4, 7])] {
            let node = pool("MaxPool", &[2, 2], &[2, 1]).with("auto_pad", Is::Text(automatic));
            assert_eq!(shape_of(vec![node], vec![], 13), shape, "{automatic}");
        }
        let node = pool("AveragePool", &[2, 2], &[1, 1]).with("auto_pad", Is::Text("SAME"));
        assert_eq!(refusal(vec![node], vec![], 13), "AveragePool n: its auto_pad is \"SAME\"");
        let node = pool("AveragePool", &[2, 2], &[1, 1]).with("auto_pad", Is::Text("SAME_LOWER"));
        let dilated = node.with("dilations", Is::Integers(&[1, 2]));
        assert!(refusal(vec![dilated], vec![], 19).contains("auto_pad with dilations"));
    }

    #[test]
    fn a_pooling_without_kernel_is_invalid() {
        let nodes = vec![node("MaxPool", "n", &["x"], &["y"])];
        assert_eq!(refusal(nodes, vec![], 13), "MaxPool n: its kernel_shape is missing");
    }
}
