//! Models.

use std::sync::Arc;

use rhai::{Dynamic, Engine, FLOAT, INT, ImmutableString, Map, NativeCallContext};
use serde_json::{Value, json};

use super::{Options, Properties, count, function, properties, property, wrong_type};
use crate::state::State;
use crate::throw::Fallible;
use crate::value::{Images, Model, layer_map};
use crate::{Failure, ModelOptions, Prediction, convert};

pub(super) const OPTIONS: &[&str] = &["input", "labels", "preprocess", "weights"];

/// Properties of models.
pub(crate) const MODEL: Properties = ("model", &["labels", "layers", "name", "score"]);

/// Classes that `predict` returns for each image when no number is given.
const CLASSES: usize = 5;

pub(super) fn register(engine: &mut Engine, state: &Arc<State>) {
    engine.register_type_with_name::<Model>("Model");
    properties::<Model>(engine, MODEL);
    loading(engine, state);
    facts(engine);
    predicting(engine, state);
}

/// Describes the options of `load_model`.
pub(super) fn options(presets: &[String]) -> Value {
    json!({
        "input": { "type": "array", "items": { "type": "integer", "minimum": 1 } },
        "labels": { "type": "string" },
        "preprocess": { "type": "string", "enum": presets },
        "weights": { "type": "string" },
    })
}

fn loading(engine: &mut Engine, state: &Arc<State>) {
    let doc = "Loads an ONNX model. Relative paths start at the script.\n\n\
               Options: `preprocess`, a preset instead of the model's card (`imagenet`, `caffe`,\n\
               `keras`, `raw`); `input`, the shape of the input where the model leaves it open;\n\
               `labels`, a file with the names of the classes; `weights`, a safetensors file whose\n\
               weights replace all of the model's.";
    let shared = Arc::clone(state);
    function("load_model", &["path: String", "Model"], doc).register_into_engine(
        engine,
        move |context: NativeCallContext, path: Dynamic| -> Fallible<Model> {
            Ok(load(&shared, &context, &path, Map::new())?)
        },
    );
    let shared = Arc::clone(state);
    function("load_model", &["path: String", "options: Map", "Model"], doc).register_into_engine(
        engine,
        move |context: NativeCallContext, path: Dynamic, options: Map| -> Fallible<Model> {
            Ok(load(&shared, &context, &path, options)?)
        },
    );
}

fn load(
    state: &State,
    context: &NativeCallContext,
    path: &Dynamic,
    options: Map,
) -> Result<Model, Failure> {
    let mut options = Options::new(options, OPTIONS)?;
    let preprocess = options.string("preprocess")?;
    let input = options.take("input").map(input_shape).transpose()?;
    let mut file = |key: &str| {
        let path = options.take(key);
        let path =
            path.map(|path| state.locate(context, &path).and_then(|path| state.reach.check(&path)));
        path.transpose().map_err(|failure| failure.with_key(key))
    };
    let (labels, weights) = (file("labels")?, file("weights")?);
    // Not where links lead: the card of a model lies beside its link.
    let path = state.locate(context, path)?;
    state.reach.check(&path)?;
    let reach = Arc::clone(&state.reach);
    let options = ModelOptions { preprocess, input, labels, reach, weights };
    Ok(Model::new(state.watch.outside(|| state.workbench.load_model(&path, &options))?))
}

fn input_shape(value: Dynamic) -> Result<Vec<usize>, Failure> {
    let other = convert::described(&value);
    let items =
        value.into_array().map_err(|_| wrong_type("input", "a list of whole numbers", &other))?;
    items.iter().map(|item| count("input", item)).collect()
}

fn facts(engine: &mut Engine) {
    property("name", &["model: Model", "String"], "File name without folders.")
        .register_into_engine(engine, |model: &mut Model| model.get().description().name.clone());
    property("score", &["model: Model", "String"], "Name of the layer that holds the scores.")
        .register_into_engine(engine, |model: &mut Model| model.get().description().score.clone());
    property("labels", &["model: Model", "Array"], "Names of the classes; empty when unknown.")
        .register_into_engine(engine, |model: &mut Model| {
            let labels = model.get().description().labels.iter();
            labels.cloned().map(Dynamic::from).collect::<rhai::Array>()
        });
    property(
        "layers",
        &["model: Model", "Array"],
        "The layers in execution order, each as `layer` describes it.",
    )
    .register_into_engine(engine, |model: &mut Model| {
        let layers = model.get().description().layers.iter();
        layers.map(|layer| Dynamic::from(layer_map(layer))).collect::<rhai::Array>()
    });
    function(
        "layer",
        &["model: Model", "name: String", "Map"],
        "The layer of a name: `#{ name, kind, shape, inputs, receptive_field, stride,\n\
         multiply_adds, parameters }`. `shape` begins with the batch, 1; `receptive_field` and\n\
         `stride` are `[height, width]` in pixels of the input, `()` where there are none.",
    )
    .register_into_engine(
        engine,
        |model: &mut Model, name: ImmutableString| -> Fallible<Map> {
            Ok(layer_map(model.layer(&name)?))
        },
    );
    function("to_string", &["model: Model", "String"], "Its name and number of layers.")
        .register_into_engine(engine, |model: &mut Model| described(model));
    function("to_debug", &["model: Model", "String"], "As `to_string`.")
        .register_into_engine(engine, |model: &mut Model| described(model));
}

fn described(model: &Model) -> String {
    let description = model.get().description();
    format!("{} with {} layers", description.name, description.layers.len())
}

fn predicting(engine: &mut Engine, state: &Arc<State>) {
    let doc = "The most probable classes of each image, five unless a number is given:\n\
               `[#{ name, classes: [#{ index, label, probability }] }]`.";
    let shared = Arc::clone(state);
    function("predict", &["model: Model", "images: Images", "Array"], doc).register_into_engine(
        engine,
        move |model: &mut Model, images: Images| -> Fallible<rhai::Array> {
            Ok(predict(&shared, model, &images, CLASSES)?)
        },
    );
    let shared = Arc::clone(state);
    function("predict", &["model: Model", "images: Images", "top: int", "Array"], doc)
        .register_into_engine(
            engine,
            move |model: &mut Model, images: Images, top: INT| -> Fallible<rhai::Array> {
                Ok(predict(&shared, model, &images, count("top", &top.into())?)?)
            },
        );
}

fn predict(
    state: &State,
    model: &Model,
    images: &Images,
    top: usize,
) -> Result<rhai::Array, Failure> {
    let class = |(index, label, probability): (usize, String, f32)| {
        Dynamic::from(Map::from([
            ("index".into(), Dynamic::from(convert::whole(index))),
            ("label".into(), label.into()),
            ("probability".into(), FLOAT::from(probability).into()),
        ]))
    };
    let row = |prediction: Prediction| {
        let classes: rhai::Array = prediction.classes.into_iter().map(class).collect();
        let name = Dynamic::from(prediction.name);
        Dynamic::from(Map::from([("name".into(), name), ("classes".into(), classes.into())]))
    };
    let predict = || model.get().predict(&images.shared(), top);
    let predictions = state.watch.outside(predict)?;
    Ok(predictions.into_iter().map(row).collect())
}
