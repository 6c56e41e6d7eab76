//! The verb `observe`.

use convscope_sdk::fake::{BIAS, CLASS_WEIGHT, WEIGHT};
use convscope_sdk::protocol::{Capture, Case, Disjoint, Fill, Intervention, Reduction, Region};
use convscope_sdk::{AnalysisError, Host};
use ndarray::{ArrayD, Axis, s};

use crate::probe::{check, images};

fn capture(value: &str, reduction: Reduction) -> Capture {
    Capture::new(value, reduction)
}

/// Observes one capture of all cases, batch by batch, and joins it.
fn observed(
    host: &Host<'_>,
    cases: &[Case],
    value: &str,
    reduction: Reduction,
) -> Result<ArrayD<f32>, AnalysisError> {
    let mut rows: Vec<ArrayD<f32>> = Vec::new();
    let images = host.images("images")?;
    host.model()?.observe(&images, cases, &[capture(value, reduction)], |batch| {
        assert_eq!(batch.range().start, rows.len());
        rows.extend(batch.values(0)?.outer_iter().map(|row| row.to_owned()));
        Ok(())
    })?;
    let views: Vec<_> = rows.iter().map(|row| row.view()).collect();
    Ok(ndarray::stack(Axis(0), &views)?)
}

#[test]
fn layers_have_the_values_that_their_definition_gives() {
    check(|host, _| {
        let input = images(3);
        let conv = observed(host, &[], "conv", Reduction::None)?;
        let relu = observed(host, &[], "relu", Reduction::None)?;
        let pool = observed(host, &[], "pool", Reduction::None)?;
        let scores = observed(host, &[], "scores", Reduction::None)?;
        assert_eq!(conv.shape(), [3, 3, 6, 6]);
        let (x, y) = (input[[1, 0, 2, 5]], input[[1, 1, 2, 5]]);
        for map in 0..3 {
            let expected = WEIGHT[map][0] * x + WEIGHT[map][1] * y + BIAS[map];
            assert!((conv[[1, map, 2, 5]] - expected).abs() < 1e-6);
            assert!((relu[[1, map, 2, 5]] - expected.max(0.0)).abs() < 1e-6);
            let window = relu.slice(s![1, map, 2..4, 4..6]);
            assert_eq!(pool[[1, map, 1, 2]], window.fold(0.0, |a: f32, b| a.max(*b)));
        }
        let sums: Vec<f32> = (0..3).map(|map| pool.slice(s![2, map, .., ..]).sum()).collect();
        let expected: f32 = CLASS_WEIGHT[3].iter().zip(&sums).map(|(w, sum)| w * sum).sum();
        assert!((scores[[2, 3]] - expected).abs() < 1e-4);
        Ok(())
    });
}

#[test]
fn every_reduction_follows_its_definition() {
    check(|host, _| {
        let whole = observed(host, &[], "conv", Reduction::None)?;
        let map = whole.slice(s![2, 1, .., ..]);
        let at = |reduction| -> Result<f32, AnalysisError> {
            Ok(observed(host, &[], "conv", reduction)?[[2, 1]])
        };
        assert!((at(Reduction::Sum)? - map.sum()).abs() < 1e-4);
        assert!((at(Reduction::Mean)? - map.sum() / 36.0).abs() < 1e-5);
        assert!((at(Reduction::Norm)? - map.mapv(|v| v * v).sum().sqrt()).abs() < 1e-4);
        let positive = map.iter().filter(|value| **value > 0.0).count();
        assert_eq!(at(Reduction::CountPositive)?, positive as f32);
        let softmax = observed(host, &[], "scores", Reduction::Softmax)?;
        assert_eq!(softmax.shape(), [3, 4]);
        assert!(softmax.outer_iter().all(|row| (row.sum() - 1.0).abs() < 1e-6));
        Ok(())
    });
}

