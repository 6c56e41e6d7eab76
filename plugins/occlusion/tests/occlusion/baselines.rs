//! What the occluder shows.

use convscope_sdk::fake::FakeHost;
use convscope_sdk::protocol::ModelDescription;
use ndarray::{Array3, Array4, ArrayD, Axis, Ix4};
use serde_json::{Value, json};

use crate::slow::{painted, say};
use crate::{host, numbers, pictures, run};

fn scores(host: &FakeHost, baseline: &Value) -> ArrayD<f32> {
    let parameters = json!({ "window": 3, "stride": 3, "target": 3, "baseline": baseline });
    numbers(&run(host, &parameters), "score")
}

/// Scores of the pictures painted over with others, at the places of `scores`.
fn painted_scores(others: &Array4<f32>) -> ArrayD<f32> {
    let pictures = pictures(2).into_dimensionality::<Ix4>().unwrap();
    ArrayD::from_shape_fn(vec![2, 2, 2], |place| {
        let [picture, other] = [&pictures, others].map(|all| all.index_axis(Axis(0), place[0]));
        let corner = [3 * place[1], 3 * place[2]];
        say(&painted(&picture, corner, [3, 3], &other).view()).scores[3]
    })
}

fn even(colour: [f32; 3]) -> Array4<f32> {
    Array4::from_shape_fn((2, 3, 6, 6), |(_, channel, _, _)| colour[channel])
}

fn assert_close(a: &ArrayD<f32>, b: &ArrayD<f32>) {
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4), "{a} {b}");
}

#[test]
fn mean_and_zero_are_zero_in_the_networks_units() {
    let expected = painted_scores(&even([0.0; 3]));
    assert_eq!(scores(&host(2), &json!("mean")), expected);
    assert_eq!(scores(&host(2), &json!("zero")), expected);
}

#[test]
fn a_colour_goes_through_the_preprocessing() {
    // The network of the test takes (pixel − 128) / 64.
    let expected = painted_scores(&even([0.5, -2.0, 1.0]));
    assert_eq!(scores(&host(2), &json!([160, 0, 192])), expected);
}

#[test]
fn the_mean_colour_is_that_of_each_picture() {
    let pictures = pictures(2).into_dimensionality::<Ix4>().unwrap();
    let means = Array4::from_shape_fn((2, 3, 6, 6), |(image, channel, _, _)| {
        pictures.index_axis(Axis(0), image).index_axis(Axis(0), channel).mean().unwrap()
    });
    assert_close(&scores(&host(2), &json!("image_mean")), &painted_scores(&means));
}

#[test]
fn a_picture_out_of_focus_covers_itself() {
    // A blur of 0.3 pixels: a twentieth of 6.
    let weight = |distance: f64| (-0.5 * (distance / 0.3).powi(2)).exp();
    let along = |at: &dyn Fn(usize) -> f32, place: usize| {
        let (mut sum, mut total) = (0.0, 0.0);
        for other in place.saturating_sub(1)..6.min(place + 2) {
            sum += weight(other.abs_diff(place) as f64) * f64::from(at(other));
            total += weight(other.abs_diff(place) as f64);
        }
        (sum / total) as f32
    };
    let pictures = pictures(2).into_dimensionality::<Ix4>().unwrap();
    let down =
        Array4::from_shape_fn((2, 3, 6, 6), |(i, c, y, x)| along(&|y| pictures[[i, c, y, x]], y));
    let both =
        Array4::from_shape_fn((2, 3, 6, 6), |(i, c, y, x)| along(&|x| down[[i, c, y, x]], x));
    assert_close(&scores(&host(2), &json!("blur")), &painted_scores(&both));
}

#[test]
fn noise_is_drawn_by_the_seed_of_the_session_and_for_each_picture() {
    let noise = |seed| scores(&host(2).with_seed(seed), &json!("noise"));
    assert_eq!(noise(1), noise(1));
    assert_ne!(noise(1), noise(2));
    let same = pictures(1).into_dimensionality::<Ix4>().unwrap();
    let twice = ndarray::concatenate![Axis(0), same, same].into_dyn();
    let host = FakeHost::new()
        .with_colours(convscope_sdk::fake::ColourOrder::Rgb)
        .with_pictures("images", twice);
    let scores = scores(&host, &json!("noise"));
    assert_ne!(scores.index_axis(Axis(0), 0), scores.index_axis(Axis(0), 1));
}

#[test]
fn what_needs_the_preprocessing_is_refused_without_one() {
    let unknown = |model: &mut ModelDescription| model.preprocessing = None;
    let host = host(2).with_description(unknown);
    let refused = |baseline: Value| {
        let outcome = host
            .run(&convscope_occlusion::Occlusion, &json!({ "window": 3, "baseline": baseline }));
        outcome.unwrap_err().to_string()
    };
    assert_eq!(
        refused(json!("mean")),
        "`baseline`: the model does not say what mean its preprocessing subtracts; give it a model \
         card, or take \"zero\" or \"image_mean\""
    );
    assert_eq!(
        refused(json!([1, 2, 3])),
        "`baseline`: the model does not say how colours become its input; give it a model card, or \
         take \"zero\" or \"image_mean\""
    );
    assert!(host.progress().is_empty(), "nothing is computed before");
    assert_eq!(scores(&host, &json!("zero")), painted_scores(&even([0.0; 3])));
}

#[test]
fn a_preprocessing_without_a_mean_is_remarked() {
    let note = |host: &FakeHost, baseline: &str| {
        let findings = run(host, &json!({ "window": 3, "baseline": baseline }));
        findings.notes.iter().any(|note| note.starts_with("The preprocessing of this model subtr"))
    };
    let without = |model: &mut ModelDescription| {
        if let Some(scale) = &mut model.preprocessing {
            scale.mean = vec![0.0; 3];
        }
    };
    assert!(note(&host(1).with_description(without), "mean"));
    assert!(!note(&host(1).with_description(without), "image_mean"));
    assert!(!note(&host(1), "mean"));
}

#[test]
fn an_even_picture_is_not_changed_by_its_own_mean() {
    let even = ArrayD::from_elem(vec![1, 3, 6, 6], 0.75);
    let host = FakeHost::new()
        .with_colours(convscope_sdk::fake::ColourOrder::Rgb)
        .with_pictures("images", even);
    let clean = say(&Array3::from_elem((3, 6, 6), 0.75).view()).scores[3];
    for baseline in ["image_mean", "blur", "noise"] {
        assert!(scores(&host, &json!(baseline)).iter().all(|score| *score == clean), "{baseline}");
    }
}
