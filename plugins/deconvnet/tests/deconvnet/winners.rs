//! Which units win, against a search over all of them.

use convscope_sdk::fake::FakeHost;
use convscope_sdk::protocol::Findings;
use ndarray::ArrayD;
use serde_json::json;

use crate::brute_force::{Unit, ranked, winners};
use crate::{host, indices, numbers, pictures, run, with};

/// The winners of a map as the arrays tell them.
fn found(findings: &Findings, layer: usize, map: usize) -> Vec<Unit> {
    let activation = numbers(findings, "activation");
    let image = indices(findings, "image_index");
    let position = indices(findings, "position");
    (0..activation.shape()[2])
        .filter(|&rank| !activation[[layer, map, rank]].is_nan())
        .map(|rank| {
            let place = [0, 1].map(|axis| position[[layer, map, rank, axis]] as usize);
            (activation[[layer, map, rank]], image[[layer, map, rank]] as usize, place)
        })
        .collect()
}

#[test]
fn winners_are_the_strongest_of_all_units() {
    for (top, spots) in [(9, 1), (4, 1), (9, 3), (5, 9), (3, 100)] {
        for count in [1, 4, 11] {
            let parameters = json!({
                "layers": ["relu", "pool", "scores"], "maps": [0, 1, 2], "top": top,
                "spots_per_image": spots,
            });
            let findings = run(&host(count), &parameters);
            for (l, layer) in ["relu", "pool", "scores"].into_iter().enumerate() {
                for map in 0..3 {
                    // Receptive fields without a margin never overlap.
                    let expected = winners(&ranked(layer, &pictures(count), map), top, spots, 1);
                    let place = format!("{layer}, map {map}, top {top}, spots {spots}");
                    assert_eq!(found(&findings, l, map), expected, "{place}");
                }
            }
        }
    }
}

#[test]
fn of_equal_activations_the_earlier_picture_and_cell_win() {
    let flat = ArrayD::from_elem(vec![3, 3, 6, 6], 2.0);
    let parameters = json!({ "layers": "relu", "maps": [0], "top": 4, "spots_per_image": 2 });
    let findings = run(&with(flat), &parameters);
    let expected: [Unit; 4] =
        [(2.0, 0, [0, 0]), (2.0, 0, [0, 1]), (2.0, 1, [0, 0]), (2.0, 1, [0, 1])];
    assert_eq!(found(&findings, 0, 0), expected);
}

#[test]
fn spots_of_one_picture_have_separate_receptive_fields() {
    // With a margin of 1, fields of `relu` are 3 by 3 and lie 1 apart.
    let parameters = json!({ "layers": "relu", "maps": [0, 1, 2], "spots_per_image": 4 });
    let findings = run(&host(3).with_margin(1), &parameters);
    for map in 0..3 {
        let winners_of_map = found(&findings, 0, map);
        assert_eq!(winners_of_map, winners(&ranked("relu", &pictures(3), map), 9, 4, 3));
        for (index, a) in winners_of_map.iter().enumerate() {
            for b in winners_of_map[..index].iter().filter(|b| b.1 == a.1) {
                let distance = (0..2).map(|axis| a.2[axis].abs_diff(b.2[axis])).max();
                assert!(distance >= Some(3), "{a:?} and {b:?} share pixels");
            }
        }
    }
}

#[test]
fn the_batches_of_the_search_do_not_matter() {
    let parameters = json!({ "spots_per_image": 3 });
    let with_rows = |rows| run(&host(7).with_rows_per_batch(rows), &parameters);
    let expected = with_rows(1);
    for rows in [3, 8] {
        let findings = with_rows(rows);
        assert_eq!(findings.tables, expected.tables);
        assert_eq!(findings.figures, expected.figures);
        for (a, b) in findings.arrays.iter().zip(&expected.arrays) {
            // NaN is not equal to itself.
            assert_eq!(format!("{a:?}"), format!("{b:?}"));
        }
    }
}

#[test]
fn shares_of_firing_count_pictures_and_positions() {
    let mut pictures = ArrayD::from_elem(vec![4, 3, 6, 6], -1.0);
    // Map 0 of `relu` is the first channel: it fires at two cells of one picture.
    pictures[[2, 0, 1, 1]] = 1.0;
    pictures[[2, 0, 5, 0]] = 3.0;
    let findings = run(&with(pictures), &json!({ "layers": ["relu", "pool"], "maps": [0] }));
    let firing = numbers(&findings, "firing");
    assert_eq!(firing.shape(), [2, 1, 2]);
    assert_eq!([firing[[0, 0, 0]], firing[[0, 0, 1]]], [0.25, 2.0 / 144.0]);
    assert_eq!([firing[[1, 0, 0]], firing[[1, 0, 1]]], [0.25, 2.0 / 36.0]);
}

#[test]
fn a_map_that_never_fires_has_no_winner_and_no_share() {
    let silent = ArrayD::from_elem(vec![2, 3, 6, 6], -1.0);
    let findings = run(&with(silent), &json!({ "layers": "relu", "maps": [0] }));
    assert!(found(&findings, 0, 0).is_empty());
    assert!(numbers(&findings, "firing").iter().all(|&share| share == 0.0));
    assert!(numbers(&findings, "projection.relu").iter().all(|value| value.is_nan()));
    assert!(findings.figure("projection.relu").is_none());
}

#[test]
fn nothing_grows_with_the_number_of_pictures() {
    let sizes = |count| {
        let host = FakeHost::with_rows_per_batch(host(count), 50);
        let findings = run(&host, &json!({ "layers": ["relu", "pool"], "top": 3 }));
        let shape = |array: &convscope_sdk::protocol::Array| {
            (array.name.clone(), array.values.shape().to_vec())
        };
        findings.arrays.iter().map(shape).collect::<Vec<_>>()
    };
    assert_eq!(sizes(3), sizes(300));
}
