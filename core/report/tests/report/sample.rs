//! Findings that look like real ones, made from formulas: the same on every run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use convscope_protocol::array::ArrayMeta;
use convscope_protocol::figure::{
    Block, Colours, FigureContent, Grid, Group, Picture, Source, TableFigure, Tile,
};
use convscope_protocol::findings::Origin;
use convscope_protocol::table::{Cell, Column};
use convscope_protocol::{Array, Axis, Figure, Findings, Table};
use convscope_report::{Entry, Ingredient, PluginOrigin, Provenance, Report, write};
use ndarray::{ArrayD, Dimension as _, IxDyn};
use serde_json::json;

use crate::occlusion;

/// Feature maps, winners and the side of the receptive field of a made-up layer.
#[derive(Clone, Copy)]
pub(crate) struct Layer {
    pub(crate) name: &'static str,
    pub(crate) maps: usize,
    pub(crate) winners: usize,
    pub(crate) side: usize,
}

pub(crate) const LOW: Layer = Layer { name: "conv1_relu", maps: 4, winners: 9, side: 7 };
pub(crate) const HIGH: Layer = Layer { name: "fire9/concat", maps: 2, winners: 4, side: 100 };

pub(crate) fn array(
    name: &str,
    shape: &[usize],
    axes: &[&str],
    value: impl Fn(&[usize]) -> f32,
) -> Array {
    let values = ArrayD::from_shape_fn(IxDyn(shape), |index| value(index.slice()));
    let axes = axes.iter().map(|axis| Axis::named(axis)).collect();
    Array {
        name: name.to_owned(),
        meta: ArrayMeta { axes, unit: String::new(), doc: String::new() },
        values: values.into(),
    }
}

/// A wave whose direction and length depend on the map, dying out from the middle.
fn projection(index: &[usize], side: usize) -> f32 {
    let [map, rank, channel, row, column] = *index else { unreachable!() };
    let half = side as f32 / 2.0;
    let (y, x) = ((row as f32 + 0.5) / half - 1.0, (column as f32 + 0.5) / half - 1.0);
    let angle = map as f32 * 0.7 + rank as f32 * 0.06;
    let wave = ((x * angle.cos() + y * angle.sin()) * 6.0 + rank as f32 * 0.3).sin();
    let fade = (-2.5 * (x * x + y * y)).exp();
    wave * fade * (1.0 + 0.25 * (channel as f32 - 1.0) * (map as f32 % 3.0 - 1.0)) * 0.04
}

/// Something like a photograph; rank 2 lies at the border of its picture.
fn patch(index: &[usize], side: usize) -> f32 {
    let [map, rank, channel, row, column] = *index else { unreachable!() };
    let (y, x) = (row as f32 / side as f32, column as f32 / side as f32);
    if rank == 2 && x < 0.3 {
        return f32::NAN;
    }
    let base = 90.0 + 70.0 * y + 30.0 * (channel as f32 - 1.0) * x;
    let round = ((x - 0.5).powi(2) + (y - 0.5).powi(2)).sqrt();
    let thing = if round < 0.2 + 0.02 * rank as f32 { 60.0 - 40.0 * channel as f32 } else { 0.0 };
    let grain = ((row * 31 + column * 17 + map * 7 + rank) % 11) as f32;
    (base + thing + grain).clamp(0.0, 255.0).round()
}

