//! The small arrays and the table: which units won, how strongly, where.

use convscope_sdk::protocol::array::ArrayMeta;
use convscope_sdk::protocol::table::Column;
use convscope_sdk::protocol::{Array, Axis, Cell, Table};
use ndarray::{ArrayD, IxDyn};

use crate::mining::Winner;
use crate::tile::Tile;

/// What a u32 array holds where there is no winner.
const NONE: u32 = u32::MAX;

/// One map of one layer.
pub(crate) struct MapSummary {
    /// Its number.
    pub(crate) map: usize,
    /// Its winners, strongest first.
    pub(crate) winners: Vec<Winner>,
    /// Where their receptive fields lie.
    pub(crate) tiles: Vec<Tile>,
    /// Share of pictures and of positions in which it fires.
    pub(crate) firing: [f32; 2],
    /// Number of pictures in which it fires.
    pub(crate) firing_images: u64,
}

/// The maps of one layer that are shown.
pub(crate) struct LayerSummary {
    /// Its name.
    pub(crate) layer: String,
    /// Its maps.
    pub(crate) maps: Vec<MapSummary>,
}

impl LayerSummary {
    /// Says whether any of the maps has a winner to show.
    pub(crate) fn has_winners(&self) -> bool {
        self.maps.iter().any(|map| !map.winners.is_empty())
    }
}

/// Makes the arrays that all layers share. Layers with fewer maps and maps with fewer winners than
/// others leave places empty.
pub(crate) fn arrays(layers: &[LayerSummary], top: usize) -> Vec<Array> {
    let most = layers.iter().map(|layer| layer.maps.len()).max().unwrap_or(0);
    let per_map = [layers.len(), most];
    let per_winner = |last: &[usize]| [&[layers.len(), most, top], last].concat();
    let mut map = filled(&per_map, NONE);
    let mut firing = filled(&[layers.len(), most, 2], f32::NAN);
    let mut activation = filled(&per_winner(&[]), f32::NAN);
    let mut image_index = filled(&per_winner(&[]), NONE);
    let mut position = filled(&per_winner(&[2]), NONE);
    let mut patch_region = filled(&per_winner(&[4]), NONE);
    for (l, layer) in layers.iter().enumerate() {
        for (m, summary) in layer.maps.iter().enumerate() {
            map[[l, m].as_slice()] = summary.map as u32;
            for (f, share) in summary.firing.into_iter().enumerate() {
                firing[[l, m, f].as_slice()] = share;
            }
            for (r, (winner, tile)) in summary.winners.iter().zip(&summary.tiles).enumerate() {
                activation[[l, m, r].as_slice()] = winner.activation;
                image_index[[l, m, r].as_slice()] = winner.image as u32;
                for (i, index) in winner.position.into_iter().enumerate() {
                    position[[l, m, r, i].as_slice()] = index as u32;
                }
                for (i, extent) in tile.region().into_iter().enumerate() {
                    patch_region[[l, m, r, i].as_slice()] = extent;
                }
            }
        }
    }
    let names = layers.iter().map(|layer| layer.layer.clone()).collect();
    let leading = [Axis::labelled("layer", names), Axis::named("map")];
    let ranked = [&leading[..], &[Axis::named("rank")]].concat();
    let with = |axes: &[Axis], last: Option<(&str, &[&str])>| {
        let mut axes = axes.to_vec();
        axes.extend(last.map(|(name, labels)| {
            Axis::labelled(name, labels.iter().map(|&label| label.to_owned()).collect())
        }));
        axes
    };
    let shares = ("share", &["picture", "position"][..]);
    let place = ("coordinate", &["row", "column"][..]);
    let extent = ("extent", &["top", "left", "height", "width"][..]);
    vec![
        array("map", with(&leading, None), map, "", "Number of the feature map."),
        array(
            "activation",
            with(&ranked, None),
            activation,
            "activation",
            "The strongest activations of each map, strongest first.",
        ),
        array(
            "image_index",
            with(&ranked, None),
            image_index,
            "",
            "Number of the picture in which the unit was so active.",
        ),
        array(
            "position",
            with(&ranked, Some(place)),
            position,
            "cell",
            "Place of the unit in its map.",
        ),
        array(
            "patch_region",
            with(&ranked, Some(extent)),
            patch_region,
            "px",
            "The unit's receptive field in the network's input, clipped at the border.",
        ),
        array(
            "firing",
            with(&leading, Some(shares)),
            firing,
            "share",
            "Share of the pictures, and of all positions in them, in which the map is above zero.",
        ),
    ]
}

fn filled<T: Clone>(shape: &[usize], value: T) -> ArrayD<T> {
    ArrayD::from_elem(IxDyn(shape), value)
}

fn array<T>(name: &str, axes: Vec<Axis>, values: ArrayD<T>, unit: &str, doc: &str) -> Array
where
    ArrayD<T>: Into<convscope_sdk::protocol::Values>,
{
    let meta = ArrayMeta { axes, unit: unit.to_owned(), doc: doc.to_owned() };
    Array { name: name.to_owned(), meta, values: values.into() }
}

fn whole(number: usize) -> Cell {
    Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Makes the table of maps: how often each fires, and its strongest activation.
pub(crate) fn table(layers: &[LayerSummary], names: &[String]) -> Table {
    let column = |name: &str, unit: &str, decimals: Option<u8>| Column {
        name: name.to_owned(),
        unit: unit.to_owned(),
        decimals,
    };
    let rows = layers.iter().flat_map(|layer| {
        layer.maps.iter().map(|map| {
            let best = map.winners.first();
            let cell = |value: Option<Cell>| value.unwrap_or(Cell::Empty);
            vec![
                Cell::Text(layer.layer.clone()),
                whole(map.map),
                whole(map.winners.len()),
                cell(best.map(|winner| Cell::Number(f64::from(winner.activation)))),
                cell(best.map(|winner| Cell::Text(names[winner.image].clone()))),
                Cell::Number(f64::from(map.firing[0]) * 100.0),
                Cell::Number(f64::from(map.firing[1]) * 100.0),
            ]
        })
    });
    Table {
        name: "map".to_owned(),
        caption: "The feature maps shown: their strongest activation and how often they fire."
            .to_owned(),
        columns: vec![
            column("layer", "", None),
            column("map", "", None),
            column("winners", "", None),
            column("strongest activation", "", Some(2)),
            column("picture", "", None),
            column("fires in pictures", "%", Some(1)),
            column("fires at positions", "%", Some(2)),
        ],
        rows: rows.collect(),
    }
}
