//! A safetensors file whose weights replace those of a model.
//!
//! Weights of another training fit a model only as a whole. What is half replaced computes
//! something that nobody trained, so every name, shape and type must be the model's. Exporters fold
//! batch normalization into the convolution before it and may keep the weight's name: then the file
//! still knows statistics that the model has lost, and nothing fits although shapes do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::OnnxError;
use crate::limits::FILE_BYTES;
use crate::proto::{TensorProto, data_type};
use crate::source::{Source, Stretch};
use crate::store::Bytes;

/// Largest header that is read, in bytes: a hundred thousand tensors.
const HEADER_BYTES: u64 = 1 << 24;
/// How many names a message lists.
const LISTED: usize = 3;
/// What `PyTorch` counts in training and nothing computes with.
const COUNTER: &str = "num_batches_tracked";

/// A safetensors file whose weights replace those of a model.
#[derive(Debug)]
pub(crate) struct Overlay {
    path: PathBuf,
    file: Source,
    /// Where the data start.
    start: u64,
    tensors: BTreeMap<String, TensorInfo>,
}

impl Overlay {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// Fails when it cannot be read, is no safetensors file, or too large.
    pub(crate) fn open(path: &Path) -> Result<Self, OnnxError> {
        let failed = |reason: String| OnnxError::Weights { path: path.to_owned(), reason };
        let file = Source::open(path)?;
        if file.length() > FILE_BYTES {
            return Err(failed(format!("it has more than {FILE_BYTES} bytes")));
        }
        let mut prefix = Vec::new();
        let length = match file.length().checked_sub(8) {
            Some(left) => {
                file.each_piece(Stretch { offset: 0, length: 8 }, |piece| prefix.extend(piece))?;
                let stated = prefix.as_slice().try_into().map_or(u64::MAX, u64::from_le_bytes);
                Some(stated).filter(|&stated| stated <= left)
            }
            None => None,
        };
        let length = length.ok_or_else(|| failed("it is not a safetensors file".into()))?;
        if length > HEADER_BYTES {
            return Err(failed(format!("its header has more than {HEADER_BYTES} bytes")));
        }
        let mut header = Vec::new();
        file.each_piece(Stretch { offset: 8, length }, |piece| header.extend(piece))?;
        let metadata: Metadata = serde_json::from_slice(&header)
            .map_err(|error| failed(format!("its header is damaged: {error}")))?;
        let start = 8 + length;
        let (stated, actual) = (metadata.data_len() as u64, file.length() - start);
        if stated != actual {
            let reason = format!("its header describes {stated} bytes, but {actual} follow");
            return Err(failed(reason));
        }
        let tensors = metadata
            .tensors()
            .into_iter()
            .map(|(name, info)| (name, info.clone()))
            .filter(|(name, _)| !name.ends_with(COUNTER))
            .collect();
        Ok(Self { path: path.to_owned(), file, start, tensors })
    }

    /// Returns where the file lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the bytes of a tensor, if it is there.
    pub(crate) fn find(&self, name: &str) -> Option<Bytes<'_>> {
        let (from, to) = self.tensors.get(name)?.data_offsets;
        // The header was checked: offsets ascend and end at the end of the file.
        let stretch = Stretch { offset: self.start + from as u64, length: (to - from) as u64 };
        Some(Bytes::InFile(&self.file, vec![stretch]))
    }

    /// Checks that the file holds the weights of a model, all of them and nothing else. Scalars
    /// that are not there count as the model's constants.
    ///
    /// # Errors
    /// Names the first tensors that are missing, too many or different.
    pub(crate) fn check(
        &self,
        stored: &[TensorProto],
        used: &BTreeSet<&str>,
    ) -> Result<(), OnnxError> {
        let failed = |reason: String| OnnxError::Weights { path: self.path.clone(), reason };
        let model: BTreeMap<&str, &TensorProto> =
            stored.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let extra: Vec<&str> = self.names().filter(|name| !model.contains_key(name)).collect();
        let statistic =
            |name: &&str| name.ends_with("running_mean") || name.ends_with("running_var");
        if let Some(lost) = extra.iter().copied().find(statistic) {
            return Err(failed(format!(
                "it holds {lost}, but the batch normalization of the model is folded into other \
                 weights: export the model in a way that keeps it, or export it with these weights"
            )));
        }
        let missing: Vec<&str> = model
            .values()
            .filter(|tensor| is_parameter(tensor) && used.contains(tensor.name.as_str()))
            .map(|tensor| tensor.name.as_str())
            .filter(|&name| !self.tensors.contains_key(name))
            .collect();
        let mut reasons = Vec::new();
        if !missing.is_empty() {
            reasons.push(format!("it lacks {} of the model", listed(&missing)));
        }
        if !extra.is_empty() {
            reasons.push(format!("the model does not have its {}", listed(&extra)));
        }
        let different: Vec<String> = self
            .tensors
            .iter()
            .filter_map(|(name, info)| difference(name, info, model.get(name.as_str())?))
            .collect();
        if reasons.is_empty() {
            reasons.extend(different.into_iter().take(LISTED));
        }
        if reasons.is_empty() { Ok(()) } else { Err(failed(reasons.join("; "))) }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }
}

