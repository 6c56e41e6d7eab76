//! `convscope predict`: classes with probabilities.

use convscope_host::ImageOptions;
use serde_json::{Map, Value, json};

use super::Outcome;
use crate::arguments::{Common, Predict};
use crate::console::Console;
use crate::failure::Failure;
use crate::session;

/// Classifies pictures.
pub(crate) fn execute(
    arguments: &Predict,
    common: &Common,
    console: &Console,
) -> Result<Outcome, Failure> {
    let session = session::open_bare(common)?;
    let options = session::model_options(&arguments.input, arguments.weights.as_deref());
    let model = session.load_model(&arguments.model, &options)?;
    let source = &model.description().preprocessing_source;
    if let Some(source) = source {
        console.note(&format!("preprocessing: {source}"));
    }
    let images = session.load_images(&arguments.images, &ImageOptions::default())?;
    let predictions = session.predict(&model, &images, arguments.top as usize, console)?;
    console.clear();
    let mut lines: Vec<String> = Vec::new();
    let mut list: Vec<Value> = Vec::new();
    for prediction in &predictions {
        lines.push(prediction.name.clone());
        let mut classes: Vec<Value> = Vec::new();
        for (class, label, probability) in &prediction.classes {
            let line = format!("  {probability:.4}  {class:>4}  {label}");
            lines.push(line.trim_end().to_owned());
            classes.push(json!({ "class": class, "label": label, "probability": probability }));
        }
        list.push(json!({ "image": prediction.name, "classes": classes }));
    }
    let mut json = Map::new();
    json.insert("preprocessing".to_owned(), json!(source));
    json.insert("predictions".to_owned(), Value::Array(list));
    Ok(Outcome { text: lines.join("\n") + "\n", json })
}
