//! How much memory a pass takes, and how many items go through it at once.
//!
//! Free memory decides only how many items are in flight, never how one is computed.

use std::collections::{BTreeMap, BTreeSet};

use convscope_runtime::network::{Node, Origin};
use convscope_runtime::{LayerKind, Network, Shape, network::ValueId};

use crate::HostError;

/// More images at once than this make nothing faster.
const MOST_ITEMS: u64 = 64;
/// More bytes in flight than this make nothing faster, as long as every thread has an image.
const ENOUGH_BYTES: u64 = 96 << 20;
/// What kernels lay out at once for one image is less than this, whatever the layer.
const PANELS: u64 = 4 << 20;
/// What a session may use where the system does not say how much is free.
const FALLBACK: u64 = 2 << 30;

/// Returns half of the memory that is free now.
pub(crate) fn default_budget() -> u64 {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    available(&info).map_or(FALLBACK, |bytes| bytes / 2)
}

/// Reads `MemAvailable` of Linux' `/proc/meminfo`, in bytes.
fn available(info: &str) -> Option<u64> {
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Returns how many items of `each` bytes go through at once.
///
/// # Errors
/// Fails when one does not fit.
pub(crate) fn items_at_once(
    what: &str,
    each: u64,
    budget: u64,
    threads: usize,
) -> Result<usize, HostError> {
    let fitting = budget / each.max(1);
    if fitting == 0 {
        return Err(HostError::Memory { what: what.to_owned(), needed: each, budget });
    }
    let useful =
        (ENOUGH_BYTES / each.max(1)).clamp(threads.max(1) as u64, MOST_ITEMS.max(threads as u64));
    Ok(fitting.min(useful) as usize)
}

/// Bytes that one image takes on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// At the worst moment of a forward pass that keeps captures only.
    pub forward: u64,
    /// For everything that the way back needs.
    pub recorded: u64,
    /// At the worst moment of the way back, beside the record.
    pub backward: u64,
}

impl Cost {
    /// Estimates what one image costs when `captures` are asked for and kept.
    pub(crate) fn of(network: &Network, captures: &[ValueId]) -> Self {
        Self::estimate(network, captures, captures)
    }

    /// Estimates what one image costs when `captures` are handed out as they come.
    pub(crate) fn of_handing(network: &Network, captures: &[ValueId]) -> Self {
        Self::estimate(network, captures, &[])
    }

    fn estimate(network: &Network, captures: &[ValueId], kept: &[ValueId]) -> Self {
        let needed = needed(network, captures);
        let nodes = || network.nodes().iter().filter(|node| needed.contains(&node.output));
        let mut uses: BTreeMap<ValueId, usize> = BTreeMap::new();
        for &id in nodes().flat_map(|node| &node.inputs).chain(kept) {
            *uses.entry(id).or_default() += 1;
        }
        let bytes = |id: ValueId| bytes_of(&network.value(id).shape);
        let inputs: u64 = network.inputs().iter().map(|&id| bytes(id)).sum();
        let (mut live, mut peak, mut total, mut largest) = (inputs, inputs, inputs, 0);
        for node in nodes() {
            let workspace = workspace(network, node);
            let output = bytes(node.output);
            live += output;
            total += output;
            peak = peak.max(live + workspace);
            largest = largest.max(output + workspace);
            if !uses.contains_key(&node.output) {
                live = live.saturating_sub(output);
            }
            for &id in &node.inputs {
                if matches!(network.value(id).origin, Origin::Constant(_)) {
                    continue;
                }
                if let Some(count) = uses.get_mut(&id) {
                    *count -= 1;
                    if *count == 0 {
                        live = live.saturating_sub(bytes(id));
                    }
                }
            }
        }
        // Records share values; switches of pooling are at most as large as the outputs. On the way
        // back a layer's record is selected, its signal comes in and its signals go out.
        Self { forward: peak.max(1), recorded: 2 * total.max(1), backward: 6 * largest }
    }
}

/// Finds the values that must be computed for `captures`.
fn needed(network: &Network, captures: &[ValueId]) -> BTreeSet<ValueId> {
    let mut needed = BTreeSet::new();
    let mut open = captures.to_vec();
    while let Some(id) = open.pop() {
        if let Some(node) = network.maker(id)
            && needed.insert(id)
        {
            open.extend(&network.node(node).inputs);
        }
    }
    needed
}

