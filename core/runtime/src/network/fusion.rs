//! Which two layers run as one.

use std::collections::{BTreeMap, BTreeSet};

use super::{ForwardRequest, Intervention, Network, NodeId, ValueId};
use crate::{Epilogue, Keep};

/// A layer that another computes in passing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Follower {
    pub(super) node: NodeId,
    pub(super) epilogue: Epilogue,
}

impl Network {
    /// Finds the layers that an epilogue of the layer before may replace: where nobody else wants
    /// the value between the two, nothing changes it, and no record of it is kept. The results are
    /// the same; only the time differs.
    pub(super) fn followers(
        &self,
        needed: &BTreeSet<NodeId>,
        uses: &BTreeMap<ValueId, usize>,
        request: &ForwardRequest<'_>,
    ) -> BTreeMap<NodeId, Follower> {
        if request.keep == Keep::Inversion {
            return BTreeMap::new();
        }
        let follows = |&id: &NodeId| {
            let node = self.node(id);
            let epilogue = node.layer.as_epilogue()?;
            let [between] = *node.inputs else { return None };
            let leader = self.maker(between)?;
            let untouched =
                |change: &Intervention| ![between, node.output].contains(&change.edit.target(self));
            let alone = uses.get(&between) == Some(&1);
            (alone && request.interventions.iter().all(untouched))
                .then_some((leader, Follower { node: id, epilogue }))
        };
        needed.iter().filter_map(follows).collect()
    }
}
