//! Which value runs in which lane beside the rows.

use std::collections::BTreeMap;

use convscope_protocol::ModelDescription;

/// The lanes of a graph.
#[derive(Debug)]
pub(super) struct Lanes {
    /// The lane of every row: inputs first, then layers.
    pub(super) lanes: Vec<usize>,
    /// Every way of a value to a reader.
    pub(super) edges: Vec<Edge>,
}

/// A value on its way to one of its readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    /// The row that makes the value.
    pub(super) from: usize,
    /// The row that reads it.
    pub(super) to: usize,
    /// The lane in which the value runs: that of its maker.
    pub(super) lane: usize,
}

impl Lanes {
    /// Lays the values of a model out: a value keeps its lane until its last reader, which takes
    /// the lane over; whatever begins beside it takes the first lane that is free.
    pub(super) fn of(model: &ModelDescription) -> Self {
        let inputs = model.inputs.iter().map(|input| (input.name.as_str(), Vec::new()));
        let layers = model.layers.iter().map(|layer| {
            (layer.name.as_str(), layer.inputs.iter().map(String::as_str).collect::<Vec<_>>())
        });
        let rows: Vec<(&str, Vec<&str>)> = inputs.chain(layers).collect();
        let names: BTreeMap<&str, usize> =
            rows.iter().enumerate().map(|(row, (name, _))| (*name, row)).collect();
        let mut edges = Vec::new();
        let mut last_reader: Vec<Option<usize>> = vec![None; rows.len()];
        let mut reads: Vec<Vec<usize>> = vec![Vec::new(); rows.len()];
        for (row, (_, read)) in rows.iter().enumerate() {
            for &maker in read.iter().filter_map(|name| names.get(name)).filter(|&&m| m < row) {
                if !reads[row].contains(&maker) {
                    reads[row].push(maker);
                    last_reader[maker] = Some(row);
                }
            }
        }
        let mut lanes = vec![0; rows.len()];
        // What runs in each lane: the row that its value was made in.
        let mut running: Vec<Option<usize>> = Vec::new();
        for row in 0..rows.len() {
            for lane in &mut running {
                if lane.is_some_and(|maker| last_reader[maker] == Some(row)) {
                    *lane = None;
                }
            }
            let ending = reads[row].iter().filter(|&&maker| last_reader[maker] == Some(row));
            let inherited = ending.map(|&maker| lanes[maker]).min();
            let free = || running.iter().position(Option::is_none).unwrap_or(running.len());
            let lane = inherited.unwrap_or_else(free);
            if lane == running.len() {
                running.push(None);
            }
            lanes[row] = lane;
            if last_reader[row].is_some() {
                running[lane] = Some(row);
            }
            edges.extend(reads[row].iter().map(|&from| Edge { from, to: row, lane: lanes[from] }));
        }
        Self { lanes, edges }
    }

    /// Counts the lanes.
    pub(super) fn count(&self) -> usize {
        self.lanes.iter().max().map_or(1, |lane| lane + 1)
    }
}

#[cfg(test)]
mod tests {
    use convscope_protocol::LayerDescription;
    use convscope_protocol::model::ValueDescription;

    use super::*;

    fn model(layers: &[(&str, &[&str])]) -> ModelDescription {
        let layer = |&(name, inputs): &(&str, &[&str])| LayerDescription {
            name: name.to_owned(),
            inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
            ..LayerDescription::default()
        };
        ModelDescription {
            inputs: vec![ValueDescription { name: "x".to_owned(), shape: vec![1] }],
            layers: layers.iter().map(layer).collect(),
            ..ModelDescription::default()
        }
    }

    #[test]
    fn a_chain_stays_in_one_lane() {
        let lanes = Lanes::of(&model(&[("a", &["x"]), ("b", &["a"]), ("c", &["b"])]));
        assert_eq!(lanes.lanes, [0, 0, 0, 0]);
        assert_eq!(lanes.count(), 1);
    }

    #[test]
    fn a_skip_keeps_its_lane_until_it_is_added() {
        let lanes = Lanes::of(&model(&[
            ("a", &["x"]),
            ("b", &["a"]),
            ("c", &["b"]),
            ("add", &["c", "a"]),
            ("d", &["add"]),
        ]));
        assert_eq!(lanes.lanes, [0, 0, 1, 1, 0, 0]);
        assert!(lanes.edges.contains(&Edge { from: 1, to: 4, lane: 0 }));
        assert!(lanes.edges.contains(&Edge { from: 3, to: 4, lane: 1 }));
    }

    #[test]
    fn no_two_values_run_in_one_lane_at_once() {
        let names: Vec<String> = (0..12).map(|index| format!("v{index}")).collect();
        // Every layer reads all before it, as in a dense block.
        let reads: Vec<Vec<&str>> = (0..12)
            .map(|index| {
                ["x"].into_iter().chain(names[..index].iter().map(String::as_str)).collect()
            })
            .collect();
        let layers: Vec<(&str, &[&str])> = names
            .iter()
            .zip(&reads)
            .map(|(name, reads)| (name.as_str(), reads.as_slice()))
            .collect();
        let lanes = Lanes::of(&model(&layers));
        for a in &lanes.edges {
            for b in lanes.edges.iter().filter(|b| b.from != a.from && b.lane == a.lane) {
                assert!(a.to <= b.from || b.to <= a.from, "{a:?} {b:?}");
            }
        }
    }
}
