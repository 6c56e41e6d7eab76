//! What is watched in each picture: a class and a feature map.

use std::borrow::Cow;
use std::cmp::Ordering;

use convscope_sdk::protocol::{Capture, Disjoint, LayerDescription, Reduction};
use convscope_sdk::{AnalysisError, Batch, Images, Model, Target};
use ndarray::{ArrayView1, Axis, Ix2, Ix3, Ix4};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Parameters;

/// Which feature map is watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MapChoice {
    /// The one whose sum is largest in the picture: `"strongest"`.
    #[default]
    Strongest,
    /// Its number.
    Number(usize),
}

impl Serialize for MapChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Strongest => serializer.serialize_str("strongest"),
            Self::Number(number) => serializer.serialize_u64(*number as u64),
        }
    }
}

impl<'de> Deserialize<'de> for MapChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MapVisitor)
    }
}

struct MapVisitor;

impl Visitor<'_> for MapVisitor {
    type Value = MapChoice;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the number of a feature map or \"strongest\"")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<MapChoice, E> {
        match word {
            "strongest" => Ok(MapChoice::Strongest),
            other => Err(E::custom(format!("no feature map is called {other:?}"))),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<MapChoice, E> {
        usize::try_from(number).map(MapChoice::Number).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<MapChoice, E> {
        usize::try_from(number).map(MapChoice::Number).map_err(E::custom)
    }
}

impl JsonSchema for MapChoice {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Map".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "const": "strongest" }] })
    }
}

/// A layer with feature maps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    /// Its name.
    pub(crate) name: String,
    /// Number of its maps.
    maps: usize,
}

impl Layer {
    /// Takes the layer asked for, or the last with rows and columns.
    pub(crate) fn chosen(
        model: &Model<'_>,
        parameters: &Parameters,
    ) -> Result<Self, AnalysisError> {
        let refuse = |problem: String| Err(AnalysisError::parameter("layer", problem));
        let maps = |layer: &LayerDescription| match layer.shape[..] {
            [_, maps, height, width] if maps > 0 && height.saturating_mul(width) > 1 => Some(maps),
            _ => None,
        };
        let Some(asked) = &parameters.layer else {
            let has_both = |layer: &&LayerDescription| matches!(layer.shape[..], [_, _, height, width] if height > 1 && width > 1);
            return match model.description().layers.iter().rev().find(has_both) {
                Some(layer) => {
                    Ok(Self { name: layer.name.clone(), maps: maps(layer).unwrap_or_default() })
                }
                None => refuse("the model has no layer with rows and columns".to_owned()),
            };
        };
        let Some(layer) = model.layer(asked.as_str()) else {
            return refuse(format!("{asked} is no layer of the model"));
        };
        match maps(layer) {
            Some(maps) => Ok(Self { name: layer.name.clone(), maps }),
            None => refuse(format!(
                "{asked} has no space in which something could be covered: its shape is {:?}",
                layer.shape
            )),
        }
    }

    /// Returns what is chosen for each of `count` pictures, which exists where it is a map.
    pub(crate) fn choices(
        &self,
        parameters: &Parameters,
        count: usize,
    ) -> Result<Vec<MapChoice>, AnalysisError> {
        let choices = parameters.map.for_each(count, "map")?;
        for choice in &choices {
            if let MapChoice::Number(number) = **choice
                && number >= self.maps
            {
                let (name, last) = (&self.name, self.maps - 1);
                let problem = format!("{name} has no map {number}; its maps are 0 to {last}");
                return Err(AnalysisError::parameter("map", problem));
            }
        }
        Ok(choices.into_iter().copied().collect())
    }
}

/// The strongest unit of a map in a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Unit {
    /// Number of the picture.
    pub(crate) image: usize,
    /// `[row, column]` in the map.
    pub(crate) position: [usize; 2],
    /// What it holds.
    pub(crate) activation: f32,
}

/// What is watched in one picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Subject {
    /// The class.
    pub(crate) class: usize,
    /// The feature map.
    pub(crate) map: usize,
    /// The map's strongest unit in the picture.
    pub(crate) unit: Unit,
}

/// What uncovered pictures show.
#[derive(Clone, Debug)]
pub(crate) struct Subjects {
    /// What is watched in each.
    pub(crate) of_images: Vec<Subject>,
    /// For every map of the layer its strongest units, one for each picture, strongest first.
    strongest: Vec<Vec<Unit>>,
    /// Whether the scores of all pictures are probabilities already.
    pub(crate) scores_are_probabilities: bool,
}

impl Subjects {
    /// Looks at the pictures as they are, and decides what is watched in each. Of every map, the
    /// `others + 1` pictures in which it is strongest are remembered.
    pub(crate) fn find(
        model: &Model<'_>,
        images: &Images<'_>,
        layer: &Layer,
        (targets, maps): (&[Target], &[MapChoice]),
        others: usize,
        progress: &dyn Fn(usize) -> Result<(), AnalysisError>,
    ) -> Result<Self, AnalysisError> {
        let strongest = Reduction::Strongest { k: 1, disjoint: Disjoint::None };
        let score = model.description().score.as_str();
        let captures = [
            Capture::new(score, Reduction::None),
            Capture::new(score, Reduction::Argmax),
            Capture::new(layer.name.as_str(), Reduction::Sum),
            Capture::new(layer.name.as_str(), strongest),
        ];
        let mut subjects = Self {
            of_images: Vec::with_capacity(images.len()),
            strongest: vec![Vec::new(); layer.maps],
            scores_are_probabilities: true,
        };
        model.observe(images, &[], &captures, |batch| {
            subjects.add(batch, targets, maps, others + 1)?;
            progress(batch.range().end)
        })?;
        Ok(subjects)
    }

