//! `MaxUnpool`, by the positions of a `MaxPool` of the same graph or by stored ones.

use convscope_runtime::layer::{MaxUnpooling, Switches};
use convscope_runtime::network::ValueId;
use convscope_runtime::{Tensor, Window};

use super::window::{numbers, stated_padding};
use crate::call::{Call, Known};
use crate::constant::{Constant, Integers};
use crate::refusal::Refusal;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(3)?;
    let input = call.value(0)?;
    let inferred = inferred_size(call, call.map_size(input)?)?;
    let size = stated_size(call)?.unwrap_or(inferred);
    let Some(indices) = call.operand(1) else {
        return Err(Refusal::invalid("its indices are missing"));
    };
    let switches = match &indices.known {
        Known::Switches(pooling) => {
            let pooling = *pooling;
            let maps = call.map_size(pooling.pooled)?;
            if maps != size {
                return Err(Refusal::unsupported(format!(
                    "its indices count the cells of maps of {maps:?}, but it makes maps of {size:?}"
                )));
            }
            let switches =
                Switches::OfPooling { window: pooling.window, rounding: pooling.rounding };
            return call.add(MaxUnpooling::new(switches)?, &[input, pooling.pooled]);
        }
        Known::Constant(Constant::Integer(indices)) => indices,
        Known::Constant(Constant::Real(_)) => {
            return Err(Refusal::invalid("its indices hold real numbers"));
        }
        Known::ChannelsLast(_) | Known::Computed(_) | Known::Lost => {
            return Err(Refusal::unsupported(format!(
                "its indices {} are neither stored nor those of a MaxPool",
                indices.name
            )));
        }
    };
    if size != inferred {
        // onnxruntime counts the cells of the stated size, the reference those of the other.
        let reason = format!(
            "programs differ in what its indices count where its output_shape says {size:?} and \
             its window {inferred:?}"
        );
        return Err(Refusal::unsupported(reason));
    }
    let positions = positions(switches, size)?;
    call.add(MaxUnpooling::new(Switches::Stored { positions, size })?, &[input])
}

/// Computes the size of which a pooling with this window would make that of the input.
fn inferred_size(call: &Call<'_, '_>, size: [usize; 2]) -> Result<[usize; 2], Refusal> {
    let kernel = numbers(call, "kernel_shape", 1)?;
    let kernel = kernel.ok_or_else(|| Refusal::invalid("its kernel_shape is missing"))?;
    let stride = numbers(call, "strides", 1)?.unwrap_or([1, 1]);
    let window = Window { stride, padding: stated_padding(call)?, ..Window::of(kernel) };
    let nothing = || Refusal::invalid("its pads leave nothing of its output");
    let mut inferred = [0; 2];
    for axis in [0, 1] {
        let [before, behind] = window.padding_of(axis);
        let reach = size[axis].saturating_sub(1).saturating_mul(stride[axis]);
        let whole = reach.saturating_add(kernel[axis]);
        inferred[axis] = whole.checked_sub(before + behind).ok_or_else(nothing)?;
    }
    Ok(inferred)
}

/// Reads the size that the node asks for.
fn stated_size(call: &Call<'_, '_>) -> Result<Option<[usize; 2]>, Refusal> {
    let Some(list) = call.integers(2, "output_shape")? else { return Ok(None) };
    let wrong = || Refusal::invalid(format!("its output_shape is {list:?}"));
    let &[_, _, height, width] = list else { return Err(wrong()) };
    let [height, width] = [height, width].map(usize::try_from);
    Ok(Some([height.map_err(|_| wrong())?, width.map_err(|_| wrong())?]))
}

