//! A loaded model: its network, what is known about it, and how pictures become its input.

mod describe;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;

use convscope_data::{ContentHash, Labels, Preprocessing, Preset, card_of, read_labels};
use convscope_onnx::{Constant, InputLayout, LoadOptions};
use convscope_protocol::ModelDescription;
use convscope_runtime::network::ValueId;
use convscope_runtime::{Backend, Network, Shape};

use crate::{HostError, translate};

/// How a model is to be loaded, beside its file.
#[derive(Clone, Debug, Default)]
pub struct ModelOptions {
    /// Shape of the first input, instead of the file's.
    pub input: Option<Vec<usize>>,
    /// How pictures become its input, instead of the model card's.
    pub preprocess: Option<Preset>,
    /// File of class names, instead of the model card's.
    pub labels: Option<PathBuf>,
    /// A value of every input, for running the model on them only: the shapes that the file leaves
    /// open are theirs, and [`Model::bound`] says which of them became constants.
    pub given: Vec<Constant>,
    /// A safetensors file with other weights than the model's.
    pub weights: Option<PathBuf>,
}

/// A model that can be looked into.
#[derive(Debug)]
pub struct Model {
    path: PathBuf,
    network: Network,
    bound: BTreeMap<usize, String>,
    input_layouts: Vec<InputLayout>,
    score: ValueId,
    probability: Option<ValueId>,
    preprocessing: Option<Preprocessing>,
    description: ModelDescription,
    json: OnceLock<String>,
    weights: Weights,
}

/// Whether a model has its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weights {
    /// All of them.
    Loaded,
    /// Zeros stand for the large ones.
    Skipped,
}

impl Model {
    /// Loads a model, its card and its labels. Without weights, the file is not hashed either.
    pub(crate) fn load(
        path: &Path,
        options: &ModelOptions,
        session: Option<Preset>,
        weights: Weights,
    ) -> Result<Self, HostError> {
        let input_shapes = options.input.iter().cloned().collect();
        let load_options = LoadOptions {
            input_shapes,
            given: options.given.clone(),
            weights: options.weights.clone(),
        };
        let failed = |source| HostError::Onnx { path: path.to_owned(), source };
        let (loaded, hash) = match weights {
            Weights::Skipped => {
                (convscope_onnx::outline(path, &load_options).map_err(failed)?, String::new())
            }
            Weights::Loaded => {
                let (loaded, hash) = thread::scope(|scope| {
                    let hash = scope.spawn(|| ContentHash::of_file(path));
                    (convscope_onnx::load(path, &load_options), hash.join())
                });
                // What cannot be loaded is not worth a hash, and its error says more.
                let loaded = loaded.map_err(failed)?;
                let own = hash.unwrap_or_else(|_| ContentHash::of_file(path))?;
                let hash = hash_of(own, &loaded.files)?.to_string();
                (loaded, hash)
            }
        };
        let network = loaded.network;
        let card = card_of(path, picture_input(&network))?;
        let preset = options.preprocess.or(session).map(Preprocessing::preset);
        let (mut score, mut labels, mut preprocessing) = (loaded.scores, None, None);
        if let Some(card) = card {
            if let Some(name) = &card.scores {
                score = translate::value(&network, name).map_err(|error| {
                    let (card, source) = (card.path.clone(), Box::new(error));
                    HostError::Card { card, source }
                })?;
            }
            labels = card.labels.map(|labels| (labels, card.path));
            preprocessing = card.preprocessing;
        }
        if let Some(file) = &options.labels {
            labels = Some((Labels::File(file.clone()), file.clone()));
        }
        let preprocessing = preset.or(preprocessing);
        let mut model = Self { weights, ..Self::new(path, network, score) };
        model.description.channels_last =
            describe::channels_last(&model.network, &loaded.input_layouts);
        model.input_layouts = loaded.input_layouts;
        model.probability = loaded.probability;
        model.bound = loaded.bound;
        model.description.probability =
            loaded.probability.map(|id| model.network.name_of(id).to_owned());
        model.description.hash = hash;
        if let (Some(preprocessing), Some([_, channels, _, _])) =
            (&preprocessing, model.image_shape().ok().and_then(Shape::as_maps))
        {
            model.description.preprocessing = describe::pixel_scale(preprocessing, channels)?;
        }
        model.description.preprocessing_source = preprocessing.as_ref().map(describe::source);
        model.preprocessing = preprocessing;
        if let Some((labels, place)) = labels {
            model.take_labels(labels, place)?;
        }
        Ok(model)
    }

    /// Makes a model of a network about which nothing else is known.
    pub(crate) fn new(path: &Path, network: Network, score: ValueId) -> Self {
        let description = describe::describe(path, &network, score);
        Self {
            path: path.to_owned(),
            network,
            bound: BTreeMap::new(),
            input_layouts: Vec::new(),
            score,
            probability: None,
            preprocessing: None,
            description,
            json: OnceLock::new(),
            weights: Weights::Loaded,
        }
    }

