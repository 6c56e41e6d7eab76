//! What is handed back beside the numbers, and how a run goes.

use convscope_sdk::fake::{ColourOrder, FakeHost};
use convscope_sdk::protocol::figure::{Colours, Grid};
use convscope_sdk::protocol::{Cell, FigureContent, Findings, ModelDescription, Values};
use ndarray::ArrayD;
use serde_json::json;

use crate::{attribution, host, pictures, run};

fn grid(findings: &Findings) -> &Grid {
    match &findings.figure("attribution").unwrap().content {
        FigureContent::Grid(grid) => grid,
        other => panic!("{other:?}"),
    }
}

fn labels(findings: &Findings, array: &str, axis: usize) -> Option<Vec<String>> {
    findings.array(array).unwrap().meta.axes[axis].labels.clone()
}

#[test]
fn pictures_stand_beside_their_attributions() {
    let findings = run(&host(2), "deconvolution", &json!({ "target": ["ant", 3] })).unwrap();
    let groups = &grid(&findings).groups;
    assert_eq!(groups.len(), 2);
    assert_eq!((groups[1].label.as_str(), groups[1].note.as_str()), ("picture 1", "class 3, dog"));
    for (image, group) in groups.iter().enumerate() {
        let [picture, attribution] = &group.blocks[..] else { panic!("two blocks") };
        assert_eq!(picture.colours, Colours::Photograph);
        for (block, array) in [(picture, "picture"), (attribution, "attribution")] {
            assert_eq!(block.tiles.len(), 1);
            assert_eq!(
                (block.tiles[0].source.array.as_str(), &block.tiles[0].source.index[..]),
                (array, &[image][..])
            );
        }
    }
    let title = &groups[0].blocks[1].tiles[0].title;
    assert_eq!(title, "Deconvolution of picture 0 for class 0, ant");
    let Values::U8(pixels) = &findings.array("picture").unwrap().values else { panic!("bytes") };
    assert_eq!(pixels.shape(), [2, 3, 6, 6]);
    let expected = (128.0 + 64.0 * pictures(2)[[1, 2, 3, 4]]).clamp(0.0, 255.0).round();
    assert_eq!(f32::from(pixels[[1, 2, 3, 4]]), expected);
}

#[test]
fn the_scale_of_a_picture_is_symmetric_and_its_own() {
    let findings = run(&host(2), "saliency", &json!({ "target": 3 })).unwrap();
    for (image, group) in grid(&findings).groups.iter().enumerate() {
        let Colours::AroundGrey { limit } = group.blocks[1].colours else { panic!("around grey") };
        let values = attribution(&findings);
        let values = values.index_axis(ndarray::Axis(0), image);
        let largest = values.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        assert!(limit > 0.0 && limit <= largest, "{limit} of {largest}");
    }
}

#[test]
fn raw_tensors_have_no_picture_and_two_channels_no_figure() {
    let raw = FakeHost::new().with_colours(ColourOrder::Rgb).with_tensors("images", pictures(1));
    let findings = run(&raw, "saliency", &json!({})).unwrap();
    assert!(findings.array("picture").is_none());
    assert_eq!(grid(&findings).groups[0].blocks.len(), 1);
    let two = FakeHost::new().with_tensors("images", ArrayD::ones(vec![1, 2, 6, 6]));
    let findings = run(&two, "saliency", &json!({})).unwrap();
    assert!(findings.figures.is_empty());
    assert_eq!(
        findings.notes,
        ["No figure is drawn: the model's input has neither one nor three channels."]
    );
    assert_eq!(attribution(&findings).dim(), (1, 2, 6, 6));
}

#[test]
fn the_channels_are_named_in_the_order_of_the_network() {
    for (order, names) in
        [(ColourOrder::Rgb, ["red", "green", "blue"]), (ColourOrder::Bgr, ["blue", "green", "red"])]
    {
        let host = FakeHost::new().with_colours(order).with_pictures("images", pictures(1));
        let findings = run(&host, "saliency", &json!({ "target": 2 })).unwrap();
        assert_eq!(labels(&findings, "attribution", 1).unwrap(), names);
        assert_eq!(labels(&findings, "picture", 1).unwrap(), ["red", "green", "blue"]);
        // The values stay where the network has them.
        let rgb = run(&crate::host(1), "saliency", &json!({ "target": 2 })).unwrap();
        assert_eq!(attribution(&findings), attribution(&rgb));
    }
}

#[test]
fn what_is_explained_is_told_as_a_table() {
    let told = |host: &FakeHost, parameters| {
        let findings = run(host, "saliency", &parameters).unwrap();
        let table = findings.table("explained").unwrap().clone();
        table.rows.into_iter().map(|row| row[1].clone()).collect::<Vec<_>>()
    };
    let text = |words: &str| Cell::Text(words.to_owned());
    assert_eq!(told(&host(1), json!({ "target": 1 })), [text("class 1, bee")]);
    let unlabelled = host(1).with_description(|model: &mut ModelDescription| model.labels.clear());
    assert_eq!(told(&unlabelled, json!({ "target": 1 })), [text("class 1")]);
    let unit = json!({ "layer": "pool", "channel": 1, "position": [0, 2] });
    assert_eq!(told(&host(1), unit), [text("pool, channel 1, row 0, column 2")]);
    let feature = json!({ "layer": "scores", "channel": 2 });
    assert_eq!(told(&host(1), feature), [text("scores, channel 2")]);
}

#[test]
fn axes_carry_the_names_of_the_pictures() {
    let findings = run(&host(2), "saliency", &json!({})).unwrap();
    assert_eq!(labels(&findings, "attribution", 0).unwrap(), ["picture 0", "picture 1"]);
    let axes = &findings.array("attribution").unwrap().meta.axes;
    let names: Vec<&str> = axes.iter().map(|axis| axis.name.as_str()).collect();
    assert_eq!(names, ["image", "channel", "row", "column"]);
}

#[test]
fn progress_rises_from_nothing_to_one() {
    let host = host(5);
    run(&host, "saliency", &json!({})).unwrap();
    let fractions: Vec<f64> = host.progress().iter().map(|(fraction, _)| *fraction).collect();
    assert!(fractions.is_sorted(), "{fractions:?}");
    assert_eq!((fractions.first(), fractions.last()), (Some(&0.0), Some(&1.0)));
}

#[test]
fn a_cancelled_run_stops_wherever_it_is() {
    let whole = host(5);
    run(&whole, "saliency", &json!({})).unwrap();
    for call in 1..=whole.progress().len() {
        let host = host(5).cancel_at(call);
        let error = run(&host, "saliency", &json!({})).unwrap_err();
        assert_eq!(error.to_string(), "cancelled", "at call {call}");
        assert_eq!(host.progress().len(), call);
    }
}
