//! The tables: how much covering takes away, and where.

use convscope_sdk::AnalysisError;
use convscope_sdk::protocol::table::Column;
use convscope_sdk::protocol::{Cell, Region, Table};
use convscope_sdk::statistics::{Bootstrap, bootstrap_mean};
use ndarray::{ArrayView2, Axis, s};

use crate::boxes::NamedBox;
use crate::covering::{Covered, Seen};
use crate::results::Scale;

/// What the tables need of a run.
pub(crate) struct Setting<'a> {
    /// Names of the pictures.
    pub(crate) names: &'a [String],
    /// What is watched in each, in words.
    pub(crate) watched: &'a [String],
    /// What the network says of each.
    pub(crate) covered: &'a [Covered],
    /// Parts of each.
    pub(crate) boxes: &'a [Vec<NamedBox>],
    /// Names of the classes.
    pub(crate) labels: &'a [String],
    /// Seed of the bootstrap.
    pub(crate) seed: u64,
}

/// The place where covering takes most of the probability away, the first of equals.
pub(crate) fn lowest(seen: &ArrayView2<'_, Seen>) -> [usize; 2] {
    let mut best = [0, 0];
    for ((row, column), here) in seen.indexed_iter() {
        if here.probability < seen[best].probability {
            best = [row, column];
        }
    }
    best
}

/// What one occluder does to one picture, in probability.
struct Drop {
    mean: f64,
    largest: f64,
}

impl Drop {
    fn of(covered: &Covered, seen: &ArrayView2<'_, Seen>) -> Self {
        let clean = f64::from(covered.clean.probability);
        let at = |seen: &Seen| clean - f64::from(seen.probability);
        let sum: f64 = seen.iter().map(at).sum();
        Self { mean: sum / seen.len() as f64, largest: at(&seen[lowest(seen)]) }
    }
}

/// A share of a picture's drop, and of its area, both from 0 to 1.
struct Share {
    drop: Option<f64>,
    area: f64,
}

impl Share {
    /// Measures how much of the drop per pixel lies in a part. What covering adds does not count:
    /// shares of a sum of both signs would say nothing.
    fn of(drop: &ArrayView2<'_, f32>, region: &Region) -> Self {
        let total = |part: ArrayView2<'_, f32>| -> f64 {
            part.iter().filter(|drop| **drop > 0.0).map(|drop| f64::from(*drop)).sum()
        };
        let [top, left] = [region.top, region.left].map(|start| start as usize);
        let [height, width] = [region.height, region.width].map(|length| length as usize);
        let inside = total(drop.slice(s![top..top + height, left..left + width]));
        let whole = total(drop.view());
        Self {
            drop: (whole > 0.0).then(|| inside / whole),
            area: (height * width) as f64 / drop.len() as f64,
        }
    }
}

fn column(name: &str, unit: &str, decimals: Option<u8>) -> Column {
    Column { name: name.to_owned(), unit: unit.to_owned(), decimals }
}