/// Says whether a stored tensor is of the kind that training changes.
fn is_parameter(tensor: &TensorProto) -> bool {
    let real = [data_type::BFLOAT16, data_type::DOUBLE, data_type::FLOAT, data_type::FLOAT16];
    real.contains(&tensor.data_type) && !tensor.dims.is_empty() && !tensor.name.ends_with(COUNTER)
}

/// Says how a tensor differs from that of the model.
fn difference(name: &str, info: &TensorInfo, model: &TensorProto) -> Option<String> {
    let same_shape = info.shape.len() == model.dims.len()
        && info
            .shape
            .iter()
            .zip(&model.dims)
            .all(|(&ours, &theirs)| usize::try_from(theirs) == Ok(ours));
    if !same_shape {
        return Some(format!(
            "{name} has the shape {:?}, in the model {:?}",
            info.shape, model.dims
        ));
    }
    if type_of(info.dtype) != Some(model.data_type) {
        let theirs = data_type::name(model.data_type);
        return Some(format!("{name} has the type {:?}, in the model {theirs}", info.dtype));
    }
    None
}

/// Returns ONNX's number of a type.
fn type_of(dtype: Dtype) -> Option<i32> {
    Some(match dtype {
        Dtype::BF16 => data_type::BFLOAT16,
        Dtype::BOOL => data_type::BOOL,
        Dtype::F16 => data_type::FLOAT16,
        Dtype::F32 => data_type::FLOAT,
        Dtype::F64 => data_type::DOUBLE,
        Dtype::I8 => data_type::INT8,
        Dtype::I16 => data_type::INT16,
        Dtype::I32 => data_type::INT32,
        Dtype::I64 => data_type::INT64,
        Dtype::U8 => data_type::UINT8,
        Dtype::U16 => data_type::UINT16,
        Dtype::U32 => data_type::UINT32,
        Dtype::U64 => data_type::UINT64,
        _ => return None,
    })
}