    /// Adds the pictures of a batch.
    fn add(
        &mut self,
        batch: &Batch<'_>,
        targets: &[Target],
        maps: &[MapChoice],
        most: usize,
    ) -> Result<(), AnalysisError> {
        let (scores, predicted) = (batch.values(0)?, batch.indices(1)?);
        let sums = batch.values(2)?.into_dimensionality::<Ix2>()?;
        let activations = batch.values(3)?.into_dimensionality::<Ix3>()?;
        let positions = batch.indices(3)?.into_dimensionality::<Ix4>()?;
        for (row, image) in batch.range().enumerate() {
            let of_image = scores.index_axis(Axis(0), row);
            self.scores_are_probabilities &= look_like_probabilities(of_image.iter().copied());
            let unit = |map: usize| Unit {
                image,
                position: [0, 1].map(|axis| positions[[row, map, 0, axis]] as usize),
                activation: activations[[row, map, 0]],
            };
            for (map, strongest) in self.strongest.iter_mut().enumerate() {
                keep(strongest, unit(map), most);
            }
            let map = match maps[image] {
                MapChoice::Strongest => largest(&sums.row(row)),
                MapChoice::Number(number) => number,
            };
            let class = match targets[image] {
                Target::Predicted => predicted[[row].as_slice()] as usize,
                Target::Class(class) => class,
            };
            self.of_images.push(Subject { class, map, unit: unit(map) });
        }
        Ok(())
    }

    /// Returns the units of a picture's map that are strongest in other pictures, strongest first;
    /// those that are silent show nothing.
    pub(crate) fn others(&self, image: usize, count: usize) -> Vec<Unit> {
        let map = self.of_images[image].map;
        let is_other = |unit: &&Unit| unit.image != image && unit.activation > 0.0;
        self.strongest[map].iter().filter(is_other).take(count).copied().collect()
    }
}

/// Keeps the strongest units of a map, the earlier picture first among equals.
fn keep(strongest: &mut Vec<Unit>, unit: Unit, most: usize) {
    let is_weaker = |other: &Unit| other.activation.total_cmp(&unit.activation) == Ordering::Less;
    let place = strongest.iter().position(is_weaker).unwrap_or(strongest.len());
    if place < most {
        strongest.insert(place, unit);
        strongest.truncate(most);
    }
}

fn largest(sums: &ArrayView1<'_, f32>) -> usize {
    let mut best = 0;
    for (map, sum) in sums.iter().enumerate() {
        if *sum > sums[best] {
            best = map;
        }
    }
    best
}

/// Says whether scores are what a softmax makes: they sum to 1, and none is negative.
fn look_like_probabilities(scores: impl Iterator<Item = f32>) -> bool {
    let (mut sum, mut count) = (0.0, 0);
    for score in scores {
        if score < 0.0 {
            return false;
        }
        sum += f64::from(score);
        count += 1;
    }
    count > 1 && (sum - 1.0).abs() < 1e-3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(image: usize, activation: f32) -> Unit {
        Unit { image, position: [0, 0], activation }
    }

    #[test]
    fn the_strongest_units_are_kept_in_order() {
        let mut strongest = Vec::new();
        for (image, activation) in [(0, 1.0), (1, 3.0), (2, 3.0), (3, 0.5), (4, 2.0)] {
            keep(&mut strongest, unit(image, activation), 3);
        }
        let images: Vec<usize> = strongest.iter().map(|unit| unit.image).collect();
        assert_eq!(images, [1, 2, 4]);
    }

    #[test]
    fn the_largest_sum_is_found_and_the_first_of_equals() {
        assert_eq!(largest(&ArrayView1::from(&[1.0, 4.0, 4.0, -2.0])), 1);
        assert_eq!(largest(&ArrayView1::from(&[-1.0])), 0);
    }

    #[test]
    fn probabilities_sum_to_one_and_are_not_negative() {
        let look = |scores: &[f32]| look_like_probabilities(scores.iter().copied());
        assert!(look(&[0.25, 0.75]));
        assert!(!look(&[1.25, -0.25]));
        assert!(!look(&[0.5, 0.6]));
        assert!(!look(&[1.0]), "one score is no list of classes");
        assert!(!look(&[f32::NAN, 1.0]));
    }

    #[test]
    fn a_map_is_a_number_or_the_strongest() {
        let read = |json: serde_json::Value| serde_json::from_value::<MapChoice>(json);
        assert_eq!(read(7.into()).unwrap(), MapChoice::Number(7));
        assert_eq!(read("strongest".into()).unwrap(), MapChoice::Strongest);
        assert_eq!(
            read("weakest".into()).unwrap_err().to_string(),
            "no feature map is called \"weakest\""
        );
        assert_eq!(serde_json::to_value(MapChoice::Number(7)).unwrap(), 7);
        assert_eq!(serde_json::to_value(MapChoice::Strongest).unwrap(), "strongest");
    }
}
