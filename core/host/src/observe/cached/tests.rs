use convscope_protocol::{Reduction, Region};
use convscope_runtime::Tensor;

use super::*;
use crate::cache::{Cache, CacheOptions, CacheUse};
use crate::source::TensorImages;
use crate::testing::{Bench, Collected, Heard, images, numbers};

/// A bench whose cache lies in a folder.
struct Caching {
    bench: Bench,
    folder: tempfile::TempDir,
    heard: Heard,
}

impl Caching {
    fn new() -> Self {
        // Enough for a batch of a few images, so that batches and portions end at other places.
        let bench = Bench { memory: 120_000, ..Bench::new(2, 0) };
        Self { bench, folder: tempfile::tempdir().unwrap(), heard: Heard::default() }
    }

    /// Runs the cases; the sink ends the run before the case `until`.
    fn run(
        &self,
        images: &Tensor,
        cases: Cases<'_>,
        captures: &[Capture],
        until: usize,
    ) -> (Result<Collected, HostError>, CacheUse) {
        let folder = self.folder.path().to_owned();
        let cache = Cache::new(&CacheOptions { folder, limit: 1 << 20 }, "test".to_owned());
        let recall = Recall::new(&cache, &self.heard);
        let memo = Memo { recall: &recall, base: Parts::new().with("model") };
        let engine = self.bench.engine();
        let source = source(&engine, images);
        let mut collected = Collected::default();
        let mut sink = |first: usize, count: usize, arrays: Vec<Values>| {
            if first + count > until {
                return Err(HostError::Cancelled);
            }
            collected.take(first, count, &arrays);
            Ok(())
        };
        let outcome = observe(&engine, Some(&memo), &source, cases, captures, &mut sink);
        recall.end();
        (outcome.map(|()| collected), cache.used())
    }

    fn computed(&self, images: &Tensor, cases: Cases<'_>, captures: &[Capture]) -> Collected {
        let engine = self.bench.engine();
        let source = source(&engine, images);
        let mut collected = Collected::default();
        let mut sink = |first: usize, count: usize, arrays: Vec<Values>| {
            collected.take(first, count, &arrays);
            Ok(())
        };
        observe(&engine, None, &source, cases, captures, &mut sink).unwrap();
        collected
    }
}

fn source(engine: &Engine<'_>, images: &Tensor) -> TensorImages {
    let input = &engine.network.value(engine.image_input().unwrap()).shape;
    TensorImages::new(images.clone(), input).unwrap()
}

/// Each of some images as it is and covered at many places.
fn covered(images: &[usize], fill: &Fill) -> Vec<Case> {
    let place = |image: usize, place: i64| Case {
        image,
        interventions: vec![Intervention::Occlude {
            region: Region { top: place / 6, left: place % 6, height: 4, width: 5 },
            fill: fill.clone(),
        }],
    };
    let of_image = |&image: &usize| {
        let clean = Case { image, ..Case::default() };
        std::iter::once(clean).chain((0..36).map(move |number| place(image, number)))
    };
    images.iter().flat_map(of_image).collect()
}

fn captures() -> [Capture; 2] {
    [
        Capture::new("scores", Reduction::Softmax).of_channels([2]),
        Capture::new("scores", Reduction::Argmax),
    ]
}

#[test]
fn cases_that_ran_before_are_handed_back_bit_by_bit() {
    let (bench, images) = (Caching::new(), images(3));
    let cases = covered(&[0, 1, 2], &Fill::Number(0.5));
    let cases = Cases::Listed(&cases);
    let expected = bench.computed(&images, cases, &captures());
    let (first, used) = bench.run(&images, cases, &captures(), usize::MAX);
    let first = first.unwrap();
    assert_eq!(first, expected, "the cache changes neither results nor batches");
    assert_eq!(used, CacheUse { pictures: 3, ..CacheUse::default() });
    let (second, used) = bench.run(&images, cases, &captures(), usize::MAX);
    let second = second.unwrap();
    assert_eq!(second.cases, expected.cases);
    assert_eq!(second.batches, [37, 37, 37]);
    assert_eq!(used, CacheUse { pictures: 3, pictures_reused: 3, ..CacheUse::default() });
    assert_eq!(bench.heard.lines(), ["re-used 3 of 3 pictures from an earlier run"]);
}

#[test]
fn a_run_that_ended_early_goes_on_where_pictures_are_missing() {
    let (bench, images) = (Caching::new(), images(4));
    let cases = covered(&[0, 1, 2, 3], &Fill::Image { image: 3 });
    let cases = Cases::Listed(&cases);
    let (stopped, used) = bench.run(&images, cases, &captures(), 100);
    assert!(matches!(stopped, Err(HostError::Cancelled)), "{stopped:?}");
    assert_eq!(used.pictures, 2);
    let (second, used) = bench.run(&images, cases, &captures(), usize::MAX);
    assert_eq!(second.unwrap().cases, bench.computed(&images, cases, &captures()).cases);
    assert_eq!((used.pictures_reused, used.pictures), (2, 4));
}

