//! Turns what a user gave into the complete parameters that a plugin receives.

use std::collections::BTreeMap;
use std::sync::Arc;

use convscope_data::ContentHash;
use convscope_protocol::schema::{ParameterError, Place, Role};
use convscope_protocol::suggest::{did_you_mean, nearest};
use convscope_protocol::{AnalysisDescriptor, Array, Values};
use serde_json::{Map, Value, json};

use crate::control::Control;
use crate::images::{Dataset, ImageSet};
use crate::tensors::tensor_of;
use crate::{HostError, Model, translate};

/// The target that stands for the class each picture is given by the model.
const PREDICTED: &str = "predicted";
/// Key of the object that stands for something that is no JSON until it is resolved.
const PENDING: &str = "convscope.pending";

/// What is given for a parameter.
#[derive(Clone, Debug)]
pub enum Argument {
    /// A value.
    Json(Value),
    /// Images.
    Images(Arc<ImageSet>),
    /// A tensor; for images `[n, c, h, w]` in network-input units.
    Tensor(Array),
    /// Several.
    List(Vec<Argument>),
}

/// Parameters that are complete.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    /// As JSON; tensors and images appear as objects with their hash.
    pub json: Map<String, Value>,
    /// The tensors and images, by parameter, in order.
    pub handles: BTreeMap<String, Vec<Given>>,
}

/// A parameter that is no JSON.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    /// Images.
    Dataset(Arc<Dataset>),
    /// A tensor.
    Tensor(Values),
}

impl Parameters {
    /// Says of all images what is known beside what they hold: names, classes, parts.
    pub(crate) fn words_of_images(&self) -> impl Iterator<Item = String> {
        self.handles.values().flatten().filter_map(|given| match given {
            Given::Dataset(dataset) => Some(dataset.images().words()),
            Given::Tensor(_) => None,
        })
    }

    /// Joins the hashes of all images; empty where there are none.
    pub(crate) fn images_hash(&self, control: &dyn Control) -> Result<String, HostError> {
        let mut hashes = Vec::new();
        for given in self.handles.values().flatten() {
            if let Given::Dataset(dataset) = given {
                hashes.push(dataset.images().hash(control)?);
            }
        }
        Ok(match hashes.as_slice() {
            [] => String::new(),
            [one] => (*one).to_owned(),
            several => blake3::hash(several.concat().as_bytes()).to_hex().to_string(),
        })
    }
}

/// Checks what was given, fills in defaults, and resolves layers, targets, images and tensors.
///
/// # Errors
/// Fails with everything that is wrong, and what was probably meant.
pub(crate) fn complete(
    model: &Arc<Model>,
    name: &str,
    analysis: &AnalysisDescriptor,
    arguments: BTreeMap<String, Argument>,
    control: &dyn Control,
) -> Result<Parameters, HostError> {
    let wrong = |errors| HostError::Parameters { analysis: name.to_owned(), errors };
    let mut pending = Vec::new();
    let given: Map<String, Value> = arguments
        .into_iter()
        .map(|(key, argument)| (key, placeholder(argument, &mut pending)))
        .collect();
    let mut json = analysis.parameters.complete(&given).map_err(wrong)?;
    let mut handles: BTreeMap<String, Vec<Given>> = BTreeMap::new();
    let mut failure = None;
    let visited =
        analysis.parameters.visit_roles(&mut json, &mut |place, value| match place.role {
            Role::Layer | Role::Maps => layer(model, place, value),
            Role::Target => target(model, place, value),
            Role::Dataset | Role::Tensor => {
                match handle(model, place, value, &mut pending, control) {
                    Ok(given) => {
                        handles.entry(place.key.to_owned()).or_default().push(given);
                        Ok(())
                    }
                    Err(Unfit::Parameter(error)) => Err(error),
                    Err(Unfit::Host(error)) => {
                        failure.get_or_insert(error);
                        Ok(())
                    }
                }
            }
            Role::Callback | Role::Model => {
                let message =
                    format!("`{}`: a {} cannot be given yet", place.path, place.role.name());
                Err(error_at(place, message, None))
            }
        });
    visited.map_err(wrong)?;
    match failure {
        Some(error) => Err(error),
        None => Ok(Parameters { json, handles }),
    }
}

fn placeholder(argument: Argument, pending: &mut Vec<Option<Argument>>) -> Value {
    match argument {
        Argument::Json(value) => value,
        Argument::List(items) => {
            Value::Array(items.into_iter().map(|item| placeholder(item, pending)).collect())
        }
        other => {
            pending.push(Some(other));
            json!({ PENDING: pending.len() - 1 })
        }
    }
}

