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
        model.check_complete()?;
        let dataset = Dataset::new(Arc::clone(images), Arc::clone(model))?;
        let cancelled = || control.is_cancelled();
        let engine = self.engine(model, &cancelled);
        let value = match model.probability() {
            Some(value) => model.network().name_of(value).to_owned(),
            None => model.description().score.clone(),
        };
        let captures = [Capture::new(value.clone(), Reduction::None)];
        let mut predictions = Vec::with_capacity(images.len());
        let mut all_sum_to_1 = true;
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
                all_sum_to_1 &= look_like_probabilities(scores);
                predictions.push((name, best(scores, top)));
            }
            let done = (first + count) as f64 / images.len().max(1) as f64;
            control.progress(done, "predicting");
            Ok(())
        })?;
        // One row of scores may sum to 1 by chance: only all of them together tell.
        let known = model.probability().is_some() || all_sum_to_1;
        if known && model.probability().is_none() {
            let text = format!("`{value}` sums to 1 already: taken as probabilities as it is");
            control.log(LogLevel::Info, &text);
        }
        let named = |best: Best| {
            let label = model.label(best.class).unwrap_or_default().to_owned();
            (best.class, label, if known { best.score } else { best.share })
        };
        let prediction = |(name, classes): (String, Vec<Best>)| Prediction {
            name,
            classes: classes.into_iter().map(named).collect(),
        };
        Ok(predictions.into_iter().map(prediction).collect())
    }
}

/// A class with its score, and its share of the probability if the scores are no probabilities yet.
#[derive(Clone, Copy, Debug)]
struct Best {
    class: usize,
    score: f32,
    share: f32,
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

/// Returns the classes of the largest scores, which are those of the largest probabilities.
fn best(scores: &[f32], top: usize) -> Vec<Best> {
    let shares = softmax(scores);
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    let class = |class: usize| Best { class, score: scores[class], share: shares[class] };
    order.into_iter().take(top).map(class).collect()
}