#[test]
fn a_damaged_portion_is_computed_anew() {
    let (bench, images) = (Caching::new(), images(3));
    let cases = covered(&[0, 1, 2], &Fill::Number(0.5));
    let cases = Cases::Listed(&cases);
    bench.run(&images, cases, &captures(), usize::MAX).0.unwrap();
    for folder in std::fs::read_dir(bench.folder.path()).unwrap().take(1) {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            std::fs::write(file.unwrap().path(), "nothing").unwrap();
        }
    }
    let (second, used) = bench.run(&images, cases, &captures(), usize::MAX);
    assert_eq!(second.unwrap().cases, bench.computed(&images, cases, &captures()).cases);
    assert!(used.damaged > 0, "{used:?}");
    assert_eq!(used.pictures_reused + used.damaged, 3);
    let (_, used) = bench.run(&images, cases, &captures(), usize::MAX);
    assert_eq!((used.pictures_reused, used.damaged), (3, 0));
}

#[test]
fn a_picture_is_found_wherever_it_stands_and_only_with_the_same_fill() {
    let bench = Caching::new();
    let pictures = images(3);
    let row = |index| pictures.row(index).unwrap().unwrap();
    let both =
        |one: &[f32], other: &[f32]| Tensor::new([2, 2, 12, 12], [one, other].concat()).unwrap();
    let reused = |images: &Tensor, cases: &[Case], captures: &[Capture]| {
        let (outcome, used) = bench.run(images, Cases::Listed(cases), captures, usize::MAX);
        let expected = bench.computed(images, Cases::Listed(cases), captures);
        assert_eq!(outcome.unwrap().cases, expected.cases);
        assert!(used.pictures == 1, "{used:?}");
        used.pictures_reused == 1
    };
    let fill = |image| Fill::Image { image };
    assert!(!reused(&both(row(0), row(1)), &covered(&[0], &fill(1)), &captures()));
    assert!(reused(&both(row(1), row(0)), &covered(&[1], &fill(0)), &captures()));
    assert!(!reused(&both(row(0), row(2)), &covered(&[0], &fill(1)), &captures()));
    assert!(!reused(&both(row(0), row(1)), &covered(&[0], &fill(0)), &captures()));
    assert!(!reused(&pictures, &covered(&[0], &Fill::Number(f32::INFINITY)), &captures()[..1]));
    assert!(!reused(&pictures, &covered(&[0], &Fill::Number(-f32::INFINITY)), &captures()[..1]));
    let other = [Capture::new("scores", Reduction::Softmax).of_channels([3])];
    assert!(!reused(&both(row(0), row(1)), &covered(&[0], &fill(1)), &other));
}

#[test]
fn many_pictures_of_one_case_each_make_a_portion() {
    let (bench, images) = (Caching::new(), images(70));
    let each = Cases::EachImage;
    bench.run(&images, each, &captures(), usize::MAX).0.unwrap();
    let (second, used) = bench.run(&images, each, &captures(), usize::MAX);
    let second = second.unwrap();
    assert_eq!(second.cases, bench.computed(&images, each, &captures()).cases);
    assert_eq!(second.batches[..2], [FEWEST_CASES; 2]);
    // What is left at the end is sooner computed.
    assert_eq!((used.pictures_reused, used.pictures), (64, 64));
}

#[test]
fn few_cases_and_large_results_are_not_kept() {
    let (bench, pictures) = (Caching::new(), images(1));
    let cases = covered(&[0], &Fill::Number(0.0));
    let maps = [Capture::new("relu1", Reduction::None)];
    bench.run(&pictures, Cases::Listed(&cases), &maps, usize::MAX).0.unwrap();
    let few = Cases::Listed(&cases[..FEWEST_CASES - 1]);
    bench.run(&pictures, few, &captures(), usize::MAX).0.unwrap();
    assert_eq!(std::fs::read_dir(bench.folder.path()).unwrap().count(), 0);
}

#[test]
fn an_error_names_the_case_of_the_call() {
    let bench = Caching::new();
    let mut values = images(2).values().unwrap().to_vec();
    let cases = covered(&[0, 1], &Fill::Number(0.0));
    let whole = Tensor::new([2, 2, 12, 12], values.clone()).unwrap();
    bench.run(&whole, Cases::Listed(&cases), &captures(), usize::MAX).0.unwrap();
    let last = values.len() - 1;
    values[last] = f32::NAN;
    let broken = Tensor::new([2, 2, 12, 12], values).unwrap();
    let strongest = [Capture::new("scores", Reduction::Argmax)];
    bench.run(&whole, Cases::Listed(&cases), &strongest, usize::MAX).0.unwrap();
    let (outcome, used) = bench.run(&broken, Cases::Listed(&cases), &strongest, usize::MAX);
    assert_eq!(used.pictures_reused, 1);
    let error = outcome.unwrap_err().to_string();
    assert_eq!(error, "scores of case 37 holds NaN");
}

#[test]
fn a_case_that_does_not_fit_is_refused_as_without_a_cache() {
    let (bench, images) = (Caching::new(), numbers([1, 2, 12, 12], 5));
    for cases in [covered(&[0, 9], &Fill::Number(0.0)), covered(&[0], &Fill::Image { image: 9 })] {
        let (outcome, _) = bench.run(&images, Cases::Listed(&cases), &captures(), usize::MAX);
        let engine = bench.bench.engine();
        let source = source(&engine, &images);
        let mut sink = |_: usize, _: usize, _: Vec<Values>| Ok(());
        let cases = Cases::Listed(&cases);
        let plain = super::super::observe(&engine, &source, cases, &captures(), &mut sink);
        assert_eq!(outcome.unwrap_err().to_string(), plain.unwrap_err().to_string());
    }
}