fn whole(number: usize) -> Cell {
    Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn occluder(scale: &Scale) -> Cell {
    let [height, width] = scale.windows.size;
    Cell::Text(format!("{height} × {width}"))
}

/// Makes the table of pictures: what covering does to each.
pub(crate) fn pictures(scales: &[Scale], setting: &Setting<'_>) -> Table {
    let mut rows = Vec::new();
    for scale in scales {
        let maps = scale.seen.axis_iter(Axis(0)).zip(setting.covered);
        for ((seen, covered), (name, watched)) in
            maps.zip(setting.names.iter().zip(setting.watched))
        {
            let [row, column] = lowest(&seen);
            let Drop { mean, largest } = Drop::of(covered, &seen);
            let there = seen[[row, column]];
            let class = setting.labels.get(there.label as usize);
            rows.push(vec![
                Cell::Text(name.clone()),
                occluder(scale),
                Cell::Text(watched.clone()),
                Cell::Number(f64::from(covered.clean.probability)),
                Cell::Number(mean),
                Cell::Number(largest),
                whole(scale.windows.rows[row]),
                whole(scale.windows.columns[column]),
                Cell::Text(class.cloned().unwrap_or_else(|| format!("class {}", there.label))),
            ]);
        }
    }
    Table {
        name: "per_picture".to_owned(),
        caption: "How much of the probability of the target covering takes away: on the mean over \
                  all places, and at the place where it takes most."
            .to_owned(),
        columns: vec![
            column("picture", "", None),
            column("occluder", "px", None),
            column("target", "", None),
            column("probability", "", Some(3)),
            column("mean drop", "", Some(4)),
            column("largest drop", "", Some(3)),
            column("top", "px", None),
            column("left", "px", None),
            column("most probable there", "", None),
        ],
        rows,
    }
}

/// Makes the table of parts: how much of the drop lies in each. Nothing where there are none.
pub(crate) fn parts(scales: &[Scale], setting: &Setting<'_>) -> Option<Table> {
    let mut rows = Vec::new();
    for scale in scales {
        let drops = scale.drop.axis_iter(Axis(0));
        for ((drop, boxes), name) in drops.zip(setting.boxes).zip(setting.names) {
            for NamedBox { name: part, region } in boxes {
                let share = Share::of(&drop, region);
                let percent = |share: f64| Cell::Number(100.0 * share);
                rows.push(vec![
                    Cell::Text(name.clone()),
                    Cell::Text(part.clone()),
                    occluder(scale),
                    share.drop.map_or(Cell::Empty, percent),
                    percent(share.area),
                ]);
            }
        }
    }
    (!rows.is_empty()).then(|| Table {
        name: "box".to_owned(),
        caption: "The share of the drop per pixel that lies in a box, and of the picture that the \
                  box covers; what covering adds to the probability does not count."
            .to_owned(),
        columns: vec![
            column("picture", "", None),
            column("box", "", None),
            column("occluder", "px", None),
            column("share of the drop", "%", Some(1)),
            column("share of the picture", "%", Some(1)),
        ],
        rows,
    })
}

/// Makes the table of the set: means over pictures with their intervals. Nothing for one picture.
pub(crate) fn set(scales: &[Scale], setting: &Setting<'_>) -> Result<Option<Table>, AnalysisError> {
    if setting.names.len() < 2 {
        return Ok(None);
    }
    let mut rows = Vec::new();
    for scale in scales {
        let maps = scale.seen.axis_iter(Axis(0)).zip(setting.covered);
        let drops: Vec<Drop> = maps.map(|(seen, covered)| Drop::of(covered, &seen)).collect();
        let mut add = |what: &str, unit: &str, values: &[f64]| {
            rows.push(measured(scale, (what, unit), values, setting.seed)?);
            Ok::<_, AnalysisError>(())
        };
        add("mean drop", "", &drops.iter().map(|drop| drop.mean).collect::<Vec<_>>())?;
        add("largest drop", "", &drops.iter().map(|drop| drop.largest).collect::<Vec<_>>())?;
        for part in named_parts(setting.boxes) {
            let of_pictures = scale.drop.axis_iter(Axis(0)).zip(setting.boxes);
            let shares: Vec<f64> = of_pictures
                .filter_map(|(drop, boxes)| {
                    let region = &boxes.iter().find(|one| one.name == part)?.region;
                    Share::of(&drop, region).drop
                })
                .map(|share| 100.0 * share)
                .collect();
            add(&format!("share of the drop in {part}"), "%", &shares)?;
        }
    }
    Ok(Some(Table {
        name: "set".to_owned(),
        caption: "Means over the pictures with 95 % intervals (bootstrap, bias-corrected and \
                  accelerated)."
            .to_owned(),
        columns: vec![
            column("measure", "", None),
            column("unit", "", None),
            column("occluder", "px", None),
            column("pictures", "", None),
            column("mean", "", Some(4)),
            column("from", "", Some(4)),
            column("to", "", Some(4)),
        ],
        rows,
    }))
}

fn measured(
    scale: &Scale,
    (what, unit): (&str, &str),
    values: &[f64],
    seed: u64,
) -> Result<Vec<Cell>, AnalysisError> {
    let numbers = match values {
        [] => [Cell::Empty, Cell::Empty, Cell::Empty],
        [one] => [Cell::Number(*one), Cell::Empty, Cell::Empty],
        many => {
            let interval = bootstrap_mean(many, &Bootstrap::seeded(seed))?;
            [interval.value, interval.low, interval.high].map(Cell::Number)
        }
    };
    let mut cells = vec![
        Cell::Text(what.to_owned()),
        Cell::Text(unit.to_owned()),
        occluder(scale),
        whole(values.len()),
    ];
    cells.extend(numbers);
    Ok(cells)
}

/// Returns the names of parts, in the order in which they first come.
fn named_parts(boxes: &[Vec<NamedBox>]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for part in boxes.iter().flatten() {
        if !names.contains(&part.name.as_str()) {
            names.push(&part.name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn a_share_counts_what_is_lost_and_leaves_out_what_nothing_covers() {
        let drop =
            Array2::from_shape_vec([2, 3], vec![1.0, 2.0, -9.0, f32::NAN, 1.0, 0.0]).unwrap();
        let region = Region { top: 0, left: 1, height: 2, width: 2 };
        let share = Share::of(&drop.view(), &region);
        assert!((share.drop.unwrap() - 0.75).abs() < 1e-12);
        assert!((share.area - 4.0 / 6.0).abs() < 1e-12);
        let nothing = Array2::from_elem([2, 3], -1.0);
        assert!(Share::of(&nothing.view(), &region).drop.is_none());
    }

    #[test]
    fn the_lowest_place_is_the_first_of_equals() {
        let seen = |probability| Seen { probability, ..Seen::default() };
        let map = Array2::from_shape_vec([2, 2], [0.5, 0.2, 0.2, 0.9].map(seen).to_vec()).unwrap();
        assert_eq!(lowest(&map.view()), [0, 1]);
    }
}
