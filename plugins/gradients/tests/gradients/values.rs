//! Attributions against their closed forms.

use convscope_sdk::fake::FakeHost;
use ndarray::{Array3, ArrayView3, Ix4};
use serde_json::json;

use crate::closed_form::{Unit, activation, carried_back, conv, switch};
use crate::{attribution, host, pictures, run};

const FAMILY: [&str; 3] = ["saliency", "guided_backprop", "deconvolution"];

/// Checks every analysis with `parameters` against the units expected for each picture.
fn check(parameters: &serde_json::Value, units: &dyn Fn(usize, &ArrayView3<'_, f32>) -> Unit) {
    let pictures = pictures(3).into_dimensionality::<Ix4>().unwrap();
    for analysis in FAMILY {
        let found = attribution(&run(&host(3), analysis, parameters).unwrap());
        assert_eq!(found.dim(), (3, 3, 6, 6));
        for (image, picture) in pictures.outer_iter().enumerate() {
            let unit = units(image, &picture);
            let amount =
                if parameters["start"] == "activation" { activation(&picture, unit) } else { 1.0 };
            let expected = carried_back(analysis, &picture, unit, amount);
            let actual = found.index_axis(ndarray::Axis(0), image);
            assert_eq!(actual, expected, "{analysis} of picture {image}, {parameters}");
        }
    }
}

fn predicted(picture: &ArrayView3<'_, f32>) -> usize {
    let score = |class| activation(picture, Unit::Class(class));
    (0..4).fold(0, |best, class| if score(class) > score(best) { class } else { best })
}

#[test]
fn a_class_is_explained_in_every_picture() {
    for class in 0..4 {
        check(&json!({ "target": class }), &|_, _| Unit::Class(class));
    }
}

#[test]
fn a_label_stands_for_its_class() {
    check(&json!({ "target": "dog" }), &|_, _| Unit::Class(3));
}

#[test]
fn the_predicted_class_is_explained_unless_another_is_named() {
    check(&json!({}), &|_, picture| Unit::Class(predicted(picture)));
}

#[test]
fn a_list_has_one_class_for_each_picture() {
    let targets = json!({ "target": ["bee", "predicted", 3] });
    check(&targets, &|image, picture| Unit::Class([1, predicted(picture), 3][image]));
}

#[test]
fn a_unit_of_a_layer_is_explained_where_its_map_is_largest() {
    let strongest = |picture: &ArrayView3<'_, f32>, map| {
        let relu = |cell: [usize; 3]| conv(picture, cell).max(0.0);
        let cells = (0..36).map(|cell| [map, cell / 6, cell % 6]);
        cells.fold([map, 0, 0], |best, cell| if relu(cell) > relu(best) { cell } else { best })
    };
    for parameters in [
        json!({ "layer": "relu", "channel": 2 }),
        json!({ "layer": "relu", "channel": 2, "position": "max" }),
    ] {
        check(&parameters, &|_, picture| Unit::Relu(strongest(picture, 2)));
    }
    let lists =
        json!({ "layer": "relu", "channel": [0, 2, 1], "position": ["max", [3, 4], "max"] });
    check(&lists, &|image, picture| match image {
        1 => Unit::Relu([2, 3, 4]),
        image => Unit::Relu(strongest(picture, [0, 2, 1][image])),
    });
}

#[test]
fn a_unit_behind_a_pooling_reaches_its_switch_only() {
    let parameters = json!({ "layer": "pool", "channel": 1, "position": [2, 0] });
    check(&parameters, &|_, _| Unit::Pool([1, 2, 0]));
}

#[test]
fn a_unit_among_features_has_no_position() {
    check(&json!({ "layer": "scores", "channel": 3 }), &|_, _| Unit::Class(3));
    let parameters = json!({ "layer": "scores", "channel": [0, 1, 3], "position": "max" });
    check(&parameters, &|image, _| Unit::Class([0, 1, 3][image]));
}

#[test]
fn a_start_of_one_and_one_of_the_activation_are_proportional() {
    let unit = Unit::Class(2);
    check(&json!({ "target": 2, "start": "activation" }), &|_, _| unit);
    let whole = |start| json!({ "target": 2, "start": start });
    for analysis in FAMILY {
        let of_one = attribution(&run(&host(2), analysis, &whole("one")).unwrap());
        let of_activation = attribution(&run(&host(2), analysis, &whole("activation")).unwrap());
        for (image, picture) in
            pictures(2).into_dimensionality::<Ix4>().unwrap().outer_iter().enumerate()
        {
            let axis = ndarray::Axis(0);
            let scaled = &of_one.index_axis(axis, image) * activation(&picture, unit);
            assert_eq!(of_activation.index_axis(axis, image), scaled, "{analysis}");
        }
    }
}

#[test]
fn the_three_differ_at_rectifiers_alone() {
    // A unit before the rectifier: nothing on the way treats signals differently.
    let parameters = json!({ "layer": "conv", "channel": 2, "position": [1, 1] });
    let results = FAMILY.map(|name| attribution(&run(&host(2), name, &parameters).unwrap()));
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
    // A silent unit behind it: only the deconvnet does not ask whether it fires.
    let picture = pictures(1).into_dimensionality::<Ix4>().unwrap();
    let picture = picture.index_axis(ndarray::Axis(0), 0);
    let silent = (0..36).map(|cell| [2, cell / 6, cell % 6]);
    let [map, row, column] = silent.into_iter().find(|&cell| conv(&picture, cell) < 0.0).unwrap();
    let parameters = json!({ "layer": "relu", "channel": map, "position": [row, column] });
    let results = FAMILY.map(|name| attribution(&run(&host(1), name, &parameters).unwrap()));
    assert!(results[..2].iter().all(|result| result.iter().all(|&value| value == 0.0)));
    assert!(results[2].iter().any(|&value| value != 0.0));
}

#[test]
fn of_equal_values_in_a_window_the_first_is_the_switch() {
    let flat = ndarray::ArrayD::from_elem(vec![1, 2, 6, 6], 2.0);
    let host = FakeHost::new().with_tensors("images", flat);
    let parameters = json!({ "layer": "pool", "channel": 0, "position": [1, 2] });
    for analysis in FAMILY {
        let found = attribution(&run(&host, analysis, &parameters).unwrap());
        let mut expected = Array3::zeros((2, 6, 6));
        expected[[0, 2, 4]] = 1.0;
        assert_eq!(found.index_axis(ndarray::Axis(0), 0), expected);
    }
    let picture = Array3::from_elem((3, 6, 6), 2.0);
    assert_eq!(switch(&picture.view(), [0, 1, 2]), [0, 2, 4]);
}

#[test]
fn the_batch_a_picture_is_in_does_not_matter() {
    for analysis in FAMILY {
        let with_rows = |rows| {
            attribution(&run(&host(5).with_rows_per_batch(rows), analysis, &json!({})).unwrap())
        };
        assert_eq!(with_rows(1), with_rows(5));
        assert_eq!(with_rows(3), with_rows(5));
    }
}
