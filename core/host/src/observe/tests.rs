use std::sync::atomic::{AtomicUsize, Ordering};

use convscope_protocol::{Fill, Intervention, Region};

use super::*;
use crate::source::TensorImages;
use crate::testing::{Bench, Collected, images, is_cancelled_at_every_question};
use convscope_runtime::Tensor;

fn capture(value: &str, reduction: Reduction) -> Capture {
    Capture::new(value, reduction)
}

fn run(
    bench: &Bench,
    count: usize,
    cases: Cases<'_>,
    captures: &[Capture],
) -> Result<Collected, HostError> {
    let input = &bench.network.value(bench.network.inputs()[0]).shape;
    let images = TensorImages::new(images(count), input)?;
    let mut collected = Collected::default();
    observe(&bench.engine(), &images, cases, captures, &mut |first, count, arrays| {
        collected.take(first, count, &arrays);
        Ok(())
    })?;
    Ok(collected)
}

fn captures() -> Vec<Capture> {
    let strongest = Reduction::Strongest { k: 3, disjoint: Disjoint::ReceptiveField };
    vec![
        capture("scores", Reduction::None),
        capture("scores", Reduction::Softmax),
        capture("scores", Reduction::Argmax),
        capture("relu1", strongest),
        capture("conv1", Reduction::Mean),
    ]
}

fn all_cases() -> Vec<Case> {
    let occlude = |image: usize, top: i64, fill: Fill| Case {
        image,
        interventions: vec![Intervention::Occlude {
            region: Region { top, left: -2, height: 5, width: 9 },
            fill,
        }],
    };
    let replace = Intervention::Replace {
        layer: "relu1".to_owned(),
        channels: vec![2, 0],
        with: Fill::PerChannel(vec![0.5, -1.0]),
    };
    let bypass = Intervention::Bypass { layer: "relu2".to_owned() };
    vec![
        Case { image: 2, interventions: Vec::new() },
        occlude(0, 3, Fill::Number(0.25)),
        occlude(0, -3, Fill::PerChannel(vec![1.0, -1.0])),
        Case { image: 1, interventions: vec![replace, bypass.clone()] },
        Case { image: 0, interventions: Vec::new() },
        Case { image: 1, interventions: vec![bypass] },
        occlude(2, 40, Fill::Number(9.0)),
        Case { image: 1, interventions: Vec::new() },
        occlude(1, 4, Fill::Image { image: 2 }),
        occlude(1, -3, Fill::Image { image: 0 }),
    ]
}

/// Bytes with which so many images go through at once.
fn memory_for(bench: &Bench, at_once: u64) -> u64 {
    let input = bench.network.inputs()[0];
    at_once * cost(&bench.network, &plan(&bench.engine(), input, &captures()).unwrap())
}

/// Bytes of images that others are filled with.
fn bytes_of_images(count: u64) -> u64 {
    count * 2 * 12 * 12 * 4
}

#[test]
fn batches_of_1_3_and_10_with_1_and_2_threads_give_the_same_bits() {
    let cases = all_cases();
    let whole = run(&Bench::new(2, 1 << 30), 3, Cases::Listed(&cases), &captures()).unwrap();
    assert_eq!(whole.batches, [10]);
    for (at_once, batches) in [(1, vec![1; 10]), (3, vec![3, 3, 3, 1])] {
        for threads in [1, 2] {
            let mut bench = Bench::new(threads, 0);
            bench.memory = memory_for(&bench, at_once) + bytes_of_images(2);
            let parts = run(&bench, 3, Cases::Listed(&cases), &captures()).unwrap();
            assert_eq!(parts.batches, batches);
            assert_eq!(parts.cases, whole.cases);
        }
    }
}

#[test]
fn without_cases_every_image_is_run_as_it_is() {
    let bench = Bench::new(1, 1 << 30);
    let cases: Vec<Case> = (0..4).map(|image| Case { image, interventions: Vec::new() }).collect();
    let listed = run(&bench, 4, Cases::Listed(&cases), &captures()).unwrap();
    assert_eq!(run(&bench, 4, Cases::EachImage, &captures()).unwrap(), listed);
}

