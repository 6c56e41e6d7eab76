//! Sets of images.

use std::path::PathBuf;
use std::sync::Arc;

use rhai::{Dynamic, Engine, Map, NativeCallContext};
use serde_json::{Value, json};

use super::{Options, Properties, function, properties, property, wrong_type};
use crate::state::State;
use crate::throw::Fallible;
use crate::value::Images;
use crate::{Failure, ImageOptions, convert, kind};

pub(super) const OPTIONS: &[&str] = &["labels", "limit"];

/// Properties of sets of images.
pub(crate) const IMAGES: Properties = ("set of images", &["names"]);

/// Describes the options of `load_images`.
pub(super) fn options() -> Value {
    json!({
        "labels": {
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": ["integer", "string"] } },
            ],
        },
        "limit": { "type": "integer", "minimum": 1 },
    })
}

pub(super) fn register(engine: &mut Engine, state: &Arc<State>) {
    engine.register_type_with_name::<Images>("Images");
    properties::<Images>(engine, IMAGES);

    let doc = "Finds pictures: a folder, a file, a pattern such as `photos/*.jpg`, a CSV file with\n\
               the columns `file,label,part,x,y,width,height`, raw tensors (`.npy`, `.pb`), or a\n\
               list of those. Relative paths start at the script.\n\n\
               Options: `limit`, the number to use at most; `labels`, one class per picture, or a\n\
               file with one per line.";
    let shared = Arc::clone(state);
    function("load_images", &["source: ?", "Images"], doc).register_into_engine(
        engine,
        move |context: NativeCallContext, source: Dynamic| -> Fallible<Images> {
            Ok(load(&shared, &context, &source, Map::new())?)
        },
    );
    let shared = Arc::clone(state);
    function("load_images", &["source: ?", "options: Map", "Images"], doc).register_into_engine(
        engine,
        move |context: NativeCallContext, source: Dynamic, options: Map| -> Fallible<Images> {
            Ok(load(&shared, &context, &source, options)?)
        },
    );

    function("len", &["images: Images", "int"], "How many there are.")
        .register_into_engine(engine, |images: &mut Images| convert::whole(images.shared().len()));
    property("names", &["images: Images", "Array"], "The name of each, in order.")
        .register_into_engine(engine, |images: &mut Images| {
            images.shared().names().into_iter().map(Dynamic::from).collect::<rhai::Array>()
        });
    function("to_string", &["images: Images", "String"], "How many there are, in words.")
        .register_into_engine(engine, |images: &mut Images| described(images));
    function("to_debug", &["images: Images", "String"], "As `to_string`.")
        .register_into_engine(engine, |images: &mut Images| described(images));
}

fn described(images: &Images) -> String {
    match images.shared().len() {
        1 => "1 image".to_owned(),
        count => format!("{count} images"),
    }
}

fn load(
    state: &State,
    context: &NativeCallContext,
    source: &Dynamic,
    options: Map,
) -> Result<Images, Failure> {
    let mut options = Options::new(options, OPTIONS)?;
    let limit = options.count("limit")?;
    let labels = options.take("labels").map(|value| labels(state, context, value)).transpose()?;
    let sources = if let Some(items) = source.read_lock::<rhai::Array>() {
        items.iter().map(|item| locate(state, context, item)).collect::<Result<Vec<_>, _>>()?
    } else {
        vec![locate(state, context, source)?]
    };
    if sources.is_empty() {
        return Err(Failure::new(kind::NOT_FOUND, "the list of pictures is empty"));
    }
    let options = ImageOptions { limit, labels, reach: Arc::clone(&state.reach) };
    Ok(Images::new(state.watch.outside(|| state.workbench.load_images(&sources, &options))?))
}

fn locate(
    state: &State,
    context: &NativeCallContext,
    source: &Dynamic,
) -> Result<PathBuf, Failure> {
    state.reach.check_pattern(&state.locate(context, source)?)
}

/// Reads the classes of images: a list, or the path of a file with one per line.
fn labels(
    state: &State,
    context: &NativeCallContext,
    value: Dynamic,
) -> Result<Vec<String>, Failure> {
    if value.is_string() {
        let path = state.locate(context, &value).and_then(|path| state.reach.check(&path));
        let text = path.and_then(|path| {
            std::fs::read_to_string(&path).map_err(|error| {
                Failure::new(kind::UNREADABLE, format!("cannot read `{}`: {error}", path.display()))
            })
        });
        let text = text.map_err(|failure| failure.with_key("labels"))?;
        return Ok(text.lines().map(|line| line.trim().to_owned()).collect());
    }
    let other = convert::described(&value);
    let Ok(items) = value.into_array() else {
        return Err(wrong_type("labels", "a list or a path", &other));
    };
    let class = |item: Dynamic| {
        let other = convert::described(&item);
        match item.as_int() {
            Ok(number) => Ok(number.to_string()),
            Err(_) => item
                .into_string()
                .map_err(|_| wrong_type("labels", "a list of class numbers or names", &other)),
        }
    };
    items.into_iter().map(class).collect()
}
