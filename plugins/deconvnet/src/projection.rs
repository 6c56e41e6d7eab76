//! Projects winners back to the picture, each from its one unit with the switches of its own
//! picture.

use convscope_sdk::protocol::array::ArrayMeta;
use convscope_sdk::protocol::{Amount, Array, Axis, Composite, Start};
use convscope_sdk::{AnalysisError, Host, Images, Model, input_channels, pixel_channels};
use ndarray::{Array5, ArrayView3, s};

use crate::mining::Winner;
use crate::tile::{Tile, tile_size};

/// Channels of a picture's pixels.
const PIXEL_CHANNELS: usize = 3;

/// How signals are carried back.
#[derive(Clone, Debug)]
pub(crate) struct Inversion {
    /// The deconvnet with its options.
    pub(crate) composite: Composite,
    /// What a unit holds at the start.
    pub(crate) amount: Amount,
}

/// The winners of the maps of one layer, and how they are to be projected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task<'a> {
    /// Name of the layer.
    pub(crate) layer: &'a str,
    /// Number and winners of every map shown.
    pub(crate) maps: &'a [(usize, &'a [Winner])],
    /// Places for winners in the arrays.
    pub(crate) top: usize,
}

/// Projections and patches of one layer, `[map, rank, channel, row, column]`, and where they lie.
pub(crate) struct Projected {
    /// What came back, in network-input units; NaN beyond the picture.
    pub(crate) projections: Array5<f32>,
    /// The same part of the picture; nothing for raw tensors.
    pub(crate) patches: Option<Array5<f32>>,
    /// For every map and winner its place.
    pub(crate) tiles: Vec<Vec<Tile>>,
}

/// Projects all winners of a layer.
pub(crate) fn project(
    host: &Host<'_>,
    model: &Model<'_>,
    images: &Images<'_>,
    task: Task<'_>,
    inversion: &Inversion,
) -> Result<Projected, AnalysisError> {
    let [count, height, width] = input_extents(model)?;
    let picture = [height, width];
    let spatial = model.layer(task.layer).is_some_and(|layer| layer.shape.len() == 4);
    let field =
        |winner: &Winner| model.receptive_field(task.layer, spatial.then_some(winner.position));
    let some = task.maps.iter().find_map(|(_, winners)| winners.first());
    let tile = match some {
        Some(winner) => tile_size(field(winner)?, picture),
        None => [1, 1],
    };
    let empty = |channels| {
        Array5::from_elem([task.maps.len(), task.top, channels, tile[0], tile[1]], f32::NAN)
    };
    let (mut projections, mut patches) = (empty(count), empty(PIXEL_CHANNELS));

    // Winners by picture: several signals then share one forward pass, and pictures decode once.
    let mut order: Vec<(usize, usize)> = Vec::new();
    let mut tiles = Vec::with_capacity(task.maps.len());
    for (place, (_, winners)) in task.maps.iter().enumerate() {
        let placed = |winner| Ok(Tile::new(field(winner)?, picture, tile));
        tiles.push(winners.iter().map(placed).collect::<Result<Vec<_>, AnalysisError>>()?);
        order.extend((0..winners.len()).map(|rank| (place, rank)));
    }
    let winner = |(place, rank): (usize, usize)| task.maps[place].1[rank];
    order.sort_by_key(|&at| (winner(at).image, at));
    let mut chosen: Vec<usize> = order.iter().map(|&at| winner(at).image).collect();
    chosen.dedup();
    let starts: Vec<Start> = order
        .iter()
        .map(|&at| Start {
            image: chosen.binary_search(&winner(at).image).unwrap_or_default(),
            value: task.layer.to_owned(),
            channel: task.maps[at.0].0,
            position: spatial.then_some(winner(at).position),
            amount: inversion.amount,
        })
        .collect();

    let mut has_pixels = true;
    for &image in &chosen {
        let Some(pixels) = images.pixels(image)? else {
            has_pixels = false;
            break;
        };
        let pixels = pixels.permuted_axes([2, 0, 1]).mapv(f32::from);
        for &at in order.iter().filter(|&&at| winner(at).image == image) {
            copy(&pixels.view(), tiles[at.0][at.1], at, &mut patches);
        }
    }
    if !starts.is_empty() {
        let winners_of = images.select(&chosen)?;
        model.attribute(&winners_of, &starts, &inversion.composite, &[], |batch| {
            let signals = batch.values(0)?.into_dimensionality::<ndarray::Ix4>()?;
            for (row, index) in batch.range().enumerate() {
                let at = order[index];
                let signal = signals.slice(s![row, .., .., ..]);
                copy(&signal, tiles[at.0][at.1], at, &mut projections);
            }
            if host.is_cancelled() { Err(AnalysisError::Cancelled) } else { Ok(()) }
        })?;
    }
    Ok(Projected { projections, patches: has_pixels.then_some(patches), tiles })
}

/// Copies the visible part of a picture-sized array into a tile.
fn copy(
    source: &ArrayView3<'_, f32>,
    tile: Tile,
    (map, rank): (usize, usize),
    target: &mut Array5<f32>,
) {
    let ([y, x], [height, width], [dy, dx]) = (tile.start, tile.size, tile.offset);
    let part = source.slice(s![.., y..y + height, x..x + width]);
    target.slice_mut(s![map, rank, .., dy..dy + height, dx..dx + width]).assign(&part);
}

/// Returns `[channels, height, width]` of the network's input.
fn input_extents(model: &Model<'_>) -> Result<[usize; 3], AnalysisError> {
    let input = model.description().inputs.first();
    match input.map(|input| input.shape.as_slice()) {
        Some(&[_, channels, height, width]) => Ok([channels, height, width]),
        _ => Err(AnalysisError::Unsupported("the model's first input is no picture".into())),
    }
}

impl Projected {
    /// Makes the arrays `projection.LAYER` and `patch.LAYER`.
    pub(crate) fn into_arrays(self, model: &Model<'_>, layer: &str, maps: &[usize]) -> Vec<Array> {
        let numbers: Vec<String> = maps.iter().map(ToString::to_string).collect();
        let array = |name: &str, channels, values: Array5<f32>, unit: &str, doc: &str| {
            let map = Axis::labelled("map", numbers.clone());
            let [rank, row, column] = ["rank", "row", "column"].map(Axis::named);
            let axes = vec![map, rank, channels, row, column];
            Array {
                name: format!("{name}.{layer}"),
                meta: ArrayMeta { axes, unit: unit.into(), doc: doc.into() },
                values: values.into_dyn().into(),
            }
        };
        let mut arrays = vec![array(
            "projection",
            input_channels(model.description()),
            self.projections,
            "",
            "What came back from one unit to its receptive field; NaN beyond the picture.",
        )];
        if let Some(patches) = self.patches {
            let doc = "The picture in the same place, 0 to 255; NaN beyond its border.";
            arrays.push(array("patch", pixel_channels(), patches, "grey level", doc));
        }
        arrays
    }
}
