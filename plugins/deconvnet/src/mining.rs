//! Finds the strongest activations of feature maps in one pass over the pictures.
//!
//! Memory: the batch at hand, and for every map its winners so far.

use std::cmp::Ordering;

use convscope_sdk::protocol::{Capture, Disjoint, Reduction};
use convscope_sdk::{AnalysisError, Batch, Host, Images, Model};
use ndarray::{ArrayView1, Axis};

/// One strong activation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Winner {
    /// The activation.
    pub(crate) activation: f32,
    /// Index of the picture.
    pub(crate) image: usize,
    /// `[row, column]` in the map.
    pub(crate) position: [usize; 2],
}

/// What one map did over all pictures.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MapStatistics {
    /// Strongest first; of equal ones the earlier picture, then the earlier position.
    pub(crate) winners: Vec<Winner>,
    /// Number of pictures in which any unit of the map was above zero.
    firing_images: u64,
    /// Number of units above zero, over all pictures.
    firing_units: u64,
}

/// What the maps of one layer did over all pictures.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LayerStatistics {
    /// Name of the layer.
    pub(crate) layer: String,
    /// Cells of one map.
    cells: usize,
    /// Number of pictures seen.
    images: usize,
    /// One entry per map.
    pub(crate) maps: Vec<MapStatistics>,
}

impl LayerStatistics {
    /// Returns the share of pictures and the share of positions in which a map fires.
    pub(crate) fn firing(&self, map: usize) -> [f32; 2] {
        let statistics = &self.maps[map];
        let positions = self.images as f64 * self.cells as f64;
        [
            (statistics.firing_images as f64 / self.images as f64) as f32,
            (statistics.firing_units as f64 / positions) as f32,
        ]
    }

    /// Returns the maps in descending order of their strongest activation.
    pub(crate) fn by_strength(&self) -> Vec<usize> {
        let strongest = |map: usize| self.maps[map].winners.first().map_or(0.0, |w| w.activation);
        let mut order: Vec<usize> = (0..self.maps.len()).collect();
        // The sort is stable: equal maps stay in the order of their numbers.
        order.sort_by(|&a, &b| strongest(b).total_cmp(&strongest(a)));
        order
    }

    fn add(&mut self, map: usize, image: usize, seen: &Seen<'_>, top: usize) {
        let statistics = &mut self.maps[map];
        statistics.firing_units += seen.positive as u64;
        statistics.firing_images += u64::from(seen.positive > 0.0);
        for (&activation, position) in seen.values.iter().zip(seen.positions.chunks(2)) {
            // NaN marks that there is no further one; what is not above zero does not fire.
            if let (true, &[row, column]) = (activation > 0.0, position) {
                let position = [row as usize, column as usize];
                statistics.winners.push(Winner { activation, image, position });
            }
        }
        statistics.winners.sort_by(stronger_first);
        statistics.winners.truncate(top);
    }
}

/// What one picture has of one map.
struct Seen<'a> {
    values: ArrayView1<'a, f32>,
    positions: Vec<u32>,
    positive: f32,
}

fn stronger_first(a: &Winner, b: &Winner) -> Ordering {
    let strength = b.activation.total_cmp(&a.activation);
    strength.then(a.image.cmp(&b.image)).then(a.position.cmp(&b.position))
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Winners of each map.
    pub(crate) top: usize,
    /// Winners of one map in one picture.
    pub(crate) spots_per_image: usize,
}

/// Runs all pictures forward once and keeps the strongest activations of every map of `layers`.
///
/// Spots of one picture are the strongest whose receptive fields do not overlap.
pub(crate) fn mine(
    host: &Host<'_>,
    model: &Model<'_>,
    images: &Images<'_>,
    layers: &[String],
    limits: Limits,
    share_of_progress: f64,
) -> Result<Vec<LayerStatistics>, AnalysisError> {
    let disjoint =
        if limits.spots_per_image > 1 { Disjoint::ReceptiveField } else { Disjoint::None };
    let strongest = Reduction::Strongest { k: limits.spots_per_image.min(limits.top), disjoint };
    let captures: Vec<Capture> = layers
        .iter()
        .flat_map(|layer| {
            let capture = |reduction| Capture { value: layer.clone(), reduction };
            [capture(strongest), capture(Reduction::CountPositive)]
        })
        .collect();
    let mut all =
        layers.iter().map(|layer| empty_statistics(model, layer)).collect::<Result<Vec<_>, _>>()?;
    let count = images.len();
    host.progress(0.0, "searching")?;
    model.observe(images, &[], &captures, |batch| {
        for (index, statistics) in all.iter_mut().enumerate() {
            add_batch(statistics, batch, index, limits.top)?;
        }
        let done = batch.range().end;
        host.progress(
            share_of_progress * done as f64 / count as f64,
            &format!("searched {done} of {count} pictures"),
        )
    })?;
    Ok(all)
}

