//! Projects winners back to the picture, each from its one unit with the switches of its own
//! picture.

use convscope_sdk::protocol::array::ArrayMeta;
use convscope_sdk::protocol::{Amount, Array, Axis, Composite, Region, Start};
use convscope_sdk::{AnalysisError, Images, Model, input_channels, pixel_channels};
use ndarray::{Array5, ArrayView3, s};

use crate::layers::Layer;
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
    /// `[channels, height, width]` of the network's input.
    pub(crate) input: [usize; 3],
    /// The layer.
    pub(crate) layer: &'a Layer,
    /// Number and winners of every map shown.
    pub(crate) maps: &'a [(usize, &'a [Winner])],
    /// Places for winners in the arrays.
    pub(crate) top: usize,
}

/// Projections and patches of one layer, `[map, rank, channel, row, column]`, and where they lie.
pub(crate) struct Projected {
    /// What came back, in network-input units; NaN beyond the picture.
    pub(crate) projections: Array5<f32>,
    /// The same part of the picture, 0 to 255; NaN beyond it and for raw tensors. Nothing if all
    /// are raw tensors.
    pub(crate) patches: Option<Array5<f32>>,
    /// For every map and winner its place.
    pub(crate) tiles: Vec<Vec<Tile>>,
}

/// A winner and its place in the arrays.
#[derive(Clone, Copy)]
struct Placed {
    winner: Winner,
    /// Place of its map among those shown.
    map: usize,
    rank: usize,
}

/// Projects all winners of a layer. `progress` is told which share of it is done.
pub(crate) fn project(
    model: &Model<'_>,
    images: &Images<'_>,
    task: Task<'_>,
    inversion: &Inversion,
    progress: &dyn Fn(f64) -> Result<(), AnalysisError>,
) -> Result<Projected, AnalysisError> {
    progress(0.0)?;
    let (size, tiles) = place_tiles(model, task)?;
    let empty = |channels| {
        Array5::from_elem([task.maps.len(), task.top, channels, size[0], size[1]], f32::NAN)
    };
    let (mut projections, mut patches) = (empty(task.input[0]), empty(PIXEL_CHANNELS));

    // In the order of pictures: several signals then share one forward pass, and every picture is
    // decoded once.
    let mut order = Vec::new();
    for (map, (_, winners)) in task.maps.iter().enumerate() {
        order.extend(winners.iter().enumerate().map(|(rank, &winner)| Placed {
            winner,
            map,
            rank,
        }));
    }
    order.sort_by_key(|placed| placed.winner.image);
    let mut has_pixels = false;
    let (mut chosen, mut starts) = (Vec::new(), Vec::new());
    for of_image in order.chunk_by(|a, b| a.winner.image == b.winner.image) {
        let image = of_image[0].winner.image;
        for placed in of_image {
            starts.push(Start {
                image: chosen.len(),
                value: task.layer.name.clone(),
                channel: task.maps[placed.map].0,
                position: task.layer.size.and(Some(placed.winner.position)),
                amount: inversion.amount,
            });
        }
        chosen.push(image);
        if let Some(pixels) = images.pixels(image)? {
            has_pixels = true;
            let pixels = pixels.permuted_axes([2, 0, 1]).mapv(f32::from);
            for placed in of_image {
                copy(&pixels.view(), tiles[placed.map][placed.rank], *placed, &mut patches);
            }
        }
        progress(0.0)?;
    }
    if !starts.is_empty() {
        let chosen = images.select(&chosen)?;
        model.attribute(&chosen, &starts, &inversion.composite, &[], |batch| {
            let signals = batch.values(0)?.into_dimensionality::<ndarray::Ix4>()?;
            for (signal, index) in signals.outer_iter().zip(batch.range()) {
                let placed = order[index];
                copy(&signal, tiles[placed.map][placed.rank], placed, &mut projections);
            }
            progress(batch.range().end as f64 / starts.len() as f64)
        })?;
    }
    Ok(Projected { projections, patches: has_pixels.then_some(patches), tiles })
}

/// Returns the size of the layer's tiles and where each winner's receptive field lies in its tile.
fn place_tiles(
    model: &Model<'_>,
    task: Task<'_>,
) -> Result<([usize; 2], Vec<Vec<Tile>>), AnalysisError> {
    let [_, height, width] = task.input;
    let picture = [height, width];
    let field = |winner: &Winner| {
        model.receptive_field(&task.layer.name, task.layer.size.and(Some(winner.position)))
    };
    let fields = task
        .maps
        .iter()
        .map(|(_, winners)| winners.iter().map(field).collect::<Result<Vec<_>, _>>())
        .collect::<Result<Vec<_>, _>>()?;
    // At least one pixel, so that a layer without any winner has a shape.
    let size = fields.iter().flatten().fold([1, 1], |[height, width], field| {
        let [h, w] = tile_size(*field, picture);
        [height.max(h), width.max(w)]
    });
    let place = |field: &Region| Tile::new(*field, picture, size);
    let tiles = fields.iter().map(|fields| fields.iter().map(place).collect()).collect();
    Ok((size, tiles))
}

/// Copies the visible part of a picture-sized array into a tile.
fn copy(
    source: &ArrayView3<'_, f32>,
    tile: Tile,
    Placed { map, rank, .. }: Placed,
    target: &mut Array5<f32>,
) {
    let ([y, x], [height, width], [dy, dx]) = (tile.start, tile.size, tile.offset);
    let part = source.slice(s![.., y..y + height, x..x + width]);
    target.slice_mut(s![map, rank, .., dy..dy + height, dx..dx + width]).assign(&part);
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