/// Lists the first names, and says how many more there are.
fn listed(names: &[&str]) -> String {
    let first = names.get(..LISTED.min(names.len())).unwrap_or_default().join(", ");
    match names.len().checked_sub(LISTED) {
        None | Some(0) => first,
        Some(more) => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use prost::Message as _;

    use super::*;
    use crate::proto::{GraphProto, ModelProto, NodeProto};
    use crate::testing::{Is, graph, integers, model, node, reals};
    use crate::{LoadOptions, LoadedModel};

    /// The numbers of a tensor of a file of weights.
    struct Weight<'a>(&'a str, &'a str, &'a [usize], Vec<u8>);

    fn floats(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    /// Writes the header by hand: the format is small, and this way it is tested too.
    fn file_of(weights: &[Weight<'_>]) -> Vec<u8> {
        let (mut entries, mut data) = (Vec::new(), Vec::new());
        for Weight(name, dtype, shape, bytes) in weights {
            let from = data.len();
            data.extend(bytes);
            let to = data.len();
            entries.push(format!(
                "\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape:?},\"data_offsets\":[{from},{to}]}}"
            ));
        }
        let header = format!("{{{}}}", entries.join(","));
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
    }

    fn convolution() -> (Vec<NodeProto>, Vec<TensorProto>) {
        let nodes = vec![
            node("Conv", "conv1", &["x", "conv1.weight", "conv1.bias"], &["c"]),
            node("Clip", "clip", &["c", "", "six"], &["k"]),
            node("Reshape", "flat", &["k", "shape"], &["y"]),
        ];
        let stored = vec![
            reals("conv1.weight", &[1, 3, 1, 1], &[1.0, 2.0, 3.0]),
            reals("conv1.bias", &[1], &[0.5]),
            reals("six", &[], &[6.0]),
            integers("shape", &[0, -1]),
        ];
        (nodes, stored)
    }

    fn load(model: &ModelProto, weights: &[u8]) -> Result<LoadedModel, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        fs::write(&path, weights).unwrap();
        let options = LoadOptions { weights: Some(path.clone()), ..LoadOptions::default() };
        let loaded = crate::load_bytes(model.encode_to_vec(), Path::new("."), &options);
        if let Ok(model) = &loaded {
            assert_eq!(model.files, [path]);
        }
        loaded.map_err(|error| {
            let error = error.to_string();
            let start = format!(
                "the weights in {} cannot be used: ",
                folder.path().join("w.safetensors").display()
            );
            error.strip_prefix(&start).unwrap_or(&error).to_owned()
        })
    }

    fn convolution_with(weights: &[Weight<'_>]) -> Result<LoadedModel, String> {
        let (nodes, stored) = convolution();
        let graph = GraphProto { initializer: stored, ..graph(nodes, "x", "y") };
        load(&model(graph), &file_of(weights))
    }

    fn refusal(weights: &[Weight<'_>]) -> String {
        convolution_with(weights).unwrap_err()
    }

    fn weight() -> Weight<'static> {
        Weight("conv1.weight", "F32", &[1, 3, 1, 1], floats(&[7.0, 8.0, 9.0]))
    }

    fn bias() -> Weight<'static> {
        Weight("conv1.bias", "F32", &[1], floats(&[4.0]))
    }

    #[test]
    fn weights_replace_those_of_the_model_and_counters_do_not_matter() {
        let counter = Weight("bn.num_batches_tracked", "I64", &[], vec![1; 8]);
        let network = convolution_with(&[bias(), counter, weight()]).unwrap().network;
        let layer = &network.nodes()[0].layer;
        assert_eq!(layer.parameter("weight").unwrap().values().unwrap(), [7.0, 8.0, 9.0]);
        assert_eq!(layer.parameter("bias").unwrap().values().unwrap(), [4.0]);
    }

    #[test]
    fn a_constant_that_bears_the_name_of_a_weight_stays_as_it_is() {
        let constant = node("Constant", "c", &[], &["k"])
            .with("value", Is::Tensor(reals("conv1.bias", &[1], &[0.25])));
        let (mut nodes, mut stored) = convolution();
        nodes[0].input[2] = "k2".into();
        nodes.insert(0, node("Constant", "c", &[], &["k2"]));
        nodes[0].attribute = constant.attribute;
        stored.remove(1);
        let graph = GraphProto { initializer: stored, ..graph(nodes, "x", "y") };
        let error = load(&model(graph.clone()), &file_of(&[weight(), bias()])).unwrap_err();
        assert_eq!(error, "the model does not have its conv1.bias");
        let network = load(&model(graph), &file_of(&[weight()])).unwrap().network;
        assert_eq!(network.nodes()[0].layer.parameter("bias").unwrap().values().unwrap(), [0.25]);
    }

    #[test]
    fn missing_and_further_weights_are_named() {
        assert_eq!(refusal(&[weight()]), "it lacks conv1.bias of the model");
        let further = |name| Weight(name, "F32", &[1], floats(&[0.0]));
        let names = ["fc1", "fc2", "fc3", "fc4", "fc5"];
        let mut weights: Vec<_> = names.map(further).into();
        weights.push(weight());
        assert_eq!(
            refusal(&weights),
            "it lacks conv1.bias of the model; the model does not have its fc1, fc2, fc3 and 2 more"
        );
    }

    #[test]
    fn other_shapes_and_types_are_named() {
        let turned = Weight("conv1.weight", "F32", &[3, 1, 1, 1], floats(&[0.0; 3]));
        let half = Weight("conv1.bias", "F16", &[1], vec![0; 2]);
        assert_eq!(
            refusal(&[turned, half]),
            "conv1.bias has the type F16, in the model FLOAT; conv1.weight has the shape [3, 1, 1, \
             1], in the model [1, 3, 1, 1]"
        );
    }

    #[test]
    fn weights_do_not_lie_over_folded_batch_normalization() {
        let statistic = Weight("bn1.running_mean", "F32", &[1], floats(&[0.0]));
        assert_eq!(
            refusal(&[weight(), bias(), statistic]),
            "it holds bn1.running_mean, but the batch normalization of the model is folded into \
             other weights: export the model in a way that keeps it, or export it with these \
             weights"
        );
    }

    #[test]
    fn batch_normalization_that_is_there_takes_weights() {
        let names = ["bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"];
        let inputs = [&["x"][..], &names].concat();
        let nodes = vec![node("BatchNormalization", "bn", &inputs, &["y"])];
        let stored = names.map(|name| reals(name, &[3], &[1.0; 3])).into();
        let graph = GraphProto { initializer: stored, ..graph(nodes, "x", "y") };
        let weights = names.map(|name| Weight(name, "F32", &[3], floats(&[2.0; 3])));
        assert!(load(&model(graph), &file_of(&weights)).is_ok());
    }

    #[test]
    fn damaged_files_are_refused() {
        let (nodes, stored) = convolution();
        let model = model(GraphProto { initializer: stored, ..graph(nodes, "x", "y") });
        let refusal = |bytes: &[u8]| load(&model, bytes).unwrap_err();
        assert_eq!(refusal(b"tiny"), "it is not a safetensors file");
        assert_eq!(refusal(&[0xff; 64]), "it is not a safetensors file");
        let broken = [&2_u64.to_le_bytes()[..], b"[]"].concat();
        assert!(refusal(&broken).starts_with("its header is damaged: "), "{}", refusal(&broken));
        let mut short = file_of(&[weight(), bias()]);
        short.pop();
        assert_eq!(refusal(&short), "its header describes 16 bytes, but 15 follow");
        let mut long = (1_u64 << 25).to_le_bytes().to_vec();
        long.resize(1 << 26, b' ');
        assert_eq!(refusal(&long), "its header has more than 16777216 bytes");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("huge.safetensors");
        // A sparse file.
        fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let error = Overlay::open(&path).unwrap_err().to_string();
        assert!(error.ends_with("it has more than 2147483648 bytes"), "{error}");
        let wrong = String::from_utf8_lossy(&file_of(&[bias()])).replace("[0,4]", "[0,9]");
        assert!(refusal(wrong.as_bytes()).starts_with("its header is damaged: "));
    }
}
