//! From a file to a network.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use convscope_runtime::network::ValueId;
use convscope_runtime::{BackendError, Network, Tensor};

use crate::call::Workbench;
use crate::constant::Constant;
use crate::external::External;
use crate::input::{self, Batch, Input};
use crate::layout::InputLayout;
use crate::loader::Loader;
use crate::overlay::Overlay;
use crate::proto::{ModelProto, TensorProto};
use crate::source::Source;
use crate::store::{Reading, Store};
use crate::wire::Message;
use crate::{OnnxError, graph, names, reader, scores, tensor};

/// What a caller may decide about a model.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The shape of every input as the file takes it, batch included, in the order of the model's
    /// inputs; empty for the shapes that the file states.
    pub input_shapes: Vec<Vec<usize>>,
    /// A value of every input, in the order of the model's inputs; empty where they are not known.
    ///
    /// Extents that the file leaves open are then those of the values, and an input that cannot be
    /// one value per image is bound: its value becomes a constant of the network. Bound are
    /// integers, a real input whose extent in the file's batch is not that of the other inputs, and
    /// a real input that a node takes as a constant only, such as the weights of a convolution.
    pub given: Vec<Constant>,
    /// A safetensors file whose weights replace those of the model; every one of them must be
    /// there, with the model's name, shape and type.
    pub weights: Option<PathBuf>,
}

/// A model, ready to run.
#[derive(Debug)]
pub struct LoadedModel {
    /// Its layers.
    pub network: Network,
    /// In which layout the file takes each input of the network.
    pub input_layouts: Vec<InputLayout>,
    /// Names of the inputs that were bound, by their place among the model's inputs. The network
    /// takes the others.
    pub bound: BTreeMap<usize, String>,
    /// The scores: what a final softmax reads, or the first output where there is none.
    pub scores: ValueId,
    /// The value that holds probabilities, if the model computes them itself.
    pub probability: Option<ValueId>,
    /// Name and version of the program that wrote the file.
    pub producer: String,
    /// Version of the default operator set.
    pub opset: i64,
    /// The files beside the model's own that hold its numbers: data of the model, sorted, then
    /// [`LoadOptions::weights`].
    pub files: Vec<PathBuf>,
}

impl LoadedModel {
    /// Finds a value by any of its names.
    ///
    /// # Errors
    /// Fails for an unknown name; the error lists the most similar ones.
    pub fn find(&self, name: &str) -> Result<ValueId, OnnxError> {
        self.network.find(name).ok_or_else(|| OnnxError::UnknownName {
            name: name.to_owned(),
            nearest: names::nearest(self.network.names(), name),
        })
    }
}

/// Loads a model from a file. The numbers of a large tensor are read when its layer is made,
/// straight from the file.
///
/// # Errors
/// Fails when the file cannot be read, is damaged, passes a limit, or needs what is not supported;
/// unsupported nodes are listed all at once.
pub fn load(path: &Path, options: &LoadOptions) -> Result<LoadedModel, OnnxError> {
    read(Source::open(path)?, External::beside(path), options, Reading::Values)
}

/// Loads a model as [`load`] does, but leaves large tensors zero instead of reading them: for
/// whoever wants names, kinds and shapes of layers quickly, and nothing that is computed.
///
/// # Errors
/// As [`load`].
pub fn outline(path: &Path, options: &LoadOptions) -> Result<LoadedModel, OnnxError> {
    read(Source::open(path)?, External::beside(path), options, Reading::Shapes)
}

/// Loads a model from the bytes of a file that stands in `folder`, where data outside the file are
/// looked for.
///
/// # Errors
/// As [`load`].
pub fn load_bytes(
    bytes: Vec<u8>,
    folder: &Path,
    options: &LoadOptions,
) -> Result<LoadedModel, OnnxError> {
    read(Source::of_bytes(bytes), External::inside(folder), options, Reading::Values)
}

