//! The tables: drops, boxes, the set.

use convscope_sdk::fake::{ColourOrder, FakeHost};
use convscope_sdk::protocol::{Cell, Findings};
use serde_json::json;

use crate::{numbers, pictures, run};

/// Pictures so faint that the network is not sure of any class.
fn host(count: usize) -> FakeHost {
    let faint = pictures(count) / 16.0;
    FakeHost::new().with_colours(ColourOrder::Rgb).with_pictures("images", faint)
}

fn number(findings: &Findings, table: &str, row: usize, column: &str) -> Option<f64> {
    let table = findings.table(table).unwrap();
    let place = table.columns.iter().position(|one| one.name == column).unwrap();
    match table.rows[row][place] {
        Cell::Number(number) => Some(number),
        Cell::Integer(number) => Some(number as f64),
        _ => None,
    }
}

fn text<'a>(findings: &'a Findings, table: &str, row: usize, column: &str) -> &'a str {
    let table = findings.table(table).unwrap();
    let place = table.columns.iter().position(|one| one.name == column).unwrap();
    match &table.rows[row][place] {
        Cell::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

fn assert_close(a: Option<f64>, b: f64) {
    assert!((a.unwrap() - b).abs() < 1e-6, "{a:?}, not {b}");
}

#[test]
fn every_picture_has_its_mean_and_largest_drop() {
    let findings = run(&host(2), &json!({ "windows": [2, 3], "stride": 2, "target": 3 }));
    let rows = &findings.table("per_picture").unwrap().rows;
    assert_eq!(rows.len(), 4);
    for (place, suffix) in ["2x2", "3x3"].into_iter().enumerate() {
        let probability = numbers(&findings, &format!("probability_{suffix}"));
        for image in 0..2 {
            let row = 2 * place + image;
            let clean = f64::from(numbers(&findings, "clean_probability")[[image]]);
            let covered = probability.index_axis(ndarray::Axis(0), image);
            let drops: Vec<f64> = covered.iter().map(|p| clean - f64::from(*p)).collect();
            let mean = drops.iter().sum::<f64>() / drops.len() as f64;
            assert_close(number(&findings, "per_picture", row, "probability"), clean);
            assert_close(number(&findings, "per_picture", row, "mean drop"), mean);
            let largest = drops.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert_close(number(&findings, "per_picture", row, "largest drop"), largest);
            let [top, left] = ["top", "left"]
                .map(|edge| number(&findings, "per_picture", row, edge).unwrap() as usize);
            let position = crate::indices(&findings, &format!("position_{suffix}"));
            let there = covered.into_dimensionality::<ndarray::Ix2>().unwrap();
            let is_there = |(row, column): (usize, usize)| {
                [position[[row, column, 0]], position[[row, column, 1]]]
                    == [top as u32, left as u32]
            };
            let (_, at) = there.indexed_iter().find(|(place, _)| is_there(*place)).unwrap();
            assert_close(Some(clean - f64::from(*at)), largest);
            assert_eq!(text(&findings, "per_picture", row, "target"), "class 3, dog");
        }
    }
    assert_eq!(text(&findings, "per_picture", 3, "occluder"), "3 × 3");
}

#[test]
fn a_box_has_its_share_of_what_is_lost() {
    let parameters = json!({
        "window": 2, "stride": 1, "target": 3, "box": [[0, 0, 6, 6], [1, 2, 3, 4]],
    });
    let findings = run(&host(2), &parameters);
    assert_close(number(&findings, "box", 0, "share of the drop"), 100.0);
    assert_close(number(&findings, "box", 0, "share of the picture"), 100.0);
    let drop = numbers(&findings, "drop");
    let drop = drop.index_axis(ndarray::Axis(0), 1);
    let sum = |part: &[f32]| part.iter().filter(|d| **d > 0.0).map(|d| f64::from(*d)).sum::<f64>();
    let inside: Vec<f32> = drop.slice(ndarray::s![1..4, 2..6]).iter().copied().collect();
    let whole: Vec<f32> = drop.iter().copied().collect();
    let share = 100.0 * sum(&inside) / sum(&whole);
    assert_close(number(&findings, "box", 1, "share of the drop"), share);
    assert_close(number(&findings, "box", 1, "share of the picture"), 100.0 / 3.0);
    assert_eq!(text(&findings, "box", 1, "box"), "box");
    assert!(run(&host(2), &json!({ "window": 2 })).table("box").is_none());
}

#[test]
fn a_set_has_means_with_intervals_and_one_picture_none() {
    let parameters = json!({ "window": 2, "stride": 1, "target": 3, "box": [0, 0, 3, 3] });
    let findings = run(&host(5), &parameters);
    let measures: Vec<&str> = (0..3).map(|row| text(&findings, "set", row, "measure")).collect();
    assert_eq!(measures, ["mean drop", "largest drop", "share of the drop in box"]);
    for (row, (table, column)) in [
        ("per_picture", "mean drop"),
        ("per_picture", "largest drop"),
        ("box", "share of the drop"),
    ]
    .into_iter()
    .enumerate()
    {
        let values: Vec<f64> =
            (0..5).map(|picture| number(&findings, table, picture, column).unwrap()).collect();
        let mean = values.iter().sum::<f64>() / 5.0;
        assert_close(number(&findings, "set", row, "mean"), mean);
        let [low, high] = ["from", "to"].map(|end| number(&findings, "set", row, end).unwrap());
        assert!(low < mean && mean < high, "{low} {mean} {high}");
        let (least, most) = values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, m), v| (l.min(*v), m.max(*v)));
        assert!(low >= least && high <= most);
        assert_close(number(&findings, "set", row, "pictures"), 5.0);
    }
    assert!(run(&host(1), &parameters).table("set").is_none());
}
