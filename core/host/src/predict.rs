//! Classes with probabilities.

use std::sync::Arc;

use convscope_protocol::{Capture, Reduction, Values};

use crate::control::{Control, LogLevel};
use crate::images::{Dataset, ImageSet};
use crate::observe::{Cases, observe};
use crate::{HostError, Model, Session};

/// The classes of one image, most probable first.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The image's name.
    pub name: String,
    /// Class number, label (empty where unknown) and probability.
    pub classes: Vec<(usize, String, f32)>,
}

impl Session {
    /// Returns the `top` most probable classes of every image.
    ///
    /// # Errors
    /// Fails when an image cannot be read, the user cancels, or the network fails.
    pub fn predict(
        &self,
        model: &Arc<Model>,
        images: &Arc<ImageSet>,
        top: usize,
        control: &dyn Control,
    ) -> Result<Vec<Prediction>, HostError> {
        let dataset = Dataset::new(Arc::clone(images), Arc::clone(model))?;
        let cancelled = || control.is_cancelled();
        let engine = self.engine(model, &cancelled);
        let value = match model.probability() {
            Some(value) => model.network().name_of(value).to_owned(),
            None => model.description().score.clone(),
        };
        let captures = [Capture { value: value.clone(), reduction: Reduction::None }];
        let mut predictions = Vec::with_capacity(images.len());
        observe(&engine, &dataset, Cases::EachImage, &captures, &mut |first, count, arrays| {
            let [Values::F32(scores)] = arrays.as_slice() else { return Ok(()) };
            let each = scores.len() / count.max(1);
            let scores: Vec<f32> = scores.iter().copied().collect();
            if each != model.classes() {
                return Err(HostError::Model {
                    model: model.path().to_owned(),
                    reason: format!("`{value}` is a map, not one score per class"),
                });
            }
            for (row, scores) in scores.chunks(each.max(1)).enumerate() {
                let name = images.entries()[first + row].name();
                if let Some(class) = scores.iter().position(|score| score.is_nan()) {
                    let value = format!("class {class} in `{value}`");
                    return Err(HostError::NotANumber { value, case: first + row });
                }
                let known = model.probability().is_some() || look_like_probabilities(scores);
                if known && model.probability().is_none() && first + row == 0 {
                    let text =
                        format!("`{value}` sums to 1 already: taken as probabilities as it is");
                    control.log(LogLevel::Info, &text);
                }
                let probabilities = if known { scores.to_vec() } else { softmax(scores) };
                predictions.push(Prediction { name, classes: best(model, &probabilities, top) });
            }
            let done = (first + count) as f64 / images.len().max(1) as f64;
            control.progress(done, "predicting");
            Ok(())
        })?;
        Ok(predictions)
    }
}

fn look_like_probabilities(scores: &[f32]) -> bool {
    let sum: f64 = scores.iter().map(|&score| f64::from(score)).sum();
    scores.len() > 1 && (sum - 1.0).abs() < 1e-3 && scores.iter().all(|score| *score >= 0.0)
}

fn softmax(scores: &[f32]) -> Vec<f32> {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> =
        scores.iter().map(|&score| (f64::from(score) - f64::from(largest)).exp()).collect();
    let total: f64 = powers.iter().sum();
    powers.iter().map(|power| (power / total) as f32).collect()
}

fn best(model: &Model, probabilities: &[f32], top: usize) -> Vec<(usize, String, f32)> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]).then(a.cmp(&b)));
    let class = |class: usize| {
        (class, model.label(class).unwrap_or_default().to_owned(), probabilities[class])
    };
    order.into_iter().take(top).map(class).collect()
}
