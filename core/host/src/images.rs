//! Images: a list of pictures or tensors, decoded one by one when they are needed.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use convscope_data::{
    ContentHash, Entry, Prepared, Preprocessing, check_parts, decode, list_images, tensor_entries,
};
use convscope_protocol::item::{Item, Mapping, Part};
use convscope_protocol::{Region, Values};
use convscope_runtime::Tensor;
use ndarray::{ArcArray, IxDyn};

use crate::control::Control;
use crate::source::{ImageSource, check_rows, no_image, write_values};
use crate::{HostError, Model, arguments, source};

/// How many decoded pictures a data set remembers.
const REMEMBERED: usize = 16;

/// Which images are to be loaded.
#[derive(Clone, Debug, Default)]
pub struct ImageOptions {
    /// At most this many, the first of the list.
    pub limit: Option<usize>,
    /// The class of each picture, a name or a number, instead of what a list says.
    pub labels: Option<Vec<String>>,
}

/// A list of pictures or tensors. Nothing is decoded before it is needed.
#[derive(Debug)]
pub struct ImageSet {
    entries: Vec<Entry>,
    hashes: OnceLock<Hashes>,
}

/// What all images hold.
#[derive(Debug)]
struct Hashes {
    each: Vec<ContentHash>,
    all: String,
}

impl ImageSet {
    /// Lists the images of files, folders, patterns, CSV lists and tensors.
    pub(crate) fn load(sources: &[PathBuf], options: &ImageOptions) -> Result<Self, HostError> {
        let mut entries = Vec::new();
        for sources in sources.chunk_by(|one, next| is_proto(one) == is_proto(next)) {
            match sources {
                [first, ..] if is_proto(first) => {
                    for path in sources {
                        entries.extend(proto_entries(path)?);
                    }
                }
                others => entries.extend(list_images(others)?),
            }
        }
        if let Some(labels) = &options.labels {
            give_labels(&mut entries, labels)?;
        }
        entries.truncate(options.limit.unwrap_or(usize::MAX));
        Ok(Self { entries, hashes: OnceLock::new() })
    }

    /// Makes a set of the rows of a tensor `[n, c, h, w]` in network-input units.
    ///
    /// # Errors
    /// Fails when the tensor does not hold images.
    pub fn of_tensor(tensor: &Tensor) -> Result<Self, HostError> {
        let entries = tensor_entries(Path::new("tensor"), tensor)?;
        Ok(Self { entries, hashes: OnceLock::new() })
    }

    /// Returns the images in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns a hash of all contents in their order. The first call reads every file.
    ///
    /// # Errors
    /// Fails when a file cannot be read, or the user cancels.
    pub fn hash(&self, control: &dyn Control) -> Result<&str, HostError> {
        if let Some(hashes) = self.hashes.get() {
            return Ok(&hashes.all);
        }
        let mut hasher = blake3::Hasher::new();
        let mut each = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            if control.is_cancelled() {
                return Err(HostError::Cancelled);
            }
            let hash = entry.hash()?;
            hasher.update(hash.to_string().as_bytes());
            each.push(hash);
        }
        let all = || Hashes { each, all: hasher.finalize().to_hex().to_string() };
        Ok(&self.hashes.get_or_init(all).all)
    }

    /// Says in one text what is known of the images beside what they hold.
    pub(crate) fn words(&self) -> String {
        let of_entry = |entry: &Entry| match entry {
            Entry::Picture { label, parts, .. } => format!("{:?}", (entry.name(), label, parts)),
            Entry::Tensor { .. } => format!("{:?}", entry.name()),
        };
        self.entries.iter().map(of_entry).collect()
    }
}

/// Says whether a source is a tensor in ONNX's own format.
fn is_proto(source: &Path) -> bool {
    source.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("pb"))
}

fn proto_entries(path: &Path) -> Result<Vec<Entry>, HostError> {
    let tensor = convscope_onnx::read_tensor(path)
        .map_err(|source| HostError::Onnx { path: path.to_owned(), source })?;
    Ok(tensor_entries(path, &tensor)?)
}

/// Gives every picture its class.
fn give_labels(entries: &mut [Entry], labels: &[String]) -> Result<(), HostError> {
    let refuse = |reason: String| HostError::Images { what: "labels".to_owned(), reason };
    if entries.len() != labels.len() {
        return Err(refuse(format!("{} for {} images", labels.len(), entries.len())));
    }
    for (entry, given) in entries.iter_mut().zip(labels) {
        match entry {
            Entry::Picture { label, .. } => *label = Some(given.clone()),
            Entry::Tensor { .. } => {
                return Err(refuse(format!("{} is a tensor, which has no class", entry.name())));
            }
        }
    }
    Ok(())
}

/// Images as one model sees them.
#[derive(Debug)]
pub(crate) struct Dataset {
    images: Arc<ImageSet>,
    model: Arc<Model>,
    labels: Vec<Option<usize>>,
    recent: Mutex<VecDeque<(usize, Arc<Seen>)>>,
}

/// A picture as the network sees it, and how large it was.
#[derive(Debug)]
struct Seen {
    prepared: Prepared,
    original_size: [usize; 2],
}