#[test]
fn occluding_is_the_same_as_changing_the_image() {
    let bench = Bench::new(1, 1 << 30);
    let captures = [capture("image", Reduction::None), capture("scores", Reduction::None)];
    let cases = all_cases();
    let collected = run(&bench, 3, Cases::Listed(&cases), &captures).unwrap();
    let clean = images(3);
    let clean = clean.view().unwrap();
    let seen = collected.floats(1, 0);
    for c in 0..2 {
        for y in 0..12 {
            for x in 0..12 {
                let covered = (3..8).contains(&y) && x < 7;
                let expected = if covered { 0.25 } else { clean[[0, c, y, x]] };
                let seen = seen[(c * 12 + y) * 12 + x];
                assert_eq!(seen.to_bits(), expected.to_bits(), "{c} {y} {x}");
            }
        }
    }
    // A region beside the image changes nothing.
    assert_eq!(collected.cases[6], collected.cases[0]);
    assert_ne!(collected.cases[1][1], collected.cases[4][1]);
}

#[test]
fn a_fill_from_an_image_puts_its_pixels_in_the_same_place() {
    let bench = Bench::new(1, 1 << 30);
    let captures = [capture("image", Reduction::None)];
    let region = Region { top: 9, left: -1, height: 7, width: 4 };
    let fill = Fill::Image { image: 1 };
    let occlude = Intervention::Occlude { region, fill: fill.clone() };
    let beside = Intervention::Occlude { region: Region { top: 12, ..region }, fill: fill.clone() };
    let replace =
        Intervention::Replace { layer: "image".to_owned(), channels: vec![1], with: fill };
    let case = |intervention| Case { image: 0, interventions: vec![intervention] };
    let cases = [case(occlude), case(replace), case(beside)];
    let collected = run(&bench, 2, Cases::Listed(&cases), &captures).unwrap();
    let pixels = images(2);
    let pixels = pixels.view().unwrap();
    let [occluded, replaced, beside] = [0, 1, 2].map(|case| collected.floats(case, 0));
    for (place, ((c, y), x)) in (0..2)
        .flat_map(|c| (0..12).map(move |y| (c, y)))
        .flat_map(|cy| (0..12).map(move |x| (cy, x)))
        .enumerate()
    {
        let image = usize::from(y >= 9 && x < 3);
        assert_eq!(occluded[place].to_bits(), pixels[[image, c, y, x]].to_bits(), "{c} {y} {x}");
        assert_eq!(replaced[place].to_bits(), pixels[[c, c, y, x]].to_bits(), "{c} {y} {x}");
        assert_eq!(beside[place].to_bits(), pixels[[0, c, y, x]].to_bits(), "{c} {y} {x}");
    }
}

#[test]
fn fills_that_cannot_be_meant_are_refused_before_anything_runs() {
    let bench = Bench::new(1, 1 << 30);
    let scores = [capture("scores", Reduction::None)];
    let refused = |bench: &Bench, intervention: Intervention| {
        let cases = [
            Case { image: 0, interventions: Vec::new() },
            Case { image: 0, interventions: vec![intervention] },
        ];
        run(bench, 2, Cases::Listed(&cases), &scores).unwrap_err()
    };
    let occlude = |image| {
        let region = Region { top: 0, left: 0, height: 2, width: 2 };
        Intervention::Occlude { region, fill: Fill::Image { image } }
    };
    assert_eq!(refused(&bench, occlude(2)).to_string(), "case 1: a fill from image 2 of 2");
    let replace = Intervention::Replace {
        layer: "relu1".to_owned(),
        channels: vec![1],
        with: Fill::Image { image: 1 },
    };
    assert_eq!(
        refused(&bench, replace).to_string(),
        "replace: an image has channels of image, not of relu1"
    );
    let two = Case { image: 0, interventions: vec![occlude(0), occlude(1)] };
    let bench = Bench::new(1, bytes_of_images(1));
    let error = run(&bench, 2, Cases::Listed(&[two]), &scores).unwrap_err();
    assert_eq!(error.kind(), "not_enough_memory");
    assert!(
        error.to_string().contains("the set of images to fill from needs 2304 bytes"),
        "{error}"
    );
}

