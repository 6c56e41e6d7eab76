//! The figure: for every picture the five panels of Figure 7 of the paper, and the drop laid over
//! the picture.

use std::collections::BTreeSet;

use convscope_sdk::protocol::figure::{
    CellPlaces, ClassName, Colours, MapRow, Maps, Mark, Panel, PanelContent, Source, Tile,
};
use convscope_sdk::protocol::{Figure, FigureContent, Region};
use convscope_sdk::{around_grey, symmetric_limit};
use ndarray::Axis;

use crate::boxes::NamedBox;
use crate::covering::Covered;
use crate::projection::Projections;
use crate::results::Scale;
use crate::subject::Subject;
use crate::summary::lowest;

/// What the words and colours of a figure need.
pub(crate) struct Setting<'a> {
    /// Names of the pictures.
    pub(crate) names: &'a [String],
    /// What is watched in each.
    pub(crate) subjects: &'a [Subject],
    /// The same in words.
    pub(crate) watched: &'a [String],
    /// What the network says of each.
    pub(crate) covered: &'a [Covered],
    /// Parts of each.
    pub(crate) boxes: &'a [Vec<NamedBox>],
    /// Names of the classes.
    pub(crate) labels: &'a [String],
    /// The layer of the feature maps.
    pub(crate) layer: &'a str,
    /// What the occluder shows, in words.
    pub(crate) baseline: &'a str,
    /// `[height, width]` of the pictures.
    pub(crate) picture: [usize; 2],
    /// How many pictures are shown.
    pub(crate) shown: usize,
    /// Whether the array `picture` is there.
    pub(crate) has_pictures: bool,
    /// Projections, where they can be drawn.
    pub(crate) projections: Option<&'a Projections>,
}

/// What all rows of a figure share.
struct Scales {
    /// The largest probability.
    probability: f32,
    /// Where the scale of drops ends.
    drop: f32,
    /// How many projections of other pictures the rows have at most.
    others: usize,
}

/// Describes the figure of one occluder.
pub(crate) fn figure(scale: &Scale, setting: &Setting<'_>) -> Figure {
    let shown = 0..setting.shown;
    let largest = |image: usize| {
        let clean = setting.covered[image].clean.probability;
        let covered = scale.seen.index_axis(Axis(0), image);
        covered.iter().fold(clean, |largest, seen| largest.max(seen.probability))
    };
    let drops = shown.clone().flat_map(|image| scale.drop.index_axis(Axis(0), image));
    let scales = Scales {
        probability: shown.clone().map(largest).fold(0.0, f32::max),
        drop: symmetric_limit(drops.copied()),
        others: setting
            .projections
            .map_or(0, |projections| projections.images.len_of(Axis(1)).saturating_sub(1)),
    };
    let rows = shown.map(|image| row(scale, image, &scales, setting)).collect();
    Figure {
        name: scale.name("occlusion"),
        title: "What the network loses when a place is covered".to_owned(),
        how_to_read:
            "Each cell of a map tells what the network says when the occluder lies there: \
                      where the probability of the class falls, the network needs what is covered."
                .to_owned(),
        caption: caption(scale, &scales, setting),
        content: FigureContent::Maps(Maps { rows }),
    }
}

fn row(scale: &Scale, image: usize, scales: &Scales, setting: &Setting<'_>) -> MapRow {
    let seen = scale.seen.index_axis(Axis(0), image);
    let place = |array: &str| Source { array: scale.name(array), index: vec![image] };
    let cells = || scale.windows.cells();
    let subject = &setting.subjects[image];
    let panel = |label: &str, marks, content| Panel { label: label.to_owned(), marks, content };
    let mut panels = Vec::new();
    let photograph = || Source { array: "picture".to_owned(), index: vec![image] };
    let mut parts: Vec<Mark> = setting.boxes[image].iter().map(outline).collect();
    if setting.has_pictures {
        let mut marks = parts.clone();
        marks.push(occluder(scale, image, setting));
        let content = PanelContent::Map {
            source: photograph(),
            colours: Colours::Photograph,
            cells: CellPlaces::Whole,
        };
        panels.push(panel("(a) picture, occluder", marks, content));
    }
    let (low, high) = extent(seen.iter().map(|seen| seen.activity));
    let activity = PanelContent::Map {
        source: place("activity"),
        colours: Colours::Viridis { low, high },
        cells: cells(),
    };
    panels.push(panel(&format!("(b) activity of map {}", subject.map), Vec::new(), activity));
    if let Some(projections) = setting.projections {
        projected(projections, image, scales, setting, &mut panels);
    }
    let probability = PanelContent::Map {
        source: place("probability"),
        colours: Colours::Viridis { low: 0.0, high: scales.probability },
        cells: cells(),
    };
    panels.push(panel("(d) probability", Vec::new(), probability));
    let classes: BTreeSet<u32> = seen.iter().map(|seen| seen.label).collect();
    let named = |class: u32| {
        let name = setting.labels.get(class as usize)?.clone();
        Some(ClassName { class, name })
    };
    let classes = PanelContent::Classes {
        source: place("label"),
        names: classes.into_iter().filter_map(named).collect(),
        cells: cells(),
    };
    panels.push(panel("(e) most probable class", Vec::new(), classes));
    let (source, limit) = (place("drop"), scales.drop);
    let drop = if setting.has_pictures {
        let cells = CellPlaces::Whole;
        PanelContent::Overlay { photograph: photograph(), source, limit, cells }
    } else {
        parts.push(occluder(scale, image, setting));
        let (colours, cells) = (Colours::Signed { limit }, CellPlaces::Whole);
        PanelContent::Map { source, colours, cells }
    };
    panels.push(panel("drop of the probability", parts, drop));
    let [height, width] = setting.picture;
    let clean = setting.covered[image].clean;
    MapRow {
        label: setting.names[image].clone(),
        note: format!("{}: probability {:.3}", setting.watched[image], clean.probability),
        height,
        width,
        panels,
    }
}