#[test]
fn the_strongest_cells_come_with_their_positions() {
    check(|host, _| {
        let whole = observed(host, &[], "pool", Reduction::None)?;
        let strongest = Reduction::Strongest { k: 11, disjoint: Disjoint::ReceptiveField };
        let images = host.images("images")?;
        let captures = [capture("scores", Reduction::Argmax), capture("pool", strongest)];
        host.model()?.observe(&images, &[], &captures, |batch| {
            assert_eq!(batch.indices(0)?.shape(), [batch.range().len()]);
            let (values, positions) = (batch.values(1)?, batch.indices(1)?);
            assert_eq!(values.shape()[1..], [3, 11]);
            for (row, case) in batch.range().enumerate() {
                for rank in 0..9 {
                    let place = |axis: usize| positions[[row, 0, rank, axis]] as usize;
                    let value = values[[row, 0, rank]];
                    assert_eq!(value, whole[[case, 0, place(0), place(1)]]);
                    assert!(rank == 0 || value <= values[[row, 0, rank - 1]]);
                }
                assert!(values[[row, 0, 9]].is_nan());
                assert_eq!(positions[[row, 0, 10, 1]], u32::MAX);
            }
            Ok(())
        })
    });
}

#[test]
fn interventions_change_what_lies_behind_them() {
    check(|host, _| {
        let occlude = Intervention::Occlude {
            region: Region { top: -1, left: 4, height: 2, width: 9 },
            fill: Fill::PerChannel(vec![7.0, 8.0]),
        };
        let replace = Intervention::Replace {
            layer: "relu".into(),
            channels: vec![2],
            with: Fill::Number(5.0),
        };
        let bypass = Intervention::Bypass { layer: "relu".into() };
        let case = |intervention| Case { image: 1, interventions: vec![intervention] };
        let cases = [case(occlude), case(replace), case(bypass)];
        let input = observed(host, &cases, "input", Reduction::None)?;
        let relu = observed(host, &cases, "relu", Reduction::None)?;
        let conv = observed(host, &cases, "conv", Reduction::None)?;
        assert_eq!(input[[0, 1, 0, 4]], 8.0);
        assert_eq!(input[[0, 1, 1, 4]], images(2)[[1, 1, 1, 4]]);
        assert_eq!(input[[0, 0, 0, 3]], images(2)[[1, 0, 0, 3]]);
        assert!(relu.slice(s![1, 2, .., ..]).iter().all(|value| *value == 5.0));
        assert_eq!(relu.slice(s![2, .., .., ..]), conv.slice(s![2, .., .., ..]));
        Ok(())
    });
}

#[test]
fn a_fill_from_an_image_puts_its_pixels_in_the_same_place() {
    check(|host, _| {
        let region = Region { top: 4, left: -1, height: 5, width: 3 };
        let fill = Fill::Image { image: 2 };
        let occlude = Intervention::Occlude { region, fill: fill.clone() };
        let replace = |layer: &str| Intervention::Replace {
            layer: layer.into(),
            channels: vec![1],
            with: fill.clone(),
        };
        let case = |intervention| Case { image: 0, interventions: vec![intervention] };
        let cases = [case(occlude), case(replace("input"))];
        let input = observed(host, &cases, "input", Reduction::None)?;
        let images = images(3);
        for ((channel, row, column), _) in images.slice(s![0, .., .., ..]).indexed_iter() {
            let covered = if row >= 4 && column < 2 { 2 } else { 0 };
            assert_eq!(input[[0, channel, row, column]], images[[covered, channel, row, column]]);
            let replaced = 2 * channel;
            assert_eq!(input[[1, channel, row, column]], images[[replaced, channel, row, column]]);
        }
        let reason =
            |case| observed(host, &[case], "conv", Reduction::None).unwrap_err().to_string();
        let beyond = Intervention::Occlude { region, fill: Fill::Image { image: 3 } };
        assert_eq!(reason(case(beyond)), "image 3 of 3 images");
        assert_eq!(
            reason(case(replace("relu"))),
            "an image has channels of `input`, not of `relu`"
        );
        Ok(())
    });
}

