//! Every number against the slow derivation.

use ndarray::{Array3, Axis, Ix4};
use serde_json::json;

use crate::slow::{painted, say};
use crate::{host, indices, numbers, pictures, run};

/// Where an occluder of 3 × 2 lies on 6 × 6 pixels at a stride of 2 × 3.
const TOPS: [usize; 3] = [0, 2, 3];
const LEFTS: [usize; 3] = [0, 3, 4];

#[test]
fn every_place_has_what_the_network_says_of_the_picture_painted_over() {
    let parameters = json!({
        "window": [3, 2], "stride": [2, 3], "target": ["dog", 1, "predicted"],
        "layer": "relu", "map": [2, 0, "strongest"],
    });
    let findings = run(&host(3), &parameters);
    let pictures = pictures(3).into_dimensionality::<Ix4>().unwrap();
    let names = ["probability", "score", "activity"];
    let [probability, score, activity] = names.map(|name| numbers(&findings, name));
    let label = indices(&findings, "label");
    assert_eq!(score.shape(), [3, 3, 3]);
    let mean = Array3::zeros((3, 6, 6));
    for (image, picture) in pictures.outer_iter().enumerate() {
        let clean = say(&picture);
        let sums = &clean.relu;
        let strongest = (0..3).max_by(|&a, &b| sums[a].total_cmp(&sums[b])).unwrap();
        let class = [3, 1, clean.predicted as usize][image];
        let map = [2, 0, strongest][image];
        assert_eq!(indices(&findings, "target")[[image]], class as u32);
        assert_eq!(indices(&findings, "map")[[image]], map as u32);
        assert_eq!(numbers(&findings, "clean_score")[[image]], clean.scores[class]);
        assert_eq!(numbers(&findings, "clean_activity")[[image]], sums[map]);
        assert_eq!(indices(&findings, "clean_label")[[image]], clean.predicted);
        let error = numbers(&findings, "clean_probability")[[image]] - clean.probabilities[class];
        assert!(error.abs() < 1e-6);
        for (row, &top) in TOPS.iter().enumerate() {
            for (column, &left) in LEFTS.iter().enumerate() {
                let covered = painted(&picture, [top, left], [3, 2], &mean.view());
                let said = say(&covered.view());
                let here = [image, row, column];
                assert_eq!(score[here], said.scores[class]);
                assert_eq!(activity[here], said.relu[map]);
                assert_eq!(label[here], said.predicted);
                assert!((probability[here] - said.probabilities[class]).abs() < 1e-6);
                let position = indices(&findings, "position");
                assert_eq!(position[[row, column, 0]], top as u32);
                assert_eq!(position[[row, column, 1]], left as u32);
            }
        }
    }
}

#[test]
fn a_pixel_has_the_mean_drop_of_the_places_that_cover_it() {
    let findings = run(&host(2), &json!({ "window": [3, 2], "stride": [2, 3], "target": 3 }));
    for (pixels, clean, covered) in
        [("attribution", "clean_score", "score"), ("drop", "clean_probability", "probability")]
    {
        let [pixels, clean, covered] =
            [pixels, clean, covered].map(|name| numbers(&findings, name));
        assert_eq!(pixels.shape(), [2, 6, 6]);
        for ((image, y, x), pixel) in
            pixels.into_dimensionality::<ndarray::Ix3>().unwrap().indexed_iter()
        {
            let mut drops = Vec::new();
            for (row, &top) in TOPS.iter().enumerate() {
                for (column, &left) in LEFTS.iter().enumerate() {
                    if (top..top + 3).contains(&y) && (left..left + 2).contains(&x) {
                        drops.push(clean[[image]] - covered[[image, row, column]]);
                    }
                }
            }
            if drops.is_empty() {
                assert!(pixel.is_nan() && x == 2, "{y} {x}");
            } else {
                let mean = drops.iter().sum::<f32>() / drops.len() as f32;
                assert!((pixel - mean).abs() < 1e-6, "{y} {x}: {pixel}, not {mean}");
            }
        }
    }
}

#[test]
fn the_layer_by_default_is_the_last_with_rows_and_columns() {
    let findings = run(&host(1), &json!({ "window": 2, "stride": 2 }));
    let pictures = pictures(1).into_dimensionality::<Ix4>().unwrap();
    let said = say(&pictures.index_axis(Axis(0), 0));
    let map = indices(&findings, "map")[[0]] as usize;
    assert_eq!(numbers(&findings, "clean_activity")[[0]], said.pool[map]);
    assert_eq!(said.pool[map], said.pool.iter().copied().fold(0.0, f32::max));
    assert_eq!(indices(&findings, "target")[[0]], said.predicted);
}

#[test]
fn several_occluders_have_the_maps_that_each_has_alone() {
    let parameters = json!({ "windows": [2, [1, 3]], "stride": 2 });
    let findings = run(&host(2), &parameters);
    for (window, suffix) in [(json!(2), "_2x2"), (json!([1, 3]), "_1x3")] {
        let alone = run(&host(2), &json!({ "window": window, "stride": 2 }));
        for name in ["probability", "score", "activity", "label", "position"] {
            let named = findings.array(&format!("{name}{suffix}")).unwrap();
            assert_eq!(named.values, alone.array(name).unwrap().values, "{name}{suffix}");
        }
        for name in ["attribution", "drop"] {
            let bits = |values: ndarray::ArrayD<f32>| values.mapv(f32::to_bits);
            let [named, alone] =
                [numbers(&findings, &format!("{name}{suffix}")), numbers(&alone, name)];
            assert_eq!(bits(named), bits(alone), "{name}{suffix}");
        }
    }
    assert!(findings.array("probability").is_none());
    assert!(findings.figure("occlusion_2x2").is_some());
}

#[test]
fn the_size_of_batches_changes_no_bit() {
    let parameters = json!({ "window": 2, "stride": 1, "baseline": "noise" });
    let by = |rows| run(&host(2).with_rows_per_batch(rows), &parameters);
    let (one, many) = (by(1), by(7));
    for name in ["probability", "score", "activity"] {
        assert_eq!(numbers(&one, name), numbers(&many, name));
    }
}
