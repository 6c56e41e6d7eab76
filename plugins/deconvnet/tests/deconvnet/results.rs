//! Figures, tables and axes.

use convscope_sdk::fake::FakeHost;
use convscope_sdk::protocol::figure::{Colours, Grid};
use convscope_sdk::protocol::{Cell, FigureContent, Findings};
use ndarray::ArrayD;
use serde_json::json;

use crate::{host, indices, numbers, pictures, run, with};

fn grid<'a>(findings: &'a Findings, layer: &str) -> &'a Grid {
    match &findings.figure(&format!("projection.{layer}")).unwrap().content {
        FigureContent::Grid(grid) => grid,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_layer_has_a_figure_of_projections_beside_patches() {
    let findings = run(&host(11), &json!({ "layers": ["relu", "pool"], "maps": [2, 0] }));
    assert_eq!(findings.figures.len(), 2);
    for (l, layer) in ["relu", "pool"].into_iter().enumerate() {
        let groups = &grid(&findings, layer).groups;
        let labels: Vec<&str> = groups.iter().map(|group| group.label.as_str()).collect();
        assert_eq!(labels, ["map 2", "map 0"]);
        for (map, group) in groups.iter().enumerate() {
            let [projections, patches] = &group.blocks[..] else { panic!("two blocks") };
            assert_eq!((projections.columns, patches.columns), (3, 3));
            assert_eq!(projections.tiles.len(), 9);
            assert_eq!(patches.colours, Colours::Photograph);
            for (rank, tile) in projections.tiles.iter().enumerate() {
                assert_eq!(tile.source.index, [map, rank]);
                assert_eq!(patches.tiles[rank].source.index, [map, rank]);
                assert_eq!(patches.tiles[rank].title, tile.title);
                let image = indices(&findings, "image_index")[[l, map, rank]];
                let activation = numbers(&findings, "activation")[[l, map, rank]];
                let start = format!("picture {image}, activation {activation:.2} at row ");
                assert!(tile.title.starts_with(&start), "{}", tile.title);
            }
        }
    }
}

#[test]
fn the_caption_states_the_settings() {
    let caption = |count, parameters| {
        run(&host(count), &parameters).figure("projection.relu").unwrap().caption.clone()
    };
    assert_eq!(
        caption(11, json!({})),
        "The 9 strongest activations of each map over 11 pictures, at most one in each picture; \
         all maps are shown. A projection starts from one unit that holds its activation; where \
         pooling windows overlap, signals add up. Grey is zero; each map has one symmetric scale, \
         which ends at the 99.5th percentile of its absolute values."
    );
    let all = json!({
        "maps": 2, "top": 1, "spots_per_image": 3, "start": "one", "overlap": "overwrite",
        "lrn": "skip",
    });
    let words = caption(1, all);
    for part in [
        "The strongest activation of each map over 1 picture, ",
        "at most 3 with separate receptive fields in each picture; the maps were drawn by the seed. ",
        "holds 1; where pooling windows overlap, the last one wins; response normalizations are \
         not inverted. ",
    ] {
        assert!(words.contains(part), "{words}");
    }
    let named = caption(11, json!({ "maps": [1] }));
    assert!(named.contains("; the maps were named. "), "{named}");
    let strongest = caption(11, json!({ "choose": "strongest" }));
    assert!(strongest.contains("; the maps are those with the strongest act"), "{strongest}");
}

#[test]
fn fewer_winners_than_asked_for_are_said_in_the_caption() {
    let mut few = ArrayD::from_elem(vec![3, 3, 6, 6], -1.0);
    few[[1, 0, 4, 4]] = 2.0;
    let findings = run(&with(few), &json!({ "maps": [0], "top": 2 }));
    let figure = findings.figure("projection.relu").unwrap();
    assert!(figure.caption.ends_with(" Fewer activations above zero were found: map 0 has 1."));
    let group = &grid(&findings, "relu").groups[0];
    assert_eq!(group.note, "fires in 1 of 3 pictures");
    assert!(group.blocks.iter().all(|block| block.tiles.len() == 1));
    let all = run(&host(3), &json!({ "top": 2 }));
    assert!(!all.figure("projection.relu").unwrap().caption.contains("Fewer"));
}

#[test]
fn each_map_has_one_symmetric_scale() {
    let findings = run(&host(9), &json!({ "layers": "pool" }));
    let projections = numbers(&findings, "projection.pool");
    for (map, group) in grid(&findings, "pool").groups.iter().enumerate() {
        let Colours::AroundGrey { limit } = group.blocks[0].colours else { panic!("around grey") };
        let of_map = projections.index_axis(ndarray::Axis(0), map);
        let largest = of_map.iter().filter(|v| !v.is_nan()).fold(0.0_f32, |m, v| m.max(v.abs()));
        assert!(limit > 0.0 && limit <= largest, "{limit} of {largest}");
    }
}

#[test]
fn the_table_has_a_row_for_every_map() {
    let mut one = ArrayD::from_elem(vec![4, 3, 6, 6], -1.0);
    one[[2, 0, 1, 3]] = 2.5;
    let findings = run(&with(one), &json!({ "layers": ["relu"], "maps": [0, 1] }));
    let table = findings.table("map").unwrap();
    let text = |words: &str| Cell::Text(words.to_owned());
    assert_eq!(
        table.rows[0],
        [
            text("relu"),
            Cell::Integer(0),
            Cell::Integer(1),
            Cell::Number(2.5),
            text("picture 2"),
            Cell::Number(25.0),
            Cell::Number(f64::from(1.0_f32 / 144.0) * 100.0),
        ]
    );
    let silent = &table.rows[1];
    assert_eq!(silent[2..5], [Cell::Integer(0), Cell::Empty, Cell::Empty]);
    assert_eq!(table.rows.len(), 2);
}

#[test]
fn arrays_say_what_they_hold() {
    let findings = run(&host(3), &json!({ "layers": ["relu", "pool"], "top": 2 }));
    let axes = |name: &str| {
        let meta = &findings.array(name).unwrap().meta;
        assert!(meta.doc.ends_with('.'), "{name}");
        meta.axes.iter().map(|axis| axis.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(axes("map"), ["layer", "map"]);
    assert_eq!(axes("activation"), ["layer", "map", "rank"]);
    assert_eq!(axes("image_index"), ["layer", "map", "rank"]);
    assert_eq!(axes("position"), ["layer", "map", "rank", "coordinate"]);
    assert_eq!(axes("patch_region"), ["layer", "map", "rank", "extent"]);
    assert_eq!(axes("firing"), ["layer", "map", "share"]);
    assert_eq!(axes("projection.pool"), ["map", "rank", "channel", "row", "column"]);
    assert_eq!(axes("patch.relu"), ["map", "rank", "channel", "row", "column"]);
}

#[test]
fn a_network_of_two_channels_has_arrays_and_no_figure() {
    let two = FakeHost::new().with_tensors("images", ArrayD::ones(vec![1, 2, 6, 6]));
    let findings = run(&two, &json!({}));
    assert!(findings.figures.is_empty());
    assert_eq!(
        findings.notes,
        ["No figure is drawn: the model's input has neither one nor three channels."]
    );
    assert_eq!(numbers(&findings, "projection.relu").shape()[2], 2);
}

#[test]
fn a_layer_whose_maps_are_silent_has_a_note_and_no_figure() {
    let dark = with(ArrayD::from_elem(vec![2, 3, 6, 6], -1.0));
    let findings = run(&dark, &json!({ "layers": ["relu", "scores"], "maps": 1, "top": 1 }));
    assert!(numbers(&findings, "projection.relu").iter().all(|value| value.is_nan()));
    assert!(findings.figure("projection.relu").is_none());
    assert_eq!(
        findings.notes[0],
        "No figure is drawn for relu: none of its maps shown is above zero in any picture. Take \
         the strongest maps, name others, or search more pictures."
    );
    let mut one = ArrayD::from_elem(vec![2, 3, 6, 6], -1.0);
    one[[0, 0, 4, 4]] = 2.0;
    let findings = run(&with(one), &json!({ "layers": "relu", "maps": [0, 1], "top": 1 }));
    let groups = &grid(&findings, "relu").groups;
    assert_eq!([0, 1].map(|map| groups[map].blocks[0].tiles.len()), [1, 0]);
    let caption = &findings.figure("projection.relu").unwrap().caption;
    assert!(
        caption.ends_with("Fewer activations above zero were found: map 1 has 0."),
        "{caption}"
    );
    assert!(findings.notes.is_empty());
}

#[test]
fn the_same_run_has_the_same_results() {
    let parameters = json!({ "layers": ["relu", "pool"], "maps": 2 });
    let once = || format!("{:?}", run(&with(pictures(4)), &parameters));
    assert_eq!(once(), once());
}