#[test]
fn channels_that_cannot_be_handed_back_are_refused_before_anything_runs() {
    let bench = Bench::new(1, 1 << 30);
    let refused = |value: &str, reduction: Reduction, channels: &[usize]| {
        let capture = capture(value, reduction).of_channels(channels);
        run(&bench, 2, Cases::EachImage, &[capture]).unwrap_err().to_string()
    };
    assert_eq!(
        refused("relu1", Reduction::Sum, &[1, 4]),
        "relu1 has shape [1, 4, 12, 12]: there is no channel 4"
    );
    assert_eq!(
        refused("scores", Reduction::Softmax, &[5]),
        "scores has shape [1, 5]: there is no channel 5"
    );
    assert_eq!(
        refused("scores", Reduction::Argmax, &[1]),
        "capture scores: an argmax is over all channels"
    );
    assert_eq!(refused("relu1", Reduction::None, &[]), "capture relu1: no channel is chosen");
    assert_eq!(
        refused("relu1", Reduction::Mean, &[2, 0, 2]),
        "capture relu1: channel 2 is chosen twice"
    );
}

#[test]
fn chosen_channels_have_the_bits_that_they_have_among_all() {
    let bench = Bench::new(1, 1 << 30);
    let reductions = [("relu1", Reduction::Sum), ("scores", Reduction::None)];
    for (value, reduction) in reductions.into_iter().chain([("scores", Reduction::Softmax)]) {
        let all = capture(value, reduction);
        let captures = [all.clone(), all.of_channels([3, 1])];
        let cases = all_cases();
        for case in run(&bench, 3, Cases::Listed(&cases), &captures).unwrap().cases {
            assert_eq!(case[1], [case[0][3], case[0][1]]);
        }
    }
}

#[test]
fn spots_of_one_map_share_no_pixel() {
    let bench = Bench::new(1, 1 << 30);
    let strongest = Reduction::Strongest { k: 200, disjoint: Disjoint::ReceptiveField };
    let collected = run(&bench, 2, Cases::EachImage, &[capture("relu1", strongest)]).unwrap();
    for case in &collected.cases {
        for map in case[1].chunks(400) {
            let spots: Vec<[u32; 2]> =
                map.chunks(2).filter(|p| p[0] != u32::MAX).map(|p| [p[0], p[1]]).collect();
            assert!(spots.len() >= 9);
            for (index, a) in spots.iter().enumerate() {
                for b in &spots[index + 1..] {
                    // Kernels of 3×3 at stride 1: fields are apart from a distance of 3 on.
                    assert!(a[0].abs_diff(b[0]) >= 3 || a[1].abs_diff(b[1]) >= 3, "{a:?} {b:?}");
                }
            }
        }
    }
}

#[test]
fn units_that_see_the_whole_image_have_one_spot() {
    let bench = Bench::new(1, 1 << 30);
    let strongest = Reduction::Strongest { k: 2, disjoint: Disjoint::ReceptiveField };
    let collected = run(&bench, 1, Cases::EachImage, &[capture("scores", strongest)]).unwrap();
    for spots in collected.floats(0, 0).chunks(2) {
        assert!(!spots[0].is_nan() && spots[1].is_nan());
    }
}

#[test]
fn what_does_not_fit_is_refused_before_anything_runs() {
    let bench = Bench::new(1, 1 << 30);
    let scores = [capture("scores", Reduction::None)];
    let refused = |cases: &[Case], captures: &[Capture]| {
        run(&bench, 2, Cases::Listed(cases), captures).unwrap_err().to_string()
    };
    let case = |interventions| Case { image: 0, interventions };
    assert_eq!(
        refused(&[Case { image: 2, interventions: Vec::new() }], &scores),
        "case 0: image 2 of 2"
    );
    assert_eq!(refused(&[], &[]), "observe: nothing is captured");
    let unknown = run(&bench, 1, Cases::EachImage, &[capture("relu", Reduction::None)]);
    let unknown = unknown.unwrap_err();
    assert_eq!(unknown.to_string(), "the model has no layer `relu`");
    assert_eq!(unknown.help().unwrap(), "did you mean `relu1` or `relu2`?");
    let replace = |channels, with| {
        case(vec![Intervention::Replace { layer: "relu1".to_owned(), channels, with }])
    };
    assert_eq!(
        refused(&[replace(vec![4], Fill::Number(0.0))], &scores),
        "relu1 has shape [1, 4, 12, 12]: there is no channel 4"
    );
    assert_eq!(
        refused(&[replace(vec![1, 2], Fill::PerChannel(vec![0.0]))], &scores),
        "replace: 1 numbers were given for 2 channels"
    );
    let bypass = |layer: &str| case(vec![Intervention::Bypass { layer: layer.to_owned() }]);
    assert_eq!(
        refused(&[bypass("conv1")], &scores),
        "bypass: the input of conv1 has not the shape of its output"
    );
    assert_eq!(refused(&[bypass("image")], &scores), "bypass: image is no layer");
    let none = Reduction::Strongest { k: 0, disjoint: Disjoint::None };
    assert!(refused(&[], &[capture("relu1", none)]).contains("k is 0"));
}