impl Dataset {
    /// Joins images and a model, and checks what can be checked without decoding.
    ///
    /// # Errors
    /// Fails when there are pictures and nothing says how they become the model's input, when a
    /// tensor does not fit it, or when a label is unknown.
    pub(crate) fn new(images: Arc<ImageSet>, model: Arc<Model>) -> Result<Self, HostError> {
        let shape = model.image_shape()?.clone();
        let has_pictures =
            images.entries().iter().any(|entry| matches!(entry, Entry::Picture { .. }));
        if let (true, Some([_, channels, height, width])) = (has_pictures, shape.as_maps()) {
            preprocessing(&model)?.check([channels, height, width])?;
        }
        let mut labels = Vec::with_capacity(images.len());
        for entry in images.entries() {
            let label = match entry {
                Entry::Tensor { path, rows, .. } => {
                    check_rows(&path.display().to_string(), rows.shape(), &shape)?;
                    None
                }
                Entry::Picture { label, .. } => {
                    preprocessing(&model)?;
                    label.as_deref()
                }
            };
            labels.push(match label {
                // Without labels only numbers can be understood.
                Some(label) if model.description().labels.is_empty() => label.parse().ok(),
                Some(label) => Some(class_of(&model, entry, label)?),
                None => None,
            });
        }
        Ok(Self { images, model, labels, recent: Mutex::default() })
    }

    /// Returns the images.
    pub(crate) fn images(&self) -> &ImageSet {
        &self.images
    }

    fn entry(&self, index: usize) -> Result<&Entry, HostError> {
        self.images.entries.get(index).ok_or_else(|| no_image(index, self.images.len()))
    }

    /// Returns one image as the model's input, `[1, c, h, w]`.
    pub(crate) fn image(&self, index: usize) -> Result<Tensor, HostError> {
        source::image(self, index, self.model.image_shape()?)
    }

    /// Returns what is known about one image.
    pub(crate) fn item(&self, index: usize) -> Result<Item, HostError> {
        let entry = self.entry(index)?;
        let shape = self.model.image_shape()?;
        let [_, _, height, width] = shape.as_maps().unwrap_or_default();
        let mut item = Item {
            name: entry.name(),
            label: self.labels.get(index).copied().flatten(),
            input_size: [height, width],
            ..Item::default()
        };
        if let Entry::Picture { path, parts, .. } = entry {
            let seen = self.seen(index, path)?;
            check_parts(path, parts, seen.original_size)?;
            item.original_size = Some(seen.original_size);
            item.mapping = Some(Mapping { offset: seen.prepared.offset, step: seen.prepared.step });
            item.parts = parts
                .iter()
                .map(|part| Part {
                    name: part.name.clone(),
                    region: Region {
                        top: part.region.top as i64,
                        left: part.region.left as i64,
                        height: part.region.height as u64,
                        width: part.region.width as u64,
                    },
                })
                .collect();
        }
        Ok(item)
    }

    /// Returns the picture as the network sees it, RGB bytes `[height, width, 3]`; `None` for a
    /// tensor.
    pub(crate) fn pixels(&self, index: usize) -> Result<Option<Values>, HostError> {
        let Entry::Picture { path, .. } = self.entry(index)? else { return Ok(None) };
        let seen = self.seen(index, path)?;
        let pixels = &seen.prepared.pixels;
        let [height, width] = pixels.size();
        let array = ArcArray::from_shape_vec(IxDyn(&[height, width, 3]), pixels.values().to_vec());
        match array {
            Ok(array) => Ok(Some(Values::U8(array))),
            Err(error) => Err(HostError::Images {
                what: path.display().to_string(),
                reason: error.to_string(),
            }),
        }
    }

    /// Decodes and prepares a picture, or remembers it.
    fn seen(&self, index: usize, path: &Path) -> Result<Arc<Seen>, HostError> {
        let recent = || self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, seen)) = recent().iter().find(|(known, _)| *known == index) {
            return Ok(Arc::clone(seen));
        }
        let Some([_, channels, height, width]) = self.model.image_shape()?.as_maps() else {
            return Err(HostError::Model {
                model: self.model.path().to_owned(),
                reason: "its input is no picture".to_owned(),
            });
        };
        let pixels = decode(path)?;
        let prepared = preprocessing(&self.model)?.prepare(&pixels, [channels, height, width])?;
        let seen = Arc::new(Seen { prepared, original_size: pixels.size() });
        let mut recent = recent();
        recent.push_back((index, Arc::clone(&seen)));
        if recent.len() > REMEMBERED {
            recent.pop_front();
        }
        Ok(seen)
    }
}

impl ImageSource for Dataset {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn write(&self, index: usize, place: &mut [f32]) -> Result<(), HostError> {
        match self.entry(index)? {
            Entry::Picture { path, .. } => {
                write_values(&self.seen(index, path)?.prepared.values, place)
            }
            Entry::Tensor { row, rows, .. } => Ok(rows.write(*row, place)?),
        }
    }

    fn content(&self, index: usize) -> Result<ContentHash, HostError> {
        let entry = self.entry(index)?;
        let known = self.images.hashes.get().and_then(|hashes| hashes.each.get(index)).copied();
        let hash = known.map_or_else(|| entry.hash(), Ok)?;
        Ok(match entry {
            // The model whose input the picture becomes is part of all keys.
            Entry::Picture { .. } => {
                ContentHash::of_parts(&[hash, preprocessing(&self.model)?.hash()?])
            }
            Entry::Tensor { .. } => hash,
        })
    }
}

fn preprocessing(model: &Model) -> Result<&Preprocessing, HostError> {
    model.preprocessing().ok_or_else(|| HostError::NoCard {
        model: model.path().to_owned(),
        card: model.path().with_extension("toml"),
    })
}

fn class_of(model: &Model, entry: &Entry, label: &str) -> Result<usize, HostError> {
    let number = label.parse().ok().filter(|&class: &usize| class < model.classes());
    match number {
        Some(class) => Ok(class),
        None => arguments::class_of_label(model, label).map_err(|reason| HostError::Images {
            what: entry.path().display().to_string(),
            reason,
        }),
    }
}

#[cfg(test)]
mod tests;
