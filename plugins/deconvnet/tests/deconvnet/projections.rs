//! Projections and patches against closed forms.

use convscope_sdk::fake::{ColourOrder, FakeHost};
use convscope_sdk::protocol::attribute::On;
use ndarray::{ArrayD, s};
use serde_json::json;

use crate::brute_force::{activation, projected, ranked, winners};
use crate::{host, indices, numbers, pictures, run};

#[test]
fn each_winner_is_projected_from_its_one_unit() {
    for (layer, edge) in [("relu", 1), ("pool", 2), ("scores", 6)] {
        for start in ["activation", "one"] {
            let parameters = json!({ "layers": layer, "maps": [2, 0], "start": start });
            let findings = run(&host(5), &parameters);
            let projections = numbers(&findings, &format!("projection.{layer}"));
            assert_eq!(projections.shape(), [2, 9, 3, edge, edge]);
            for (place, map) in [2, 0].into_iter().enumerate() {
                let expected = winners(&ranked(layer, &pictures(5), map), 9, 1, 1);
                assert!(!expected.is_empty());
                for (rank, &(strength, image, [row, column])) in expected.iter().enumerate() {
                    let amount = if start == "one" { 1.0 } else { strength };
                    let whole = projected(layer, &pictures(5), image, [map, row, column], amount);
                    let (top, left) = (row * edge, column * edge);
                    let seen = whole.slice(s![.., top..top + edge, left..left + edge]);
                    let actual = projections.slice(s![place, rank, .., .., ..]);
                    assert_eq!(actual, seen, "{layer}, map {map}, rank {rank}, {start}");
                }
            }
        }
    }
}

#[test]
fn patches_show_the_same_place_of_the_picture() {
    let findings = run(&host(4), &json!({ "layers": "pool", "maps": [1] }));
    let (patches, region) = (numbers(&findings, "patch.pool"), indices(&findings, "patch_region"));
    let expected = winners(&ranked("pool", &pictures(4), 1), 9, 1, 1);
    for (rank, (_, image, [row, column])) in expected.into_iter().enumerate() {
        let place = [2 * row, 2 * column, 2, 2].map(|extent| extent as u32);
        assert_eq!(region.slice(s![0, 0, rank, ..]).to_vec(), place);
        for (channel, y, x) in (0..12).map(|i| (i / 4, i / 2 % 2, i % 2)) {
            let value = pictures(4)[[image, channel, 2 * row + y, 2 * column + x]];
            let pixel = (128.0 + 64.0 * value).round().clamp(0.0, 255.0);
            assert_eq!(patches[[0, rank, channel, y, x]], pixel);
        }
    }
}

#[test]
fn what_lies_beyond_the_border_is_empty() {
    let mut pictures = ArrayD::from_elem(vec![3, 3, 6, 6], -1.0);
    for (image, [row, column]) in [[0, 0], [2, 5], [3, 3]].into_iter().enumerate() {
        pictures[[image, 0, row, column]] = 9.0 - image as f32;
    }
    let host = crate::with(pictures).with_margin(2);
    let findings = run(&host, &json!({ "layers": "relu", "maps": [0] }));
    let region = indices(&findings, "patch_region");
    let regions: Vec<Vec<u32>> =
        (0..3).map(|rank| region.slice(s![0, 0, rank, ..]).to_vec()).collect();
    assert_eq!(regions, [[0, 0, 3, 3], [0, 3, 5, 3], [1, 1, 5, 5]]);
    for name in ["patch.relu", "projection.relu"] {
        let tiles = numbers(&findings, name);
        assert_eq!(tiles.shape(), [1, 9, 3, 5, 5]);
        for rank in 0..3 {
            let tile = tiles.slice(s![0, rank, .., .., ..]);
            let visible = |row: usize, column: usize| match rank {
                0 => row >= 2 && column >= 2,
                1 => column < 3,
                _ => true,
            };
            for ((_, row, column), value) in tile.indexed_iter() {
                assert_eq!(!value.is_nan(), visible(row, column), "{name} {rank} {row} {column}");
            }
        }
        assert!(tiles.slice(s![0, 3.., .., .., ..]).iter().all(|value| value.is_nan()));
    }
    // The unit itself is in the middle of its field.
    assert!(numbers(&findings, "projection.relu")[[0, 0, 0, 2, 2]] > 0.0);
}

#[test]
fn options_become_rules_of_their_layers() {
    let rules = |parameters| {
        let host = host(2);
        run(&host, &parameters);
        let [composite] = &host.composites()[..] else { panic!("one layer, one call") };
        let rule = |rule: &convscope_sdk::protocol::attribute::Rule| match &rule.on {
            On::Kind(kind) => format!("{kind}: {}", rule.apply),
            On::Layer(layer) => panic!("a rule for {layer} alone"),
        };
        composite.rules.iter().map(rule).collect::<Vec<_>>()
    };
    assert_eq!(rules(json!({})), ["rectifier: rectify"]);
    assert_eq!(
        rules(json!({ "overlap": "overwrite", "lrn": "skip" })),
        ["rectifier: rectify", "max_pooling: overwrite_overlap", "response_normalization: pass",]
    );
}

#[test]
fn raw_tensors_have_projections_and_no_patches() {
    let raw = FakeHost::new().with_colours(ColourOrder::Rgb).with_tensors("images", pictures(3));
    let parameters = json!({ "layers": "pool" });
    let findings = run(&raw, &parameters);
    assert!(findings.array("patch.pool").is_none());
    let of_pictures = run(&host(3), &parameters);
    assert_eq!(
        format!("{:?}", numbers(&findings, "projection.pool")),
        format!("{:?}", numbers(&of_pictures, "projection.pool"))
    );
    let figure = findings.figure("projection.pool").unwrap();
    assert!(!figure.how_to_read.contains("patch"), "{}", figure.how_to_read);
}

#[test]
fn the_channels_of_projections_are_in_the_order_of_the_network() {
    let host = FakeHost::new().with_colours(ColourOrder::Bgr).with_pictures("images", pictures(3));
    let findings = run(&host, &json!({ "layers": "pool", "maps": [2] }));
    let labels = |name: &str| findings.array(name).unwrap().meta.axes[2].labels.clone().unwrap();
    assert_eq!(labels("projection.pool"), ["blue", "green", "red"]);
    assert_eq!(labels("patch.pool"), ["red", "green", "blue"]);
    let rgb = run(&crate::host(3), &json!({ "layers": "pool", "maps": [2] }));
    assert_eq!(
        format!("{:?}", numbers(&findings, "projection.pool")),
        format!("{:?}", numbers(&rgb, "projection.pool"))
    );
}

#[test]
fn features_see_the_whole_picture() {
    let findings = run(&host(2), &json!({ "layers": "scores", "maps": [3], "top": 1 }));
    let region = indices(&findings, "patch_region");
    assert_eq!(region.iter().copied().collect::<Vec<_>>(), [0, 0, 6, 6]);
    let image = indices(&findings, "image_index")[[0, 0, 0]] as usize;
    let all = pictures(2);
    let picture = all.slice(s![image, .., .., ..]);
    let expected = activation("scores", &picture, [3, 0, 0]);
    assert_eq!(numbers(&findings, "activation")[[0, 0, 0]], expected);
}
