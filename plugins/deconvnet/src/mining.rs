//! Finds the strongest activations of feature maps in one pass over the pictures.
//!
//! Memory: the batch at hand, and for every map its winners so far.

use std::cmp::Ordering;

use convscope_sdk::protocol::{Capture, Disjoint, Reduction};
use convscope_sdk::{AnalysisError, Batch, Host, Images, Model};
use ndarray::{Axis, Ix2, Ix3, Ix4};

use crate::layers::Layer;

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
    pub(crate) firing_images: u64,
    /// Number of units above zero, over all pictures.
    firing_units: u64,
}

impl MapStatistics {
    /// Takes what one picture has of the map: its strongest cells, and how many fire.
    fn add(&mut self, spots: impl Iterator<Item = Winner>, firing: u64, top: usize) {
        self.firing_units += firing;
        self.firing_images += u64::from(firing > 0);
        let last = top.checked_sub(1).and_then(|last| self.winners.get(last)).copied();
        // NaN marks that there is no further one; what is not above zero does not fire.
        let wins = |spot: &Winner| {
            spot.activation > 0.0 && last.is_none_or(|last| stronger_first(spot, &last).is_lt())
        };
        let before = self.winners.len();
        self.winners.extend(spots.filter(wins));
        if self.winners.len() > before {
            self.winners.sort_by(stronger_first);
            self.winners.truncate(top);
        }
    }
}

/// What the maps of one layer did over all pictures.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LayerStatistics {
    /// The layer.
    pub(crate) layer: Layer,
    /// Number of pictures seen.
    images: usize,
    /// One entry per map.
    pub(crate) maps: Vec<MapStatistics>,
}

impl LayerStatistics {
    fn new(layer: Layer) -> Self {
        let maps = vec![MapStatistics::default(); layer.maps];
        Self { layer, images: 0, maps }
    }

    /// Returns the share of pictures and the share of positions in which a map fires.
    pub(crate) fn firing(&self, map: usize) -> [f32; 2] {
        let statistics = &self.maps[map];
        let positions = self.images as f64 * self.layer.cells() as f64;
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
    layers: Vec<Layer>,
    limits: Limits,
    share_of_progress: f64,
) -> Result<Vec<LayerStatistics>, AnalysisError> {
    let disjoint =
        if limits.spots_per_image > 1 { Disjoint::ReceptiveField } else { Disjoint::None };
    let strongest = Reduction::Strongest { k: limits.spots_per_image.min(limits.top), disjoint };
    let captures: Vec<Capture> = layers
        .iter()
        .flat_map(|layer| {
            let capture = |reduction| Capture::new(layer.name.clone(), reduction);
            [capture(strongest), capture(Reduction::CountPositive)]
        })
        .collect();
    let mut all: Vec<LayerStatistics> = layers.into_iter().map(LayerStatistics::new).collect();
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

/// Adds the pictures of a batch to the layer whose captures are `2 * index` and the one behind it.
fn add_batch(
    statistics: &mut LayerStatistics,
    batch: &Batch<'_>,
    index: usize,
    top: usize,
) -> Result<(), AnalysisError> {
    let activations = batch.values(2 * index)?.into_dimensionality::<Ix3>()?;
    let positions = batch.indices(2 * index)?.into_dimensionality::<Ix4>()?;
    let firing = batch.values(2 * index + 1)?.into_dimensionality::<Ix2>()?;
    for (row, image) in batch.range().enumerate() {
        statistics.images += 1;
        let activations = activations.index_axis(Axis(0), row);
        let positions = positions.index_axis(Axis(0), row);
        let maps = statistics.maps.iter_mut().zip(firing.row(row));
        let spots = activations.outer_iter().zip(positions.outer_iter());
        for ((statistics, &firing), (activations, positions)) in maps.zip(spots) {
            let spots = activations.iter().zip(positions.rows()).map(|(&activation, position)| {
                let position = [0, 1].map(|axis| position[axis] as usize);
                Winner { activation, image, position }
            });
            statistics.add(spots, firing as u64, top);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(maps: usize) -> LayerStatistics {
        LayerStatistics::new(Layer { name: "relu".into(), maps, size: Some([2, 2]) })
    }

    fn add(layer: &mut LayerStatistics, image: usize, values: &[f32], top: usize) {
        layer.images += 1;
        let firing = values.iter().filter(|&&value| value > 0.0).count() as u64;
        let spots = values.iter().enumerate().map(|(place, &activation)| Winner {
            activation,
            image,
            position: [place / 2, place % 2],
        });
        layer.maps[0].add(spots, firing, top);
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
