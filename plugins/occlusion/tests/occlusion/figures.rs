//! The figure: panels, scales, words.

use convscope_sdk::protocol::figure::{CellPlaces, Colours, MapRow, PanelContent};
use convscope_sdk::protocol::{FigureContent, Findings, Region};
use serde_json::json;

use crate::{host, indices, numbers, run};

pub(crate) fn rows<'a>(findings: &'a Findings, figure: &str) -> &'a [MapRow] {
    match &findings.figure(figure).unwrap().content {
        FigureContent::Maps(maps) => &maps.rows,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn labels(findings: &Findings, row: usize) -> Vec<&str> {
    rows(findings, "occlusion")[row].panels.iter().map(|panel| panel.label.as_str()).collect()
}

#[test]
fn a_row_has_the_panels_of_figure_7_and_the_drop() {
    let parameters = json!({ "window": [3, 2], "stride": [2, 3], "map": 1, "target": [3, "bee"] });
    let findings = run(&host(2), &parameters);
    let rows = rows(&findings, "occlusion");
    assert_eq!(rows.len(), 2);
    let panels = [
        "(a) picture, occluder",
        "(b) activity of map 1",
        "(c) its projection",
        "(c) in other pictures",
        "(d) probability",
        "(e) most probable class",
        "drop of the probability",
    ];
    for row in 0..2 {
        assert_eq!(labels(&findings, row), panels);
    }
    let clean = numbers(&findings, "clean_probability")[[1]];
    assert_eq!(rows[1].label, "picture 1");
    assert_eq!(rows[1].note, format!("class 1, bee: probability {clean:.3}"));
    assert_eq!((rows[1].height, rows[1].width), (6, 6));
    let places =
        CellPlaces::Windows { height: 3, width: 2, rows: vec![0, 2, 3], columns: vec![0, 3, 4] };
    for panel in &rows[1].panels {
        let (name, cells) = match &panel.content {
            PanelContent::Map { source, cells, .. }
            | PanelContent::Classes { source, cells, .. }
            | PanelContent::Overlay { source, cells, .. } => {
                assert_eq!(source.index[0], 1);
                (source.array.as_str(), cells)
            }
            PanelContent::Tiles { tiles, columns, framed, .. } => {
                assert_eq!((tiles.len(), *columns, *framed), (1, 1, None));
                assert!(tiles[0].title.starts_with("picture 0, activation "), "{}", tiles[0].title);
                continue;
            }
        };
        let expected = match name {
            "activity" | "probability" | "label" => &places,
            "picture" | "projection" | "drop" => &CellPlaces::Whole,
            other => panic!("{other}"),
        };
        assert_eq!(cells, expected, "{name}");
    }
}

#[test]
fn the_occluder_lies_where_it_takes_most_away_and_has_its_colour() {
    let parameters = json!({ "window": 2, "stride": 2, "target": 3, "baseline": [160, 0, 192] });
    let findings = run(&host(2), &parameters);
    let probability = numbers(&findings, "probability");
    for (image, row) in rows(&findings, "occlusion").iter().enumerate() {
        let of_image = probability.index_axis(ndarray::Axis(0), image);
        let least = of_image.iter().copied().fold(f32::INFINITY, f32::min);
        let [mark] = &row.panels[0].marks[..] else { panic!("one mark") };
        let Region { top, left, height, width } = mark.region;
        assert_eq!(of_image[[top as usize / 2, left as usize / 2]], least);
        assert_eq!((height, width), (2, 2));
        assert_eq!(mark.fill, Some([160, 0, 192]));
        assert_eq!(mark.title, "occluder, 2 × 2 px");
    }
    let blurred = run(&host(1), &json!({ "window": 2, "stride": 2, "baseline": "blur" }));
    assert_eq!(rows(&blurred, "occlusion")[0].panels[0].marks[0].fill, None);
}

#[test]
fn probabilities_and_drops_share_a_scale_over_rows_and_activities_do_not() {
    let findings = run(&host(3), &json!({ "window": 2, "stride": 2, "layer": "relu" }));
    let activity = numbers(&findings, "activity");
    let most = |name: &str| numbers(&findings, name).iter().copied().fold(0.0, f32::max);
    let largest = most("probability").max(most("clean_probability"));
    let mut limits = Vec::new();
    for (image, row) in rows(&findings, "occlusion").iter().enumerate() {
        let of_image = activity.index_axis(ndarray::Axis(0), image);
        let low = of_image.iter().copied().fold(f32::INFINITY, f32::min);
        let high = of_image.iter().copied().fold(0.0, f32::max);
        for panel in &row.panels {
            match &panel.content {
                PanelContent::Map { source, colours, .. } if source.array == "activity" => {
                    assert_eq!(*colours, Colours::Viridis { low, high });
                }
                PanelContent::Map { source, colours, .. } if source.array == "probability" => {
                    assert_eq!(*colours, Colours::Viridis { low: 0.0, high: largest });
                }
                PanelContent::Overlay { limit, .. } => limits.push(*limit),
                _ => {}
            }
        }
    }
    assert_eq!(limits, [limits[0]; 3]);
}

#[test]
fn classes_are_named_by_their_labels() {
    let findings = run(&host(3), &json!({ "window": 3, "stride": 1 }));
    let label = indices(&findings, "label");
    for (image, row) in rows(&findings, "occlusion").iter().enumerate() {
        let PanelContent::Classes { names, .. } = &row.panels[5].content else { panic!("classes") };
        let mut there: Vec<u32> =
            label.index_axis(ndarray::Axis(0), image).iter().copied().collect();
        there.sort_unstable();
        there.dedup();
        let named: Vec<(u32, &str)> =
            names.iter().map(|name| (name.class, name.name.as_str())).collect();
        let expected: Vec<(u32, &str)> = there
            .into_iter()
            .map(|class| (class, convscope_sdk::fake::LABELS[class as usize]))
            .collect();
        assert_eq!(named, expected);
    }
}

#[test]
fn a_box_is_drawn_and_one_picture_has_no_others() {
    let parameters = json!({ "window": 2, "stride": 2, "box": [1, 2, 3, 4] });
    let findings = run(&host(1), &parameters);
    let panels = &rows(&findings, "occlusion")[0].panels;
    let region = Region { top: 1, left: 2, height: 3, width: 4 };
    assert_eq!((panels[0].marks[0].region, panels[0].marks[0].fill), (region, None));
    assert_eq!(panels[5].marks.len(), 1, "on the drop there is the box, but no occluder");
    assert_eq!(panels.len(), 6);
    assert_eq!(labels(&findings, 0)[3], "(d) probability");
}

#[test]
fn twelve_pictures_are_shown_and_the_arrays_hold_all() {
    let findings = run(&host(13), &json!({ "window": 6, "projections": 0 }));
    assert_eq!(rows(&findings, "occlusion").len(), 12);
    assert_eq!(numbers(&findings, "score").shape(), [13, 1, 1]);
    assert_eq!(numbers(&findings, "projection").shape(), [12, 1, 3, 6, 6]);
    assert_eq!(
        findings.notes,
        ["The figure shows the first 12 of 13 pictures; the arrays hold all."]
    );
}

#[test]
fn the_caption_states_the_settings() {
    let findings = run(&host(1), &json!({ "window": [3, 2], "stride": [2, 3] }));
    let caption = &findings.figure("occlusion").unwrap().caption;
    assert!(
        caption.starts_with(
            "The occluder is 3 × 2 pixels and shows the mean of the preprocessing; 3 × 3 places, 2 \
             pixels apart down and 3 across. (a) The occluder where it lowers the probability \
             most. (b) Sum of the feature map of pool, on a scale of its own for each picture."
        ),
        "{caption}"
    );
}
