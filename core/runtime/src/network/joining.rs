//! Which layers write straight into the maps that a later one joins.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::fusion::Follower;
use super::{Extent, ForwardRequest, Network, NodeId, ValueId};
use crate::{Backend, Canvas, Epilogue, Keep, LayerError, Tensor};

/// Maps that are joined while they are made.
#[derive(Default)]
pub(super) struct Joints {
    shares: BTreeMap<NodeId, Share>,
    /// What layers that join maps have of them so far.
    open: BTreeMap<NodeId, Joint>,
}

/// What a layer, or the one that it computes in passing, makes of the maps that another joins.
#[derive(Clone, Copy)]
struct Share {
    /// The layer that joins them.
    into: NodeId,
    /// The first channel.
    first: usize,
    /// The value that is never there on its own.
    value: ValueId,
    epilogue: Epilogue,
}

struct Joint {
    canvas: Box<dyn Canvas>,
    /// What is in it.
    values: BTreeSet<ValueId>,
}

impl Joints {
    /// Finds the layers whose outputs nobody wants but a layer that joins channels. Results are the
    /// same to the last bit; only a copy is spared. Records hold what layers make, so that nothing
    /// is joined where they are kept.
    pub(super) fn new(
        network: &Network,
        needed: &BTreeSet<NodeId>,
        uses: &BTreeMap<ValueId, usize>,
        followers: &BTreeMap<NodeId, Follower>,
        request: &ForwardRequest<'_>,
    ) -> Self {
        let mut shares = BTreeMap::new();
        if request.keep != Keep::Output {
            return Self::default();
        }
        let leaders: BTreeMap<NodeId, (NodeId, Epilogue)> =
            followers.iter().map(|(&id, to)| (to.node, (id, to.epilogue))).collect();
        let is_changed =
            |value| request.interventions.iter().any(|c| c.edit.target(network) == value);
        for &into in needed {
            let node = network.node(into);
            let Some(parts) = parts(network, into).filter(|_| !is_changed(node.output)) else {
                continue;
            };
            let mut first = 0;
            for (&value, channels) in node.inputs.iter().zip(parts) {
                let is_alone = uses.get(&value) == Some(&1) && !is_changed(value);
                if let Some(maker) = network.maker(value).filter(|_| is_alone) {
                    let leader = leaders.get(&maker).copied();
                    let (maker, epilogue) = leader.unwrap_or((maker, Epilogue::None));
                    shares.insert(maker, Share { into, first, value, epilogue });
                }
                first += channels;
            }
        }
        Self { shares, open: BTreeMap::new() }
    }

    /// Says whether a value was made, and is nowhere but among others.
    pub(super) fn hold(&self, value: ValueId) -> bool {
        self.open.values().any(|joint| joint.values.contains(&value))
    }

    /// Lets a layer write where its output belongs, if it has such a place and a kernel for that.
    pub(super) fn fill(
        &mut self,
        network: &Network,
        backend: &dyn Backend,
        batch: usize,
        id: NodeId,
        operands: &[&Tensor],
    ) -> Option<Result<(), LayerError>> {
        let Share { into, first, value, epilogue } = self.shares.remove(&id)?;
        let joint = match self.open.entry(into) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(empty) => {
                let shape = network.value(network.node(into).output).shape.with_batch(batch);
                match backend.canvas(&shape, &parts(network, into)?) {
                    Ok(canvas) => empty.insert(Joint { canvas: canvas?, values: BTreeSet::new() }),
                    Err(error) => return Some(Err(error.into())),
                }
            }
        };
        let layer = &network.node(id).layer;
        let filled = layer.forward_into(backend, operands, epilogue, &mut *joint.canvas, first)?;
        joint.values.insert(value);
        Some(filled)
    }

    /// Returns the output of a layer some of whose inputs are joined already; the others are copied.
    pub(super) fn finish(
        &mut self,
        network: &Network,
        id: NodeId,
        live: &BTreeMap<ValueId, Tensor>,
    ) -> Option<Result<Tensor, LayerError>> {
        let Joint { mut canvas, values } = self.open.remove(&id)?;
        let mut first = 0;
        for (value, channels) in network.node(id).inputs.iter().zip(parts(network, id)?) {
            if let Some(maps) = live.get(value).filter(|_| !values.contains(value))
                && let Err(error) = canvas.copy(first, maps)
            {
                return Some(Err(error.into()));
            }
            first += channels;
        }
        Some(Ok(canvas.finish()))
    }
}

