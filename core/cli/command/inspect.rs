//! `convscope inspect`: the layers of a model, and what analyses can do with it.

mod uses;

use std::path::Path;

use convscope_protocol::{LayerDescription, ModelDescription};
use convscope_report::draw_network;
use serde_json::{Map, Value, json};

use super::Outcome;
use crate::arguments::{Common, Inspect};
use crate::console::Console;
use crate::failure::Failure;
use crate::kind;
use crate::session;
use crate::text::Table;
use uses::Use;

/// Width of what is printed.
const WIDTH: usize = 80;

/// Describes a model.
pub(crate) fn execute(
    arguments: &Inspect,
    common: &Common,
    console: &Console,
) -> Result<Outcome, Failure> {
    let session = session::open(common, console)?;
    let options = session::model_options(&arguments.input, arguments.weights.as_deref());
    // The weights change nothing that is shown.
    let model = session.outline_model(&arguments.model, &options)?;
    let description = model.description();
    let uses = uses::of(session.registry(), description);
    let mut json = Map::new();
    json.insert("model".to_owned(), without_labels(description)?);
    json.insert("parameters".to_owned(), json!(description.parameters()));
    json.insert("multiply_adds".to_owned(), json!(description.multiply_adds()));
    json.insert("analyses".to_owned(), uses.iter().map(Use::json).collect());
    let mut text = rendered(description, model.classes(), &uses);
    if let Some(path) = &arguments.svg {
        let drawing = draw_network(description, env!("CARGO_PKG_VERSION"))
            .map_err(|error| Failure::new(kind::FIGURE, error.to_string()))?;
        write(path, &drawing)?;
        json.insert("svg".to_owned(), json!(path));
        text = format!("{text}\nwritten: {}\n", path.display());
    }
    Ok(Outcome { text, json })
}

/// Writes a file under another name first, so that it is never there in part.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let refused = |error: std::io::Error| {
        Failure::new(kind::OUTPUT, format!("cannot write {}: {error}", path.display()))
    };
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".partial-{}", std::process::id()));
    let partial = Path::new(&name);
    std::fs::write(partial, text).map_err(refused)?;
    std::fs::rename(partial, path).map_err(|error| {
        // What is left over is worth less than the reason.
        let _ = std::fs::remove_file(partial);
        refused(error)
    })
}

fn without_labels(description: &ModelDescription) -> Result<Value, Failure> {
    let mut value = serde_json::to_value(description)
        .map_err(|error| Failure::new(kind::OUTPUT, error.to_string()))?;
    if let Some(map) = value.as_object_mut() {
        map.remove("labels");
    }
    Ok(value)
}

fn rendered(description: &ModelDescription, classes: usize, uses: &[Use<'_>]) -> String {
    let inputs: Vec<String> = description
        .inputs
        .iter()
        .map(|input| {
            let last = description.channels_last.contains(&input.name);
            let note = if last { " (channels last in the file)" } else { "" };
            format!("{} {}{note}", input.name, extents(&input.shape))
        })
        .collect();
    let count = |kind: &str| description.layers.iter().filter(|layer| layer.kind == kind).count();
    let mut lines = vec![
        format!("{}\n", description.name),
        format!("input          {}\n", inputs.join(", ")),
        format!("scores         {}, {classes} classes\n", description.score),
    ];
    lines.extend(description.probability.iter().map(|name| format!("probabilities  {name}\n")));
    let source = description.preprocessing_source.iter();
    lines.extend(source.map(|source| format!("preprocessing  {source}\n")));
    lines.push(format!("parameters     {}\n", short(description.parameters())));
    lines.push(format!("multiply-adds  {} (MACs)\n", short(description.multiply_adds())));
    lines.push(format!("rectifiers     {}", count("rectifier")));
    if count("activation") > 0 {
        lines.push(format!(
            ", and {} other activations, which every method differentiates",
            count("activation")
        ));
    }
    lines.push("\n\n".to_owned());
    let mut table = Table::new(&[
        ("layer", false),
        ("kind", false),
        ("shape", false),
        ("field", true),
        ("stride", true),
        ("params", true),
        ("MACs", true),
    ]);
    for layer in &description.layers {
        table.row(row(layer));
    }
    lines.push(table.rendered(WIDTH));
    if !uses.is_empty() {
        let mut table = Table::new(&[("analysis", false), ("can start from", false)]);
        for one in uses {
            table.row(vec![one.name().to_owned(), one.words(description)]);
        }
        lines.push(format!("\n{}", table.rendered(WIDTH)));
    }
    lines.concat()
}

fn row(layer: &LayerDescription) -> Vec<String> {
    let pair = |pair: Option<[usize; 2]>, none: &str| match pair {
        Some([a, b]) if a == b => a.to_string(),
        Some([a, b]) => format!("{a}×{b}"),
        None => none.to_owned(),
    };
    let count = |count: u64| if count == 0 { String::new() } else { short(count) };
    vec![
        layer.name.clone(),
        layer.kind.clone(),
        extents(&layer.shape),
        pair(layer.receptive_field, "all"),
        pair(layer.stride, ""),
        count(layer.parameters),
        count(layer.multiply_adds),
    ]
}

/// Writes a shape without its batch.
fn extents(shape: &[usize]) -> String {
    let extents: Vec<String> = shape.iter().skip(1).map(ToString::to_string).collect();
    extents.join("×")
}

/// Writes a count with three digits and a unit.
fn short(count: u64) -> String {
    let units = [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    for (size, unit) in units {
        if count >= size {
            let amount = count as f64 / size as f64;
            let decimals = if amount < 9.995 { 2 } else { usize::from(amount < 99.95) };
            return format!("{amount:.decimals$} {unit}");
        }
    }
    count.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_three_digits_and_a_unit() {
        let written: Vec<String> = [7, 1_234, 12_345, 999_999, 1_235_496].map(short).to_vec();
        assert_eq!(written, ["7", "1.23 k", "12.3 k", "1000 k", "1.24 M"]);
    }
}
