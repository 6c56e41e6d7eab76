//! `DepthToSpace` and `SpaceToDepth`: channels become blocks of cells, and back.

use convscope_runtime::layer::{Reshape, Transposition};
use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::refusal::Refusal;

pub(super) fn depth_to_space(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    let (input, [channels, height, width], block) = blocks(call)?;
    let Some(depth) = block.checked_mul(block).filter(|area| channels.is_multiple_of(*area)) else {
        return Err(does_not_divide(block, &format!("{channels} channels")));
    };
    let depth = channels / depth;
    let (split, order) = match call.attributes.text("mode")?.unwrap_or("DCR") {
        "DCR" => ([block, block, depth, height, width], [0, 3, 4, 1, 5, 2]),
        "CRD" => ([depth, block, block, height, width], [0, 1, 4, 2, 5, 3]),
        mode => return Err(Refusal::Invalid(format!("its mode {mode} does not exist"))),
    };
    let joined = [depth, height.saturating_mul(block), width.saturating_mul(block)];
    moved(call, input, &split, &order, &joined)
}

pub(super) fn space_to_depth(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    let (input, [channels, height, width], block) = blocks(call)?;
    if !height.is_multiple_of(block) || !width.is_multiple_of(block) {
        return Err(does_not_divide(block, &format!("a map of {height}x{width}")));
    }
    let split = [channels, height / block, block, width / block, block];
    let depth = channels.saturating_mul(block).saturating_mul(block);
    let joined = [depth, height / block, width / block];
    moved(call, input, &split, &[0, 3, 5, 1, 2, 4], &joined)
}

/// Returns the input, its channels, height and width, and the extent of a block.
fn blocks(call: &mut Call<'_, '_>) -> Result<(ValueId, [usize; 3], usize), Refusal> {
    call.at_most(1)?;
    let input = call.value(0)?;
    let [height, width] = call.map_size(input)?;
    let channels = call.shape(input).extents().get(1).copied().unwrap_or(0);
    let block = call.attributes.integer("blocksize")?;
    let block = block.ok_or_else(|| Refusal::invalid("its blocksize is missing"))?;
    match usize::try_from(block) {
        Ok(extent @ 1..) => Ok((input, [channels, height, width], extent)),
        _ => Err(Refusal::Invalid(format!("its blocksize is {block}"))),
    }
}

fn does_not_divide(block: usize, what: &str) -> Refusal {
    Refusal::Invalid(format!("its blocksize {block} does not divide {what}"))
}

fn moved(
    call: &mut Call<'_, '_>,
    input: ValueId,
    split: &[usize],
    order: &[usize],
    joined: &[usize],
) -> Result<ValueId, Refusal> {
    let parts = call.add_before("split", Reshape::new(split), &[input])?;
    let turned = call.add_before("turned", Transposition::new(order)?, &[parts])?;
    call.add(Reshape::new(joined), &[turned])
}

#[cfg(test)]
mod tests {
    use convscope_runtime::{CpuBackend, ForwardRequest, Keep, Tensor};

    use crate::proto::{GraphProto, NodeProto};
    use crate::testing::{Is, graph, load, model, node, refusal, value_info};

    fn blocks(operator: &str, block: i64) -> NodeProto {
        node(operator, "n", &["x"], &["y"]).with("blocksize", Is::Integer(block))
    }

    /// Runs a node on a picture of counted numbers.
    fn moved(node: NodeProto, shape: [usize; 4]) -> Vec<f32> {
        let extents = shape.map(|extent| extent.cast_signed() as i64);
        let input = vec![value_info("x", &extents)];
        let graph = GraphProto { input, ..graph(vec![node], "x", "y") };
        let network = load(&model(graph)).unwrap().network;
        let count: usize = shape.iter().product();
        let input = Tensor::new(shape, (0..count).map(|value| value as f32).collect()).unwrap();
        let captures = network.outputs();
        let request = ForwardRequest { captures, interventions: &[], keep: Keep::Output };
        let trace = network.forward(&CpuBackend::new(), &[input], &request).unwrap();
        trace.value(captures[0]).unwrap().to_host().unwrap().values().unwrap().to_vec()
    }

    #[test]
    fn channels_become_blocks_in_either_order_and_back() {
        let rows = moved(blocks("DepthToSpace", 2), [1, 8, 1, 1]);
        assert_eq!(rows, [0.0, 2.0, 4.0, 6.0, 1.0, 3.0, 5.0, 7.0]);
        let columns = blocks("DepthToSpace", 2).with("mode", Is::Text("CRD"));
        let columns = moved(columns, [1, 8, 1, 1]);
        assert_eq!(columns, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        let back = moved(blocks("SpaceToDepth", 2), [1, 2, 2, 2]);
        assert_eq!(back, [0.0, 4.0, 1.0, 5.0, 2.0, 6.0, 3.0, 7.0]);
    }

    #[test]
    fn blocks_that_do_not_fit_are_invalid() {
        assert_eq!(
            refusal(vec![blocks("DepthToSpace", 2)], vec![], 13),
            "DepthToSpace n: its blocksize 2 does not divide 3 channels"
        );
        assert_eq!(
            refusal(vec![blocks("SpaceToDepth", 3)], vec![], 13),
            "SpaceToDepth n: its blocksize 3 does not divide a map of 8x8"
        );
        assert_eq!(
            refusal(vec![blocks("SpaceToDepth", 0)], vec![], 13),
            "SpaceToDepth n: its blocksize is 0"
        );
        let missing = node("SpaceToDepth", "n", &["x"], &["y"]);
        assert_eq!(refusal(vec![missing], vec![], 13), "SpaceToDepth n: its blocksize is missing");
        let mode = blocks("DepthToSpace", 1).with("mode", Is::Text("RCD"));
        assert_eq!(refusal(vec![mode], vec![], 13), "DepthToSpace n: its mode RCD does not exist");
    }
}
