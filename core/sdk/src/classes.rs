//! Classes of the model, and those that an analysis is about.

use convscope_protocol::{Capture, Reduction};

use crate::{AnalysisError, Images, Model, OneOrMany, Target};

/// Counts the classes of a model.
///
/// # Errors
/// Fails when its scores are no list of classes.
pub fn class_count(model: &Model<'_>) -> Result<usize, AnalysisError> {
    let name = &model.description().score;
    match model.layer(name).map(|layer| layer.shape.as_slice()) {
        Some([_, classes] | [_, classes, 1, 1]) if *classes > 0 => Ok(*classes),
        Some(shape) => Err(AnalysisError::Unsupported(format!(
            "the scores of the model, {name}, have shape {shape:?}, which is no list of classes"
        ))),
        None => {
            Err(AnalysisError::Unsupported(format!("the model's scores, {name}, are no layer")))
        }
    }
}

/// Returns the target of each of `images`, which exists where it is a class.
///
/// # Errors
/// Fails when a list has another length than there are images, when there is no such class, or as
/// [`class_count`].
pub fn targets_of(
    model: &Model<'_>,
    images: &Images<'_>,
    targets: &OneOrMany<Target>,
) -> Result<Vec<Target>, AnalysisError> {
    let targets = targets.for_each(images.len(), "target")?;
    let count = class_count(model)?;
    for target in &targets {
        if let Target::Class(class) = **target
            && class >= count
        {
            let problem = format!("there is no class {class}; classes are 0 to {}", count - 1);
            return Err(AnalysisError::parameter("target", problem));
        }
    }
    Ok(targets.into_iter().copied().collect())
}

/// Finds the class with the largest score in every image.
///
/// # Errors
/// As [`Model::observe`].
pub fn predicted_classes(
    model: &Model<'_>,
    images: &Images<'_>,
) -> Result<Vec<usize>, AnalysisError> {
    let capture = Capture::new(model.description().score.as_str(), Reduction::Argmax);
    let mut classes = Vec::with_capacity(images.len());
    model.observe(images, &[], &[capture], |batch| {
        classes.extend(batch.indices(0)?.iter().map(|&class| class as usize));
        Ok(())
    })?;
    Ok(classes)
}

/// Returns a class in words: its number, and its label where there is one.
pub fn class_in_words(model: &Model<'_>, class: usize) -> String {
    match model.description().labels.get(class) {
        Some(label) => format!("class {class}, {label}"),
        None => format!("class {class}"),
    }
}
