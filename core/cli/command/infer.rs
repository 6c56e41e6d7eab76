//! `convscope infer`: raw tensors in, raw tensors out.

mod profile;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use convscope_data::write_npy;
use convscope_host::ModelOptions;
use convscope_onnx::Constant;
use convscope_runtime::Tensor;
use cpu_time::ProcessTime;
use serde_json::{Map, Value, json};

use self::profile::Profile;
use super::Outcome;
use crate::arguments::{Common, Infer};
use crate::console::Console;
use crate::failure::Failure;
use crate::kind;
use crate::session;

/// Runs a model on raw tensors and writes what comes out.
pub(crate) fn execute(
    arguments: &Infer,
    common: &Common,
    console: &Console,
) -> Result<Outcome, Failure> {
    check_folder(&arguments.out)?;
    let given =
        arguments.input.iter().map(|path| read(path)).collect::<Result<Vec<_>, Failure>>()?;
    let session = session::open_bare(common)?;
    let options = session::model_options(&[], arguments.weights.as_deref());
    let options = ModelOptions { given: given.clone(), ..options };
    let model = session.load_model(&arguments.model, &options)?;
    let free =
        given.into_iter().enumerate().filter(|(place, _)| !model.bound().contains_key(place));
    let inputs = free
        .map(|(_, value)| value.into_tensor())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Failure::new(kind::INVALID_TENSOR, error.to_string()))?;
    let mut profile = Profile::default();
    let (mut cpu, mut wall) = (Vec::new(), Vec::new());
    let mut values = Vec::new();
    for _ in 0..arguments.repeat {
        let start = (ProcessTime::now(), Instant::now());
        values = if arguments.profile {
            let mut watch = |layer: Option<&str>| profile.watch(layer);
            session.infer_watched(&model, &inputs, &arguments.capture, console, &mut watch)?
        } else {
            session.infer(&model, &inputs, &arguments.capture, console)?
        };
        cpu.push(start.0.elapsed().as_secs_f64());
        wall.push(start.1.elapsed().as_secs_f64());
        profile.end();
    }
    console.clear();
    let files = names(values.iter().map(|(name, _)| name.as_str()))?;
    let out = &arguments.out;
    fs::create_dir_all(out).map_err(|error| refused("make the folder", out, &error))?;
    let mut lines: Vec<String> = Vec::new();
    let mut outputs: Vec<Value> = Vec::new();
    for ((name, tensor), file) in values.iter().zip(files) {
        write(tensor, &out.join(&file))?;
        lines.push(format!("{name}  {}  {}\n", tensor.shape(), out.join(&file).display()));
        outputs.push(json!({ "name": name, "file": file, "shape": tensor.shape().extents() }));
    }
    let mut json = Map::new();
    json.insert("outputs".to_owned(), Value::Array(outputs));
    let bound = model.bound().values().map(|name| json!(name)).collect();
    json.insert("bound".to_owned(), Value::Array(bound));
    json.insert("cpu_seconds".to_owned(), json!(cpu));
    json.insert("wall_seconds".to_owned(), json!(wall));
    json.insert("instruction_set".to_owned(), json!(session.instruction_set()));
    json.insert("conversions".to_owned(), json!(session.conversions()));
    if arguments.profile {
        let batch = inputs.first().map_or(1, |input| input.shape().batch());
        lines.push(profile.rendered(model.description(), batch));
        json.insert("layers".to_owned(), profile.json(model.description()));
    }
    Ok(Outcome { text: lines.concat(), json })
}

/// Refuses a folder that cannot become one, before the work.
fn check_folder(out: &Path) -> Result<(), Failure> {
    if out.exists() && !out.is_dir() {
        let message = format!("{} is a file, not a folder", out.display());
        return Err(Failure::new(kind::OUTPUT, message).with_help("give another folder with --out"));
    }
    Ok(())
}

fn read(path: &Path) -> Result<Constant, Failure> {
    let kind = path.extension().and_then(|extension| extension.to_str());
    match kind.map(str::to_ascii_lowercase).as_deref() {
        Some("npy") => convscope_data::read_npy(path)
            .map(Constant::Real)
            .map_err(|error| Failure::new(kind::INVALID_TENSOR, error.to_string())),
        Some("pb") => convscope_onnx::read_constant(path)
            .map_err(|error| Failure::new(kind::INVALID_TENSOR, error.to_string())),
        _ => Err(Failure::new(
            kind::INVALID_TENSOR,
            format!("{}: tensors are .npy or ONNX TensorProto .pb files", path.display()),
        )),
    }
}

/// Returns the file of each value: its name, in which characters other than letters, digits, `.`,
/// `_` and `-` become `_`.
fn names<'a>(values: impl Iterator<Item = &'a str>) -> Result<Vec<String>, Failure> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let mut taken = BTreeSet::new();
    values
        .map(|name| {
            let file = format!("{}.npy", name.chars().map(plain).collect::<String>());
            if taken.insert(file.clone()) {
                Ok(file)
            } else {
                let message = format!("two of the values would be written to {file}");
                Err(Failure::new(kind::AMBIGUOUS_FILE, message)
                    .with_help("capture them one by one"))
            }
        })
        .collect()
}

/// Writes a file beside its place and moves it there, so that it is whole or not there.
fn write(tensor: &Tensor, path: &Path) -> Result<(), Failure> {
    let partial = PathBuf::from(format!("{}.partial-{}", path.display(), std::process::id()));
    let result = write_npy(&partial, tensor)
        .map_err(|error| Failure::new(kind::OUTPUT, error.to_string()))
        .and_then(|()| fs::rename(&partial, path).map_err(|error| refused("write", path, &error)));
    if result.is_err() {
        // Nothing half written stays; that it cannot be removed is the lesser trouble.
        let _ = fs::remove_file(&partial);
    }
    result
}

fn refused(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(kind::OUTPUT, format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_files_without_surprises() {
        let files = names(["/conv1/Conv", "fire2/concat", "a.b-c_d"].into_iter()).unwrap();
        assert_eq!(files, ["_conv1_Conv.npy", "fire2_concat.npy", "a.b-c_d.npy"]);
    }

    #[test]
    fn two_values_never_share_a_file() {
        let failure = names(["a/b", "a_b"].into_iter()).unwrap_err();
        assert_eq!(failure.message, "two of the values would be written to a_b.npy");
    }

    #[test]
    fn other_files_than_tensors_are_refused() {
        let failure = read(Path::new("cat.png")).unwrap_err();
        assert_eq!(failure.message, "cat.png: tensors are .npy or ONNX TensorProto .pb files");
    }
}
