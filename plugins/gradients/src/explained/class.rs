//! Explains a class: the unit that holds its score.

use convscope_sdk::protocol::{Amount, Capture, Reduction, Start};
use convscope_sdk::{AnalysisError, Images, Model, OneOrMany, Target};

use super::Explained;

/// Finds the class of every picture; those that the model predicts by running it.
pub(super) fn explained(
    model: &Model<'_>,
    images: &Images<'_>,
    targets: &OneOrMany<Target>,
    amount: Amount,
) -> Result<Vec<Explained>, AnalysisError> {
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
    let predicted =
        if targets.contains(&&Target::Predicted) { predicted(model, images)? } else { Vec::new() };
    let explain = |(image, target): (usize, &&Target)| {
        let class = match **target {
            Target::Predicted => predicted[image],
            Target::Class(class) => class,
        };
        let value = model.description().score.clone();
        let start = Start { image, value, channel: class, position: None, amount };
        let words = match model.description().labels.get(class) {
            Some(label) => format!("class {class}, {label}"),
            None => format!("class {class}"),
        };
        Explained { start, words }
    };
    Ok(targets.iter().enumerate().map(explain).collect())
}

/// Counts the classes of the model.
fn class_count(model: &Model<'_>) -> Result<usize, AnalysisError> {
    let name = &model.description().score;
    match model.layer(name).map(|layer| layer.shape.as_slice()) {
        Some([_, classes] | [_, classes, 1, 1]) if *classes > 0 => Ok(*classes),
        Some(shape) => Err(AnalysisError::Unsupported(format!(
            "the scores of the model, {name}, have shape {shape:?}, which is no list of classes; \
             explain a unit with `layer` and `channel` instead"
        ))),
        None => Err(AnalysisError::Unsupported(format!(
            "the model's scores, {name}, are no layer; explain a unit with `layer` and `channel` \
             instead"
        ))),
    }
}

/// Finds the class with the largest score in every picture.
fn predicted(model: &Model<'_>, images: &Images<'_>) -> Result<Vec<usize>, AnalysisError> {
    let value = model.description().score.clone();
    let capture = Capture::new(value, Reduction::Argmax);
    let mut classes = Vec::with_capacity(images.len());
    model.observe(images, &[], &[capture], |batch| {
        classes.extend(batch.indices(0)?.iter().map(|&class| class as usize));
        Ok(())
    })?;
    Ok(classes)
}