fn read(
    file: Source,
    external: External,
    options: &LoadOptions,
    reading: Reading,
) -> Result<LoadedModel, OnnxError> {
    let model: ModelProto = reader::decode(&file, Message::Model)?;
    let operator_set = operator_set(&model)?;
    let Some(graph) = &model.graph else {
        return Err(OnnxError::Damaged { reason: "it holds no graph".into() });
    };
    if graph.output.is_empty() {
        return Err(OnnxError::Damaged { reason: "its graph has no outputs".into() });
    }
    if !model.functions.is_empty() {
        return Err(OnnxError::UnsupportedModel {
            what: "defines operators of its own (local functions)",
            help: "inline them with onnx.inliner.inline_local_functions",
        });
    }
    if !graph.sparse_initializer.is_empty() {
        return Err(OnnxError::UnsupportedModel {
            what: "stores sparse tensors",
            help: "store them densely",
        });
    }
    let resolved = graph::resolve(graph)?;
    let overlay = options.weights.as_deref().map(Overlay::open).transpose()?;
    if let Some(overlay) = &overlay {
        overlay.check(&graph.initializer, &resolved.used)?;
    }
    let store = Store::new(file, external, reading).under(overlay);
    let demanded = RefCell::new(BTreeSet::new());
    let (inputs, (network, outputs, input_layouts)) = loop {
        let inputs = input::of(graph, options, &demanded.borrow())?;
        let batch = inputs.computed.first().map_or(Batch::Written(1), |input| input.batch);
        let images = batch.images();
        let bench = Workbench::new(operator_set, images, &store, &resolved.names, &demanded);
        let loaded = Loader::new(graph, &resolved, bench, batch).run(&inputs);
        // What was computed and is wanted as a constant is bound in the next round, if it is given.
        let wanted = |input: &Input<'_>| demanded.borrow().contains(input.name);
        let more = !options.given.is_empty() && inputs.computed.iter().any(wanted);
        if loaded.is_ok() || !more {
            break (inputs, loaded?);
        }
    };
    let named = |(&place, (name, _)): (&usize, &(&str, Constant))| (place, (*name).to_owned());
    let bound = inputs.bound.iter().map(named).collect();
    let (scores, probability) = scores::find(&network, &outputs);
    let producer = format!("{} {}", model.producer_name, model.producer_version);
    let producer = producer.trim().to_owned();
    let files = store.files();
    Ok(LoadedModel {
        network,
        input_layouts,
        bound,
        scores,
        probability,
        producer,
        opset: operator_set,
        files,
    })
}

/// Reads a tensor from a file that holds one ONNX `TensorProto`.
///
/// # Errors
/// Fails when the file cannot be read, is damaged or holds another type.
pub fn read_tensor(path: &Path) -> Result<Tensor, OnnxError> {
    let failed = |error: BackendError| {
        let name = path.display().to_string();
        OnnxError::Tensor { name, reason: error.to_string() }
    };
    read_constant(path)?.into_tensor().map_err(failed)
}

/// Reads a tensor from a file that holds one ONNX `TensorProto`; integers stay integers.
///
/// # Errors
/// As [`read_tensor`].
pub fn read_constant(path: &Path) -> Result<Constant, OnnxError> {
    let file = Source::open(path)?;
    let proto: TensorProto = reader::decode(&file, Message::Tensor)?;
    tensor::read(&proto, &Store::new(file, External::beside(path), Reading::Values))
}

