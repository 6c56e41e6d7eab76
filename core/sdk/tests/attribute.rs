//! The verb `attribute`.

use convscope_sdk::fake::{CLASS_WEIGHT, FakeHost, WEIGHT};
use convscope_sdk::protocol::{Amount, Capture, Composite, Reduction, Start};
use convscope_sdk::{AnalysisError, Host};
use ndarray::{Array3, ArrayD};
use serde_json::json;

use crate::probe::{check, run};

fn class(image: usize, channel: usize) -> Start {
    Start { image, value: "scores".into(), channel, position: None, amount: Amount::One }
}

fn attributed(
    host: &Host<'_>,
    starts: &[Start],
    composite: &Composite,
    to: &[&str],
) -> Result<Vec<ArrayD<f32>>, AnalysisError> {
    let mut rows: Vec<ArrayD<f32>> = Vec::new();
    let images = host.images("images")?;
    host.model()?.attribute(&images, starts, composite, to, |batch| {
        rows.extend(batch.values(0)?.outer_iter().map(|row| row.to_owned()));
        Ok(())
    })?;
    Ok(rows)
}

/// Scores of the images of a call, computed forward.
fn scores(host: &Host<'_>, values: &ArrayD<f32>) -> Result<Vec<f32>, AnalysisError> {
    let images = host.images_from(values.clone())?;
    let capture = Capture::new("scores", Reduction::None);
    let mut scores = Vec::new();
    host.model()?.observe(&images, &[], &[capture], |batch| {
        scores.extend(batch.values(0)?.iter().copied());
        Ok(())
    })?;
    Ok(scores)
}

#[test]
fn the_gradient_is_what_finite_differences_say() {
    check(|host, _| {
        let starts: Vec<Start> = (0..3).map(|image| class(image, 3)).collect();
        let gradient = attributed(host, &starts, &Composite::default(), &[])?;
        let input = host.images("images")?.input(1)?;
        for place in [[0, 0, 0, 0], [0, 1, 3, 2], [0, 0, 5, 5]] {
            let step = 1e-2;
            let moved = |amount: f32| {
                let mut input = input.clone();
                input[place] += amount;
                Ok::<f32, AnalysisError>(scores(host, &input)?[3])
            };
            let expected = (moved(step)? - moved(-step)?) / (2.0 * step);
            let actual = gradient[1][[place[1], place[2], place[3]]];
            assert!((actual - expected).abs() < 0.02, "{place:?}: {actual} is not {expected}");
        }
        Ok(())
    });
}

#[test]
fn at_the_rectifier_the_three_methods_follow_the_table() {
    // One start per row of the table: input of the rectifier above or below 0, signal +2 or −2.
    let mut values = Array3::zeros((2, 6, 6));
    values[[0, 0, 0]] = 1.0;
    values[[0, 2, 2]] = -1.0;
    let values = values.insert_axis(ndarray::Axis(0)).into_dyn();
    let host = FakeHost::new().with_tensors("images", values);
    run(&host, &json!({}), |host, _| {
        let starts: Vec<Start> = [([0, 0], 2.0), ([0, 0], -2.0), ([2, 2], 2.0), ([2, 2], -2.0)]
            .into_iter()
            .map(|(position, amount)| Start {
                image: 0,
                value: "relu".into(),
                channel: 0,
                position: Some(position),
                amount: Amount::Number(amount),
            })
            .collect();
        let through = |rule: &str| -> Result<Vec<f32>, AnalysisError> {
            let composite = Composite::default().on_kind("rectifier", rule);
            let signals = attributed(host, &starts, &composite, &["conv"])?;
            Ok(signals.iter().map(|signal| signal.sum()).collect())
        };
        assert_eq!(through("gradient")?, [2.0, -2.0, 0.0, 0.0]);
        assert_eq!(through("rectify")?, [2.0, 0.0, 2.0, 0.0]);
        assert_eq!(through("guided")?, [2.0, 0.0, 0.0, 0.0]);
        assert_eq!(through("pass")?, [2.0, -2.0, 2.0, -2.0]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_projection_follows_the_switches_and_the_flipped_filters() {
    check(|host, _| {
        let start = Start {
            image: 2,
            value: "pool".into(),
            channel: 2,
            position: Some([1, 1]),
            amount: Amount::Activation,
        };
        let composite = Composite::default().on_kind("rectifier", "rectify");
        let projection = &attributed(host, &[start], &composite, &[])?[0];
        let images = host.images("images")?;
        let capture = Capture::new("relu", Reduction::None);
        host.model()?.observe(&images.select(&[2])?, &[], &[capture], |batch| {
            let relu = batch.values(0)?;
            let mut best = [2, 2];
            for place in [[2, 2], [2, 3], [3, 2], [3, 3]] {
                if relu[[0, 2, place[0], place[1]]] > relu[[0, 2, best[0], best[1]]] {
                    best = place;
                }
            }
            let activation = relu[[0, 2, best[0], best[1]]];
            assert!(activation > 0.0);
            for ((channel, row, column), value) in
                projection.view().into_dimensionality::<ndarray::Ix3>()?.indexed_iter()
            {
                let is_switch = [row, column] == best;
                let expected = if is_switch { activation * WEIGHT[2][channel] } else { 0.0 };
                assert_eq!(*value, expected, "channel {channel}, row {row}, column {column}");
            }
            Ok(())
        })
    });
}

#[test]
fn signals_reach_every_value_that_was_asked_for() {
    check(|host, _| {
        let images = host.images("images")?;
        let starts = [class(0, 3)];
        let to = ["pool", "input"];
        host.model()?.attribute(&images, &starts, &Composite::default(), &to, |batch| {
            assert_eq!(batch.values(0)?.shape(), [1, 3, 3, 3]);
            assert_eq!(batch.values(0)?[[0, 1, 2, 2]], CLASS_WEIGHT[3][1]);
            assert_eq!(batch.values(1)?.shape(), [1, 2, 6, 6]);
            Ok(())
        })
    });
}

#[test]
fn wrong_starts_and_rules_are_told_in_the_words_of_the_host() {
    check(|host, _| {
        let reason = |start: Start, composite: &Composite, to: &[&str]| {
            attributed(host, &[start], composite, to).unwrap_err().to_string()
        };
        let plain = Composite::default();
        assert_eq!(
            reason(class(0, 4), &plain, &[]),
            "`scores` has no unit at channel 4, row 0, column 0"
        );
        let map = Start { value: "pool".into(), ..class(0, 0) };
        assert_eq!(reason(map.clone(), &plain, &[]), "a start at `pool` needs a position");
        assert_eq!(
            reason(class(0, 0), &plain.clone().on_kind("rectifier", "rectfy"), &[]),
            "no rule `rectfy`; there are gradient, guided, overwrite_overlap, pass, rectify"
        );
        assert_eq!(
            reason(class(0, 0), &plain.clone().on_kind("relu", "rectify"), &[]),
            "no kind of layer `relu`"
        );
        assert_eq!(
            reason(class(0, 0), &plain.clone().on_layer("pool", "pass"), &[]),
            "rule `pass` does not fit `pool`"
        );
        let map = Start { position: Some([0, 0]), ..map };
        assert_eq!(reason(map, &plain, &["scores"]), "`pool` does not depend on `scores`");
        Ok(())
    });
}