/// Lists the channels of the maps that a layer joins, if it does.
fn parts(network: &Network, id: NodeId) -> Option<Vec<usize>> {
    let node = network.node(id);
    let channels = |&id: &ValueId| {
        let value = network.value(id);
        let [_, channels, ..] = value.shape.as_maps()?;
        (value.extent == Extent::PerImage).then_some(channels)
    };
    node.layer.joins_channels().then(|| node.inputs.iter().map(channels).collect())?
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        add, bits, convolution, node, overlapping_pool, value, with_image,
    };
    use super::*;
    use crate::layer::testing::Numbers;
    use crate::layer::{Concatenation, Rectifier};
    use crate::{CpuBackend, Edit, Intervention, PlainBackend};

    /// Two convolutions, one of them rectified, and a pooling whose maps are joined.
    fn network(channels: usize) -> Network {
        let (mut builder, image) = with_image([1, 16, 8, 8]);
        let a = add(&mut builder, "a", convolution(1, [channels, 16, 2, 2], 2), &[image]);
        let relu = add(&mut builder, "relu", Rectifier, &[a]);
        let pool = add(&mut builder, "pool", overlapping_pool(), &[image]);
        let b = add(&mut builder, "b", convolution(2, [5, 16, 2, 2], 2), &[image]);
        let join = Concatenation::new(1).unwrap();
        // A kernel of two makes maps of five cells a side, the pooling of four.
        let cut = add(&mut builder, "cut", convolution(3, [16, 16, 2, 2], 1), &[pool]);
        let joined = add(&mut builder, "joined", join, &[relu, cut, b]);
        let end = add(&mut builder, "end", Rectifier, &[joined]);
        builder.finish(vec![end])
    }

    fn joints(network: &Network, captures: &[&str], change: Option<Edit>, keep: Keep) -> Joints {
        let captures: Vec<ValueId> = captures.iter().map(|name| value(network, name)).collect();
        let interventions: Vec<_> =
            change.into_iter().map(|edit| Intervention { row: 0, edit }).collect();
        let request = ForwardRequest { captures: &captures, interventions: &interventions, keep };
        let needed: BTreeSet<_> = (0..network.nodes.len()).map(NodeId).collect();
        let mut uses = BTreeMap::new();
        for &id in network.nodes.iter().flat_map(|node| &node.inputs).chain(&captures) {
            *uses.entry(id).or_insert(0) += 1;
        }
        let followers = network.followers(&needed, &uses, &request);
        Joints::new(network, &needed, &uses, &followers, &request)
    }

    #[test]
    fn a_layer_writes_among_others_unless_somebody_looks_at_its_output() {
        let network = network(32);
        let names = |captures: &[&str], change, keep| -> Vec<String> {
            let joints = joints(&network, captures, change, keep);
            joints.shares.keys().map(|&id| network.node(id).name.clone()).collect()
        };
        assert_eq!(names(&[], None, Keep::Output), ["a", "b", "cut"]);
        assert_eq!(names(&["joined"], None, Keep::Output), ["a", "b", "cut"]);
        assert_eq!(names(&["relu"], None, Keep::Output), ["b", "cut"]);
        // The rectifier then runs by itself.
        assert_eq!(names(&["a"], None, Keep::Output), ["relu", "b", "cut"]);
        assert_eq!(names(&[], None, Keep::Inversion), [""; 0]);
        let replaced =
            Edit::Replace { value: value(&network, "b"), channels: vec![0], with: vec![1.0] };
        assert_eq!(names(&[], Some(replaced), Keep::Output), ["a", "cut"]);
        let bypassed = Edit::Bypass { node: node(&network, "joined") };
        assert_eq!(names(&[], Some(bypassed), Keep::Output), [""; 0]);
    }

    #[test]
    fn what_is_made_among_others_is_not_made_again() {
        let network = network(32);
        let images = Numbers::new(3).tensor([2, 16, 8, 8]);
        let [a, relu, b] = ["a", "relu", "b"].map(|name| node(&network, name));
        let mut fresh = joints(&network, &[], None, Keep::Output);
        let backend = PlainBackend::new();
        assert!(fresh.fill(&network, &CpuBackend::new(), 2, relu, &[&images]).is_none());
        fresh.fill(&network, &CpuBackend::new(), 2, a, &[&images]).unwrap().unwrap();
        assert!(fresh.hold(value(&network, "relu")) && !fresh.hold(value(&network, "b")));
        // A backend without such maps joins afterwards.
        let mut plain = joints(&network, &[], None, Keep::Output);
        assert!(plain.fill(&network, &backend, 2, b, &[&images]).is_none());
        let joined = node(&network, "joined");
        assert!(plain.finish(&network, joined, &BTreeMap::new()).is_none());
    }

    #[test]
    fn whether_maps_are_joined_at_once_changes_no_bit() {
        let images = [Numbers::new(3).tensor([2, 16, 8, 8])];
        // 17 channels end within a block.
        for channels in [32, 17] {
            let network = network(channels);
            let run = |captures: &[&str], keep| {
                let captures: Vec<_> = captures.iter().map(|name| value(&network, name)).collect();
                let request = ForwardRequest { captures: &captures, keep, interventions: &[] };
                let trace = network.forward(&CpuBackend::new(), &images, &request).unwrap();
                bits(trace.value(captures[0]).unwrap())
            };
            let at_once = run(&["end"], Keep::Output);
            assert!(at_once.iter().any(|&value| value != 0));
            assert_eq!(at_once, run(&["end", "relu"], Keep::Output));
            assert_eq!(at_once, run(&["end", "a", "cut", "b"], Keep::Output));
            assert_eq!(at_once, run(&["end"], Keep::Inversion));
        }
    }
}