pub(crate) fn grid(layer: Layer) -> (Vec<Array>, Figure) {
    let Layer { name, maps, winners, side } = layer;
    let axes = ["map", "rank", "channel", "row", "column"];
    let shape = [maps, winners, 3, side, side];
    let projections = array(&format!("projection.{name}"), &shape, &axes, |i| projection(i, side));
    let patches = array(&format!("patch.{name}"), &shape, &axes, |i| patch(i, side));
    let groups = (0..maps)
        .map(|map| {
            let block = |label: &str, array: &str, colours: Colours| Block {
                label: label.to_owned(),
                columns: 3,
                colours,
                tiles: (0..winners)
                    .map(|rank| Tile {
                        source: Source { array: array.to_owned(), index: vec![map, rank] },
                        title: format!(
                            "rank {}: photo_{rank:02}.jpg, activation {:.2}, at row {}, column {}",
                            rank + 1,
                            9.0 - rank as f32,
                            rank * 3,
                            map * 2
                        ),
                    })
                    .collect(),
            };
            let limit = 0.04 * (1.0 + 0.1 * map as f32);
            Group {
                label: format!("map {}", 17 + 31 * map),
                note: format!(
                    "fires in {} of 11 pictures and {:.1} % of positions",
                    8 - map,
                    2.3 + map as f32
                ),
                blocks: vec![
                    block("projections", &projections.name, Colours::AroundGrey { limit }),
                    block("patches", &patches.name, Colours::Photograph),
                ],
            }
        })
        .collect();
    let figure = Figure {
        name: format!("strongest.{name}"),
        title: format!("Strongest activations in {name}"),
        how_to_read:
            "Left: what in the picture made the unit fire, carried back to pixels. Right: \
                      the patch of the picture that it saw."
                .to_owned(),
        caption: format!(
            "The {winners} strongest activations of {maps} of 512 maps, chosen at random (seed 1), \
             over 11 pictures; projected from the one unit with the switches of its own picture \
             (Zeiler & Fergus 2013, section 2.1). start: activation, overlap: sum, lrn: exact. \
             Grey is zero; each map has one symmetric scale at the 99.5th percentile."
        ),
        content: FigureContent::Grid(Grid { groups, unit: String::new() }),
    };
    (vec![projections, patches], figure)
}

/// A figure of one picture: an array on its own, and how it is coloured.
pub(crate) fn picture(array: &Array, colours: Colours, label: &str) -> Figure {
    Figure {
        name: array.name.clone(),
        title: format!("The {} of one photograph", array.name.replace('_', " ")),
        how_to_read: "Every square is one unit; bright units fire strongly.".into(),
        caption: "Layer fire9/concat, map 17; values as they are, not normalised.".into(),
        content: FigureContent::Picture(Picture {
            source: Source { array: array.name.clone(), index: Vec::new() },
            colours,
            label: label.to_owned(),
        }),
    }
}

pub(crate) fn activity() -> (Array, Figure) {
    let mut array = array("activity", &[13, 13], &["row", "column"], |index| {
        let (y, x) = (index[0] as f32 - 7.0, index[1] as f32 - 5.0);
        42.0 * (-(x * x + y * y) / 18.0).exp()
    });
    array.meta.unit = "activation".into();
    let figure = picture(&array, Colours::Viridis { low: 0.0, high: 42.0 }, "cat.jpg");
    (array, figure)
}

/// A signed map with a border where nothing is known.
pub(crate) fn change() -> (Array, Figure) {
    let mut array = array("change", &[24, 32], &["row", "column"], |index| {
        let (row, column) = (index[0] as f32, index[1] as f32);
        let known = (2.0..22.0).contains(&row) && (2.0..30.0).contains(&column);
        if known { 0.3 * (column / 5.0).sin() * (row / 4.0).cos() } else { f32::NAN }
    });
    array.meta.unit = "probability".into();
    let figure = picture(&array, Colours::Signed { limit: 0.3 }, "");
    (array, figure)
}

/// The sample table, drawn.
pub(crate) fn drawn_table() -> Figure {
    Figure {
        name: "strongest_map".into(),
        title: "The strongest activation of every map".into(),
        how_to_read: "One row for each map that was looked at.".into(),
        caption: "Over 11 pictures.".into(),
        content: FigureContent::Table(TableFigure { table: "strongest_map".into() }),
    }
}

/// Findings with a figure of every kind.
pub(crate) fn gallery() -> Findings {
    let mut findings = findings(&[LOW]);
    for (array, figure) in [activity(), change()] {
        findings.arrays.push(array);
        findings.figures.push(figure);
    }
    findings.figures.push(drawn_table());
    let (arrays, figure) = occlusion::SMALL.parts();
    findings.arrays.extend(arrays);
    findings.figures.push(figure);
    findings
}

