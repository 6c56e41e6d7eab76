//! A workbench without plugins or networks, and a folder to run scripts in.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use convscope_protocol::array::ArrayMeta;
use convscope_protocol::figure::TableFigure;
use convscope_protocol::findings::Origin;
use convscope_protocol::schema::{ParameterError, Role};
use convscope_protocol::suggest::{did_you_mean, nearest};
use convscope_protocol::table::Column;
use convscope_protocol::{
    AnalysisDescriptor, Array, Axis, Cell, Figure, FigureContent, Findings, LayerDescription,
    ModelDescription, PluginDescriptor, Schema, Table,
};
use convscope_script::{
    Argument, Diagnostic, Failure, ImageOptions, ModelOptions, ModelOutline, Prediction,
    ScriptError, ScriptImages, ScriptModel, ScriptOptions, ScriptOutcome, Workbench,
};
use ndarray::arr2;
use serde_json::{Value, json};

/// What the workbench was asked for, and what it printed.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) asked: Mutex<Vec<String>>,
    pub(crate) printed: Mutex<Vec<String>>,
    pub(crate) cancelled: AtomicBool,
    /// When not 0: the number of looks at the cancel flag after which the user stops.
    pub(crate) patience: AtomicU64,
    pub(crate) two_plugins: bool,
}

struct FakeModel {
    description: ModelDescription,
    fake: Arc<Fake>,
}

/// The images that the fake hands out.
pub(crate) struct FakeImages(pub(crate) Vec<String>);

impl ScriptImages for FakeImages {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn names(&self) -> Vec<String> {
        self.0.clone()
    }
}

/// The program's half: an `Arc` because models keep it.
#[derive(Default)]
pub(crate) struct Bench(Arc<Fake>);

impl Workbench for Bench {
    fn plugins(&self) -> Vec<PluginDescriptor> {
        let one = plugin("org.convscope.fake");
        if self.0.two_plugins { vec![one, plugin("com.example.other")] } else { vec![one] }
    }

    fn presets(&self) -> Vec<String> {
        vec!["caffe".to_owned(), "imagenet".to_owned()]
    }

    fn outline(
        &self,
        path: &Path,
        _options: &ModelOptions,
    ) -> Result<Arc<dyn ModelOutline>, Failure> {
        Ok(Arc::new(FakeOutline(described(path)?)))
    }

    fn check_images(&self, sources: &[PathBuf], _options: &ImageOptions) -> Result<(), Failure> {
        let [source] = sources else { panic!("one source at a time") };
        let is_empty = |folder: &Path| folder.read_dir().unwrap().next().is_none();
        if source.is_dir() && is_empty(source) {
            return Err(Failure::new("no_pictures", "there are no pictures"));
        }
        Ok(())
    }

    fn load_model(
        &self,
        path: &Path,
        options: &ModelOptions,
    ) -> Result<Arc<dyn ScriptModel>, Failure> {
        let ModelOptions { preprocess, input, labels, weights, .. } = options;
        let options = format!("{preprocess:?} {input:?} {labels:?} {weights:?}");
        self.0.note(format!("model {} {options}", path.display()));
        Ok(Arc::new(FakeModel { description: described(path)?, fake: Arc::clone(&self.0) }))
    }

    fn load_images(
        &self,
        sources: &[PathBuf],
        options: &ImageOptions,
    ) -> Result<Arc<dyn ScriptImages>, Failure> {
        let sources: Vec<String> = sources.iter().map(|path| path.display().to_string()).collect();
        self.0.note(format!(
            "images {} {:?} {:?}",
            sources.join(" "),
            options.limit,
            options.labels
        ));
        Ok(Arc::new(FakeImages(vec!["cat.jpg".to_owned(), "dog.jpg".to_owned()])))
    }

    fn progress(&self, text: &str) {
        self.0.note(format!("progress {text}"));
    }

    fn print(&self, text: &str) {
        self.0.printed.lock().unwrap().push(text.to_owned());
    }

    fn debug(&self, text: &str) {
        self.0.printed.lock().unwrap().push(format!("debug {text}"));
    }

