//! Covers every place of a picture in turn and maps what the network still says: occlusion
//! sensitivity, Figure 7 of Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks"
//! (2013).
//!
//! A pass over the pictures as they are decides which class and which feature map are watched in
//! each (`subject.rs`); then each picture is run forward with the occluder at every place
//! (`windows.rs`, `covering.rs`).

mod baseline;
mod boxes;
mod covering;
mod figure;
mod parameters;
mod projection;
mod results;
mod subject;
mod summary;
mod windows;

pub use parameters::{Baseline, Extent, MapChoice, NamedBaseline, Parameters};

use convscope_sdk::{
    Analysis, AnalysisError, Host, Images, Model, class_in_words, export_plugin, picture_array,
    targets_of,
};
use ndarray::{Axis, concatenate};

use crate::baseline::Cover;
use crate::boxes::NamedBox;
use crate::covering::{Covered, Probabilities};
use crate::results::Scale;
use crate::subject::{Layer, Subjects};
use crate::windows::Windows;

/// Share of the progress at which the uncovered pictures were seen.
const SEEN: f64 = 0.02;
/// Share of the progress at which all pictures were covered.
const COVERED: f64 = 0.95;
/// Share of the progress at which units were projected; the rest is reading pictures.
const PROJECTED: f64 = 0.99;
/// How many pictures figures show at most.
const MOST_SHOWN: usize = 12;

/// The analysis `occlusion`.
#[derive(Clone, Copy, Debug)]
pub struct Occlusion;

/// What is computed, checked before anything is.
struct Task<'a> {
    model: Model<'a>,
    images: Images<'a>,
    names: Vec<String>,
    windows: Vec<Windows>,
    layer: Layer,
    boxes: Vec<Vec<NamedBox>>,
}

impl Analysis for Occlusion {
    const ID: &'static str = "occlusion";
    const NAME: &'static str = "Occlusion sensitivity";
    const DOC: &'static str = "Covers every place of a picture in turn with a small rectangle, and maps \
        what the network says of each covered picture: probability and score of a class, sum of a \
        feature map, and the most probable class.\n\n\
        Arrays [image, row, column], one value per place: `probability`, `score`, `activity`, `label`; \
        `position`, the place's top and left pixel; per pixel `attribution` and `drop`, the mean over \
        the places that cover it of clean − covered score and probability; `clean_probability`, \
        `clean_score`, `clean_activity`, `clean_label`, `target`, `map` [image]; `projection`, \
        `picture`. With `windows` the names of the first seven end with the occluder's size. Tables: \
        `per_picture`, `box`, `set`. One figure per occluder.";
    const REFERENCE: &'static str = "Zeiler & Fergus, Visualizing and Understanding Convolutional \
        Networks (2013), section 4.2, Figure 7";
    const CATEGORY: &'static str = "attribution";
    const DETERMINISTIC: bool = true;
    const NEEDS_BACKWARD: bool = true;
    type Parameters = Parameters;

    fn run(&self, host: &Host<'_>, parameters: Parameters) -> Result<(), AnalysisError> {
        run(host, &parameters)
    }
}