enum Unfit {
    Parameter(ParameterError),
    Host(HostError),
}

impl From<HostError> for Unfit {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

/// Resolves a placeholder and leaves the hash in its place.
fn handle(
    model: &Arc<Model>,
    place: &Place<'_>,
    value: &mut Value,
    pending: &mut [Option<Argument>],
    control: &dyn Control,
) -> Result<Given, Unfit> {
    let number = value.get(PENDING).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let argument = number.and_then(|number| pending.get_mut(number)?.take());
    let unfit = |what: &str| {
        Unfit::Parameter(error_at(place, format!("`{}` takes {what}", place.path), None))
    };
    let (given, hash) = match (place.role, argument) {
        (Role::Dataset, Some(Argument::Images(images))) => {
            let dataset = Dataset::new(images, Arc::clone(model))?;
            let hash = dataset.images().hash(control)?.to_owned();
            (Given::Dataset(Arc::new(dataset)), hash)
        }
        (Role::Dataset, Some(Argument::Tensor(array))) => {
            let tensor = tensor_of(&array.values)
                .ok_or_else(|| unfit("tensors of 32-bit floating-point numbers"))?;
            let images = Arc::new(ImageSet::of_tensor(&tensor)?);
            let dataset = Dataset::new(images, Arc::clone(model))?;
            let hash = dataset.images().hash(control)?.to_owned();
            (Given::Dataset(Arc::new(dataset)), hash)
        }
        (Role::Tensor, Some(Argument::Tensor(array))) => {
            let hash = hash_of(&array.values)?;
            (Given::Tensor(array.values), hash)
        }
        (Role::Dataset, _) => return Err(unfit("images, or tensors [n, c, h, w]")),
        _ => return Err(unfit("a tensor")),
    };
    *value = json!({ "hash": hash });
    Ok(given)
}

fn hash_of(values: &Values) -> Result<String, HostError> {
    Ok(match values {
        Values::U8(array) => {
            let bytes: Vec<u8> = array.iter().copied().collect();
            let extents: Vec<u8> =
                array.shape().iter().flat_map(|&extent| (extent as u64).to_le_bytes()).collect();
            ContentHash::of_bytes(&[b"u8".as_slice(), &extents, &bytes].concat()).to_string()
        }
        other => match tensor_of(other) {
            Some(tensor) => ContentHash::of_tensor(&tensor)?.to_string(),
            None => String::new(),
        },
    })
}

impl Model {
    /// Checks a value that stands for a layer or a class; `path` says in messages which value it is.
    ///
    /// # Errors
    /// Says what is wrong, and what was probably meant.
    pub fn check(&self, role: Role, path: &str, value: &Value) -> Result<(), ParameterError> {
        let place = Place { role, key: path, path, index: 0 };
        match role {
            Role::Layer | Role::Maps => layer(self, &place, &mut value.clone()),
            Role::Target => target(self, &place, &mut value.clone()),
            Role::Callback | Role::Dataset | Role::Model | Role::Tensor => Ok(()),
        }
    }
}

/// Replaces any name of a layer by the one that the model's description uses.
fn layer(model: &Model, place: &Place<'_>, value: &mut Value) -> Result<(), ParameterError> {
    let Value::String(name) = &*value else { return Ok(()) };
    match translate::value(model.network(), name) {
        Ok(id) => {
            let shape = &model.network().value(id).shape;
            let has_maps = matches!(shape.rank(), 2 | 4) && shape.volume() > 0;
            if place.role == Role::Maps && !has_maps {
                let message = format!(
                    "`{}`: `{name}` has no feature maps: its shape for one image is {shape}",
                    place.path
                );
                let help = "`convscope inspect` lists the layers with their shapes".to_owned();
                return Err(error_at(place, message, Some(help)));
            }
            *value = Value::String(model.network().name_of(id).to_owned());
            Ok(())
        }
        Err(error) => {
            let message = format!("`{}`: {error}", place.path);
            Err(error_at(place, message, error.help()))
        }
    }
}

/// Replaces a label by its class number, and checks numbers.
fn target(model: &Model, place: &Place<'_>, value: &mut Value) -> Result<(), ParameterError> {
    match &*value {
        Value::String(label) if label == PREDICTED => Ok(()),
        Value::String(label) => {
            let class = class_of_label(model, label)
                .map_err(|reason| error_at(place, format!("`{}`: {reason}", place.path), None))?;
            *value = Value::from(class);
            Ok(())
        }
        Value::Number(number) => {
            let classes = model.classes();
            if number.as_u64().is_some_and(|class| class < classes as u64) {
                return Ok(());
            }
            let message = format!("`{}`: there is no class {number}", place.path);
            let help = format!("the model has {classes} classes, numbered from 0");
            Err(error_at(place, message, Some(help)))
        }
        _ => Ok(()),
    }
}

/// Finds the class of a label, or of one of the synonyms between commas that make up a label.
///
/// # Errors
/// Says in words why there is no single one.
pub(crate) fn class_of_label(model: &Model, label: &str) -> Result<usize, String> {
    let labels = &model.description().labels;
    if labels.is_empty() {
        return Err(format!(
            "the class `{label}` cannot be found: no labels are known for this model; give its \
             number"
        ));
    }
    let wanted = label.trim().to_lowercase();
    let whole = matching(labels, |known| known.trim().to_lowercase() == wanted);
    let found = if whole.is_empty() {
        matching(labels, |known| synonyms(known).any(|synonym| synonym.to_lowercase() == wanted))
    } else {
        whole
    };
    match found.as_slice() {
        [class] => Ok(*class),
        [] => {
            let known = labels.iter().flat_map(|known| synonyms(known).chain([known.as_str()]));
            let hint = did_you_mean(&nearest(label, known));
            let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            Err(format!("there is no class `{label}`{hint}"))
        }
        several => {
            let numbers: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(format!(
                "`{label}` is the name of classes {}: give a number",
                numbers.join(" and ")
            ))
        }
    }
}

fn matching(labels: &[String], is: impl Fn(&str) -> bool) -> Vec<usize> {
    labels.iter().enumerate().filter(|(_, label)| is(label)).map(|(class, _)| class).collect()
}

fn synonyms(label: &str) -> impl Iterator<Item = &str> {
    label.split(',').map(str::trim)
}

fn error_at(place: &Place<'_>, message: String, help: Option<String>) -> ParameterError {
    ParameterError { key: place.key.to_owned(), message, help }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use convscope_data::Preset;

    use super::*;
    use crate::testing::network;

    fn model() -> Model {
        let network = network();
        let score = network.find("scores").unwrap();
        let labels = ["tench, Tinca tinca", "crane", "tiger cat", "Egyptian cat, tinca", "crane"];
        Model::new(Path::new("small.onnx"), network, score).with(Preset::Raw, &labels)
    }

    #[test]
    fn a_class_is_found_by_its_label_or_one_of_its_synonyms() {
        let class = |label| class_of_label(&model(), label);
        assert_eq!(class("tench, Tinca tinca"), Ok(0));
        assert_eq!(class("Tench"), Ok(0));
        assert_eq!(class("Tinca tinca"), Ok(0));
        assert_eq!(class("tinca"), Ok(3));
        assert_eq!(class("tiger cat"), Ok(2));
    }

    #[test]
    fn a_parameter_that_wants_maps_refuses_layers_without() {
        let network = flat_network();
        let score = network.find("x").unwrap();
        let model = Model::new(Path::new("flat.onnx"), network, score);
        let check = |role| model.check(role, "layers[1]", &Value::from("mixed"));
        check(Role::Layer).unwrap();
        let error = check(Role::Maps).unwrap_err();
        assert_eq!(
            error.message,
            "`layers[1]`: `mixed` has no feature maps: its shape for one image is [1, 2, 6]"
        );
        assert_eq!(
            error.help.as_deref(),
            Some("`convscope inspect` lists the layers with their shapes")
        );
    }

    /// A network whose only layer has three axes.
    fn flat_network() -> convscope_runtime::Network {
        let mut builder = convscope_runtime::NetworkBuilder::default();
        let input = builder.input("x", convscope_runtime::Shape::from([1, 3, 2, 2])).unwrap();
        let layer = Arc::new(convscope_runtime::layer::Reshape::new(&[2, 6]));
        let mixed = builder.layer("mixed", layer, &[input], "mixed").unwrap();
        builder.finish(vec![mixed])
    }

    #[test]
    fn labels_of_several_classes_and_of_none_are_refused() {
        let class = |label| class_of_label(&model(), label).unwrap_err();
        assert_eq!(class("crane"), "`crane` is the name of classes 1 and 4: give a number");
        let unknown = class("tiger cut");
        assert!(unknown.contains("there is no class `tiger cut`; did you mean `tiger cat`"));
        assert_eq!(class("aardvark"), "there is no class `aardvark`");
    }
}