/// Counts the multiply-adds of one image until `captures` are there.
pub(crate) fn multiply_adds(network: &Network, captures: &[ValueId]) -> u64 {
    let needed = needed(network, captures);
    let nodes = network.nodes().iter().filter(|node| needed.contains(&node.output));
    let products = nodes.map(|node| {
        let shapes: Vec<&Shape> = node.inputs.iter().map(|&id| &network.value(id).shape).collect();
        node.layer.work(&shapes).multiply_adds
    });
    products.fold(0, u64::saturating_add)
}

pub(crate) fn bytes_of(shape: &Shape) -> u64 {
    (shape.volume() as u64).saturating_mul(4)
}

/// Returns the bytes of the patches that a convolution or its adjoint may unfold its input to: in
/// panels, so that a large layer takes no more than [`PANELS`].
fn workspace(network: &Network, node: &Node) -> u64 {
    use LayerKind::{Convolution, TransposedConvolution};
    if !matches!(node.layer.kind(), Convolution | TransposedConvolution) {
        return 0;
    }
    let shapes: Vec<&Shape> = node.inputs.iter().map(|&id| &network.value(id).shape).collect();
    let filters = network.value(node.output).shape.extents().get(1).copied().unwrap_or(1);
    let products = node.layer.work(&shapes).multiply_adds;
    (products / filters.max(1) as u64).saturating_mul(4).min(PANELS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_memory_is_read_in_kilobytes() {
        let info = "MemTotal:       24 kB\nMemAvailable:   2048 kB\n";
        assert_eq!(available(info), Some(2 << 20));
        assert_eq!(available("MemAvailable: much"), None);
    }

    #[test]
    fn one_item_that_does_not_fit_is_an_error_with_its_size() {
        let error = items_at_once("one image", 1000, 999, 2).unwrap_err();
        assert_eq!(error.to_string(), "one image needs 1000 bytes, but the session may use 999");
    }

    #[test]
    fn a_large_convolution_takes_little_beside_its_maps() {
        use convscope_runtime::layer::Convolution;
        use convscope_runtime::{ConvolutionGeometry, NetworkBuilder, Padding, Tensor, Window};

        let padding = Padding { top: 1, left: 1, bottom: 1, right: 1 };
        let window = Window { padding, ..Window::of([3, 3]) };
        let geometry = ConvolutionGeometry { window, groups: 1 };
        let layer = Convolution::new(Tensor::zeros([8, 64, 3, 3]), None, geometry).unwrap();
        let mut builder = NetworkBuilder::default();
        let input = builder.input("x", Shape::from([1, 64, 224, 224])).unwrap();
        let output = builder.layer("c", std::sync::Arc::new(layer), &[input], "y").unwrap();
        let cost = Cost::of(&builder.finish(vec![output]), &[output]);

        let maps = (64 + 8) * 224 * 224 * 4;
        assert_eq!(cost.forward, maps + PANELS);
    }

    #[test]
    fn values_that_are_handed_out_take_less_than_those_that_are_kept() {
        use convscope_runtime::NetworkBuilder;
        use convscope_runtime::layer::Rectifier;

        let mut builder = NetworkBuilder::default();
        let mut last = builder.input("x", Shape::from([1, 10])).unwrap();
        let mut values = Vec::new();
        for name in ["a", "b", "c", "d"] {
            last = builder.layer(name, std::sync::Arc::new(Rectifier), &[last], name).unwrap();
            values.push(last);
        }
        let network = builder.finish(vec![last]);
        // All four values; the input and the output of a layer.
        assert_eq!(Cost::of(&network, &values).forward, 4 * 40);
        assert_eq!(Cost::of_handing(&network, &values).forward, 2 * 40);
    }

    #[test]
    fn small_items_go_in_large_batches_and_large_ones_one_per_thread() {
        assert_eq!(items_at_once("x", 1000, 1 << 30, 2).unwrap(), 64);
        assert_eq!(items_at_once("x", 150 << 20, 1 << 30, 2).unwrap(), 2);
        assert_eq!(items_at_once("x", 150 << 20, 200 << 20, 2).unwrap(), 1);
    }
}