    fn is_cancelled(&self) -> bool {
        let patience = self.0.patience.load(Ordering::Relaxed);
        if patience > 0 && self.0.patience.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.cancelled.store(true, Ordering::Relaxed);
        }
        self.0.cancelled.load(Ordering::Relaxed)
    }
}

impl Fake {
    pub(crate) fn note(&self, text: String) {
        self.asked.lock().unwrap().push(text);
    }
}

impl ScriptModel for FakeModel {
    fn description(&self) -> &ModelDescription {
        &self.description
    }

    fn predict(
        &self,
        images: &Arc<dyn ScriptImages>,
        top: usize,
    ) -> Result<Vec<Prediction>, Failure> {
        let classes: Vec<_> =
            (0..top).map(|class| (class, format!("class {class}"), 0.5)).collect();
        let names = images.names().into_iter();
        Ok(names.map(|name| Prediction { name, classes: classes.clone() }).collect())
    }

    fn run(
        &self,
        analysis: &str,
        arguments: BTreeMap<String, Argument>,
    ) -> Result<Findings, Failure> {
        self.fake.note(format!("run {analysis} {arguments:?}"));
        if let Some(Argument::Images(images)) = arguments.get("images") {
            let any: Arc<dyn Any + Send + Sync> = Arc::clone(images) as _;
            any.downcast::<FakeImages>().expect("images come back as they were handed out");
        } else {
            return Err(Failure::new("missing_parameter", "`images` is missing").with_key("images"));
        }
        for (key, value) in &arguments {
            match (key.as_str(), value) {
                (
                    "baseline" | "choose" | "images" | "layer" | "layers" | "maps"
                    | "spots_per_image" | "stride" | "target" | "top",
                    _,
                ) => {}
                ("window", Argument::Json(Value::Number(window))) if window.as_i64() > Some(0) => {}
                ("window", Argument::Json(value)) => {
                    let message = format!("`window` must be at least 1, not {value}");
                    return Err(Failure::new("invalid_parameter", message).with_key("window"));
                }
                (key, _) => {
                    let message = format!("unknown parameter `{key}`");
                    return Err(Failure::new("unknown_parameter", message)
                        .with_key(key)
                        .with_help("did you mean `window`?"));
                }
            }
        }
        if analysis.ends_with("/deconvnet") && arguments.contains_key("top") {
            return Ok(deconvnet(analysis, arguments.get("layers")));
        }
        if matches!(arguments.get("stride"), Some(Argument::Json(stride)) if *stride == json!(1)) {
            return Err(Failure::cancelled());
        }
        Ok(findings(analysis))
    }
}

/// What the fake says about a model before it is loaded.
struct FakeOutline(ModelDescription);

impl ModelOutline for FakeOutline {
    fn description(&self) -> &ModelDescription {
        &self.0
    }

    fn check(&self, role: Role, path: &str, value: &Value) -> Result<(), ParameterError> {
        let Some(name) = value.as_str() else { return Ok(()) };
        let known: Vec<&str> = match role {
            Role::Layer | Role::Maps => {
                self.0.layers.iter().map(|layer| layer.name.as_str()).collect()
            }
            _ => self.0.labels.iter().map(String::as_str).collect(),
        };
        if known.contains(&name) {
            return Ok(());
        }
        let what = if role == Role::Target { "class" } else { "layer" };
        Err(ParameterError {
            key: path.to_owned(),
            message: format!("`{path}`: the model has no {what} `{name}`"),
            help: did_you_mean(&nearest(name, known)),
        })
    }
}