#[test]
fn an_image_that_does_not_fit_the_memory_is_refused_with_its_size() {
    let error = run(&Bench::new(1, 1000), 1, Cases::EachImage, &captures()).unwrap_err();
    assert_eq!(error.kind(), "not_enough_memory");
    assert!(error.help().unwrap().contains("--memory"));
}

#[test]
fn cancelling_stops_between_batches() {
    let mut bench = Bench::new(1, 0);
    bench.memory = memory_for(&bench, 1);
    let input = &bench.network.value(bench.network.inputs()[0]).shape;
    let images = TensorImages::new(images(5), input).unwrap();
    let seen = AtomicUsize::new(0);
    let cancelled = || seen.load(Ordering::Relaxed) >= 2;
    let engine = Engine { cancelled: &cancelled, ..bench.engine() };
    let outcome = observe(&engine, &images, Cases::EachImage, &captures(), &mut |_, count, _| {
        seen.fetch_add(count, Ordering::Relaxed);
        Ok(())
    });
    assert!(matches!(outcome, Err(HostError::Cancelled)));
    assert_eq!(seen.into_inner(), 2);
}

#[test]
fn cancelling_stops_between_the_layers_of_a_batch() {
    let bench = Bench::new(1, 1 << 30);
    let input = &bench.network.value(bench.network.inputs()[0]).shape;
    let images = TensorImages::new(images(5), input).unwrap();
    let questions = is_cancelled_at_every_question(|cancelled| {
        let engine = Engine { cancelled, ..bench.engine() };
        observe(&engine, &images, Cases::EachImage, &captures(), &mut |_, count, _| {
            assert_eq!(count, 5);
            Ok(())
        })
    });
    // Before the batch, every image and every layer.
    assert_eq!(questions, 1 + 5 + bench.network.nodes().len());
}

/// Images that count how often one is loaded.
struct Counted(TensorImages, AtomicUsize);

impl ImageSource for Counted {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn write(&self, index: usize, place: &mut [f32]) -> Result<(), HostError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.write(index, place)
    }

    fn content(&self, index: usize) -> Result<convscope_data::ContentHash, HostError> {
        self.0.content(index)
    }
}

#[test]
fn cancelling_stops_between_the_images_of_a_batch() {
    let bench = Bench::new(1, 1 << 30);
    let input = &bench.network.value(bench.network.inputs()[0]).shape;
    let images = Counted(TensorImages::new(images(5), input).unwrap(), AtomicUsize::new(0));
    let cancelled = || images.1.load(Ordering::Relaxed) >= 2;
    let engine = Engine { cancelled: &cancelled, ..bench.engine() };
    let outcome = observe(&engine, &images, Cases::EachImage, &captures(), &mut |_, _, _| Ok(()));
    assert!(matches!(outcome, Err(HostError::Cancelled)));
    assert_eq!(images.1.into_inner(), 2);
}

#[test]
fn images_of_another_shape_are_refused() {
    let bench = Bench::new(1, 1 << 30);
    let input = &bench.network.value(bench.network.inputs()[0]).shape;
    let error = TensorImages::new(Tensor::zeros([2, 3, 12, 12]), input).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a tensor of shape [2, 3, 12, 12]: the model takes [1, 2, 12, 12] for one image"
    );
}
