//! The arrays beside the maps: projections, pictures, axes.

use convscope_sdk::fake::FakeHost;
use convscope_sdk::protocol::{Array, Composite, ModelDescription, Values};
use ndarray::{ArrayD, Axis, s};
use serde_json::json;

use crate::{host, indices, numbers, pictures, run};

fn axes(array: &Array) -> Vec<&str> {
    array.meta.axes.iter().map(|axis| axis.name.as_str()).collect()
}

#[test]
fn arrays_name_their_axes_and_units() {
    let findings = run(&host(2), &json!({ "window": 2, "stride": 2 }));
    for (name, unit) in [
        ("probability", "probability"),
        ("score", "score"),
        ("activity", "activation"),
        ("label", ""),
        ("attribution", "score"),
        ("drop", "probability"),
    ] {
        let array = findings.array(name).unwrap();
        assert_eq!(axes(array), ["image", "row", "column"], "{name}");
        assert_eq!(array.meta.unit, unit, "{name}");
        let names = array.meta.axes[0].labels.clone().unwrap();
        assert_eq!(names, ["picture 0", "picture 1"]);
    }
    let position = findings.array("position").unwrap();
    assert_eq!(axes(position), ["row", "column", "edge"]);
    assert_eq!(position.meta.axes[2].labels.as_deref().unwrap(), ["top", "left"]);
    let projection = findings.array("projection").unwrap();
    assert_eq!(axes(projection), ["image", "rank", "channel", "row", "column"]);
    let Values::U8(picture) = &findings.array("picture").unwrap().values else { panic!("bytes") };
    assert_eq!(picture.shape(), [2, 3, 6, 6]);
}

#[test]
fn projections_are_of_the_watched_map_in_the_picture_and_the_strongest_others() {
    let parameters =
        json!({ "window": 3, "stride": 3, "layer": "relu", "map": 2, "projections": 2 });
    let host = host(4);
    let findings = run(&host, &parameters);
    let pictures = pictures(4);
    // Map 2 of `relu` is x − y + 2 z + 0.5 where that is positive.
    let activity = |image: usize, y: usize, x: usize| {
        let at = |channel: usize| pictures[[image, channel, y, x]];
        (at(0) - at(1) + 2.0 * at(2) + 0.5).max(0.0)
    };
    let strongest = |image: usize| {
        let mut best = [0, 0];
        for y in 0..6 {
            for x in 0..6 {
                if activity(image, y, x) > activity(image, best[0], best[1]) {
                    best = [y, x];
                }
            }
        }
        (activity(image, best[0], best[1]), best)
    };
    let images = indices(&findings, "projection_image");
    let projection = numbers(&findings, "projection");
    assert_eq!(projection.shape(), [4, 3, 3, 6, 6]);
    for image in 0..4 {
        let mut others: Vec<usize> = (0..4).filter(|&other| other != image).collect();
        others.sort_by(|&a, &b| strongest(b).0.total_cmp(&strongest(a).0));
        for (rank, from) in [image, others[0], others[1]].into_iter().enumerate() {
            assert_eq!(images[[image, rank]], from as u32);
            let (activation, [y, x]) = strongest(from);
            let mut expected = ArrayD::zeros(vec![3, 6, 6]);
            expected.slice_mut(s![.., y, x]).assign(&ndarray::arr1(&[
                activation,
                -activation,
                2.0 * activation,
            ]));
            assert_eq!(projection.slice(s![image, rank, .., .., ..]).into_dyn(), expected);
        }
    }
    assert_eq!(host.composites(), [Composite::default().on_kind("rectifier", "rectify")]);
}

#[test]
fn a_silent_map_has_no_projection() {
    let mut silent = pictures(2);
    // Map 1 of `relu` is y − z − 1 where that is positive.
    silent.index_axis_mut(Axis(0), 0).fill(0.0);
    let host = FakeHost::new()
        .with_colours(convscope_sdk::fake::ColourOrder::Rgb)
        .with_pictures("images", silent);
    let findings = run(&host, &json!({ "window": 3, "layer": "relu", "map": 1 }));
    let images = indices(&findings, "projection_image");
    assert_eq!(images.shape(), [2, 2]);
    assert_eq!(images.iter().copied().collect::<Vec<_>>(), [u32::MAX, 1, 1, u32::MAX]);
    let projection = numbers(&findings, "projection");
    assert!(projection.slice(s![0, 0, .., .., ..]).iter().all(|value| value.is_nan()));
    assert!(projection.slice(s![1, 0, .., .., ..]).iter().all(|value| !value.is_nan()));
}

#[test]
fn tensors_have_no_picture_and_two_channels_no_projection_in_the_figure() {
    let tensors = ArrayD::from_shape_fn(vec![1, 2, 6, 6], |i| (i[1] + i[2] * i[3]) as f32 / 8.0);
    let host = FakeHost::new().with_tensors("images", tensors);
    let findings = run(&host, &json!({ "window": 3, "stride": 3, "baseline": "zero" }));
    assert!(findings.array("picture").is_none());
    assert!(findings.array("projection").is_some());
    let labels = crate::figures::labels(&findings, 0);
    let expected = ["(b)", "(d)", "(e)", "drop"];
    assert!(
        labels.iter().zip(expected).all(|(label, start)| label.starts_with(start)),
        "{labels:?}"
    );
    assert_eq!(labels.len(), 4);
}

#[test]
fn probabilities_of_the_model_itself_are_taken_as_they_are() {
    let own = |model: &mut ModelDescription| model.probability = Some("scores".to_owned());
    let findings = run(&host(1).with_description(own), &json!({ "window": 3, "stride": 3 }));
    assert_eq!(numbers(&findings, "probability"), numbers(&findings, "score"));
    let map = |model: &mut ModelDescription| model.probability = Some("pool".to_owned());
    let host = host(1).with_description(map);
    let parameters = json!({ "window": 3, "target": 2 });
    let error = host.run(&convscope_occlusion::Occlusion, &parameters).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model's probabilities have shape [2, 1, 3, 3], which is not one number per class"
    );
}
