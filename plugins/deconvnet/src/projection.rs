//! Projects winners back to the picture, each from its one unit with the switches of its own
//! picture.

use convscope_sdk::protocol::array::ArrayMeta;
use convscope_sdk::protocol::{Amount, Array, Axis, Composite, Start};
use convscope_sdk::{AnalysisError, Host, Images, Model};
use ndarray::{Array5, ArrayView3, s};

use crate::mining::Winner;
use crate::tile::{Tile, tile_size};

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
    /// Names of the channels.
    channels: Vec<String>,
}

/// Projects all winners of a layer.
pub(crate) fn project(
    host: &Host<'_>,
    model: &Model<'_>,
    images: &Images<'_>,
    task: Task<'_>,
    inversion: &Inversion,
) -> Result<Projected, AnalysisError> {
    let channels = Channels::of(model)?;
    let spatial = model.layer(task.layer).is_some_and(|layer| layer.shape.len() == 4);
    let field =
        |winner: &Winner| model.receptive_field(task.layer, spatial.then_some(winner.position));
    let some = task.maps.iter().find_map(|(_, winners)| winners.first());
    let tile = match some {
        Some(winner) => tile_size(field(winner)?, channels.picture),
        None => [1, 1],
    };
    let count = channels.names.len();
    let empty = Array5::from_elem([task.maps.len(), task.top, count, tile[0], tile[1]], f32::NAN);
    let (mut projections, mut patches) = (empty.clone(), Some(empty));

    // Winners by picture: several signals then share one forward pass, and pictures decode once.
    let mut order: Vec<(usize, usize)> = Vec::new();
    let mut tiles = Vec::with_capacity(task.maps.len());
    for (place, (_, winners)) in task.maps.iter().enumerate() {
        let placed = |winner| Ok(Tile::new(field(winner)?, channels.picture, tile));
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

    for &image in &chosen {
        let pixels = images.pixels(image)?;
        for &at in order.iter().filter(|&&at| winner(at).image == image) {
            let tile = tiles[at.0][at.1];
            match (&pixels, &mut patches) {
                (Some(pixels), Some(patches)) => {
                    let picture = pixels.view().permuted_axes([2, 0, 1]);
                    if picture.shape()[0] == count {
                        copy(&picture.mapv(f32::from).view(), tile, at, patches, None);
                    } else {
                        let grey = picture.slice(s![..1, .., ..]).mapv(f32::from);
                        copy(&grey.view(), tile, at, patches, None);
                    }
                }
                _ => patches = None,
            }
        }
    }
    if !starts.is_empty() {
        let winners_of = images.select(&chosen)?;
        model.attribute(&winners_of, &starts, &inversion.composite, &[], |batch| {
            let signals = batch.values(0)?.into_dimensionality::<ndarray::Ix4>()?;
            for (row, index) in batch.range().enumerate() {
                let at = order[index];
                let signal = signals.slice(s![row, .., .., ..]);
                let places = Some(channels.order.as_slice());
                copy(&signal, tiles[at.0][at.1], at, &mut projections, places);
            }
            if host.is_cancelled() { Err(AnalysisError::Cancelled) } else { Ok(()) }
        })?;
    }
    Ok(Projected { projections, patches, tiles, channels: channels.names })
}

/// Copies the visible part of a picture-sized array into a tile; `order` says which channel of the
/// source comes where.
fn copy(
    source: &ArrayView3<'_, f32>,
    tile: Tile,
    (map, rank): (usize, usize),
    target: &mut Array5<f32>,
    order: Option<&[usize]>,
) {
    let ([y, x], [height, width], [dy, dx]) = (tile.start, tile.size, tile.offset);
    for channel in 0..target.shape()[2] {
        let from = order.map_or(channel, |order| order[channel]);
        let part = source.slice(s![from, y..y + height, x..x + width]);
        target.slice_mut(s![map, rank, channel, dy..dy + height, dx..dx + width]).assign(&part);
    }
}

/// The channels of the network's input, in the order in which people see them.
struct Channels {
    names: Vec<String>,
    /// For every shown channel its place in the network's input.
    order: Vec<usize>,
    /// `[height, width]` of the input.
    picture: [usize; 2],
}

impl Channels {
    fn of(model: &Model<'_>) -> Result<Self, AnalysisError> {
        let description = model.description();
        let [_, count, height, width] = description
            .inputs
            .first()
            .and_then(|input| input.shape[..].try_into().ok())
            .ok_or_else(|| {
                AnalysisError::Unsupported("the model's first input is no picture".into())
            })?;
        let order = description.preprocessing.as_ref().map(|scale| scale.channels.as_str());
        let (names, order): (Vec<&str>, _) = match (order, count) {
            (Some("bgr"), 3) => (vec!["red", "green", "blue"], vec![2, 1, 0]),
            (Some(_), 3) => (vec!["red", "green", "blue"], vec![0, 1, 2]),
            _ => (Vec::new(), (0..count).collect()),
        };
        let names = if names.is_empty() {
            (0..count).map(|channel| channel.to_string()).collect()
        } else {
            names.into_iter().map(str::to_owned).collect()
        };
        Ok(Self { names, order, picture: [height, width] })
    }
}

impl Projected {
    /// Makes the arrays `projection.LAYER` and `patch.LAYER`.
    pub(crate) fn into_arrays(self, layer: &str, maps: &[usize]) -> Vec<Array> {
        let numbers: Vec<String> = maps.iter().map(ToString::to_string).collect();
        let axes = vec![
            Axis::labelled("map", numbers),
            Axis::named("rank"),
            Axis::labelled("channel", self.channels),
            Axis::named("row"),
            Axis::named("column"),
        ];
        let array = |name: &str, values: Array5<f32>, unit: &str, doc: &str| Array {
            name: format!("{name}.{layer}"),
            meta: ArrayMeta { axes: axes.clone(), unit: unit.into(), doc: doc.into() },
            values: values.into_dyn().into(),
        };
        let mut arrays = vec![array(
            "projection",
            self.projections,
            "",
            "What came back from one unit to its receptive field; NaN beyond the picture.",
        )];
        if let Some(patches) = self.patches {
            let doc = "The picture in the same place, 0 to 255; NaN beyond its border.";
            arrays.push(array("patch", patches, "grey level", doc));
        }
        arrays
    }
}