fn run(host: &Host<'_>, parameters: &Parameters) -> Result<(), AnalysisError> {
    let model = host.model()?;
    let images = host.images("images")?;
    if images.is_empty() {
        return Err(AnalysisError::parameter("images", "there are no pictures"));
    }
    let [channels, height, width] = model.input_extents()?;
    let picture = [height, width];
    let windows = Windows::all(parameters, picture)?;
    parameters.baseline.check(&model)?;
    let targets = targets_of(&model, &images, &parameters.target)?;
    let layer = Layer::chosen(&model, parameters)?;
    let choices = layer.choices(parameters, images.len())?;
    let boxes = boxes::boxes(parameters.boxes.as_ref(), &images, picture)?;
    let names = images.names()?;
    let task = Task { model, images, names, windows, layer, boxes };
    let Task { model, images, names, .. } = &task;
    let count = images.len();

    host.progress(0.0, "looking at the pictures")?;
    let seen = |done: usize| {
        let fraction = SEEN * done as f64 / count as f64;
        host.progress(fraction, &format!("looked at {done} of {count} pictures"))
    };
    let what = (targets.as_slice(), choices.as_slice());
    let subjects = Subjects::find(model, images, &task.layer, what, parameters.projections, &seen)?;
    let covered = cover(host, &task, &subjects, parameters)?;

    let shown = count.min(MOST_SHOWN);
    let projecting = |done: f64| {
        host.progress(COVERED + (PROJECTED - COVERED) * done, "projecting feature maps")
    };
    let wanted = (shown, parameters.projections);
    let projections =
        projection::project(model, images, &subjects, &task.layer, wanted, &projecting)?;
    let pictures = picture_array(images, names, |image| {
        let fraction = PROJECTED + (1.0 - PROJECTED) * image as f64 / count as f64;
        host.progress(fraction, "reading the pictures")
    })?;

    let scales = task
        .windows
        .iter()
        .enumerate()
        .map(|(place, windows)| Scale::gather(windows.clone(), place, &covered, picture))
        .collect::<Result<Vec<_>, _>>()?;
    let watched: Vec<String> =
        subjects.of_images.iter().map(|subject| class_in_words(model, subject.class)).collect();
    let labels = model.description().labels.as_slice();
    let setting = figure::Setting {
        names,
        subjects: &subjects.of_images,
        watched: &watched,
        covered: &covered,
        boxes: &task.boxes,
        labels,
        layer: &task.layer.name,
        baseline: &parameters.baseline.words(),
        picture,
        shown,
        has_pictures: pictures.is_some(),
        projections: matches!(channels, 1 | 3).then_some(&projections),
    };
    let figures: Vec<_> = scales.iter().map(|scale| figure::figure(scale, &setting)).collect();
    let setting = summary::Setting {
        names,
        watched: &watched,
        covered: &covered,
        boxes: &task.boxes,
        labels,
        seed: host.rng_seed(count as u64),
    };
    let tables = [
        Some(summary::pictures(&scales, &setting)),
        summary::parts(&scales, &setting),
        summary::set(&scales, &setting)?,
    ];
    let arrays = scales
        .into_iter()
        .flat_map(|scale| scale.into_arrays(names))
        .chain(results::clean(&covered, &subjects.of_images, names))
        .chain(results::projections(projections, model.description(), names))
        .chain(pictures);
    for array in arrays {
        host.emit_array(array)?;
    }
    for table in tables.iter().flatten() {
        host.emit_table(table)?;
    }
    for figure in &figures {
        host.emit_figure(figure)?;
    }
    for note in notes(&task, &subjects, parameters) {
        host.note(&note)?;
    }
    host.progress(1.0, "done")
}

/// Covers every picture at every place and returns what the network says.
fn cover(
    host: &Host<'_>,
    task: &Task<'_>,
    subjects: &Subjects,
    parameters: &Parameters,
) -> Result<Vec<Covered>, AnalysisError> {
    let Task { model, images, names, windows, layer, .. } = task;
    let probabilities = Probabilities::of(model, subjects.scores_are_probabilities);
    let scale = model.description().preprocessing.as_ref();
    let places: usize = windows.iter().map(Windows::count).sum();
    let count = images.len();
    let mut covered = Vec::with_capacity(count);
    for (image, subject) in subjects.of_images.iter().enumerate() {
        let progress = |done: usize| {
            let share = (image as f64 + done as f64 / places as f64) / count as f64;
            let name = &names[image];
            let doing = format!(
                "covering {name}, picture {} of {count}: {done} of {places} places",
                image + 1
            );
            host.progress(SEEN + (COVERED - SEEN) * share, &doing)
        };
        progress(0)?;
        let input = images.input(image)?;
        let view = input.view().into_dimensionality::<ndarray::Ix4>()?;
        let pixels = view.index_axis(Axis(0), 0);
        let cover = parameters.baseline.cover(scale, &pixels, host.rng_seed(image as u64));
        let of_call = match &cover {
            Cover::Numbers(_) => images.select(&[image])?,
            Cover::Picture(other) => {
                let other = other.view().insert_axis(Axis(0));
                host.images_from(concatenate(Axis(0), &[view, other])?.into_dyn())?
            }
        };
        let what = (subject, layer, &probabilities);
        let maps = covering::cover(model, &of_call, &cover.fill(1), windows, what, &progress)?;
        covered.push(Covered { colour: cover.colour(scale), ..maps });
    }
    Ok(covered)
}

/// Says what every reader of the report must know.
fn notes(task: &Task<'_>, subjects: &Subjects, parameters: &Parameters) -> Vec<String> {
    let description = task.model.description();
    let mut notes = Vec::new();
    let count = task.images.len();
    if count > MOST_SHOWN {
        notes.push(format!(
            "The figure shows the first {MOST_SHOWN} of {count} pictures; the arrays hold all."
        ));
    }
    if description.probability.is_none() && subjects.scores_are_probabilities {
        let score = &description.score;
        notes.push(format!("`{score}` sums to 1 already: taken as probabilities as it is."));
    }
    let subtracts_nothing = |scale: &convscope_sdk::protocol::model::PixelScale| {
        scale.mean.iter().all(|mean| *mean == 0.0)
    };
    if parameters.baseline == Baseline::default()
        && description.preprocessing.as_ref().is_some_and(subtracts_nothing)
    {
        notes.push(
            "The preprocessing of this model subtracts no mean: the occluder is black. Give a \
             colour or \"image_mean\" as `baseline` where black is seen as a thing of its own."
                .to_owned(),
        );
    }
    notes
}

export_plugin! {
    id: "org.convscope.occlusion",
    name: "Occlusion",
    analyses: [Occlusion],
}