/// Adds the panels of projections.
fn projected(
    projections: &Projections,
    image: usize,
    scales: &Scales,
    setting: &Setting<'_>,
    panels: &mut Vec<Panel>,
) {
    let colours = around_grey(projections.values.index_axis(Axis(0), image).iter().copied());
    let place = |rank: usize| Source { array: "projection".to_owned(), index: vec![image, rank] };
    let content =
        PanelContent::Map { source: place(0), colours: colours.clone(), cells: CellPlaces::Whole };
    panels.push(Panel { label: "(c) its projection".to_owned(), marks: Vec::new(), content });
    if scales.others == 0 {
        return;
    }
    let units = projections.units[image].iter().enumerate().skip(1);
    let tiles = units
        .filter_map(|(rank, unit)| {
            let unit = unit.as_ref()?;
            let [row, column] = unit.position;
            Some(Tile {
                source: place(rank),
                title: format!(
                    "{}, activation {:.2} at row {row}, column {column}",
                    setting.names[unit.image], unit.activation
                ),
            })
        })
        .collect();
    let columns = (scales.others as f64).sqrt().ceil() as usize;
    let content = PanelContent::Tiles { columns, colours, tiles, framed: None };
    panels.push(Panel { label: "(c) in other pictures".to_owned(), marks: Vec::new(), content });
}

/// Draws the occluder where it takes most of the probability away.
fn occluder(scale: &Scale, image: usize, setting: &Setting<'_>) -> Mark {
    let [row, column] = lowest(&scale.seen.index_axis(Axis(0), image));
    let [height, width] = scale.windows.size;
    let start = |start: usize| (start as u64).cast_signed();
    Mark {
        region: Region {
            top: start(scale.windows.rows[row]),
            left: start(scale.windows.columns[column]),
            height: height as u64,
            width: width as u64,
        },
        fill: setting.covered[image].colour,
        title: format!("occluder, {height} × {width} px"),
    }
}

fn outline(part: &NamedBox) -> Mark {
    Mark { region: part.region, fill: None, title: part.name.clone() }
}

/// Returns the smallest and the largest of finite values.
fn extent(values: impl Iterator<Item = f32>) -> (f32, f32) {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low <= high { (low, high) } else { (0.0, 1.0) }
}

fn caption(scale: &Scale, scales: &Scales, setting: &Setting<'_>) -> String {
    let [height, width] = scale.windows.size;
    let [rows, columns] = scale.windows.shape();
    let [down, right] = scale.windows.stride;
    let mut caption = format!(
        "The occluder is {height} × {width} pixels and shows {}; {rows} × {columns} places, {down} \
         pixels apart down and {right} across. ",
        setting.baseline
    );
    if setting.has_pictures {
        caption.push_str("(a) The occluder where it lowers the probability most. ");
    }
    caption.extend(["(b) Sum of the feature map of ", setting.layer]);
    caption.push_str(", on a scale of its own for each picture. ");
    if setting.projections.is_some() {
        caption.push_str(
            "(c) The map's strongest unit, carried back by a deconvnet; grey is zero, with one \
             symmetric scale for each map. ",
        );
    }
    caption.extend([
        format!("(d) Probability of the class, from 0 to {:.3} in all rows. ", scales.probability),
        "(e) The most probable class. ".to_owned(),
        format!(
            "Last: clean minus covered probability, the mean over the places that cover a pixel; \
             red falls, blue rises, up to {:.3} in all rows (99.5th percentile).",
            scales.drop
        ),
    ]);
    caption
}