#[test]
fn channels_are_handed_back_alone_and_in_order() {
    check(|host, _| {
        let images = host.images("images")?;
        let model = host.model()?;
        for (value, reduction) in [
            ("conv", Reduction::None),
            ("conv", Reduction::Sum),
            ("scores", Reduction::Softmax),
            ("relu", Reduction::Strongest { k: 2, disjoint: Disjoint::None }),
        ] {
            let captures =
                [capture(value, reduction), capture(value, reduction).of_channels([2, 0])];
            model.observe(&images, &[], &captures, |batch| {
                let chosen = batch.values(0)?.select(Axis(1), &[2, 0]);
                assert_eq!(batch.values(1)?, chosen);
                Ok(())
            })?;
        }
        let reason = |reduction, channels: &[usize]| {
            let captures = [capture("scores", reduction).of_channels(channels)];
            model.observe(&images, &[], &captures, |_| Ok(())).unwrap_err().to_string()
        };
        assert_eq!(reason(Reduction::None, &[4]), "`scores` has no channel 4; there are 4");
        assert_eq!(reason(Reduction::None, &[1, 1]), "`scores`: channel 1 is chosen twice");
        let chosen = "`scores`: channels are chosen, at least one, and not of an argmax";
        assert_eq!(reason(Reduction::Argmax, &[1]), chosen);
        assert_eq!(reason(Reduction::Sum, &[]), chosen);
        Ok(())
    });
}

#[test]
fn wrong_names_and_indices_are_told_in_the_words_of_the_host() {
    check(|host, _| {
        let reason = |cases: &[Case], value: &str| {
            observed(host, cases, value, Reduction::None).unwrap_err().to_string()
        };
        assert_eq!(
            reason(&[], "fire9"),
            "no layer or value `fire9`; there are input, conv, relu, pool, scores"
        );
        let case = Case { image: 3, interventions: vec![] };
        assert_eq!(reason(&[case], "conv"), "image 3 of 3 images");
        let bypass = Intervention::Bypass { layer: "pool".into() };
        assert_eq!(
            reason(&[Case { image: 0, interventions: vec![bypass] }], "conv"),
            "`pool` cannot be bypassed: its input has not the shape of its output"
        );
        let replace = Intervention::Replace {
            layer: "conv".into(),
            channels: vec![3],
            with: Fill::Number(0.0),
        };
        assert_eq!(
            reason(&[Case { image: 0, interventions: vec![replace] }], "conv"),
            "`conv` has no channel 3; there are 3"
        );
        Ok(())
    });
}

#[test]
fn asking_for_what_was_not_captured_is_an_error() {
    check(|host, _| {
        let images = host.images("images")?;
        let captures = [capture("conv", Reduction::None)];
        let error =
            host.model()?.observe(&images, &[], &captures, |batch| batch.values(1).map(|_| ()));
        assert_eq!(error.unwrap_err().to_string(), "capture 1 of 1");
        let error =
            host.model()?.observe(&images, &[], &captures, |batch| batch.indices(0).map(|_| ()));
        assert_eq!(
            error.unwrap_err().to_string(),
            "the host broke the plugin interface: a tensor that is not of type uint32"
        );
        Ok(())
    });
}

#[test]
fn the_model_is_described_with_fields_and_parameters() {
    check(|host, _| {
        let model = host.model()?;
        assert_eq!(model.description().score, "scores");
        assert_eq!(model.layer("pool").unwrap().receptive_field, Some([2, 2]));
        assert!(model.layer("pol").is_none());
        let field = model.receptive_field("pool", Some([1, 2]))?;
        assert_eq!(field, Region { top: 2, left: 4, height: 2, width: 2 });
        assert_eq!(model.receptive_field("scores", None)?.height, 6);
        assert_eq!(
            model.receptive_field("pool", None).unwrap_err().to_string(),
            "`pool` has no position None"
        );
        assert_eq!(model.parameter("conv", "weight")?.shape(), [3, 2, 1, 1]);
        assert_eq!(model.parameter("scores", "weight")?[[3, 10]], CLASS_WEIGHT[3][1]);
        assert_eq!(
            model.parameter("pool", "weight").unwrap_err().to_string(),
            "layer `pool` has no parameter `weight`"
        );
        Ok(())
    });
}