fn add_batch(
    statistics: &mut LayerStatistics,
    batch: &Batch<'_>,
    layer: usize,
    top: usize,
) -> Result<(), AnalysisError> {
    let values = batch.values(2 * layer)?;
    let positions = batch.indices(2 * layer)?;
    let positive = batch.values(2 * layer + 1)?;
    for (row, image) in batch.range().enumerate() {
        statistics.images += 1;
        for map in 0..statistics.maps.len() {
            let values = values.index_axis(Axis(0), row);
            let positions = positions.index_axis(Axis(0), row);
            let seen = Seen {
                values: values.index_axis_move(Axis(0), map).into_dimensionality()?,
                positions: positions.index_axis(Axis(0), map).iter().copied().collect(),
                positive: positive[[row, map]],
            };
            statistics.add(map, image, &seen, top);
        }
    }
    Ok(())
}

fn empty_statistics(model: &Model<'_>, name: &str) -> Result<LayerStatistics, AnalysisError> {
    let layer = model
        .layer(name)
        .ok_or_else(|| AnalysisError::Unsupported(format!("the model has no layer {name}")))?;
    let (maps, cells) = match layer.shape[..] {
        [_, maps] => (maps, 1),
        [_, maps, height, width] => (maps, height * width),
        _ => {
            return Err(AnalysisError::Unsupported(format!(
                "layer {name} has no feature maps: its shape is {:?}",
                layer.shape
            )));
        }
    };
    let (layer, maps) = (name.to_owned(), vec![MapStatistics::default(); maps]);
    Ok(LayerStatistics { layer, cells, images: 0, maps })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(maps: usize) -> LayerStatistics {
        let maps = vec![MapStatistics::default(); maps];
        LayerStatistics { layer: "relu".into(), cells: 4, images: 0, maps }
    }

    fn add(layer: &mut LayerStatistics, image: usize, values: &[f32], top: usize) {
        layer.images += 1;
        let positions = (0..values.len() as u32).flat_map(|i| [i / 2, i % 2]).collect();
        let positive = values.iter().filter(|&&v| v > 0.0).count() as f32;
        let seen = Seen { values: ArrayView1::from(values), positions, positive };
        layer.add(0, image, &seen, top);
    }

    #[test]
    fn winners_are_sorted_and_bounded() {
        let mut layer = layer(1);
        add(&mut layer, 0, &[1.0, 3.0], 3);
        add(&mut layer, 1, &[3.0, 2.0], 3);
        let found: Vec<_> =
            layer.maps[0].winners.iter().map(|w| (w.activation, w.image, w.position)).collect();
        assert_eq!(found, [(3.0, 0, [0, 1]), (3.0, 1, [0, 0]), (2.0, 1, [0, 1])]);
    }

    #[test]
    fn what_is_not_above_zero_neither_wins_nor_fires() {
        let mut layer = layer(1);
        add(&mut layer, 0, &[0.0, -1.0, f32::NAN, f32::NAN], 9);
        add(&mut layer, 1, &[5.0, 0.0, f32::NAN, f32::NAN], 9);
        assert_eq!(layer.maps[0].winners.len(), 1);
        assert_eq!(layer.firing(0).map(|share| (share * 1000.0) as u32), [500, 125]);
    }

    #[test]
    fn maps_are_ranked_by_their_strongest_activation() {
        let mut layer = layer(3);
        add(&mut layer, 0, &[2.0], 9);
        layer.maps[2] = layer.maps[0].clone();
        layer.maps[2].winners[0].activation = 7.0;
        assert_eq!(layer.by_strength(), [2, 0, 1]);
    }
}