fn described(path: &Path) -> Result<ModelDescription, Failure> {
    if path.extension().is_none_or(|extension| extension != "onnx") {
        return Err(Failure::new("unsupported", "this is no ONNX model"));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(description(&name))
}

fn plugin(id: &str) -> PluginDescriptor {
    let schema = json!({
        "type": "object",
        "properties": {
            "images": { "description": "Pictures.", "x-convscope": "dataset" },
            "window": {
                "description": "Side of the window.",
                "type": "integer",
                "minimum": 1,
                "default": 32,
            },
            "stride": { "description": "Step of the window.", "type": "integer", "default": 8 },
            "layers": {
                "description": "Layers.",
                "anyOf": [
                    { "type": "string", "x-convscope": "layer" },
                    { "type": "array", "items": { "type": "string", "x-convscope": "layer" } },
                ],
            },
            "target": {
                "description": "Class.",
                "anyOf": [
                    { "type": "integer", "minimum": 0, "x-convscope": "target" },
                    { "type": "string", "x-convscope": "target" },
                ],
            },
            "baseline": {
                "description": "What stands in.",
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "kind": { "type": "string", "enum": ["mean", "blur"] },
                    "radius": { "type": "number", "exclusiveMinimum": 0.0 },
                },
                "required": ["kind"],
            },
            "layer": { "description": "A layer.", "type": "string", "x-convscope": "layer" },
        },
        "required": ["images"],
        "additionalProperties": false,
    });
    let analysis = |id: &str, schema: &Value| AnalysisDescriptor {
        id: id.to_owned(),
        doc: "Covers parts.".to_owned(),
        parameters: Schema::from_json(schema.clone()).unwrap(),
        ..AnalysisDescriptor::default()
    };
    let mut mining = schema.clone();
    for name in ["maps", "top", "spots_per_image"] {
        mining["properties"][name] = json!({ "type": "integer" });
    }
    mining["properties"]["choose"] = json!({ "type": "string" });
    PluginDescriptor {
        id: id.to_owned(),
        analyses: vec![analysis("occlusion", &schema), analysis("deconvnet", &mining)],
        ..PluginDescriptor::default()
    }
}

fn description(name: &str) -> ModelDescription {
    let layer = |name: &str, kind: &str, shape: Vec<usize>| LayerDescription {
        name: name.to_owned(),
        kind: kind.to_owned(),
        shape,
        receptive_field: Some([7, 7]),
        ..LayerDescription::default()
    };
    let layers = if name == "squeezenet1_1.onnx" {
        vec![
            ("conv1_relu", "rectifier", [1, 64, 113, 113]),
            ("fire3/concat", "concatenation", [1, 128, 56, 56]),
            ("fire6/concat", "concatenation", [1, 384, 14, 14]),
            ("fire9/concat", "concatenation", [1, 512, 14, 14]),
        ]
    } else {
        vec![
            ("conv1", "convolution", [1, 8, 16, 16]),
            ("fire9/concat", "concatenation", [1, 16, 8, 8]),
        ]
    };
    ModelDescription {
        name: name.to_owned(),
        score: "fc".to_owned(),
        labels: vec!["cat".to_owned(), "dog".to_owned()],
        layers: layers
            .into_iter()
            .map(|(name, kind, shape)| layer(name, kind, shape.to_vec()))
            .collect(),
        ..ModelDescription::default()
    }
}

/// Findings with the figures that the analysis `deconvnet` of the plugin has.
fn deconvnet(analysis: &str, layers: Option<&Argument>) -> Findings {
    let mut findings = findings(analysis);
    let Some(Argument::Json(Value::Array(layers))) = layers else { return findings };
    let figure = |layer: &Value| Figure {
        name: format!("projection.{}", layer.as_str().unwrap()),
        ..findings.figures[0].clone()
    };
    findings.figures = layers.iter().map(figure).collect();
    "activation".clone_into(&mut findings.arrays[0].name);
    findings
}

/// Findings with an array `probability` [2, 3], one per layer, figures and tables.
fn findings(analysis: &str) -> Findings {
    let meta = ArrayMeta {
        axes: vec![Axis::named("image"), Axis::named("place")],
        unit: "probability".to_owned(),
        doc: "Probability of the class.".to_owned(),
    };
    let array = |name: &str, values: convscope_protocol::Values| Array {
        name: name.to_owned(),
        meta: meta.clone(),
        values,
    };
    let table = |name: &str| Table {
        name: name.to_owned(),
        caption: "Winners.".to_owned(),
        columns: vec![Column { name: "map".to_owned(), unit: String::new(), decimals: None }],
        rows: vec![vec![Cell::Integer(4)], vec![Cell::Empty]],
    };
    let figure = Figure {
        name: "probability".to_owned(),
        title: "Probability".to_owned(),
        how_to_read: "Dark is low.".to_owned(),
        caption: "Settings.".to_owned(),
        content: FigureContent::Table(TableFigure { table: "drawn".to_owned() }),
    };
    Findings {
        origin: Origin {
            analysis: analysis.to_owned(),
            parameters: json!({ "window": 32 }).as_object().unwrap().clone(),
            ..Origin::default()
        },
        arrays: vec![
            array(
                "probability",
                arr2(&[[0.5, 1.0, -2.0], [f32::NAN, 4.0, 0.25]]).into_dyn().into(),
            ),
            array("winner", arr2(&[[3_u32, u32::MAX, 1], [0, 9, 2]]).into_dyn().into()),
            array("projection.conv1", arr2(&[[1.0_f32]]).into_dyn().into()),
        ],
        tables: vec![table("drawn"), table("winners")],
        figures: vec![figure],
        scalars: vec![("share".to_owned(), 0.75)],
        notes: vec!["approximate".to_owned()],
    }
}

