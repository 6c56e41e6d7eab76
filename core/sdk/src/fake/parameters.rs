//! Completes parameters as a host does before it runs an analysis.

use convscope_protocol::suggest::{did_you_mean, nearest};
use convscope_protocol::{ParameterError, Role, Schema};
use serde_json::{Map, Value, json};

use super::FakeError;
use super::network::{LABELS, Node};

/// Key of the object that stands for a data set; its value counts the data sets of the run.
pub(super) const DATASET: &str = "$dataset";

/// Checks and completes parameters: images, labels and layer names included.
pub(super) fn complete(
    schema: &Schema,
    given: &Value,
    images: &[&str],
) -> Result<Map<String, Value>, FakeError> {
    let wrong = |message: &str| {
        let (key, message) = (String::new(), message.to_owned());
        FakeError::Parameters(vec![ParameterError { key, message, help: None }])
    };
    let mut given =
        given.as_object().cloned().ok_or_else(|| wrong("parameters must be a JSON object"))?;
    for (index, key) in images.iter().enumerate() {
        given.insert((*key).to_owned(), json!({ DATASET: index }));
    }
    let mut completed = schema.complete(&given).map_err(FakeError::Parameters)?;
    schema
        .visit_roles(&mut completed, &mut |place, value| {
            let refuse = |message: String, help: Option<String>| {
                Err(ParameterError { key: place.key.to_owned(), message, help })
            };
            match (place.role, &*value) {
                (Role::Layer | Role::Maps, Value::String(name)) => {
                    let mut names = Node::ALL.iter().map(|node| node.name());
                    if names.any(|known| known == name) {
                        return Ok(());
                    }
                    let near = nearest(name, Node::ALL.iter().map(|node| node.name()));
                    let message = format!("`{}`: no layer `{name}`", place.path);
                    refuse(message, did_you_mean(&near))
                }
                (Role::Target, Value::String(label)) if label != "predicted" => {
                    match LABELS.iter().position(|known| known == label) {
                        Some(class) => {
                            *value = json!(class);
                            Ok(())
                        }
                        None => refuse(
                            format!("`{}`: no class is labelled \"{label}\"", place.path),
                            did_you_mean(&nearest(label, LABELS)),
                        ),
                    }
                }
                (Role::Target, Value::Number(class)) => {
                    if class.as_u64().is_some_and(|class| class < LABELS.len() as u64) {
                        return Ok(());
                    }
                    refuse(format!("`{}`: no class {class}; there are 4", place.path), None)
                }
                (Role::Dataset, Value::Object(object)) if object.contains_key(DATASET) => Ok(()),
                (Role::Layer | Role::Maps | Role::Target, _) => Ok(()),
                (role, _) => refuse(
                    format!("`{}`: the fake host has no {}", place.path, role.name()),
                    Some("give images with `with_tensors` or `with_pictures`".to_owned()),
                ),
            }
        })
        .map_err(FakeError::Parameters)?;
    Ok(completed)
}