/// Returns the version of the default operator set.
fn operator_set(model: &ModelProto) -> Result<i64, OnnxError> {
    let default = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    let version = match model.opset_import.iter().find(|set| default(&set.domain)) {
        Some(set) => set.version,
        // Files before IR version 3 cannot state one, which means 1.
        None if model.ir_version < 3 => 1,
        None => {
            let reason = "it does not say which operator set it uses".into();
            return Err(OnnxError::Damaged { reason });
        }
    };
    if (1..=25).contains(&version) { Ok(version) } else { Err(OnnxError::OperatorSet { version }) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use convscope_runtime::network::Origin;
    use prost::Message as _;
    use prost::bytes::Bytes;

    use super::*;
    use crate::proto::{GraphProto, OperatorSetIdProto};
    use crate::testing::{Is, graph, integers, load, model, model_of, node, reals, value_info};

    fn relu() -> GraphProto {
        graph(vec![node("Relu", "n", &["x"], &["y"])], "x", "y")
    }

    #[test]
    fn a_model_says_who_made_it_and_for_which_operator_set() {
        let model = load(&ModelProto { producer_version: "2".into(), ..model(relu()) }).unwrap();
        assert_eq!((model.producer.as_str(), model.opset), ("test 2", 13));
    }

    #[test]
    fn other_operator_sets_are_refused() {
        for version in [0, 26] {
            let error = load(&model_of(relu(), version)).unwrap_err().to_string();
            let start = format!("the model uses operator set {version}; 1 to 25 are supported");
            assert!(error.starts_with(&start), "{error}");
        }
        let domain = "ai.onnx.ml".into();
        let opset_import = vec![OperatorSetIdProto { domain, version: 13 }];
        let unstated = ModelProto { opset_import, ..model(relu()) };
        assert_eq!(
            load(&unstated).unwrap_err().to_string(),
            "the file is damaged or not ONNX: it does not say which operator set it uses"
        );
        let early = ModelProto { ir_version: 2, ..unstated };
        assert_eq!(load(&early).unwrap().opset, 1);
    }

    #[test]
    fn a_model_without_graph_or_outputs_is_damaged() {
        let error = load(&ModelProto { graph: None, ..model(relu()) }).unwrap_err();
        assert_eq!(error.to_string(), "the file is damaged or not ONNX: it holds no graph");
        let error = load(&model(GraphProto { output: vec![], ..relu() })).unwrap_err();
        assert_eq!(error.to_string(), "the file is damaged or not ONNX: its graph has no outputs");
    }

    #[test]
    fn local_functions_and_sparse_tensors_are_refused() {
        let functions = vec![Bytes::from_static(b"")];
        let error = load(&ModelProto { functions, ..model(relu()) }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the model defines operators of its own (local functions), which is not supported: \
             inline them with onnx.inliner.inline_local_functions"
        );
        let sparse_initializer = vec![Bytes::from_static(b"")];
        let error = load(&model(GraphProto { sparse_initializer, ..relu() })).unwrap_err();
        assert!(error.to_string().starts_with("the model stores sparse tensors, which is not"));
    }

    #[test]
    fn a_file_of_one_batch_runs_for_any() {
        let nodes = vec![
            node("Reshape", "flat", &["x", "s"], &["f"]),
            node("Gemm", "n", &["f", "w"], &["y"]),
        ];
        let stored = vec![integers("s", &[4, 12]), reals("w", &[12, 1], &[1.0; 12])];
        let mut graph = GraphProto { initializer: stored, ..graph(nodes, "x", "y") };
        graph.input = vec![value_info("x", &[4, 3, 2, 2])];
        let network = load(&model(graph)).unwrap().network;
        assert_eq!(network.value(network.inputs()[0]).shape.extents(), [1, 3, 2, 2]);
        assert_eq!(network.value(network.outputs()[0]).shape.extents(), [1, 1]);
    }

    /// A model whose one weight lies in `weights.bin`, and the bytes of that.
    fn with_weights_outside() -> (ModelProto, Vec<u8>) {
        let bytes: Vec<u8> = [1.0_f32, 2.0, 3.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let mut weight = reals("w", &[1, 3, 1, 1], &[]);
        weight.data_location = 1;
        weight.external_data = vec![crate::proto::StringStringEntryProto {
            key: "location".into(),
            value: "weights.bin".into(),
        }];
        let nodes = vec![node("Conv", "n", &["x", "w"], &["y"])];
        (model(GraphProto { initializer: vec![weight], ..graph(nodes, "x", "y") }), bytes)
    }

    #[test]
    fn weights_beside_the_file_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let (model, bytes) = with_weights_outside();
        fs::write(folder.path().join("weights.bin"), bytes).unwrap();
        let path = folder.path().join("model.onnx");
        fs::write(&path, model.encode_to_vec()).unwrap();
        let model = super::load(&path, &LoadOptions::default()).unwrap();
        let weight = model.network.nodes()[0].layer.parameter("weight").unwrap();
        assert_eq!(weight.values().unwrap(), [1.0, 2.0, 3.0]);
        assert_eq!(model.files, [folder.path().canonicalize().unwrap().join("weights.bin")]);
    }

    /// As in the cache of Hugging Face.
    #[cfg(unix)]
    #[test]
    fn weights_where_the_file_is_a_link_to_are_read_through_a_link_beside_it() {
        use std::os::unix::fs::symlink;
        let cache = tempfile::tempdir().unwrap();
        let [blobs, snapshot] = ["blobs", "snapshot"].map(|name| cache.path().join(name));
        fs::create_dir(&blobs).unwrap();
        fs::create_dir(&snapshot).unwrap();
        let (model, bytes) = with_weights_outside();
        fs::write(blobs.join("ab"), model.encode_to_vec()).unwrap();
        fs::write(blobs.join("cd"), bytes).unwrap();
        symlink("../blobs/ab", snapshot.join("model.onnx")).unwrap();
        symlink("../blobs/cd", snapshot.join("weights.bin")).unwrap();
        let model = super::load(&snapshot.join("model.onnx"), &LoadOptions::default()).unwrap();
        let weight = model.network.nodes()[0].layer.parameter("weight").unwrap();
        assert_eq!(weight.values().unwrap(), [1.0, 2.0, 3.0]);
        // What names the blob itself has no links beside it.
        let error = super::load(&blobs.join("ab"), &LoadOptions::default()).unwrap_err();
        assert!(error.to_string().contains("weights.bin"), "{error}");
    }

    #[test]
    fn an_input_that_a_node_wants_to_be_constant_is_bound_to_the_value_given() {
        let nodes = vec![
            node("Conv", "conv", &["x", "w"], &["c"]),
            node("Add", "add", &["c", "x"], &["y"]),
        ];
        let mut graph = graph(nodes, "x", "y");
        graph.input.push(value_info("w", &[1, 3, 1, 1]));
        let bytes = model(graph).encode_to_vec();
        let given = |extents: &[usize]| Constant::Real(Tensor::filled(extents, 2.0));
        let given = vec![given(&[4, 3, 8, 8]), given(&[1, 3, 1, 1])];
        let load = |given| {
            let options = LoadOptions { given, ..LoadOptions::default() };
            load_bytes(bytes.clone(), Path::new(""), &options)
        };
        let model = load(given).unwrap();
        assert_eq!(model.bound, BTreeMap::from([(1, "w".to_owned())]));
        assert_eq!(model.network.inputs().len(), 1);
        let weight = model.network.nodes()[0].layer.parameter("weight").unwrap();
        assert_eq!(weight.values().unwrap(), [2.0; 3]);
        let words = load(Vec::new()).unwrap_err().to_string();
        assert!(words.contains("its weight w is computed"), "{words}");
    }

    #[test]
    fn an_input_whose_batch_a_node_would_move_is_bound_to_the_value_given() {
        let transpose = node("Transpose", "n", &["x"], &["y"]);
        let graph = GraphProto {
            input: vec![value_info("x", &[2, 3])],
            ..graph(vec![transpose], "x", "y")
        };
        let bytes = model(graph).encode_to_vec();
        let values = Tensor::new([2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let options = LoadOptions { given: vec![Constant::Real(values)], ..LoadOptions::default() };
        let loaded = load_bytes(bytes.clone(), Path::new(""), &options).unwrap();
        let Origin::Constant(tensor) = &loaded.network.value(loaded.scores).origin else {
            panic!("it was not evaluated");
        };
        assert_eq!(tensor.values().unwrap(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        let words =
            load_bytes(bytes, Path::new(""), &LoadOptions::default()).unwrap_err().to_string();
        assert!(words.ends_with("its order [1, 0] moves the batch"), "{words}");
    }

    /// A model whose one weight is large, and its values.
    fn large() -> (ModelProto, Vec<f32>) {
        let values: Vec<f32> = (0..192 * 512).map(|index| index as f32 / 7.0).collect();
        let nodes = vec![
            node("Flatten", "flat", &["x"], &["f"]),
            node("Gemm", "fc", &["f", "w"], &["y"]).with("transB", Is::Integer(1)),
        ];
        let stored = vec![reals("w", &[512, 192], &values)];
        (model(GraphProto { initializer: stored, ..graph(nodes, "x", "y") }), values)
    }

    #[test]
    fn large_weights_are_read_from_their_place_in_the_file() {
        let (mut model, values) = large();
        let weight = |model: &ModelProto| {
            let network = load(model).unwrap().network;
            let weight = network.nodes()[1].layer.parameter("weight").unwrap();
            weight.values().unwrap().to_vec()
        };
        assert_eq!(weight(&model), values);
        let stored = &mut model.graph.as_mut().unwrap().initializer[0];
        (stored.raw_data, stored.float_data) = (Bytes::new(), values.clone());
        assert_eq!(weight(&model), values);
    }

    #[test]
    fn large_data_of_a_wrong_length_are_refused() {
        let (mut model, _) = large();
        model.graph.as_mut().unwrap().initializer[0].dims = vec![512, 191];
        assert_eq!(
            load(&model).unwrap_err().to_string(),
            "tensor w: its shape [512, 191] needs 97792 elements of 4 bytes, but it holds 393216 \
             bytes"
        );
    }

    #[test]
    fn more_integers_than_memory_should_hold_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        // A sparse file.
        let data = fs::File::create(folder.path().join("weights.bin")).unwrap();
        data.set_len((1 << 26) + 1).unwrap();
        let mut weight = crate::testing::stored(3, &[], &[(1 << 26) + 1]);
        weight.data_location = 1;
        weight.external_data = vec![crate::proto::StringStringEntryProto {
            key: "location".into(),
            value: "weights.bin".into(),
        }];
        let nodes = vec![node("Cast", "n", &["w"], &["y"]).with("to", Is::Integer(1))];
        let graph = GraphProto { initializer: vec![weight], ..graph(nodes, "x", "y") };
        let bytes = model(graph).encode_to_vec();
        let error = load_bytes(bytes, folder.path(), &LoadOptions::default()).unwrap_err();
        let message = "tensor w: it holds 67108865 integers; at most 67108864 are read";
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn an_outline_has_every_name_and_shape_and_no_large_weight() {
        let (model, values) = large();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        fs::write(&path, model.encode_to_vec()).unwrap();
        let whole = super::load(&path, &LoadOptions::default()).unwrap();
        let outline = outline(&path, &LoadOptions::default()).unwrap();
        let names = |model: &LoadedModel| model.network.names().map(str::to_owned).collect();
        let (expected, actual): (Vec<_>, Vec<_>) = (names(&whole), names(&outline));
        assert_eq!(actual, expected);
        assert_eq!(outline.network.value(outline.scores).shape.extents(), [1, 512]);
        let weight = |model: &LoadedModel| {
            let weight = model.network.nodes()[1].layer.parameter("weight").unwrap().clone();
            weight.values().unwrap().to_vec()
        };
        assert_eq!(weight(&whole), values);
        assert_eq!(weight(&outline), vec![0.0; values.len()]);
    }

    #[test]
    fn a_tensor_file_is_read_as_real_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("input_0.pb");
        fs::write(&path, integers("i", &[1, 255]).encode_to_vec()).unwrap();
        assert_eq!(read_tensor(&path).unwrap().values().unwrap(), [1.0, 255.0]);
        fs::write(&path, reals("r", &[2, 1], &[0.5, -1.0]).encode_to_vec()).unwrap();
        let tensor = read_tensor(&path).unwrap();
        assert_eq!(tensor.shape().extents(), [2, 1]);
        assert_eq!(tensor.values().unwrap(), [0.5, -1.0]);
    }
}