/// A folder with a script in it.
pub(crate) struct Desk {
    _folder: tempfile::TempDir,
    pub(crate) root: PathBuf,
    pub(crate) fake: Fake,
    pub(crate) options: ScriptOptions,
}

/// What is left after a script has run.
pub(crate) struct Left {
    pub(crate) outcome: Result<ScriptOutcome, ScriptError>,
    pub(crate) fake: Arc<Fake>,
}

impl Desk {
    /// Makes `home/` with a model and photographs, `work/` as the working folder, and a secret
    /// beside them.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["home/models", "home/photos", "work", "library"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        for name in [
            "home/models/tiny.onnx",
            "home/models/w.safetensors",
            "home/photos/cat.jpg",
            "work/mine.onnx",
            "secret.onnx",
        ] {
            std::fs::write(root.join(name), "x").unwrap();
        }
        let options = ScriptOptions {
            working_folder: root.join("work"),
            library: vec![root.join("library")],
            ..ScriptOptions::default()
        };
        Self { _folder: folder, root, fake: Fake::default(), options }
    }

    pub(crate) fn write(self, name: &str, text: &str) -> Self {
        std::fs::write(self.root.join(name), text).unwrap();
        self
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.options.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs `home/main.rhai` with the given text.
    pub(crate) fn run(self, text: &str) -> Left {
        let path = self.root.join("home/main.rhai");
        std::fs::write(&path, text).unwrap();
        self.run_file(&path)
    }

    /// Runs a script that exists already.
    pub(crate) fn run_file(self, path: &Path) -> Left {
        let fake = Arc::new(self.fake);
        let bench = Arc::new(Bench(Arc::clone(&fake)));
        let outcome = convscope_script::run(path, bench, &self.options);
        Left { outcome, fake }
    }
}

impl Left {
    /// Returns what was printed by a script that ran to its end.
    pub(crate) fn printed(self) -> Vec<String> {
        self.outcome.unwrap_or_else(|error| panic!("{error:?}"));
        self.fake.printed.lock().unwrap().clone()
    }

    /// Returns what the workbench was asked for.
    pub(crate) fn asked(self) -> Vec<String> {
        self.outcome.unwrap_or_else(|error| panic!("{error:?}"));
        self.fake.asked.lock().unwrap().clone()
    }

    pub(crate) fn mistake(self) -> Diagnostic {
        match self.outcome {
            Err(ScriptError::Failed(failure)) => *failure,
            Err(ScriptError::Mistakes(mut mistakes)) if mistakes.len() == 1 => mistakes.remove(0),
            other => panic!("no mistake: {other:?}"),
        }
    }
}

/// Runs a script and returns what it printed.
pub(crate) fn printed(text: &str) -> Vec<String> {
    Desk::new().run(text).printed()
}

/// Runs a script and returns its mistake.
pub(crate) fn mistake(text: &str) -> Diagnostic {
    Desk::new().run(text).mistake()
}

/// Returns the words that a mistake marks.
pub(crate) fn marked(mistake: &Diagnostic) -> String {
    let place = mistake.place.as_ref().expect("a place");
    place.source.chars().skip(place.span.start).take(place.span.len()).collect()
}

/// The beginning of scripts that run an analysis.
pub(crate) const LOADED: &str =
    "let model = load_model(\"models/tiny.onnx\"); let photos = load_images(\"photos\");\n";