    /// Refuses a model that is an outline.
    pub(crate) fn check_complete(&self) -> Result<(), HostError> {
        match self.weights {
            Weights::Loaded => Ok(()),
            Weights::Skipped => Err(HostError::Model {
                model: self.path.clone(),
                reason: "is an outline without weights, which computes nothing".to_owned(),
            }),
        }
    }

    /// Adds what a card and a file of labels would say.
    #[cfg(test)]
    pub(crate) fn with(mut self, preset: Preset, labels: &[&str]) -> Self {
        self.preprocessing = Some(Preprocessing::preset(preset));
        self.description.labels = labels.iter().map(|&label| label.to_owned()).collect();
        self
    }

    /// Adds the hash of a file.
    #[cfg(test)]
    pub(crate) fn hashed(mut self, hash: &str) -> Self {
        hash.clone_into(&mut self.description.hash);
        self
    }

    /// Takes labels that stand in a file, or in the card at a place.
    fn take_labels(&mut self, labels: Labels, place: PathBuf) -> Result<(), HostError> {
        let (labels, path) = match labels {
            Labels::File(path) => (read_labels(&path)?, path),
            Labels::Names(names) => (names, place),
        };
        let (count, classes) = (labels.len(), self.classes());
        if count != classes {
            return Err(HostError::LabelCount { path, count, classes });
        }
        self.description.labels = labels;
        Ok(())
    }

    /// Returns the model's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what is known about the model.
    pub fn description(&self) -> &ModelDescription {
        &self.description
    }

    /// Brings the filters to where the backend computes.
    ///
    /// # Errors
    /// Fails when the device does.
    pub(crate) fn placed(self, backend: &dyn Backend) -> Result<Self, HostError> {
        Ok(Self { network: self.network.placed(backend)?, ..self })
    }

    /// Returns the network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Returns the names of the inputs whose given values are constants of the network, by their
    /// place among the model's inputs. The network takes the others.
    pub fn bound(&self) -> &BTreeMap<usize, String> {
        &self.bound
    }

    /// Returns in which layout the file takes an input of the network.
    pub fn input_layout(&self, index: usize) -> InputLayout {
        self.input_layouts.get(index).copied().unwrap_or_default()
    }

    /// Returns how pictures become the model's input, where something says it.
    pub fn preprocessing(&self) -> Option<&Preprocessing> {
        self.preprocessing.as_ref()
    }

    /// Returns the number of classes.
    pub fn classes(&self) -> usize {
        self.network.value(self.score).shape.extents().get(1).copied().unwrap_or(0)
    }

    /// Returns the label of a class, where labels are known.
    pub fn label(&self, class: usize) -> Option<&str> {
        self.description.labels.get(class).map(String::as_str)
    }

    /// Returns the description as JSON.
    pub(crate) fn json(&self) -> &str {
        // A description holds strings and numbers only, which always become JSON.
        self.json.get_or_init(|| serde_json::to_string(&self.description).unwrap_or_default())
    }

    /// Returns the value that holds probabilities, where the model computes them itself.
    pub(crate) fn probability(&self) -> Option<ValueId> {
        self.probability
    }

    /// Returns the shape of the one input that takes images.
    pub(crate) fn image_shape(&self) -> Result<&Shape, HostError> {
        match self.network.inputs() {
            [input] => Ok(&self.network.value(*input).shape),
            inputs => Err(HostError::Model {
                model: self.path.clone(),
                reason: format!("has {} inputs; images can only be given to one", inputs.len()),
            }),
        }
    }
}

/// Returns `[channel, height, width]` of the one input that is a picture.
fn picture_input(network: &Network) -> Option<[usize; 3]> {
    let [input] = network.inputs() else { return None };
    let [_, channels, height, width] = network.value(*input).shape.as_maps()?;
    Some([channels, height, width])
}

/// Hashes a model whose weights may lie in further files.
fn hash_of(own: ContentHash, files: &[PathBuf]) -> Result<ContentHash, HostError> {
    let mut parts = vec![own];
    for file in files {
        parts.push(ContentHash::of_file(file)?);
    }
    Ok(ContentHash::of_parts(&parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_model_covers_every_file_of_its_weights() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let own = ContentHash::of_bytes(b"model");
        assert_eq!(hash_of(own, &[]).unwrap(), own);
        let [a, b] = [write("a", b"1"), write("b", b"2")];
        let both = hash_of(own, &[a.clone(), b.clone()]).unwrap();
        write("b", b"3");
        assert_ne!(hash_of(own, &[a, b]).unwrap(), both);
        assert!(hash_of(own, &[folder.path().join("gone")]).is_err());
    }
}