pub(crate) fn table() -> Table {
    let column = |name: &str, unit: &str, decimals| Column {
        name: name.to_owned(),
        unit: unit.to_owned(),
        decimals,
    };
    let row = |map: i64| {
        vec![
            Cell::Text("fire9/concat".into()),
            Cell::Integer(map),
            Cell::Number(12.345_678 / map as f64),
            Cell::Text(format!("photo_{map:02}.jpg")),
            if map % 2 == 0 { Cell::Empty } else { Cell::Number(-0.25 * map as f64) },
        ]
    };
    Table {
        name: "strongest_map".into(),
        caption: "The strongest activation of every map.".into(),
        columns: vec![
            column("layer", "", None),
            column("map", "", None),
            column("activation", "", Some(3)),
            column("picture", "", None),
            column("change", "%", Some(1)),
        ],
        rows: (1..=8).map(row).collect(),
    }
}

pub(crate) fn origin() -> Origin {
    let hash = |digit: &str| digit.repeat(64);
    Origin {
        analysis: "org.convscope.deconvnet/deconvnet".into(),
        semantics: "Projects the strongest activations of feature maps back to pixels.".into(),
        parameters: [("top".to_owned(), json!(9)), ("layers".to_owned(), json!(["conv1_relu"]))]
            .into_iter()
            .collect(),
        plugin_hash: hash("a"),
        model_hash: hash("b"),
        images_hash: hash("c"),
        seed: 1,
        backend: "cpu".into(),
    }
}

pub(crate) fn findings(layers: &[Layer]) -> Findings {
    let mut findings = Findings { origin: origin(), ..Findings::default() };
    for &layer in layers {
        let (arrays, figure) = grid(layer);
        findings.arrays.extend(arrays);
        findings.figures.push(figure);
    }
    findings.tables.push(table());
    findings.scalars.push(("share_of_dead_maps".into(), 0.031_25));
    findings.notes.push("Two maps of conv1_relu fire nowhere and were left out.".into());
    findings
}

pub(crate) fn report(findings: Findings) -> Report {
    Report {
        title: "Inside SqueezeNet 1.1".into(),
        entries: vec![
            Entry::Text("Every projection below starts from **one** unit.".into()),
            Entry::Findings { result: "deconvnet".into(), findings: Arc::new(findings) },
        ],
    }
}

pub(crate) fn provenance() -> Provenance {
    let hash = |digit: &str| digit.repeat(64);
    Provenance {
        version: "0.1.0".into(),
        command: vec!["convscope".into(), "run".into(), "quickstart.rhai".into()],
        seed: 1,
        backend: "cpu".into(),
        script_hash: Some(hash("d")),
        models: vec![Ingredient {
            name: "squeezenet1_1.onnx".into(),
            hash: hash("b"),
            preprocessing: Some("model card squeezenet1_1.toml".into()),
        }],
        images: vec![Ingredient { name: "photos".into(), hash: hash("c"), preprocessing: None }],
        plugins: vec![PluginOrigin {
            id: "org.convscope.deconvnet".into(),
            version: "0.1.0".into(),
            hash: hash("a"),
        }],
        run: [("seconds".to_owned(), json!(12.5))].into_iter().collect(),
    }
}

/// The files of a written report, by name.
#[derive(PartialEq)]
pub(crate) struct Files(pub(crate) BTreeMap<String, Vec<u8>>);

impl Files {
    /// Reads everything below a folder.
    pub(crate) fn below(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                    files.insert(name, fs::read(path).unwrap());
                }
            }
        }
        Self(files)
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        std::str::from_utf8(&self.0[name]).unwrap()
    }
}

/// Writes a report into a folder of its own and reads it back.
pub(crate) fn written(report: &Report) -> Files {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("report");
    write(report, &provenance(), &out).unwrap();
    Files::below(&out)
}

/// Draws one figure of findings alone.
pub(crate) fn drawn(findings: Findings, place: usize) -> String {
    let figure = findings.figures[place].name.clone();
    let entry = Entry::Figure {
        result: "sample".into(),
        findings: Arc::new(findings),
        figure,
        caption: None,
    };
    let files = written(&Report { title: "One figure".into(), entries: vec![entry] });
    let name = files.names().into_iter().find(|name| name.starts_with("figures/")).unwrap();
    files.text(name).to_owned()
}