/// Turns positions that count the cells of all maps into those within each.
fn positions(indices: &Integers, size: [usize; 2]) -> Result<Tensor, Refusal> {
    let &[1, channels, rows, columns] = indices.shape.extents() else {
        let reason = format!("its indices of shape {} are not those of one image", indices.shape);
        return Err(Refusal::unsupported(reason));
    };
    let area = size[0].saturating_mul(size[1]);
    let cells = rows.saturating_mul(columns).max(1);
    let within = |(at, &index): (usize, &i64)| {
        let index = usize::try_from(index).ok();
        let place = index.and_then(|index| index.checked_sub((at / cells).saturating_mul(area)));
        match place.filter(|&place| place < area).and_then(|place| u32::try_from(place).ok()) {
            Some(place) => Ok(place),
            None if index.is_some_and(|index| index < channels.saturating_mul(area)) => {
                Err(Refusal::unsupported("its indices bring values to other channels"))
            }
            None => Err(Refusal::invalid("its indices hold one outside of its output")),
        }
    };
    let places = indices.values.iter().enumerate().map(within).collect::<Result<Vec<u32>, _>>()?;
    Ok(Tensor::indices(indices.shape.clone(), places)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integer_type::IntegerType;
    use crate::proto::{NodeProto, TensorProto};
    use crate::testing::{Is, integers, load_nodes, node, reals, refusal, shape_of};

    fn pool() -> NodeProto {
        node("MaxPool", "pool", &["x"], &["p", "i"])
            .with("kernel_shape", Is::Integers(&[3, 2]))
            .with("strides", Is::Integers(&[2, 2]))
    }

    fn unpool(inputs: &[&str]) -> NodeProto {
        node("MaxUnpool", "n", inputs, &["y"])
            .with("kernel_shape", Is::Integers(&[2, 2]))
            .with("strides", Is::Integers(&[2, 2]))
    }

    fn shaped(name: &str, dims: &[i64], values: &[i64]) -> TensorProto {
        TensorProto { dims: dims.to_vec(), ..integers(name, values) }
    }

    fn three(values: [i64; 3]) -> Integers {
        Integers { kind: IntegerType::Int64, shape: [1, 3, 1, 1].into(), values: values.into() }
    }

    #[test]
    fn the_positions_of_a_pooling_are_found_again() {
        let nodes = || vec![pool(), node("Relu", "r", &["p"], &["q"]), unpool(&["q", "i", "s"])];
        let stored = |size: [i64; 2]| vec![integers("s", &[1, 3, size[0], size[1]])];
        let network = load_nodes(nodes(), stored([8, 8]), 11).unwrap().network;
        let layer = network.nodes().last().unwrap();
        assert_eq!(layer.layer.kind(), convscope_runtime::LayerKind::MaxUnpooling);
        assert_eq!(layer.inputs[1], network.find("x").unwrap());
        assert_eq!(network.value(layer.output).shape.extents(), [1, 3, 8, 8]);
        assert_eq!(
            refusal(nodes(), stored([9, 8]), 11),
            "one node is not supported:\n  MaxUnpool n: its indices count the cells of maps of \
             [8, 8], but it makes maps of [9, 8]"
        );
        let inferred = vec![pool(), unpool(&["p", "i"])];
        assert!(refusal(inferred, vec![], 11).ends_with("but it makes maps of [6, 8]"));
    }

    #[test]
    fn the_size_is_inferred_from_the_window() {
        let even = || {
            node("MaxPool", "pool", &["x"], &["p", "i"])
                .with("kernel_shape", Is::Integers(&[2, 2]))
                .with("strides", Is::Integers(&[2, 2]))
        };
        assert_eq!(shape_of(vec![even(), unpool(&["p", "i"])], vec![], 11), [1, 3, 8, 8]);
        let padded = unpool(&["p", "i"]).with("pads", Is::Integers(&[4, 0, 5, 0]));
        assert_eq!(
            refusal(vec![even(), padded], vec![], 11),
            "MaxUnpool n: its pads leave nothing of its output"
        );
    }

    fn small() -> Vec<NodeProto> {
        vec![node("GlobalAveragePool", "g", &["x"], &["p"]), unpool(&["p", "i"])]
    }

    #[test]
    fn stored_positions_count_the_cells_of_all_channels() {
        let indices = |values: &[i64]| vec![shaped("i", &[1, 3, 1, 1], values)];
        assert_eq!(shape_of(small(), indices(&[3, 4, 10]), 11), [1, 3, 2, 2]);
        let tensor = positions(&three([3, 4, 10]), [2, 2]);
        assert_eq!(tensor.unwrap().positions().unwrap(), [3, 0, 2]);
        let far = three([3, 4, 10]);
        assert!(positions(&far, [usize::MAX, 2]).is_err());
        assert!(refusal(small(), indices(&[4, 4, 10]), 11).ends_with("values to other channels"));
        for outside in [12, -1] {
            assert_eq!(
                refusal(small(), indices(&[3, 4, outside]), 11),
                "MaxUnpool n: its indices hold one outside of its output"
            );
        }
        let two = vec![shaped("i", &[2, 3, 1, 1], &[0; 6])];
        assert!(refusal(small(), two, 11).ends_with("[2, 3, 1, 1] are not those of one image"));
        let others = vec![shaped("i", &[1, 3, 1, 2], &[0, 1, 4, 5, 8, 9])];
        assert!(refusal(small(), others, 11).contains("a value for each switch"));
    }

    #[test]
    fn positions_that_cannot_be_read_are_refused() {
        let mut nodes = small();
        nodes[1].input.push("s".into());
        let stored =
            |size: &[i64]| vec![shaped("i", &[1, 3, 1, 1], &[0, 4, 8]), integers("s", size)];
        assert!(
            refusal(nodes.clone(), stored(&[1, 3, 3, 2]), 11)
                .contains("programs differ in what its indices count")
        );
        for wrong in [&[3, 2][..], &[1, 3, -1, 2]] {
            assert_eq!(
                refusal(nodes.clone(), stored(wrong), 11),
                format!("MaxUnpool n: its output_shape is {wrong:?}")
            );
        }
        let computed = vec![small().remove(0), unpool(&["p", "p"])];
        assert!(
            refusal(computed, vec![], 11)
                .ends_with("its indices p are neither stored nor those of a MaxPool")
        );
        let real = vec![reals("i", &[1, 3, 1, 1], &[0.0; 3])];
        assert_eq!(refusal(small(), real, 11), "MaxUnpool n: its indices hold real numbers");
        let none = vec![small().remove(0), unpool(&["p"])];
        assert_eq!(refusal(none, vec![], 11), "MaxUnpool n: its indices are missing");
        let windowless = vec![pool(), node("MaxUnpool", "n", &["p", "i"], &["y"])];
        assert_eq!(refusal(windowless, vec![], 11), "MaxUnpool n: its kernel_shape is missing");
    }
}
