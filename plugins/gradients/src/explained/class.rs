//! Explains a class: the unit that holds its score.

use convscope_sdk::protocol::{Amount, Start};
use convscope_sdk::{
    AnalysisError, Images, Model, OneOrMany, Target, class_in_words, predicted_classes, targets_of,
};

use super::Explained;

/// Finds the class of every picture; those that the model predicts by running it.
pub(super) fn explained(
    model: &Model<'_>,
    images: &Images<'_>,
    targets: &OneOrMany<Target>,
    amount: Amount,
) -> Result<Vec<Explained>, AnalysisError> {
    let targets = targets_of(model, images, targets).map_err(with_another_way)?;
    let predicted = if targets.contains(&Target::Predicted) {
        predicted_classes(model, images)?
    } else {
        Vec::new()
    };
    let explain = |(image, target): (usize, &Target)| {
        let class = match *target {
            Target::Predicted => predicted[image],
            Target::Class(class) => class,
        };
        let value = model.description().score.clone();
        let start = Start { image, value, channel: class, position: None, amount };
        Explained { start, words: class_in_words(model, class) }
    };
    Ok(targets.iter().enumerate().map(explain).collect())
}

/// A model without a list of classes has units that can be explained.
fn with_another_way(error: AnalysisError) -> AnalysisError {
    match error {
        AnalysisError::Unsupported(words) => AnalysisError::Unsupported(format!(
            "{words}; explain a unit with `layer` and `channel` instead"
        )),
        other => other,
    }
}
